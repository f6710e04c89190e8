from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from jupyter_server.services.contents.filemanager import FileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupyter_server.services.contents.manager import ContentsManager

from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.server.framework.paths import contents_path, file_at, served_folder


@pytest.fixture
def served(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.ipynb").write_text("{}")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.ipynb").write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", "."),
        ("sub/a.ipynb", "sub/a.ipynb"),
        ("sub//a.ipynb", "sub/a.ipynb"),
        ("./sub/", "sub"),
        ("not/yet.ipynb", "not/yet.ipynb"),
        ("a..b.ipynb", "a..b.ipynb"),
        ("ünï cøde%20.ipynb", "ünï cøde%20.ipynb"),
    ],
)
def test_a_path_leads_into_the_served_folder(served: Path, path: str, found: str) -> None:
    assert file_at(served, path) == served / found


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../outside/secret.ipynb",
        "sub/../../outside/secret.ipynb",
        "sub/..",
        "/etc/passwd",
        "//etc/passwd",
        "a\0b.ipynb",
        "x" * 5000,
        ".mlops/index.db",
        "sub/.hidden/a.ipynb",
    ],
)
def test_what_leads_out_or_is_hidden_is_refused(served: Path, path: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        file_at(served, path)
    assert caught.value.http_status == 404
    assert caught.value.hint


def test_an_absolute_path_is_refused_also_where_it_lies_inside(served: Path) -> None:
    with pytest.raises(UnknownNameError):
        file_at(served, str(served / "sub" / "a.ipynb"))


def test_a_symbolic_link_may_not_lead_out(served: Path) -> None:
    (served / "file.ipynb").symlink_to("../outside/secret.ipynb")
    (served / "folder").symlink_to("../outside")
    (served / "circle").symlink_to("circle")
    for path in ("file.ipynb", "folder", "folder/secret.ipynb", "folder/new.ipynb", "circle/a.ipynb"):
        with pytest.raises(UnknownNameError):
            file_at(served, path)


def test_a_symbolic_link_inside_keeps_its_name_as_in_the_kernel(served: Path, tmp_path: Path) -> None:
    (served / "b.ipynb").symlink_to("sub/a.ipynb")
    (served / "alias").symlink_to("sub")
    (tmp_path / "door").symlink_to("served")
    for folder in (served, tmp_path / "door"):
        for path in ("b.ipynb", "alias/a.ipynb", "sub/new.ipynb"):
            assert file_at(folder, path) == folder / path


def test_hidden_files_are_found_where_jupyter_allows_them(served: Path) -> None:
    assert file_at(served, ".x/a.ipynb", allow_hidden=True) == served / ".x" / "a.ipynb"


@pytest.mark.parametrize("kind", [FileContentsManager, AsyncLargeFileManager])
def test_the_managers_of_files_have_a_folder(served: Path, kind: type[FileContentsManager]) -> None:
    assert served_folder(kind(root_dir=str(served))) == served


@pytest.mark.parametrize("manager", [ContentsManager(), SimpleNamespace(root_dir="/"), SimpleNamespace()])
def test_a_manager_that_keeps_no_files_is_told_clearly(manager: object) -> None:
    with pytest.raises(InputError, match="does not serve a local folder") as caught:
        served_folder(manager)
    assert "jupyter mlops" in caught.value.hint


def test_contents_paths_come_back(served: Path) -> None:
    assert contents_path(served, served) == ""
    assert contents_path(served, served / "sub" / "a.ipynb") == "sub/a.ipynb"
    assert contents_path(served, served.parent) == ""
