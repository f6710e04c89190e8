"""The options of `%%step`, in a real kernel."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kernels import LiveKernel

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def kernel(start_kernel: Callable[..., LiveKernel]) -> LiveKernel:
    return start_kernel()


def test_a_step_that_takes_too_long_is_stopped_and_says_so(kernel: LiveKernel) -> None:
    cell = kernel.run("%%step slow --timeout 1s\nimport time\ntime.sleep(30)")
    assert "took longer than its --timeout of 1 s" in cell.error
    assert "KeyboardInterrupt" not in cell.text
    assert cell.seconds < 20
    assert "Step 'slow' was stopped" in kernel.run("%mlops why slow").text


def test_a_step_that_fails_is_tried_again_and_only_the_last_error_shows(kernel: LiveKernel) -> None:
    kernel.run("tries = 0")
    cell = kernel.run("%%step flaky --retries 2\ntries += 1\nif tries < 2:\n    raise ValueError(tries)\ntries")
    assert (cell.error, cell.text.strip()) == ("", "2")
    cell = kernel.run("%%step never --retries 1\ntries += 1\nraise ValueError(f'number {tries}')")
    assert "number 4" in cell.error
    assert "number 3" not in cell.text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--inputs a", "reads 'tries', which its --inputs does not list"),
        ("--outputs other", "makes or changes 'b', which its --outputs does not list"),
        ("--outputs b,c", "lists 'c' in --outputs, but does not make or change it"),
    ],
)
def test_claims_that_are_contradicted_fail_the_cell(kernel: LiveKernel, line: str, words: str) -> None:
    kernel.run("tries = 1")
    cell = kernel.run(f"%%step claims {line}\nb = tries")
    assert words in cell.error
    assert "Hint:" in cell.error


def test_claims_that_hold_do_not(kernel: LiveKernel) -> None:
    kernel.run("tries = 1")
    assert kernel.run("%%step holds --inputs tries --outputs b\nb = tries").error == ""


def test_what_the_author_answers_for_is_reused(kernel: LiveKernel) -> None:
    code = "\nimport time\nnow = time.time()\nprint(now)"
    first = kernel.run("%%step clock --repeatable" + code)
    kernel.run("%mlops drain")
    assert kernel.run("%%step clock --repeatable" + code).outputs == first.outputs
    first = kernel.run("%%step brief --ttl 2s" + code)
    kernel.run("%mlops drain")
    assert kernel.run("%%step brief --ttl 2s" + code).outputs == first.outputs
    kernel.run("time.sleep(2.1)")
    assert kernel.run("%%step brief --ttl 2s" + code).outputs != first.outputs
