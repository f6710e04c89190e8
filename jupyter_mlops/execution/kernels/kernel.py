"""What a kernel of a job is to whoever executes cells in it, what is asked of one, and what its death means."""

from __future__ import annotations

import ast
import json
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_mlops.errors import KernelDiedError
from jupyter_mlops.execution.notebook.nodes import NotebookNode, OnOutput

if TYPE_CHECKING:
    from jupyter_mlops.execution.notebook.overflow import Overflows

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
PRELUDE = (
    'get_ipython().run_line_magic("load_ext", "jupyter_mlops")\n'
    # The notebook's own %load_ext would else print that this was done already.
    'get_ipython().extension_manager.loaded.discard("jupyter_mlops")'
)
DRAIN = 'get_ipython().run_line_magic("mlops", "drain")'


@dataclass(frozen=True, kw_only=True)
class KernelPlan:
    """Which kernel is to be opened, and where."""

    kernel_name: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    start_seconds: int = 60
    mode: str = "auto"
    """Which kind of kernel is wanted: auto, warm or ordinary."""
    pool: KernelPool | None = None
    """The warm kernels of this process, where it has some."""
    notebook: Mapping[str, Any] = field(default_factory=dict)
    """The notebook as it was asked for: what it imports, a warm kernel has loaded."""
    same_python: bool = False
    """Whether the kernel is one of the interpreter that runs us."""


class KernelPool(Protocol):
    """Opens warm kernels: `execution.kernels.warm.pool.Pool`."""

    async def open(self, plan: KernelPlan) -> Kernel:
        """A warm kernel for `plan`. Raises `NotWarm` where that would not be the same as an ordinary one."""


class CellRunner(Protocol):
    """Executes cells of a notebook, one at a time, in one kernel. Where that dies, `DeadKernelError` is raised."""

    on_message: Callable[[int, dict[str, Any]], None] | None
    on_warning: Callable[[str, str], None] | None
    """Where given, told of each message that says something of a cell, before it changes the notebook."""

    def show_within(self, limit: int, overflows: Overflows) -> None:
        """Show no more of a cell's streams than `limit` characters, and have the rest in a file of `overflows`."""

    async def take_what_is_late(self) -> None:
        """Take what tasks of cells said after the last cell."""

    def flush_outputs(self) -> None:
        """Let the notebook hold all that came."""

    async def start(self) -> None:
        """Wait until the kernel answers. Raises RuntimeError where it does not."""

    async def run_cell(self, index: int) -> None:
        """Execute a cell; raises nbclient's errors."""

    async def run_silently(self, code: str, expressions: dict[str, Any] | None = None) -> dict[str, Any]:
        """Execute code that leaves no trace in notebook, history or count; returns the reply's content."""

    async def language_info(self) -> dict[str, Any]:
        """What the kernel says of its language, as notebooks have it."""

    def set_widgets_metadata(self) -> None:
        """Write the state of the widgets into the notebook."""

    def close(self) -> None:
        """Speak to the kernel no more."""


class Kernel(Protocol):
    """A kernel that executes one notebook. `kind` is "warm" or "ordinary"; `why` says why it is that one."""

    kind: str
    why: str

    @property
    def pid(self) -> int | None:
        """Its process; None where that cannot be told."""

    def client(self, notebook: NotebookNode, on_output: OnOutput, *, cell_seconds: int | None) -> CellRunner:
        """What executes cells in this kernel, into `notebook`."""

    async def is_alive(self) -> bool:
        """Whether its process is there."""

    async def interrupt(self) -> None:
        """Interrupt the cell that runs, as SIGINT does."""

    async def kill(self) -> None:
        """End its process at once."""

    async def stop(self, *, now: bool) -> None:
        """End its process, whatever state it is in, and give back all it held; `now` without asking it first."""

    def death(self) -> KernelDiedError:
        """What the end of its process was; details signal, exit_code, out_of_memory."""


def death_by(code: int | None) -> KernelDiedError:
    """What the end of a kernel's process was: `code` is its exit code, negative for a signal, None where unknown."""
    if code is None:
        return KernelDiedError("The kernel's process is gone.", _AGAIN)
    if code >= 0:
        return KernelDiedError(
            f"The kernel's process ended unexpectedly with exit code {code}.", _AGAIN, exit_code=code
        )
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    killed = -code == KILL
    return KernelDiedError(
        f"The kernel was killed by {name}.",
        _MEMORY if killed else _AGAIN,
        exit_code=code,
        signal=name,
        out_of_memory=killed,
    )


_AGAIN = "Finished steps are kept: run it again, and they are reused."
_MEMORY = "Did it run out of memory? " + _AGAIN

IN_KERNEL = """\
(lambda m, p, s, j: j.dumps({
    "python": p.python_version(), "implementation": p.python_implementation(), "executable": s.executable,
    "platform": p.platform(), "packages": sorted({
        d.metadata["Name"] + "==" + d.version for d in m.distributions() if d.metadata["Name"]}, key=str.lower),
}))(__import__("importlib.metadata").metadata, __import__("platform"), __import__("sys"), __import__("json"))"""


async def environment_in(client: CellRunner) -> dict[str, Any] | None:
    """The environment as a Python kernel sees it, where its interpreter is not ours; None where it does not say."""
    reply = await client.run_silently("", {"environment": IN_KERNEL})
    answer = reply.get("user_expressions", {}).get("environment", {})
    if answer.get("status") != "ok":
        return None
    found: dict[str, Any] = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
    return found
