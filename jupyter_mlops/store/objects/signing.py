"""The per-user key that signs what will be unpickled, as notebook trust does it; what is unsigned is not unpickled."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path

from jupyter_mlops.errors import StoreError
from jupyter_mlops.store.files.disk import refused

_PLACES = ("JUPYTER_DATA_DIR", "JUPYTER_PLATFORM_DIRS", "HOME", "XDG_DATA_HOME", "APPDATA", "USERPROFILE")
"""The variables that tell where Jupyter's data folder is."""


def key_path() -> Path:
    """Where the key lies: Jupyter's data folder of the user."""
    return _key_path(tuple(map(os.environ.get, _PLACES)))


@lru_cache(maxsize=8)
def _key_path(_places: tuple[str | None, ...]) -> Path:
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "mlops_secret"


@lru_cache(maxsize=8)
def _key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return _made(path)
    except OSError as error:
        raise StoreError(
            f"Your key '{path}' cannot be read: {error.strerror or error}.", "Check its permissions."
        ) from error


def _made(path: Path) -> bytes:
    """A new key. Raises `StoreError`."""
    try:
        return _make(path)
    except OSError as error:
        raise refused(error, f"Your key '{path}' cannot be made", path.parent) from error


def _make(path: Path) -> bytes:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(64))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return path.read_bytes()


def sign(name: str) -> str:
    """The signature (hex) of the object called `name`, with this user's key. Raises `StoreError` where there can be none."""
    return _signature(_key(key_path()), name)


@lru_cache(maxsize=1024)
def _signature(key: bytes, name: str) -> str:
    return hmac.new(key, name.encode(), hashlib.sha256).hexdigest()


def is_signed(name: str, signature: str) -> bool:
    """Whether `signature` was made by this user for the object called `name`."""
    return hmac.compare_digest(sign(name), signature)
