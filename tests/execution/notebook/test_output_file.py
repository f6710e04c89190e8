from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from nbformat import v4

from jupyter_mlops.errors import InputError, NotWritableError
from jupyter_mlops.execution.notebook.output_file import OutputFile, check_output, file_saver


def test_the_source_is_never_an_output(tmp_path: Path) -> None:
    source = tmp_path / "a.ipynb"
    source.write_text("{}")
    (tmp_path / "link.ipynb").symlink_to(source)
    for output in (source, tmp_path / "link.ipynb", tmp_path / "x" / ".." / "a.ipynb"):
        with pytest.raises(InputError, match="never overwritten"):
            check_output(output, source)


def test_a_folder_is_no_output_and_a_missing_folder_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        check_output(tmp_path, None)
    check_output(tmp_path / "new" / "a.ipynb", None)
    assert (tmp_path / "new").is_dir()
    with pytest.raises(InputError, match="does not exist"):
        check_output(tmp_path / "other" / "a.ipynb", None, make_folder=False)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotWritableError, match="cannot be made"):
        check_output(Path("/proc/none/a.ipynb"), None)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(NotWritableError, match="not writable"):
        check_output(tmp_path / "a.ipynb", None)


def test_saves_are_seldom_and_the_dearer_the_seldomer() -> None:
    now = 0.0

    def save(notebook: object, *, sync: bool = True) -> None:
        nonlocal now
        now += 0.5

    file = OutputFile(save, clock=lambda: now)
    for _ in range(2000):
        now += 0.01
        file.touch()
        file.save_if_due(None)
    # 20 s of changes and saves of half a second each: one at the start, then one each ten seconds.
    assert file.saves <= 3
    file.save(None)
    assert file.saves <= 4


def test_nothing_is_saved_when_nothing_changed() -> None:
    file = OutputFile(lambda notebook: None)
    file.save_if_due(None)
    assert file.saves == 0


def test_a_failed_save_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.ipynb"
    save = file_saver(path)
    save(v4.new_notebook(cells=[v4.new_code_cell("old")]))

    def no_rename(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_rename)
    with pytest.raises(Exception, match="No space left"):
        save(v4.new_notebook())
    assert json.loads(path.read_text())["cells"][0]["source"] == ["old"]
    assert [item.name for item in tmp_path.iterdir()] == ["a.ipynb"]


def test_half_a_surrogate_pair_in_an_output_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    cell = v4.new_code_cell("x", outputs=[v4.new_output("stream", text="a\udce9b")])
    file_saver(path)(v4.new_notebook(cells=[cell]))
    assert json.loads(path.read_text())["cells"][0]["outputs"][0]["text"] == ["a\udce9b"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target.ipynb", tmp_path / "link.ipynb"
    target.write_text("{}")
    link.symlink_to(target)
    file_saver(link)(v4.new_notebook())
    assert link.is_symlink()
    assert json.loads(target.read_text())["nbformat"] == 4
