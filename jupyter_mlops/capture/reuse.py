"""Finds the result that equals what running the step would give, and loads it; in doubt there is none."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.capture import codec, display, libraries
from jupyter_mlops.capture.digest import Undigestible, Walker
from jupyter_mlops.capture.key import Examination
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.errors import DamagedObjectError
from jupyter_mlops.store.digests import file_digest
from jupyter_mlops.store.store import Store


@dataclass(frozen=True)
class Reuse:
    """A result loaded and proven, ready to be put in place."""

    source: StepRun
    names: dict[str, Any]
    deleted: list[str]
    random: dict[str, Any]
    events: list[display.Event]


def find_reusable(store: Store, found: Examination, warn: Callable[[str, str], None]) -> Reuse | None:
    """The newest result of the same key whose conditions hold now. A damaged one is told through `warn` and dropped."""
    digests: dict[str, str] = {}
    for candidate in store.steps.candidates(found.key):
        if not _conditions_hold(candidate, digests):
            continue
        try:
            return _load(store, candidate)
        except DamagedObjectError as error:
            message, hint = error.message, error.hint
        except (ValueError, KeyError, AttributeError, ImportError, pickle.UnpicklingError, Undigestible) as error:
            message, hint = f"it cannot be read back: {error}", "The step runs again."
        store.steps.update_run(candidate.id, unrepeatable="has a stored result that is damaged")
        warn(f"The stored result of step '{candidate.step}' is not used: {message}", hint)
    return None


def _conditions_hold(candidate: StepRun, digests: dict[str, str]) -> bool:
    if candidate.conditions.folder not in ("", os.getcwd()):
        return False
    for path, digest in candidate.conditions.files.items():
        if path not in digests:
            digests[path] = file_digest(path)
        if digests[path] != digest:
            return False
    needed = candidate.conditions.random_before
    if needed:
        now = libraries.random_digests()
        return all(now.get(name) == digest for name, digest in needed.items())
    return True


def _load(store: Store, candidate: StepRun) -> Reuse:
    assert candidate.result is not None
    content = codec.load(store.objects.get_signed(candidate.result))
    walker = Walker({})
    for name, digest in candidate.outputs.items():
        if walker.fingerprint(name, content["names"][name]).digest != digest:
            raise ValueError(f"'{name}' differs from what was stored")
    events = display.decode(store.objects.get_signed(candidate.display)) if candidate.display else []
    return Reuse(candidate, content["names"], content["deleted"], content["random"], events)
