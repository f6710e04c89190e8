"""Finds the result that equals what running the step would give; in doubt there is none. Values are not loaded here."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jupyter_mlops.capture import values
from jupyter_mlops.capture.key.conditions import changed as changed_condition
from jupyter_mlops.capture.key.examination import Examination
from jupyter_mlops.capture.key.value_facts import ValueFacts
from jupyter_mlops.capture.key.world import UNTOLD, World
from jupyter_mlops.capture.observe import display
from jupyter_mlops.domain.reason import DAMAGED, Reason, ReasonCode
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.domain.step_spec import StepSpec
from jupyter_mlops.errors import DamagedObjectError
from jupyter_mlops.secrets.known import CONDITION

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store

STATE = "mlops:state"
"""The name, which no variable can have, of what is stored besides the names: options of libraries, random generators."""


@dataclass(frozen=True)
class Reuse:
    """A result found, ready to be put in place."""

    source: StepRun
    events: list[display.Event]
    libraries: dict[str, Any] = field(default_factory=dict)
    random: dict[str, Any] = field(default_factory=dict)

    @property
    def known(self) -> dict[str, ValueFacts]:
        """What is known of the names of the result."""
        return known_in(self.source)

    @property
    def lost(self) -> set[str]:
        """Names of the result whose values were not stored."""
        return {name for name, known in self.known.items() if known.lost}


def known_in(run: StepRun) -> dict[str, ValueFacts]:
    """What a step run's record knows of the names of its result."""
    return {name: ValueFacts.from_json(data) for name, data in run.known.items()}


def find_reusable(
    store: Store,
    world: World,
    examination: Examination,
    spec: StepSpec,
    accept: Callable[[StepRun], bool],
    warn: Callable[[str, str], None],
) -> Reuse | None:
    """The newest result of the same key whose conditions hold now, and which `accept` takes.

    A damaged one is told through `warn` and dropped.
    """
    for candidate in store.steps.candidates(examination.key):
        if not conditions_hold(candidate, world) or not in_time(candidate, spec, store.now()) or not accept(candidate):
            continue
        try:
            return open_result(store, candidate)
        except DamagedObjectError as error:
            message, hint = error.message, error.hint
        except (ValueError, KeyError, AttributeError, ImportError, pickle.UnpicklingError) as error:
            message, hint = f"it cannot be read back: {error}", "The step runs again."
        store.steps.update_run(candidate.id, unrepeatable=DAMAGED)
        warn(f"The stored result of step '{candidate.step}' is not used: {message}", hint)
    return None


def in_time(candidate: StepRun, spec: StepSpec, now: datetime) -> bool:
    """Whether a result is young enough for a step with `--ttl`; a clock that was set back makes it too old."""
    if spec.ttl is None:
        return True
    return candidate.ended_at is not None and 0 <= (now - candidate.ended_at).total_seconds() <= spec.ttl


def conditions_hold(candidate: StepRun, world: World) -> bool:
    """Whether what a result depends on besides its key is as it was."""
    return unmet(candidate, world) is None


def unmet(candidate: StepRun, world: World) -> Reason | None:
    """The first of what a result depends on besides its key that is not as it was."""
    conditions = candidate.conditions
    if conditions.folder not in ("", world.folder()):
        return Reason(ReasonCode.FOLDER_CHANGED, conditions.folder)
    for path, digest in conditions.files.items():
        if not file_holds(world, path, digest):
            return changed_condition(path)
    now = world.randoms() if conditions.random_before else {}
    drawn = [name for name, digest in conditions.random_before.items() if now.get(name) != digest]
    if drawn:
        return Reason(ReasonCode.RANDOM_CHANGED, " and ".join(drawn))
    return unshaped(candidate, world)


def file_holds(world: World, path: str, digest: str) -> bool:
    """Whether a file is as it was; a secret counts as unchanged where it may not be looked up."""
    return world.file(path) in (digest, *([UNTOLD] if path.startswith(CONDITION) else []))


def shapes_hold(candidate: StepRun, world: World) -> bool:
    """Whether what would be replaced holds what it held, hangs together as it did, and nothing else reaches it."""
    return unshaped(candidate, world) is None


def unshaped(candidate: StepRun, world: World) -> Reason | None:
    """What of the values that would be replaced is not as it was, or cannot be told."""
    if (parted := _parted(candidate, world)) is not None:
        return parted
    shapes = candidate.conditions.shapes
    if not shapes:
        return None
    names = sorted({name for group in shapes for name in group.split(",")})
    if untold := world.untold():
        return Reason(ReasonCode.BESIDE_UNTOLD, untold[0])
    for name in names:
        if world.know(name) is None:
            return Reason(ReasonCode.INPUT_GONE, name)
    now = world.shapes(names)
    other = next((group for group in {**shapes, **now} if shapes.get(group) != now.get(group)), None)
    return None if other is None else Reason(ReasonCode.SHARED_CHANGED, other.replace(",", ", "))


def _parted(candidate: StepRun, world: World) -> Reason | None:
    """Names that the step read and that do not share among themselves what they shared, or share what they did not."""
    names = [name for name in candidate.inputs if (known := world.know(name)) and not known.dotted and not known.text]
    if len(names) < 2:
        return None
    before = candidate.conditions.together
    if before is None:  # an earlier build did not look
        return Reason(ReasonCode.OTHER_VERSION)
    now = world.together(names)
    for group in sorted({*now, *before}):
        digests = now.get(group), before.get(group)
        if digests[0] != digests[1] and UNTOLD not in digests:
            return Reason(ReasonCode.SHARED_CHANGED, group.replace(",", ", "))
    return None


def open_if_whole(store: Store, candidate: StepRun) -> Reuse | None:
    """As `open_result`; None where any part of the result is not there or cannot be read."""
    try:
        return open_result(store, candidate)
    except (DamagedObjectError, ValueError, KeyError, AttributeError, ImportError, pickle.UnpicklingError):
        return None


def open_result(store: Store, candidate: StepRun) -> Reuse:
    """Read what a reuse needs at once. Raises `DamagedObjectError` where any part of the result is not there."""
    assert candidate.result is not None
    events = display.decode(store.objects.get_signed(candidate.display)) if candidate.display else []
    stored = values.Values.open(store.objects, candidate.result, {})
    state: dict[str, Any] = {}
    if STATE in stored.names:
        state = stored.load([STATE])[STATE]
    for name in (*values.references(store.objects, candidate.result), *candidate.files.values()):
        if name not in store.objects:
            raise DamagedObjectError(f"Object {name[:12]} is missing from the store.", "The step runs again.")
    return Reuse(candidate, events, state.get("libraries", {}), state.get("random", {}))
