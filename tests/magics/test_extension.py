"""Loading twice changes nothing; unloading leaves the shell as it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kernels import LiveKernel

from jupyter_mlops.domain.status import Status
from jupyter_mlops.store import open_store

pytestmark = pytest.mark.kernel

HOOKS = """
[
    len(shell.input_transformers_cleanup),
    len(shell.ast_transformers),
    len(shell.events.callbacks["pre_run_cell"]),
    len(shell.events.callbacks["post_run_cell"]),
    int("mlops" in shell.magics_manager.magics["line"]),
]
"""


@pytest.fixture(scope="module")
def kernel(start_kernel: Callable[..., LiveKernel]) -> LiveKernel:
    kernel = start_kernel(extension=False)
    kernel.run("shell = get_ipython()")
    return kernel


def test_loading_shows_nothing_and_makes_no_folder(kernel: LiveKernel) -> None:
    assert kernel.run("%load_ext jupyter_mlops").outputs == []
    kernel.run("1")
    kernel.run("x = 1", cell_id="a")
    assert list(kernel.folder.iterdir()) == []
    kernel.run("%unload_ext jupyter_mlops")


def test_loading_twice_or_reloading_hooks_in_once(kernel: LiveKernel) -> None:
    kernel.run("%load_ext jupyter_mlops")
    once = kernel.run(HOOKS).text
    kernel.run("%load_ext jupyter_mlops")
    kernel.run("import jupyter_mlops; jupyter_mlops.load_ipython_extension(shell)")
    assert kernel.run(HOOKS).text == once
    kernel.run("%reload_ext jupyter_mlops")
    assert kernel.run(HOOKS).text == once
    assert not kernel.run("%%step a\nx = 1").notes
    assert len(kernel.run("%%step a\nx = 1").notes) == 1


def test_unloading_leaves_a_plain_shell_and_ends_the_session(kernel: LiveKernel) -> None:
    kernel.run("%unload_ext jupyter_mlops")
    plain = kernel.run(HOOKS).text
    kernel.run("%load_ext jupyter_mlops")
    kernel.run("%%step a\nx = 1")
    kernel.run("%unload_ext jupyter_mlops")
    assert kernel.run(HOOKS).text == plain
    assert plain.endswith("0]"), "the line magic has gone too"
    assert "not found" in kernel.run("%mlops status").text
    assert "not found" in kernel.run("%%step a\nx = 1").text
    assert kernel.run("x = 5\nx").text == "5"
    with open_store(kernel.folder, create=False) as store:
        assert {run.status for run in store.runs.list()} == {Status.COMPLETED}


def test_loading_again_after_unloading_works(kernel: LiveKernel) -> None:
    kernel.run("%load_ext jupyter_mlops")
    assert kernel.run("%%step a\nx = 1").reused
    kernel.run("%unload_ext jupyter_mlops")


def test_a_kernel_that_ends_in_good_order_ends_its_run(start_kernel: Callable[..., LiveKernel]) -> None:
    kernel = start_kernel()
    kernel.run("%%step a\nimport numpy as np\nx = np.arange(1000)")
    kernel.manager.client().shutdown()
    kernel.client.shutdown()
    end_of(kernel)
    with open_store(kernel.folder, create=False) as store:
        (run,) = store.runs.list()
        assert run.status is Status.COMPLETED
        assert run.ended_at is not None
        (step_run,) = store.steps.runs()
        assert step_run.result is not None, "the result was saved before the process went"
        assert "git.commit" in run.tags or run.environment is not None


def end_of(kernel: LiveKernel) -> None:
    import time

    for _ in range(300):
        if not kernel.manager.is_alive():
            return
        time.sleep(0.1)
    raise AssertionError("the kernel did not end")
