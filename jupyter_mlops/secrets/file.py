"""A file of secrets that only its owner may read: TOML, `NAME = "value"` on each line."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.domain.json_text import dumps
from jupyter_mlops.errors import InputError, StoreError
from jupyter_mlops.store.files.atomic import discard
from jupyter_mlops.store.files.disk import refused
from jupyter_mlops.store.files.locks import file_lock

_HEAD = '# Secrets of jupyter-mlops: read in kernels, by secret("NAME"). Keep this file to yourself (mode 600).\n'


@dataclass(frozen=True)
class SecretsFile:
    """Looks secrets up in `path`, and keeps them there."""

    place: str
    path: Path

    @property
    def label(self) -> str:
        """Where it is, for people."""
        home = str(Path.home())
        text = str(self.path)
        return "~" + text[len(home) :] if text.startswith(home + os.sep) else text

    def where(self, name: str) -> str:
        """What was looked at for `name`."""
        return self.label if self.path.exists() else f"{self.label} (no such file)"

    def get(self, name: str) -> str | None:
        """The value; raises `InputError` where others may read the file, or it cannot be read itself."""
        return self._values().get(name)

    def names(self) -> list[str]:
        """The names in it."""
        return sorted(self._values())

    def set(self, name: str, value: str) -> None:
        """Keep a value under a name. Raises `NotWritableError`."""
        with self._locked():
            self._write(self._values() | {name: value})

    def remove(self, name: str) -> bool:
        """Forget a name; whether it was there."""
        if not self.path.exists():
            return False
        with self._locked():
            values = self._values()
            found = values.pop(name, None) is not None
            if found:
                self._write(values)
        return found

    def _values(self) -> dict[str, str]:
        values, problem = _read(self.path)
        if problem is not None:
            raise InputError(f"The secrets in '{self.label}' are not used: {problem[0]}.", problem[1])
        return values

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _not_writable(self.path.parent, error) from None
        with file_lock(self.path.with_name(f".{self.path.name}.lock")):
            yield

    def _write(self, values: dict[str, str]) -> None:
        text = _HEAD + "".join(f"{_key(name)} = {_text(value)}\n" for name, value in sorted(values.items()))
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(6)}.tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except OSError as error:
            raise _not_writable(self.path, error) from None
        finally:
            discard(temporary)


def _not_writable(path: Path, error: OSError) -> StoreError:
    return refused(error, f"'{path}' cannot be written", path.parent)


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else dumps(name)


def _text(value: str) -> str:
    """A TOML text. JSON's is one, but for the one control character that JSON does not escape."""
    return dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _read(path: Path) -> tuple[dict[str, str], tuple[str, str] | None]:
    """The values, or what is wrong and how to mend it. Raises nothing: a traceback would show what the file holds."""
    try:
        with open(path, "rb") as file:
            problem = _open_to_others(path, os.fstat(file.fileno()))
            if problem is not None:
                return {}, problem
            data = file.read()
    except FileNotFoundError:
        return {}, None
    except OSError as error:
        return {}, (
            f"it cannot be read ({error.strerror or type(error).__name__})",
            f"Give yourself access to '{path}'.",
        )
    try:
        values: dict[str, Any] = _toml().loads(data.decode("utf-8"))
    except ValueError as error:
        where = str(error).rpartition("(at ")[2].rstrip(")") if "(at " in str(error) else "it is not UTF-8 text"
        return {}, (f"it is not valid TOML ({where})", 'Write one NAME = "value" on each line.')
    wrong = sorted(name for name, value in values.items() if not isinstance(value, str))
    if wrong:
        return {}, (f"'{wrong[0]}' is not a text", f'Write it in quotes: {wrong[0]} = "value".')
    return values, None


def _open_to_others(path: Path, status: os.stat_result) -> tuple[str, str] | None:
    if os.name != "posix":
        return None
    if status.st_uid not in (os.geteuid(), 0):
        return (
            "it belongs to another user",
            f"Remove or rename '{path}', then make your own: jupyter mlops secrets set NAME",
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        return f"others may read or write it (mode {stat.S_IMODE(status.st_mode):03o})", f"chmod 600 '{path}'"
    return None


def _toml() -> Any:
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        import tomli as tomllib  # type: ignore[no-redef, import-not-found, unused-ignore]
    return tomllib
