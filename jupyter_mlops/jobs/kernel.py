"""Kernels of jobs: which are installed, starting one in its own folder and environment, and what its death means."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import KernelDiedError, UnknownNameError

DEFAULT = "python3"
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
PRELUDE = (
    'get_ipython().run_line_magic("load_ext", "jupyter_mlops")\n'
    # The notebook's own %load_ext would else print that this was done already.
    'get_ipython().extension_manager.loaded.discard("jupyter_mlops")'
)
DRAIN = 'get_ipython().run_line_magic("mlops", "drain")'


def kernel_name_of(notebook: Mapping[str, Any], given: str | None = None) -> str:
    """The kernel to use: the one given, else the notebook's, else python3."""
    named = notebook.get("metadata", {}).get("kernelspec", {}).get("name")
    return given or (str(named) if named else DEFAULT)


def find_kernel(name: str) -> Any:
    """The kernel spec called `name`. Raises `UnknownNameError` with those that are installed."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    specs = KernelSpecManager()
    try:
        return specs.get_kernel_spec(name)
    except NoSuchKernel:
        error = UnknownNameError.among("kernel", name, specs.find_kernel_specs())
        error.hint += " Choose one with --kernel NAME, or install it: python -m ipykernel install --user --name " + name
        raise error from None


def is_this_python(spec: Any) -> bool:
    """Whether a kernel of this spec runs the interpreter that runs us, so that our packages are its packages."""
    command = spec.argv[0] if spec.argv else ""
    return command in ("python", "python3", f"python{sys.version_info[0]}.{sys.version_info[1]}") or (
        os.path.realpath(command) == os.path.realpath(sys.executable)
        and os.path.dirname(command) == os.path.dirname(sys.executable)
    )


async def start_kernel(name: str, folder: Path, environment: Mapping[str, str]) -> Any:
    """Launch a kernel's process; returns its manager. Raises `KernelDiedError` where it cannot be launched."""
    from jupyter_client.manager import AsyncKernelManager

    manager: Any = AsyncKernelManager(kernel_name=name)
    arguments = []
    if any("ipykernel" in word for word in manager.kernel_spec.argv):
        arguments.append("--HistoryManager.hist_file=:memory:")
        if os.name == "posix":
            # Sockets that are files in a folder of the user's own: nothing listens on a network port.
            manager.transport, manager.ip = "ipc", f"{tempfile.mkdtemp(prefix='mlops-')}/kernel"
    try:
        await manager.start_kernel(extra_arguments=arguments, cwd=str(folder), env={**os.environ, **environment})
    except (OSError, RuntimeError) as error:
        raise KernelDiedError(
            f"The kernel '{name}' cannot be launched: {error}.",
            f"See what `jupyter kernelspec list` shows for it; its command is {manager.kernel_spec.argv!r}.",
        ) from error
    return manager


async def stop_kernel(manager: Any, *, now: bool) -> None:
    """End a kernel's process, whatever state it is in; `now` without asking it first."""
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


def death_of(manager: Any) -> KernelDiedError:
    """What the end of a kernel's process was, as far as the system tells."""
    process = getattr(getattr(manager, "provisioner", None), "process", None)
    code = process.poll() if process is not None else None
    if code is None:
        return KernelDiedError("The kernel's process went away.", _AGAIN)
    if code >= 0:
        return KernelDiedError(f"The kernel's process ended by itself with exit code {code}.", _AGAIN, exit_code=code)
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = _MEMORY if -code == KILL else _AGAIN
    return KernelDiedError(f"The kernel was killed by {name}.", hint, exit_code=code)


_AGAIN = "Steps that had finished are kept: run it again, and they are reused."
_MEMORY = "Did it run out of memory? " + _AGAIN

IN_KERNEL = """\
(lambda m, p, s, j: j.dumps({
    "python": p.python_version(), "implementation": p.python_implementation(), "executable": s.executable,
    "platform": p.platform(), "packages": sorted({
        d.metadata["Name"] + "==" + d.version for d in m.distributions() if d.metadata["Name"]}, key=str.lower),
}))(__import__("importlib.metadata").metadata, __import__("platform"), __import__("sys"), __import__("json"))"""


async def environment_in(client: Any) -> dict[str, Any] | None:
    """The environment as a Python kernel sees it, where its interpreter is not ours; None where it does not say."""
    reply = await client.run_silently("", {"environment": IN_KERNEL})
    answer = reply.get("user_expressions", {}).get("environment", {})
    if answer.get("status") != "ok":
        return None
    found: dict[str, Any] = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
    return found
