"""Whether a plan may have a warm kernel, and with which interpreter and environment. Starts nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.execution.kernels.specs import find_kernel
from jupyter_mlops.execution.kernels.warm.imports import cells_to_learn, imports_of

if TYPE_CHECKING:
    from jupyter_mlops.execution.kernels.kernel import KernelPlan

NEVER = frozenset(("tensorflow", "jax", "jaxlib", "grpc", "ray", "cupy", "cudf", "pycuda", "faiss"))
"""Libraries that do not outlive a fork: a kernel imports them itself."""
_PASSING = frozenset(
    str.split(
        "PWD OLDPWD SHLVL _ TERM COLUMNS LINES WINDOWID XDG_SESSION_ID SSH_CLIENT SSH_CONNECTION SSH_TTY TMUX TMUX_PANE "
        "STY PROMPT_COMMAND PYTEST_CURRENT_TEST JPY_PARENT_PID JPY_SESSION_NAME JPY_API_TOKEN INVOCATION_ID "
        "JOURNAL_STREAM FORCE_COLOR CLICOLOR CLICOLOR_FORCE"
    )
)
"""Environment variables that no import asks for; nor for ours, `MLOPS_*`."""


class NotWarm(MLOpsError):
    """A plan needs an ordinary kernel; the message says why."""

    code = "not_warm"


@dataclass(frozen=True)
class Wish:
    """What a warm kernel has to be: interpreter with options, folder, whole environment, and imports."""

    command: tuple[str, ...]
    folder: str
    environment: dict[str, str]
    names: tuple[str, ...]
    cells: tuple[str, ...] = ()
    """The code of cells that later jobs will have too."""

    @classmethod
    def of(cls, plan: KernelPlan) -> Wish:
        """That of a plan. Raises `NotWarm` where it can have none."""
        command, environment = command_of(plan)
        # Python's own modules load in no time, and would make a process of its own of nearly every notebook.
        left = NEVER | sys.stdlib_module_names
        names = [name for name in imports_of(plan.notebook) if top(name) not in left]
        return cls(command, str(plan.folder), environment, tuple(names), cells_to_learn(plan.notebook))


def top(name: str) -> str:
    """The package that the module `a.b:c` is of."""
    return name.partition(":")[0].partition(".")[0]


def command_of(plan: KernelPlan) -> tuple[tuple[str, ...], dict[str, str]]:
    """The interpreter with its options, and the whole environment a kernel gets. Raises `NotWarm`."""
    why = unfit(plan)
    if why:
        raise NotWarm(why)
    spec = find_kernel(plan.kernel_name)
    argv = list(spec.argv)
    at = argv.index("-m") if "-m" in argv else 0
    if not at or argv[at + 1 :] != ["ipykernel_launcher", "-f", "{connection_file}"]:
        raise NotWarm(f"the kernel '{plan.kernel_name}' is started by its own command")
    if (plan.folder / "matplotlibrc").exists():
        raise NotWarm("the notebook's folder has a matplotlibrc")
    environment = {**os.environ, **(spec.env or {}), **plan.environment}
    environment.pop("PYTHONEXECUTABLE", None)
    return (sys.executable, *argv[1:at]), environment


def unfit(plan: KernelPlan) -> str:
    """Why a plan can have no warm kernel at all; "" where it can."""
    if sys.platform != "linux":
        return f"kernels are not forked on {sys.platform}"
    metadata = plan.notebook.get("metadata", {}).get("jupyter_mlops", {})
    if isinstance(metadata, Mapping) and metadata.get("kernel") == "ordinary":
        return "the notebook's metadata asks for it"
    if not plan.same_python:
        return f"the kernel '{plan.kernel_name}' does not use this Python"
    return ""


def lasting(environment: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """The part of an environment that imports may depend on."""
    return frozenset(
        (name, value)
        for name, value in environment.items()
        if name not in _PASSING and not name.startswith(("MLOPS_", "VSCODE_"))
    )
