"""Kernels of jobs: which are installed, starting one in its own folder and environment, and what its death means."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_mlops.domain import variables
from jupyter_mlops.errors import KernelDiedError
from jupyter_mlops.store.files import last_words

if TYPE_CHECKING:
    from jupyter_mlops.execution.engine.execution import Plan
    from jupyter_mlops.execution.notebook.overflow import Overflows

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
PRELUDE = (
    'get_ipython().run_line_magic("load_ext", "jupyter_mlops")\n'
    # The notebook's own %load_ext would else print that this was done already.
    'get_ipython().extension_manager.loaded.discard("jupyter_mlops")'
)
DRAIN = 'get_ipython().run_line_magic("mlops", "drain")'


class CellRunner(Protocol):
    """Executes cells of a notebook, one at a time, in one kernel. Where that dies, `DeadKernelError` is raised."""

    on_message: Callable[[int, dict[str, Any]], None] | None
    on_warning: Callable[[str, str], None] | None
    """Where given, told of each message that says something of a cell, before it changes the notebook."""

    def show_within(self, limit: int, overflows: Overflows) -> None:
        """Show no more of a cell's streams than `limit` characters, and have the rest in a file of `overflows`."""

    async def take_what_is_late(self) -> None:
        """Take what tasks of cells said after the last cell."""

    def settle(self) -> None:
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

    def client(self, notebook: Any, on_output: Callable[[Any], None], *, cell_seconds: int | None) -> CellRunner:
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


async def open_kernel(plan: Plan) -> Kernel:
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


class OrdinaryKernel:
    """A kernel of its own process and any language, spoken to by messages over IPC sockets (Windows: loopback)."""

    kind = "ordinary"

    def __init__(self, manager: Any, start_seconds: int, why: str = "", words: Path | None = None) -> None:
        self.manager = manager
        self.why = why
        self._words = words
        self._start_seconds = start_seconds

    @classmethod
    async def start(
        cls, name: str, folder: Path, environment: Mapping[str, str], start_seconds: int, why: str = ""
    ) -> OrdinaryKernel:
        """Launch it. Raises `KernelDiedError` where it cannot be launched."""
        from jupyter_client.manager import AsyncKernelManager

        manager: Any = AsyncKernelManager(kernel_name=name)
        words: Path | None = None
        arguments, told = [], dict(environment)
        if any("ipykernel" in word for word in manager.kernel_spec.argv):
            arguments.append("--HistoryManager.hist_file=:memory:")
            if os.name == "posix":
                # Sockets that are files in a folder of the user's own: nothing listens on a network port.
                own = Path(tempfile.mkdtemp(prefix="mlops-"))
                manager.transport, manager.ip = "ipc", f"{own}/kernel"
                words = own / "words"
                last_words.make(words)
                told[variables.LAST_WORDS] = str(words)
        try:
            await manager.start_kernel(extra_arguments=arguments, cwd=str(folder), env={**os.environ, **told})
        except (OSError, RuntimeError) as error:
            raise KernelDiedError(
                f"The kernel '{name}' cannot be launched: {error}.",
                f"See what `jupyter kernelspec list` shows for it; its command is {manager.kernel_spec.argv!r}.",
            ) from error
        return cls(manager, start_seconds, why, words)

    @property
    def pid(self) -> int | None:
        return getattr(getattr(self.manager, "provisioner", None), "pid", None)

    def client(self, notebook: Any, on_output: Callable[[Any], None], *, cell_seconds: int | None) -> CellRunner:
        from jupyter_mlops.execution.notebook.cell_client import CellClient

        options = {"timeout": cell_seconds, "startup_timeout": self._start_seconds}
        client = CellClient(notebook, self.manager, on_output, **options)
        client.words = self._words
        return client

    async def is_alive(self) -> bool:
        return bool(await self.manager.is_alive())

    async def interrupt(self) -> None:
        await self.manager.interrupt_kernel()

    async def kill(self) -> None:
        with contextlib.suppress(RuntimeError, ProcessLookupError):
            await self.manager.signal_kernel(KILL)

    async def stop(self, *, now: bool) -> None:
        manager = self.manager
        with contextlib.suppress(RuntimeError, ProcessLookupError):
            if now or not await manager.is_alive():
                await manager.shutdown_kernel(now=True)
            else:
                # Not `shutdown_kernel`: that interrupts first, of which an idle kernel complains on the terminal.
                await manager.request_shutdown()
                await manager.finish_shutdown()
        with contextlib.suppress(RuntimeError):
            await manager.cleanup_resources()
        if manager.transport == "ipc":
            shutil.rmtree(os.path.dirname(manager.ip), ignore_errors=True)

    def death(self) -> KernelDiedError:
        process = getattr(getattr(self.manager, "provisioner", None), "process", None)
        return death_by(process.poll() if process is not None else None)


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
