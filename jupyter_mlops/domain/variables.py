"""The environment variables of this package: those that users set, and what a job's kernel is told by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# What users set

STORE = "MLOPS_STORE"
"""The URL of the index, where it is no file of the project."""
OBJECTS = "MLOPS_OBJECTS"
"""The URL of the objects, where they are not in the project."""
PARAMETER_PREFIX = "MLOPS_PARAM_"
"""Before a parameter's name: its value for jobs."""
SECRET_PREFIX = "MLOPS_SECRET_"
"""Before a secret's name: its value."""
PARAMETER_LIMIT = "MLOPS_PARAMETER_LIMIT"
"""Bytes that a parameter may have."""
OUTPUT_LIMIT = "MLOPS_OUTPUT_LIMIT"
"""Characters that a cell of a job may show."""
TRACKING = "MLOPS_TRACKING"
"""`later`: no process is started to tell MLflow."""

# What we set

EVENT = "MLOPS_EVENT"
"""For the command of a notice: what happened."""
NOTICE = "MLOPS_NOTICE"
"""For the command of a notice: its id, the same in each try."""
LAST_WORDS = "MLOPS_LAST_WORDS"
"""For a kernel: the file to which what it sends is written too."""
RUN_ID = "MLOPS_RUN_ID"
"""For a job's kernel and all that its cells start: the run."""

_PROJECT = "MLOPS_PROJECT"
_NOTEBOOK = "MLOPS_NOTEBOOK"
_CAPTURE = "MLOPS_CAPTURE"
_FORCE = "MLOPS_FORCE"
_RESUMES = "MLOPS_RESUMES"
_AHEAD = "MLOPS_AHEAD"
_SNAPSHOT = "MLOPS_SNAPSHOT"


@dataclass(frozen=True)
class KernelTask:
    """What a job's kernel works for; empty in a kernel that someone works in."""

    run_id: str = ""
    project: str = ""
    """The project's folder."""
    notebook: str = ""
    """The notebook, relative to it."""
    captures_all: bool = False
    """Whether every code cell is a step."""
    forced: tuple[str, ...] = ()
    """Names of steps that run whatever could be reused; "*" stands for all."""
    resumes: tuple[str, ...] = ()
    """Ids of the runs that this one continues, newest first."""
    is_ahead: bool = False
    """Whether steps of the run may have been executed before their turn."""
    has_snapshot: bool = False
    """Whether the project's modules are not what they were, so that those of the store are imported."""

    def to_environment(self) -> dict[str, str]:
        """The variables that say so."""
        told = {
            RUN_ID: self.run_id,
            _PROJECT: self.project,
            _NOTEBOOK: self.notebook,
            _CAPTURE: "all" if self.captures_all else "",
            _FORCE: ",".join(self.forced),
            _RESUMES: ",".join(self.resumes),
            _AHEAD: "1" if self.is_ahead else "",
            _SNAPSHOT: "1" if self.has_snapshot else "",
        }
        return {name: text for name, text in told.items() if text}

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> KernelTask:
        """What the variables of a kernel's environment say."""
        return cls(
            run_id=environment.get(RUN_ID, ""),
            project=environment.get(_PROJECT, ""),
            notebook=environment.get(_NOTEBOOK, ""),
            captures_all=environment.get(_CAPTURE) == "all",
            forced=tuple(filter(None, environment.get(_FORCE, "").split(","))),
            resumes=tuple(filter(None, environment.get(_RESUMES, "").split(","))),
            is_ahead=bool(environment.get(_AHEAD)),
            has_snapshot=bool(environment.get(_SNAPSHOT)),
        )


OF_KERNELS = (RUN_ID, _PROJECT, _NOTEBOOK, _CAPTURE, _FORCE, _RESUMES, _AHEAD, _SNAPSHOT)
"""Those of a `KernelTask`: not to be handed on to a worker that is started within a job."""
