"""A step that logs with MLflow is repeatable all the same: logging is no part of its result."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kernels import LiveKernel

pytestmark = pytest.mark.kernel


def test_a_step_that_logs_is_reused(start_kernel: Callable[..., LiveKernel]) -> None:
    kernel = start_kernel()
    kernel.run("import mlflow")
    code = "%%step log\nx = 1\nmlflow.log_metric('auc', 0.5)"
    first = kernel.run(code)
    assert not first.error
    assert not first.reused
    assert '"unrepeatable": ""' in kernel.run("%mlops steps --json").text
    assert kernel.run(code).reused


def test_a_run_of_its_own_is_no_reason_to_run_always(start_kernel: Callable[..., LiveKernel]) -> None:
    """MLflow asks git for the commit, and draws a name: neither is the step's doing."""
    kernel = start_kernel()
    kernel.run("import mlflow")
    first = kernel.run("%%step own\nwith mlflow.start_run() as run:\n    mlflow.log_metric('auc', 0.5)\ndel run")
    assert not first.error
    assert '"unrepeatable": ""' in kernel.run("%mlops steps --json").text
