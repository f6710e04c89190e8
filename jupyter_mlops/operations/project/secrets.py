"""`secrets`: which secrets there are, keeping and forgetting them, and whether kernels will find them. Shows no value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.secrets.file import SecretsFile
from jupyter_mlops.secrets.forms import SHORTEST
from jupyter_mlops.secrets.lookup import check_name
from jupyter_mlops.secrets.places import ENVIRONMENT, KEYRING, PROJECT, USER, Environment, SecretPlace, places
from jupyter_mlops.store.project.folder import FOLDER, make_project, project_for

KEPT_IN = (USER, PROJECT, KEYRING)


@dataclass(frozen=True)
class Listed:
    """A secret's name in one place. `hidden` where a place that is looked at earlier has one of the same name."""

    name: str
    place: str
    where: str
    hidden: bool = False


@dataclass(frozen=True)
class Checked:
    """What a kernel that asks for `name` would find: where, or the problem and its mend."""

    name: str
    where: str = ""
    problem: str = ""
    hint: str = ""

    @property
    def is_found(self) -> bool:
        """Whether it would find a value."""
        return not self.problem


def list_secrets(start: Path) -> tuple[Listed, ...]:
    """All names, in the order in which places are looked at. Raises `InputError` where one cannot be used as it is."""
    seen: set[str] = set()
    found: list[Listed] = []
    for place in places(start):
        names = place.names()
        found += [Listed(name, place.place, place.where(name), name in seen) for name in names]
        seen |= set(names)
    return tuple(found)


def set_secret(start: Path, name: str, value: str, kept_in: str = USER) -> tuple[str, tuple[str, ...]]:
    """Keep a value; gives where, and what to know about it.

    Raises `InputError` where the value is empty, `NotWritableError` or `InputError` where the place does not take it.
    """
    check_name(name)
    if not value.strip():
        raise InputError("A secret cannot be empty.", f"To remove one: jupyter mlops secrets remove {name}")
    if "\0" in value:
        raise InputError("A secret cannot contain NUL characters.", "Encode binary data first, with base64.")
    place = _place(start, kept_in)
    place.set(name, value)
    notes = []
    if len(value) < SHORTEST:
        notes.append("It is shorter than 4 characters: it is hidden only where it appears as a separate word.")
    if kept_in != ENVIRONMENT and Environment().get(name) is not None:
        notes.append("An environment variable with the same name takes precedence.")
    return place.where(name), tuple(notes)


def _place(start: Path, kept_in: str) -> SecretPlace:
    if kept_in == PROJECT:
        root = project_for(start)
        make_project(root)
        return SecretsFile(PROJECT, root / FOLDER / "secrets")
    return next(place for place in places(start) if place.place == kept_in)


def remove_secret(start: Path, name: str, kept_in: str | None = None) -> tuple[str, ...]:
    """Forget a name, in one place or all; gives where it was. Raises `UnknownNameError` where none had it.

    Raises `InputError` for what is no name, for a variable of this process, and for a place that cannot be used as it is.
    """
    check_name(name)
    wanted = [place for place in places(start) if kept_in in (None, place.place)]
    removed = tuple(place.where(name) for place in wanted if place.remove(name))
    if removed:
        return removed
    if kept_in is None and Environment().get(name) is not None:
        raise InputError(
            f"The secret '{name}' is an environment variable of this process.",
            "Unset it where it is set, for example in your shell.",
        )
    raise UnknownNameError.among("secret", name, {item.name for place in wanted for item in _listed(place)})


def _listed(place: SecretPlace) -> list[Listed]:
    return [Listed(name, place.place, place.where(name)) for name in place.names()]


def check_secrets(start: Path, names: tuple[str, ...] = ()) -> tuple[Checked, ...]:
    """What kernels would find for these names; for all that are listed where none is given."""
    if not names:
        try:
            names = tuple(dict.fromkeys(item.name for item in list_secrets(start)))
        except InputError as error:
            return (Checked("", problem=error.message, hint=error.hint),)
    return tuple(_check(start, name) for name in names)


def _check(start: Path, name: str) -> Checked:
    try:
        check_name(name)
        for place in places(start):
            value = place.get(name)
            if value is not None:
                return _judged(name, place.where(name), value)
    except InputError as error:
        return Checked(name, problem=error.message, hint=error.hint)
    return Checked(name, problem="not found in any place", hint=f"jupyter mlops secrets set {name}")


def _judged(name: str, where: str, value: str) -> Checked:
    if not value.strip():
        return Checked(name, where, "it is empty", f"jupyter mlops secrets set {name}")
    return Checked(name, where)
