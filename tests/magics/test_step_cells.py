"""A step's cell shows what the same cell shows in a kernel without us; outputs and tracebacks are compared text by text."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from kernels import Cell, LiveKernel

from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.store import open_store

pytestmark = pytest.mark.kernel

CELLS = {
    "nothing": "",
    "a comment on top": "# first\n'second'",
    "value": "6 * 7",
    "streams": "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('more')",
    "several displays": "display('one')\ndisplay({'text/html': '<b>x</b>', 'text/plain': 'x'}, raw=True)\n'last'",
    "semicolon": "42;",
    "exception": "x = 1\n\n\n1 / 0\ny = 2",
    "exception in a function": "def f(n):\n    if n:\n        return f(n - 1)\n    raise ValueError('deep')\n\nf(2)",
    "chained exceptions": "try:\n    {}['a']\nexcept KeyError as error:\n    raise RuntimeError('so') from error",
    "syntax error": "x = 1\ny = = 2\n",
    "indentation": "if True:\n  x = 1\n y = 2",
    "system exit in a function": "class Stop(SystemExit):\n    pass\nprint('before')\nraise Stop(3)",
    "assertion": "assert 1 == 2, 'no'",
    "top-level await": "import asyncio\nawait asyncio.sleep(0)\nprint('awaited')\nawait asyncio.sleep(0, 5)",
    "async for": "async def g():\n    for n in range(3):\n        yield n\n[n async for n in g()]",
    "shell command": "!echo hello; echo there >&2",
    "shell command into a name": "lines = !printf 'a\\nb\\n'\nlines",
    "cell magic": "%%capture got\nprint('hidden')",
    "bash magic": "%%bash\necho from bash",
    "help": "len?",
    "line magic": "%precision 2\n3.14159",
    "unknown magic": "%nosuchmagic",
    "warning": "import warnings\nwarnings.warn('careful')",
    "unicode": "größe = '✓ ä'\ngröße",
    "clear": "from IPython.display import clear_output\nprint('a')\nclear_output()\nprint('b')",
    "update": "h = display('one', display_id='i')\nh.update('two')",
    "history": "_",
    "the cell's own number": "len(In) > 1, '%%step' in In[-1]",
    "empty lines at the end": "1\n\n\n",
    "carriage returns": "print('a\\rb')\nprint('c', end='')",
    "a long output": "for n in range(3000):\n    print(n)",
    "a thread": "import threading\nt = threading.Thread(target=print, args=('in thread',))\nt.start()\nt.join()",
    "frame": "import pandas as pd\npd.DataFrame({'a': [1, 2]})",
    "globals": "sorted(n for n in globals() if 'mlops' in n or 'step' in n)",
    "name": "__name__, get_ipython().__class__.__name__",
    "source of a function": "import inspect\ndef f():\n    return 1\nprint(inspect.getsource(f))",
}


@pytest.fixture(scope="module")
def kernel(start_kernel: Callable[..., LiveKernel]) -> LiveKernel:
    return start_kernel()


@pytest.fixture(scope="module")
def plain(start_kernel: Callable[..., LiveKernel]) -> LiveKernel:
    return start_kernel(extension=False)


def shown(cell: Cell) -> list[tuple[str, str]]:
    """What is shown, without colours, the step's comment line, and numbers that count cells or are addresses."""
    found = []
    for kind, content in cell.outputs:
        text = re.sub(r"\x1b\[[0-9;]*m", "", str(content))
        text = re.sub(r"(In|Cell In)\s?\[\d+\]", "In[n]", text)
        text = re.sub(r"ipykernel_\d+/\d+", "ipykernel_n/n", text)
        text = re.sub(r"0x[0-9a-f]+", "0x", text)
        found.append((kind, text.replace("# %%step", "%%step")))
    return found


def newest(kernel: LiveKernel, step: str) -> StepRun:
    kernel.run("%mlops drain")
    with open_store(kernel.folder, create=False) as store:
        return store.steps.runs(step=step, limit=1)[0]


@pytest.mark.parametrize("name", CELLS)
def test_a_step_shows_what_its_cell_shows_without_us_line_numbers_included(
    kernel: LiveKernel, plain: LiveKernel, name: str
) -> None:
    """The plain kernel gets a comment on the first line, so that line numbers can be compared."""
    body = CELLS[name]
    step = f"cell{list(CELLS).index(name)}"
    magic_below = body.startswith("%%")
    expected = plain.run(body if magic_below else f"# %%step {step}\n{body}")
    found = kernel.run(f"%%step {step}\n{body}")
    assert shown(found) == [(kind, text.replace("# %%step", "%%step")) for kind, text in shown(expected)]
    assert found.notes == []


@pytest.mark.parametrize("name", ["value", "exception", "streams", "top-level await", "shell command"])
def test_a_tagged_cell_shows_it_too_and_is_a_step(kernel: LiveKernel, plain: LiveKernel, name: str) -> None:
    step = f"tagged{list(CELLS).index(name)}"
    expected = plain.run(CELLS[name])
    found = kernel.run(CELLS[name], cell_id=step, tags=[f"step:{step}", "other"])
    assert shown(found) == shown(expected)
    recorded = newest(kernel, step)
    assert recorded.status is (Status.FAILED if name == "exception" else Status.COMPLETED)
    assert recorded.cell_id == step


def test_time_inside_a_step_times_the_code_and_keeps_its_names(kernel: LiveKernel) -> None:
    cell = kernel.run("%%step timed\n%%time\nspent = sum(range(10))\nspent")
    assert "Wall time" in cell.text
    assert "45" in cell.text
    assert kernel.run("spent").text == "45"
    assert newest(kernel, "timed").status is Status.COMPLETED


def test_a_tag_and_the_magic_are_one_step_with_one_version_and_one_result(kernel: LiveKernel) -> None:
    kernel.run("%%step both\nboth = [1, 2, 3]")
    again = kernel.run("both = [1, 2, 3]", cell_id="b", tags=["step:both"])
    assert again.reused
    kernel.run("%mlops drain")
    with open_store(kernel.folder, create=False) as store:
        assert len(store.steps.versions("both")) == 1


def test_tag_options_do_what_the_magics_do(kernel: LiveKernel) -> None:
    tags = ["step:opted", "metrics:score", "no-cache"]
    for _ in range(2):
        assert not kernel.run("score = 0.5", cell_id="o", tags=tags).notes
    assert newest(kernel, "opted").metrics == {"score": 0.5}


def test_a_cell_that_raises_is_recorded_as_failed_and_the_kernel_goes_on(kernel: LiveKernel) -> None:
    kernel.run("divisor = 0")
    failed = kernel.run("%%step divide\nbefore = 1\nquotient = 10 / divisor")
    assert "ZeroDivisionError" in failed.error
    recorded = newest(kernel, "divide")
    assert (recorded.status, recorded.error) == (Status.FAILED, "ZeroDivisionError: division by zero")
    assert recorded.ended_at is not None
    assert kernel.run("before").text == "1"
    again = kernel.run("%%step divide\nbefore = 1\nquotient = 10 / divisor")
    assert "ZeroDivisionError" in again.error, "a failure is not reused"
    kernel.run("divisor = 5")
    assert not kernel.run("%%step divide\nbefore = 1\nquotient = 10 / divisor").notes
    assert newest(kernel, "divide").status is Status.COMPLETED
    assert kernel.run("%%step divide\nbefore = 1\nquotient = 10 / divisor").reused


def test_a_syntax_error_is_no_run_of_the_step(kernel: LiveKernel) -> None:
    assert "SyntaxError" in kernel.run("%%step broken\nx = = 1").error
    kernel.run("%mlops drain")
    with open_store(kernel.folder, create=False) as store:
        assert store.steps.runs(step="broken") == []


def test_a_cell_inside_a_step_is_the_steps(kernel: LiveKernel) -> None:
    """`run_cell` from within a cell, as some libraries do."""
    cell = kernel.run("%%step outer\nget_ipython().run_cell('inner = 3')\ninner + 1")
    assert cell.text.endswith("4")
    assert newest(kernel, "outer").status is Status.COMPLETED
    assert kernel.run("1 + 1").text == "2"


def test_metrics_that_are_no_numbers_are_told_and_the_others_recorded(kernel: LiveKernel) -> None:
    cell = kernel.run("%%step measured --metrics good,text,gone,nan\ngood, text, nan = 0.9, 'x', float('nan')")
    assert newest(kernel, "measured").metrics == {"good": 0.9}
    for word in ("'text'", "'gone'", "'nan'", "Hint:"):
        assert word in cell.text


def test_a_reused_step_gives_its_metrics_again_also_those_asked_for_since(kernel: LiveKernel) -> None:
    code = "auc = 0.75\nloss = 0.5"
    kernel.run(f"%%step scored --metrics auc\n{code}")
    assert kernel.run(f"%%step scored --metrics auc\n{code}").reused
    assert newest(kernel, "scored").metrics == {"auc": 0.75}
    assert newest(kernel, "scored").status is Status.REUSED
    assert kernel.run(f"%%step scored --metrics auc,loss\n{code}").reused
    assert newest(kernel, "scored").metrics == {"auc": 0.75, "loss": 0.5}
    assert kernel.run(f"%%step scored\n{code}").reused
    assert newest(kernel, "scored").metrics == {}


def test_a_model_asked_for_since_is_logged_so_the_step_runs(kernel: LiveKernel) -> None:
    assert not kernel.run("%%step fitted\nmodel = {'weights': [1, 2]}").reused
    assert not kernel.run("%%step fitted --model model\nmodel = {'weights': [1, 2]}").reused
    assert newest(kernel, "fitted").why == Reason(ReasonCode.MODEL_CHANGED, "")
    assert kernel.run("%%step fitted --model model\nmodel = {'weights': [1, 2]}").reused
