"""A live kernel shows no secret, by whatever way it is shown; and it is left alone until the first secret is looked up."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import canary
import pytest
from kernels import Cell, LiveKernel

from jupyter_mlops.operations.project.secrets import set_secret

pytestmark = pytest.mark.kernel
TOKEN = canary.TOKEN


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKernel]:
    """One that has looked up TOKEN; what it and its processes write goes to files, as a worker's log does."""
    folder = tmp_path_factory.mktemp("live")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        patch.delenv("PYTEST_CURRENT_TEST", raising=False)  # ipykernel would not watch the descriptors
        set_secret(folder, "TOKEN", TOKEN)
        (folder / "project").mkdir()
        before = os.dup(1), os.dup(2)
        log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT)
        os.dup2(log, 1)
        os.dup2(log, 2)
        try:
            started = LiveKernel(folder / "project")
        finally:
            os.dup2(before[0], 1)
            os.dup2(before[1], 2)
            for descriptor in (*before, log):
                os.close(descriptor)
        started.run("import base64, logging, os, subprocess, sys, time\nfrom jupyter_mlops.secrets import secret")
        started.run("from IPython.display import HTML, Markdown, clear_output, display, update_display")
        started.run('token = secret("TOKEN")')
        yield started
        started.close()
        assert canary.leaks(folder / "project") == []
        assert not any(form in (folder / "log.txt").read_bytes() for form in canary.encodings().values())


SHOWN = [
    "print(token, repr(token), [token + ''])",
    "print(base64.b64encode(f'user:{token}'.encode()).decode(), token.encode().hex())",
    "sys.stdout.write(token[:5]); sys.stdout.flush(); time.sleep(0.4); sys.stdout.write(token[5:])",
    "sys.stderr.write(token[:-1]); sys.stderr.flush(); print('between'); sys.stderr.write(token[-1:])",
    "for letter in token:\n    print(letter, end='', flush=True)",
    "for place, letter in enumerate(token):\n"
    "    (sys.stdout, sys.stderr)[place % 2].write(letter)\n    sys.stdout.flush(), sys.stderr.flush()",
    "for place, letter in enumerate(token):\n    print(letter, end='') if place % 2 else os.write(1, letter.encode())",
    "for place, letter in enumerate(token):\n"
    "    print(letter, end='') if place % 2 else os.write(2, letter.encode())\n    sys.stdout.flush(), sys.stderr.flush()",
    "print(token[:9], end='')\n_ = subprocess.run(['printf', '%s', token[9:]]); time.sleep(0.3)",
    "print(token[:20], end='')\ndisplay('between')\nprint(token[20:])",
    "print(token[:20], end='')\nclear_output()\nprint(token[20:])",
    "print(base64.b85encode(token.encode()).decode(), base64.b32encode(token.encode()).decode())",
    "print(token.upper(), token.lower(), token.encode().hex(':'))",
    "token + ''",
    "display({'text/plain': token + '', 'text/html': f'<i>{token}</i>'}, raw=True)",
    "display('x', display_id='one'); update_display({'text/plain': token + ''}, display_id='one', raw=True)",
    "display({'text/markdown': f'**{token}**', 'text/plain': f'**{token}**'}, raw=True)",
    "print('gone'); clear_output(); print(token)",
    "_ = subprocess.run(['echo', token]); time.sleep(0.3)",
    "_ = subprocess.run(['sh', '-c', 'echo $T >&2'], env={'T': token}); time.sleep(0.3)",
    "_ = os.write(1, token.encode()[:7]); time.sleep(0.1); _ = os.write(1, token.encode()[7:]); time.sleep(0.3)",
    "!echo '{token}'",
    '%%bash -s "$token"\necho "$1"',
    "logging.getLogger('a').error('%s', token)",
    "import warnings\nwarnings.warn(token)",
    "print(token, file=sys.__stdout__, flush=True); time.sleep(0.3)",
    "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as pool:\n    pool.submit(print, token)",
    "if os.fork() == 0:\n    print(token, flush=True); os._exit(0)\n_ = os.wait(); time.sleep(0.3)",
    "raise KeyError(token)",
    "def f(key):\n    inner = {'a': key}\n    raise ValueError('no locals')\nf(token)",
    "%xmode Verbose\ndef f(key):\n    inner = {'a': 'long ' * 30 + key + ' long' * 30}\n    1 / 0\nf(token + '')",
    "import traceback\ntry:\n    raise ValueError(token)\nexcept ValueError:\n    traceback.print_exc()",
]


@pytest.mark.parametrize("code", SHOWN)
def test_what_a_cell_shows_has_the_name_in_the_place_of_the_secret(kernel: LiveKernel, code: str) -> None:
    shown = kernel.run(code)
    assert not any(form in _streams(shown).encode() for form in canary.encodings().values())
    assert not any(form.decode("latin-1") in shown.text for form in canary.encodings().values())
    assert not any(form in shown.text.encode() for form in canary.encodings().values())
    assert "secret TOKEN" in shown.text or "locals" in code, shown.text


def _streams(shown: Cell) -> str:
    """What was printed, put together again whatever stood between."""
    return "".join(content for kind, content in shown.outputs if kind in ("stdout", "stderr"))


def test_the_terminal_is_shown_no_rest_of_what_python_began(kernel: LiveKernel) -> None:
    log = kernel.folder.parent / "log.txt"
    before = log.stat().st_size
    kernel.run(
        "print(token[:5], end='')\n_ = os.write(1, token[5:].encode()); os.write(1, b'\\nbelow\\n'); time.sleep(0.3)"
    )
    assert log.read_bytes()[before:].decode().strip() == "below"


def test_nothing_the_kernel_sends_holds_it_be_it_markup_the_state_of_a_widget_or_a_buffer(kernel: LiveKernel) -> None:
    code = """
import ipywidgets
from comm import create_comm
display(HTML(f"<b>{token}</b>"), ipywidgets.Text(value=token, description=f"a {token}"))
create_comm(target_name="x", data={"a": token}, buffers=[token.encode()])
"""
    client, messages = kernel.client, []
    client.execute(code)
    while not messages or messages[-1]["content"].get("execution_state") != "idle":
        messages.append(client.get_iopub_msg(timeout=60))
    client.get_shell_msg(timeout=60)
    sent = repr([(message["content"], [bytes(item) for item in message["buffers"]]) for message in messages])
    assert [name for name, form in canary.encodings().items() if form.decode("latin-1") in sent] == []
    assert "<b>&lt;secret TOKEN&gt;</b>" in sent
    assert "'value': '<secret TOKEN>'" in sent
    assert "comm_open" in {message["msg_type"] for message in messages}


def test_pieces_of_a_stream_are_joined_as_one(kernel: LiveKernel) -> None:
    shown = kernel.run("print('a', end='')\nfor letter in token + ' b':\n    print(letter, end='', flush=True)")
    assert shown.text == "a<secret TOKEN> b"


def test_what_was_held_back_comes_before_what_is_displayed_next(kernel: LiveKernel) -> None:
    shown = kernel.run("print('kan', end='')\ndisplay('shown')\nprint('ari', end='')")
    assert shown.outputs == [("stdout", "kan"), ("display_data", "'shown'"), ("stdout", "ari")]


def test_what_is_asked_of_the_kernel_holds_no_secret_either(kernel: LiveKernel) -> None:
    kernel.run("plain = token + ''")
    client = kernel.client
    replies = [
        client.execute("1", user_expressions={"a": "plain"}, reply=True),
        client.inspect("plain", reply=True),
        client.complete("plain.", reply=True),
    ]
    assert all(reply["content"]["status"] == "ok" for reply in replies)
    assert TOKEN not in repr(replies)
    assert "<secret TOKEN>" in repr(replies[0])


def test_log_files_hold_no_secret(kernel: LiveKernel) -> None:
    kernel.run("logger = logging.getLogger('of a file')\nlogger.addHandler(logging.FileHandler('own.log'))")
    kernel.run("try:\n    raise ValueError(token)\nexcept ValueError:\n    logger.exception('with %r', token + '')")
    text = (kernel.folder / "own.log").read_text()
    assert "with '<secret TOKEN>'" in text
    assert "ValueError: <secret TOKEN>" in text


def test_an_unknown_name_is_told_in_two_lines(kernel: LiveKernel) -> None:
    shown = kernel.run('secret("TOKNE")')
    assert "Did you mean 'TOKEN'?" in shown.error
    assert len(shown.error.splitlines()) == 2


def test_a_variable_of_the_environment_is_hidden_before_anyone_asks_for_it(tmp_path: Path) -> None:
    kernel = LiveKernel(tmp_path, MLOPS_SECRET_EARLY=TOKEN)
    try:
        assert "'MLOPS_SECRET_EARLY': '<secret EARLY>'" in kernel.run("import os; print(dict(os.environ))").text
    finally:
        kernel.close()


def test_a_kernel_without_secrets_is_left_as_it_was(tmp_path: Path) -> None:
    code = "import sys; session = get_ipython().kernel.session\n"
    code += "print('send' in vars(session), 'jupyter_mlops.secrets.outgoing' in sys.modules)"
    kernel = LiveKernel(tmp_path)
    try:
        assert kernel.run(code).text == "False False\n"
    finally:
        kernel.close()


def test_a_plain_program_may_ask_for_secrets_too(tmp_path: Path) -> None:
    code = "from jupyter_mlops.secrets import secret; print(len(secret('PLAIN')), secret('PLAIN')[:3])"
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "MLOPS_SECRET_PLAIN": "abcdefgh"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "8 abc\n"
    assert time.monotonic() - began < 30
