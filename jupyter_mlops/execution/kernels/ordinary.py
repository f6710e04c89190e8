"""An ordinary kernel: a process of its own, as Jupyter starts it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.domain import variables
from jupyter_mlops.errors import KernelDiedError
from jupyter_mlops.execution.kernels.kernel import KILL, CellRunner, death_by
from jupyter_mlops.execution.notebook.nodes import NotebookNode, OnOutput
from jupyter_mlops.store.files import last_words

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager


class OrdinaryKernel:
    """A kernel of its own process and any language, spoken to by messages over IPC sockets (Windows: loopback)."""

    kind = "ordinary"

    def __init__(
        self, manager: AsyncKernelManager, start_seconds: int, why: str = "", words: Path | None = None
    ) -> None:
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

        manager = AsyncKernelManager(kernel_name=name)
        command = manager.kernel_spec.argv if manager.kernel_spec is not None else []
        words: Path | None = None
        arguments, told = [], dict(environment)
        if any("ipykernel" in word for word in command):
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
                f"See what `jupyter kernelspec list` shows for it; its command is {command!r}.",
            ) from error
        return cls(manager, start_seconds, why, words)

    @property
    def pid(self) -> int | None:
        return getattr(getattr(self.manager, "provisioner", None), "pid", None)

    def client(self, notebook: NotebookNode, on_output: OnOutput, *, cell_seconds: int | None) -> CellRunner:
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
