"""`restore`: an earlier version of a step: its code, and the values of its newest successful run. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.pipeline.cells import match_step
from jupyter_mlops.domain.step import StepRun, StepVersion
from jupyter_mlops.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store


@dataclass(frozen=True)
class Restored:
    """A version, and the run whose results stand for it; None where no run of it succeeded or none was kept."""

    version: StepVersion
    run: StepRun | None


def find_version(store: Store, step: str, version: str, notebook: str | None = None) -> Restored:
    """The version of a step called `version` ("3" or "v3"), and its newest run that computed a result which was kept.

    Raises `UnknownNameError`, or `InputError` where several notebooks have such a step.
    """
    versions = step_versions(store, step, notebook)
    known = {str(item.number): item for item in versions}
    found = known.get(version.removeprefix("v"))
    if found is None:
        raise UnknownNameError.among(f"version of '{versions[0].step}'", version, [f"v{number}" for number in known])
    return Restored(found, store.steps.computed(found))


def step_versions(store: Store, step: str, notebook: str | None = None) -> list[StepVersion]:
    """All versions of one step of one notebook, oldest first. Raises as `find_version`."""
    versions = store.steps.versions(match_step(step, store.steps.names(notebook)), notebook)
    notebooks = sorted({version.notebook for version in versions})
    if len(notebooks) > 1:
        hint = f"Add --notebook with one of: {', '.join(notebooks)}."
        raise InputError(f"Several notebooks have a step '{versions[0].step}'.", hint)
    return versions


def code_of(version: StepVersion) -> str:
    """The version as a cell's text, with a `%%step` line that names the step where it has a name to be written."""
    from jupyter_mlops.analysis.pipeline.cells import check_step_name

    try:
        return f"%%step {check_step_name(version.step)}\n{version.source}"
    except InputError:
        return version.source


def values_of(store: Store, restored: Restored, namespace: dict[str, Any]) -> dict[str, Any]:
    """The values that the version's newest successful run gave its names. Raises `InputError` where none were kept."""
    run = restored.run
    if run is None or run.result is None:
        raise InputError(
            f"No result of version {restored.version.number} of step '{restored.version.step}' is stored.",
            "Restore its code without --values and run it.",
        )
    from jupyter_mlops.capture.values import Values

    values = Values.open(store.objects, run.result, namespace)
    return values.load(sorted(values.names & set(run.outputs)))
