"""Finds the value of a secret, or says where it was looked for: in messages there are names and places, never a value."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from jupyter_mlops.domain.parameter import SECRET
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.secrets.known import ABSENT, KNOWN
from jupyter_mlops.secrets.places import Environment, SecretPlace, places
from jupyter_mlops.secrets.text import Secret


class _Shown:
    """IPython shows these errors in two lines: a traceback with the values of local names must not be."""

    message: str
    hint: str

    def _render_traceback_(self) -> list[str]:
        return [f"Error: {self.message}", f"Hint: {self.hint}"]


class NoSecretError(_Shown, UnknownNameError):
    """No place has a secret of this name."""


class BadSecretError(_Shown, InputError):
    """A secret cannot be looked up or used as it is."""


def check_name(name: str) -> str:
    """The name; raises `BadSecretError` where nothing can be called so."""
    if SECRET.match(f"secret:{name}"):
        return name
    raise BadSecretError(
        "This is not a valid name for a secret.",
        "Use letters, digits and '_', '-', '.' or '/'. Never write the secret's value into a cell or a command.",
    )


def look_up(name: str, start: Path | None = None) -> Secret:
    """The secret of this name, which from now on shows as its name. Raises `NoSecretError` or `BadSecretError`."""
    check_name(name)
    with KNOWN.lookup():
        value, problem = _found(name, start)
    if problem is not None:
        raise problem
    assert value is not None
    with KNOWN.lookup():
        KNOWN.add(name, value, _protect_kernel)
    return Secret(name, value)


def digest_now(name: str) -> str:
    """What stands for the secret's value of now in conditions: made with the user's key; "absent" where there is none."""
    from jupyter_mlops.secrets.known import keyed

    with KNOWN.lookup():
        value, _ = _found(name, None)
        if value is None:
            return ABSENT
        KNOWN.add(name, value, _protect_kernel)
        return keyed(f"{name}\0{value}")


def register_environment() -> None:
    """Secrets that stand in the environment show as their names before anyone asks for them: `os.environ` may be shown."""
    environment = Environment()
    for name in environment.names():
        value = environment.get(name)
        if value:
            KNOWN.add(name, _tidy(value), _protect_kernel)


def _protect_kernel() -> None:
    from jupyter_mlops.secrets.kernel import protect

    protect()


def _found(name: str, start: Path | None) -> tuple[str | None, InputError | None]:
    looked: list[str] = []
    known: list[str] = []
    for place in places(start or _folder()):
        value, problem = _ask(place, name)
        if problem is not None:
            return None, problem
        if value is not None:
            return (value, None) if value else (None, _empty(name, place.where(name)))
        looked.append(place.where(name))
        known += _names(place)
    close = difflib.get_close_matches(name, sorted(set(known)), n=1, cutoff=0.5)
    meant = f"Did you mean '{close[0]}'? Otherwise set it" if close else "Set it"
    message = f"There is no secret named '{name}': looked in {', '.join(looked)}."
    return None, NoSecretError(message, f"{meant}: jupyter mlops secrets set {name}")


def _ask(place: SecretPlace, name: str) -> tuple[str | None, InputError | None]:
    try:
        value = place.get(name)
    except InputError as error:
        return None, BadSecretError(error.message, error.hint)
    return (None if value is None else _tidy(value)), None


def _names(place: SecretPlace) -> list[str]:
    try:
        return place.names()
    except InputError:
        return []


def _empty(name: str, where: str) -> InputError:
    return BadSecretError(f"The secret '{name}' is empty, in {where}.", f"Set it: jupyter mlops secrets set {name}")


def _tidy(value: str) -> str:
    """Without the line break that editors and `echo` put behind it."""
    return value.removesuffix("\n").removesuffix("\r")


def _folder() -> Path:
    try:
        return Path.cwd()
    except OSError:
        return Path(os.sep)
