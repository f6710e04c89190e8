"""Where secrets are looked up, in which order, and what is said where there is none."""

from __future__ import annotations

import copy
import json
import os
import pickle
import threading
from pathlib import Path

import pytest

from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.operations.project.secrets import check_secrets, list_secrets, remove_secret, set_secret
from jupyter_mlops.secrets import Secret, secret
from jupyter_mlops.secrets.file import SecretsFile


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / ".mlops").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def test_the_environment_comes_before_the_projects_file_the_users_and_the_keyring(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for place in ("keyring", "user", "project"):
        set_secret(project, "TOKEN", f"from the {place}", place)
        found.append(str(secret("TOKEN")))
    monkeypatch.setenv("MLOPS_SECRET_TOKEN", "from the environment")
    assert [*found, str(secret("TOKEN"))] == [
        f"from the {place}" for place in ("keyring", "user", "project", "environment")
    ]


def test_a_name_that_is_no_name_of_a_variable_is_found_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_SECRET_DB_MAIN_PASSWORD", "of the database")
    assert str(secret("db/main.password")) == "of the database"


def test_a_secret_is_text_that_does_not_tell_itself_where_it_is_only_looked_at(user_file: Path) -> None:
    token = secret("TOKEN")
    assert isinstance(token, str)
    assert repr(token) == f"{token!r}" == "<secret TOKEN>"
    assert repr({"key": [token]}) == "{'key': [<secret TOKEN>]}"
    assert f"Bearer {token}" == "Bearer token-of-the-user"
    assert json.dumps({"a": token}) == '{"a": "token-of-the-user"}'
    assert token == "token-of-the-user"
    assert {token: 1}["token-of-the-user"] == 1
    os.environ["MLOPS_TEST_HANDED_ON"] = token
    assert os.environ.pop("MLOPS_TEST_HANDED_ON") == "token-of-the-user"
    assert type(token + "") is str


def test_pickling_takes_the_name_and_copying_keeps_the_secret(user_file: Path) -> None:
    token = secret("TOKEN")
    data = pickle.dumps([token, copy.copy(token), copy.deepcopy({"a": token})])
    assert b"token-of-the-user" not in data
    loaded = pickle.loads(data)
    assert loaded[0] == token
    assert type(loaded[2]["a"]) is Secret


def test_an_unknown_name_is_told_with_all_places_and_the_name_that_was_meant(user_file: Path, project: Path) -> None:
    with pytest.raises(UnknownNameError) as caught:
        secret("TOKNE")
    told = caught.value.message + caught.value.hint
    for part in ("MLOPS_SECRET_TOKNE", ".mlops/secrets (no such file)", "secrets.toml", "keyring", "mean 'TOKEN'"):
        assert part in told
    assert "token-of-the-user" not in told
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), UnknownNameError)


def test_in_a_notebook_the_error_is_two_lines_without_the_values_of_local_names(user_file: Path) -> None:
    with pytest.raises(UnknownNameError) as caught:
        secret("ANOTHER")
    shown = caught.value._render_traceback_()  # type: ignore[attr-defined]
    assert [line.split(":")[0] for line in shown] == ["Error", "Hint"]
    frames = []
    trace = caught.value.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    ours = [frame for frame in frames if "jupyter_mlops" in frame.f_code.co_filename]
    assert ours
    assert not any("token-of-the-user" in repr(frame.f_locals) for frame in ours)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("name", ["", "a b", "x=y", "../x\n", "TOKEN;"])
def test_what_cannot_be_a_name_is_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(InputError) as caught:
        secret(name)
    assert not name or name not in caught.value.message


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o660])
def test_a_file_that_others_may_read_or_write_is_refused(user_file: Path, mode: int) -> None:
    user_file.chmod(mode)
    with pytest.raises(InputError, match="others may read or write it") as caught:
        secret("TOKEN")
    assert "chmod 600" in caught.value.hint
    assert "token-of-the-user" not in caught.value.message
    assert not check_secrets(Path.cwd())[0].is_found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("TOKEN = token-of-the-user", "line 1"),
        ("A = 'x'\nTOKEN = 12345678", "'TOKEN'"),
        ("[a]\nTOKEN='12345678'", "'a'"),
    ],
)
def test_a_file_that_is_no_list_of_texts_is_told_by_the_line_or_name_only(
    user_file: Path, text: str, told: str
) -> None:
    user_file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        secret("TOKEN")
    assert told in caught.value.message
    assert "12345678" not in caught.value.message + caught.value.hint
    assert "of-the-user" not in caught.value.message + caught.value.hint


def test_a_kept_secret_is_in_a_file_of_ones_own_and_comes_back_as_it_was(tmp_path: Path) -> None:
    file = SecretsFile("user", tmp_path / "new" / "secrets.toml")
    values = {
        "QUOTES": "'\"\\ \"\"\" '''",
        "LINES": "-----BEGIN KEY-----\nab\tc\r\n-----END KEY-----\n",
        "with.dots/and-more": "ä€😀\x7f\x01 = # [x]",
    }
    for name, value in values.items():
        file.set(name, value)
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700
    assert {name: file.get(name) for name in file.names()} == values
    assert file.remove("LINES")
    assert not file.remove("LINES")
    assert file.names() == ["QUOTES", "with.dots/and-more"]


def test_secrets_kept_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    file = SecretsFile("user", tmp_path / "secrets.toml")
    threads = [threading.Thread(target=file.set, args=(f"NAME{number}", "x" * 9)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(file.names()) == 16


def test_the_keyring_is_listed_though_keyrings_cannot_be(project: Path) -> None:
    set_secret(project, "ONE", "value one", "keyring")
    set_secret(project, "TWO", "value two", "keyring")
    set_secret(project, "TWO", "hidden by none", "project")
    assert [(item.name, item.place, item.hidden) for item in list_secrets(project)] == [
        ("TWO", "project", False),
        ("ONE", "keyring", False),
        ("TWO", "keyring", True),
    ]
    assert remove_secret(project, "TWO") == (str(project / ".mlops" / "secrets"), "the keyring")
    assert [item.name for item in list_secrets(project)] == ["ONE"]
    with pytest.raises(UnknownNameError, match="no secret named 'ON'"):
        remove_secret(project, "ON")


def test_a_machine_without_a_keyring_is_told_and_files_go_on(
    user_file: Path, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    import keyring
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())  # type: ignore[no-untyped-call]
    try:
        assert secret("TOKEN") == "token-of-the-user"
        with pytest.raises(UnknownNameError, match="this machine has none"):
            secret("OTHER")
        with pytest.raises(InputError, match="no keyring"):
            set_secret(project, "X", "value", "keyring")
    finally:
        keyring.set_keyring(before)


@pytest.mark.parametrize("value", ["", "  \n", "a\0b"])
def test_what_is_no_secret_is_not_kept(project: Path, value: str) -> None:
    with pytest.raises(InputError):
        set_secret(project, "TOKEN", value)
    assert list_secrets(project) == ()


def test_the_line_break_behind_a_value_is_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_SECRET_TOKEN", "value-of-token\n")
    assert str(secret("TOKEN")) == "value-of-token"


def test_a_short_secret_is_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_SECRET_PIN", "42x")
    with pytest.warns(UserWarning, match="'PIN' is shorter than 4 characters"):
        secret("PIN")
