"""Opens the kernel of a plan: a warm one where it shows the same, else an ordinary one."""

from __future__ import annotations

from jupyter_mlops.errors import KernelDiedError
from jupyter_mlops.execution.kernels.kernel import Kernel, KernelPlan
from jupyter_mlops.execution.kernels.ordinary import OrdinaryKernel


async def open_kernel(plan: KernelPlan) -> Kernel:
    """Start the kernel of a plan: a warm one where it shows the same, else an ordinary one, which then knows why.

    Raises `KernelDiedError` where it cannot be launched.
    """
    why = "it was requested"
    if plan.mode != "ordinary":
        from jupyter_mlops.execution.kernels.warm.opening import NotWarm, open_warm

        try:
            return await open_warm(plan)
        except NotWarm as error:
            why = error.message
            if plan.mode == "warm":
                raise KernelDiedError(
                    f"No warm kernel is possible: {why}.",
                    "Let jupyter-mlops choose the kind of kernel: --kernel-mode auto.",
                ) from error
    return await OrdinaryKernel.start(plan.kernel_name, plan.folder, plan.environment, plan.start_seconds, why)
