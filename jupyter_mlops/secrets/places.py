"""Where secrets are looked up, in order: the environment, the project's file, the user's file, the keyring."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from jupyter_mlops.domain import variables
from jupyter_mlops.domain.json_text import dumps, loads
from jupyter_mlops.errors import InputError
from jupyter_mlops.secrets.file import SecretsFile
from jupyter_mlops.store.project.folder import FOLDER, find_project

SERVICE = "jupyter-mlops"
_INDEX = "(names)"
"""The keyring's entry that lists the names in it, as keyrings do not: no secret can be called so."""
ENVIRONMENT, PROJECT, USER, KEYRING = "environment", "project", "user", "keyring"


class SecretPlace(Protocol):
    """One place. `get` and `names` raise `InputError` where it cannot be used as it is."""

    @property
    def place(self) -> str:
        """Its one word."""

    def where(self, name: str) -> str:
        """What is looked at for `name`, in words."""

    def get(self, name: str) -> str | None:
        """The value, None where the place has none of this name."""

    def names(self) -> list[str]:
        """The names it has."""

    def set(self, name: str, value: str) -> None:
        """Keep a value under a name."""

    def remove(self, name: str) -> bool:
        """Forget a name; whether it was there."""


def places(start: Path) -> list[SecretPlace]:
    """All of them, in the order in which they are looked at, for who works in the folder `start`."""
    found: list[SecretPlace] = [Environment()]
    project = variables.KernelTask.of_environment(os.environ).project
    root = Path(project) if project else find_project(start)
    if root is not None:
        found.append(SecretsFile(PROJECT, root / FOLDER / "secrets"))
    return [*found, SecretsFile(USER, user_file()), Keyring()]


def user_file() -> Path:
    """The user's own file."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(base, "jupyter-mlops", "secrets.toml")


@dataclass(frozen=True)
class Environment:
    """`MLOPS_SECRET_<NAME>`."""

    place: str = ENVIRONMENT

    def where(self, name: str) -> str:
        return f"the environment ({variables.SECRET_PREFIX}{_as_variable(name)})"

    def get(self, name: str) -> str | None:
        """See `SecretPlace`; as the name is written, or in capitals."""
        for written in (name, _as_variable(name), _as_variable(name).upper()):
            value = os.environ.get(variables.SECRET_PREFIX + written)
            if value:
                return value
        return None

    def names(self) -> list[str]:
        return sorted(
            key[len(variables.SECRET_PREFIX) :]
            for key, value in os.environ.items()
            if key.startswith(variables.SECRET_PREFIX) and value
        )

    def set(self, name: str, value: str) -> None:
        """See `SecretPlace`; it cannot be set for other processes."""
        raise InputError(
            "An environment variable is set where the kernel's process is started, not here.",
            "Store the secret in a file: --in user, or --in project.",
        )

    def remove(self, name: str) -> bool:
        return False


def _as_variable(name: str) -> str:
    return re.sub(r"\W", "_", name, flags=re.ASCII)


@dataclass(frozen=True)
class Keyring:
    """The system's keyring, by the package of that name."""

    place: str = KEYRING

    def where(self, name: str) -> str:
        library, why = _keyring()
        return f"the keyring ({why})" if library is None else "the keyring"

    def get(self, name: str) -> str | None:
        library, _ = _keyring()
        return None if library is None else self._ask(library, name)

    def names(self) -> list[str]:
        """See `SecretPlace`; those that were kept by `set`."""
        library, _ = _keyring()
        if library is None:
            return []
        try:
            listed = loads(self._ask(library, _INDEX) or "[]")
        except ValueError:
            return []
        return sorted(str(item) for item in listed) if isinstance(listed, list) else []

    def set(self, name: str, value: str) -> None:
        """See `SecretPlace`. Raises `InputError` where there is no keyring."""
        library = self._needed()
        problem = _tried(library.set_password, SERVICE, name, value)
        problem = problem or _tried(library.set_password, SERVICE, _INDEX, dumps(sorted({*self.names(), name})))
        if problem:
            raise _refused(problem)

    def remove(self, name: str) -> bool:
        library, _ = _keyring()
        if library is None or self._ask(library, name) is None:
            return False
        left = dumps([item for item in self.names() if item != name])
        problem = _tried(library.delete_password, SERVICE, name)
        problem = problem or _tried(library.set_password, SERVICE, _INDEX, left)
        if problem:
            raise _refused(problem)
        return True

    @staticmethod
    def _needed() -> Any:
        library, why = _keyring()
        if library is None:
            hint = "pip install 'jupyter-mlops[keyring]', or store it in a file: --in user."
            raise InputError(f"There is no keyring to store it in: {why}.", hint)
        return library

    @staticmethod
    def _ask(library: Any, name: str) -> str | None:
        try:
            found = library.get_password(SERVICE, name)
        except Exception as error:  # noqa: BLE001 - backends are foreign, and raise anything; its text may tell too much
            problem = type(error).__name__
        else:
            return None if found is None else str(found)
        raise _refused(problem)


def _tried(call: Any, *arguments: str) -> str:
    """The kind of error that a keyring gave; "" for none."""
    try:
        call(*arguments)
    except Exception as error:  # noqa: BLE001 - backends are foreign, and raise anything; its text may tell too much
        return type(error).__name__
    return ""


def _refused(problem: str) -> InputError:
    return InputError(
        f"The keyring refuses access ({problem}).", "Unlock it, or store the secret in a file: --in user."
    )


def _keyring() -> tuple[Any, str]:
    """The library, or None and why there is none to be used."""
    try:
        import keyring
        from keyring.backends import fail, null
    except ImportError:
        return None, "the package 'keyring' is not installed"
    try:
        backend = keyring.get_keyring()
    except Exception as error:  # noqa: BLE001 - backends are foreign, and raise anything
        return None, f"it cannot be opened: {type(error).__name__}"
    if isinstance(backend, (fail.Keyring, null.Keyring)):
        return None, "this machine has none"
    return keyring, ""
