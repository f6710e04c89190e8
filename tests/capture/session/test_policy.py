"""Which steps are asked to run whatever could be reused."""

from __future__ import annotations

from jupyter_mlops.capture.session.policy import CapturePolicy
from jupyter_mlops.domain.variables import KernelTask


def test_steps_are_forced_by_the_task_or_for_a_while() -> None:
    policy = CapturePolicy(KernelTask(forced=("a",), captures_all=True))
    assert (policy.capture_all, policy.forces("a"), policy.forces("b")) == (True, True, False)
    with policy.forcing(["*"]):
        assert policy.forces("b")
    with policy.forcing([]):
        assert not policy.forces("a")
    assert (policy.forces("a"), policy.forces("b")) == (True, False)
