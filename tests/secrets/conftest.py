"""Places for secrets of the tests' own: neither the user's file nor the user's keyring is touched."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyrings.alt.file import PlaintextKeyring

sys.path.insert(0, str(Path(__file__).parent))

from jupyter_mlops.secrets.known import KNOWN, KnownSecrets


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the user's file would be; it is empty, as is the keyring (a real one, in a file)."""
    config = tmp_path / "config"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    monkeypatch.setenv("KEYRING_PROPERTY_FILE_PATH", str(tmp_path / "keyring" / "passwords.cfg"))
    keyring.set_keyring(PlaintextKeyring())
    for name in [name for name in os.environ if name.startswith("MLOPS_SECRET_")]:
        monkeypatch.delenv(name)
    return config / "jupyter-mlops"


@pytest.fixture
def user_file(own_places: Path) -> Path:
    """The user's file, with a secret in it."""
    own_places.mkdir(parents=True)
    path = own_places / "secrets.toml"
    path.touch(0o600)
    path.write_text('TOKEN = "token-of-the-user"\n', encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process forgets after each test which secrets it has looked up."""
    for name, value in vars(KnownSecrets()).items():
        monkeypatch.setattr(KNOWN, name, value)
    yield
    monkeypatch.undo()
