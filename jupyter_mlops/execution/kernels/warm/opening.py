"""Opens a warm kernel for a plan wherever one is to be had: from this process's pool, or a live worker's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlops.execution.kernels.warm.fitness import NotWarm, unfit

if TYPE_CHECKING:
    from jupyter_mlops.execution.kernels.kernel import Kernel, KernelPlan

__all__ = ["NotWarm", "open_warm"]


async def open_warm(plan: KernelPlan) -> Kernel:
    """Raises `NotWarm`."""
    why = unfit(plan)
    if why:
        raise NotWarm(why)
    if plan.pool is not None:
        return await plan.pool.open(plan)
    from jupyter_mlops.execution.kernels.warm.fitness import Wish
    from jupyter_mlops.execution.kernels.warm.sharing import any_lender, borrow

    if not any_lender():
        raise NotWarm("no process with warm kernels is alive")
    return borrow(Wish.of(plan))
