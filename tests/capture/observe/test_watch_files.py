"""What a step does to files: what it made, what was there before, what came and went, and what it looked for."""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
from collections.abc import Callable
from os.path import exists
from pathlib import Path

import pytest

from jupyter_mlops.capture.observe.watch import Seen, StepWatch
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.reason_text import phrases
from jupyter_mlops.store.files.digests import EXISTS, file_digest


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("old.txt").write_text("old")
    Path("data").mkdir()
    Path("data/a.csv").write_text("a")


def seen(work: Callable[[], object]) -> Seen:
    with StepWatch() as watch:
        work()
    return watch.seen


def here(*names: str) -> set[str]:
    return {os.path.abspath(name) for name in names}


def write(path: str, mode: str = "w") -> None:
    with open(path, mode) as file:
        file.write("new")


def read_back() -> None:
    write("new.txt")
    Path("new.txt").read_text()


def through_another() -> None:
    write("new.tmp")
    os.replace("new.tmp", "new.txt")


def through_a_folder() -> None:
    os.mkdir("tmp")
    write("tmp/one")
    os.rename("tmp", "done")


def temporary() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/deeper")
        write(f"{folder}/deeper/x")
        Path(f"{folder}/deeper/x").read_text()
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")


@pytest.mark.parametrize(
    ("work", "writes", "appends"),
    [
        (lambda: write("new.txt"), {"new.txt"}, set()),
        (lambda: write("old.txt"), {"old.txt"}, set()),
        (lambda: write("old.txt", "a"), {"old.txt"}, {"old.txt"}),
        (lambda: write("old.txt", "r+"), {"old.txt"}, {"old.txt"}),
        (lambda: write("new.txt", "a"), {"new.txt"}, set()),
        (lambda: os.truncate("old.txt", 1), {"old.txt"}, {"old.txt"}),
        (lambda: os.makedirs("out/deep", exist_ok=True), {"out", "out/deep"}, set()),
        (lambda: os.makedirs("data", exist_ok=True), {"data"}, set()),
        (lambda: shutil.copy("old.txt", "new.txt"), {"new.txt"}, set()),
        (read_back, {"new.txt"}, set()),
        (through_another, {"new.txt"}, set()),
        (through_a_folder, {"done", "done/one"}, set()),
        (temporary, set(), set()),
    ],
)
def test_what_a_step_makes(work: Callable[[], object], writes: set[str], appends: set[str]) -> None:
    found = seen(work)
    assert (found.writes, found.appends, found.reasons) == (here(*writes), here(*appends), [])
    assert found.reads == (here("old.txt") if "copy" in work.__code__.co_names else set())


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (lambda: os.remove("old.txt"), "removes files (old.txt)"),
        (lambda: Path("old.txt").unlink(), "removes files (old.txt)"),
        (lambda: shutil.rmtree("data"), "removes files (a.csv)"),
        (lambda: os.rename("old.txt", "new.txt"), "moves files (old.txt)"),
        (lambda: os.chmod("old.txt", 0o600), "changes the mode of a file (old.txt)"),
        (lambda: os.symlink("old.txt", "link"), "makes a link (link)"),
    ],
)
def test_what_cannot_be_done_again_by_writing_files_is_a_reason(work: Callable[[], object], reason: str) -> None:
    found = seen(work)
    assert phrases(found.reasons[:1]) == reason
    assert found.writes


@pytest.mark.parametrize(
    ("work", "looked"),
    [
        (lambda: os.path.exists("none"), {"none": "absent"}),
        (lambda: exists("old.txt"), {"old.txt": "file"}),
        (lambda: os.path.isfile("data"), {"data": "folder"}),
        (lambda: os.path.isdir("data"), {"data": "folder"}),
        (lambda: Path("old.txt").exists(), {"old.txt": "file"}),
        (lambda: Path("none").is_file(), {"none": "absent"}),
        (lambda: Path("data").is_dir(), {"data": "folder"}),
        (lambda: open("new.txt", "x").close(), {"new.txt": "absent"}),
        (lambda: write("new.txt", "a"), {"new.txt": "absent"}),
        (lambda: os.mkdir("out"), {"out": "absent"}),
        (lambda: os.makedirs("data/x", exist_ok=True), {}),
        (lambda: Path("data/x/y").mkdir(parents=True, exist_ok=True), {}),
        (lambda: os.path.exists(os.__file__), {}),
    ],
)
def test_what_a_step_looks_for_is_a_condition_as_it_was_then(
    work: Callable[[], object], looked: dict[str, str]
) -> None:
    assert seen(work).looked == {EXISTS + os.path.abspath(path): there for path, there in looked.items()}


def test_looking_for_what_the_step_has_made_is_no_condition() -> None:
    def work() -> None:
        write("new.txt")
        assert os.path.exists("new.txt")

    assert seen(work).looked == {}


def test_looking_gives_what_it_always_gives() -> None:
    before = os.path.exists, Path.exists, os.path.exists.__code__
    with StepWatch():
        assert os.path.exists("old.txt")
        assert not os.path.exists("none")
        assert Path("data").is_dir()
        assert not Path("data").is_file()
        assert (os.path.exists, Path.exists) == before[:2]
        with pytest.raises(TypeError):
            os.path.exists()  # type: ignore[call-arg]
    assert os.path.exists.__code__ is before[2]


def test_what_native_code_writes_where_a_library_looked_is_written_and_not_looked_for() -> None:
    import pandas as pd

    frame = pd.DataFrame({"a": [1]})
    frame.to_parquet("warm.parquet")
    for _ in range(2):
        found = seen(lambda: frame.to_parquet("new.parquet"))
        assert found.writes == here("new.parquet")
        assert EXISTS + os.path.abspath("new.parquet") not in found.looked


def test_what_the_notebook_itself_looked_for_stays_a_condition_when_it_is_written() -> None:
    def work() -> None:
        if not os.path.exists("new.txt"):
            write("new.txt")

    assert seen(work).looked == {EXISTS + os.path.abspath("new.txt"): "absent"}


def test_a_magic_that_tells_whether_it_overwrites_has_looked() -> None:
    from IPython.core.magics.osm import OSMagics

    found = seen(lambda: OSMagics().writefile("new.txt", "text"))
    assert found.writes == here("new.txt")
    assert found.looked[EXISTS + os.path.abspath("new.txt")] == "absent"


@pytest.mark.parametrize(
    "work",
    [
        lambda: write("old.txt", "a"),
        lambda: write("old.txt", "r+"),
        lambda: write("old.txt", "w" if Path("old.txt").read_text() else "a"),
    ],
)
def test_the_earlier_content_of_what_is_appended_to_or_read_and_written_is_a_condition(
    work: Callable[[], object],
) -> None:
    before = file_digest(os.path.abspath("old.txt"))
    assert seen(work).looked == {os.path.abspath("old.txt"): before}


def test_a_folder_listed_before_the_step_writes_into_it_is_known_as_it_was() -> None:
    def work() -> None:
        os.listdir("data")
        write("data/b.csv")

    (listed,) = seen(work).looked.items()
    os.remove("data/b.csv")
    assert listed == next(iter(seen(lambda: os.listdir("data")).looked.items()))


def test_fresh_entropy_that_a_library_draws_for_itself_is_seen_and_a_seed_is_none() -> None:
    import numpy as np
    from scipy.stats import qmc
    from sklearn.base import clone
    from sklearn.ensemble import RandomForestClassifier

    assert Reason(ReasonCode.ENTROPY) in seen(lambda: qmc.Sobol(2).random(2)).reasons
    assert seen(lambda: copy.deepcopy(qmc.Sobol(2, rng=np.random.default_rng(1)).random(2))).reasons == []
    forest = RandomForestClassifier(2, random_state=np.random.RandomState(1))
    assert seen(lambda: clone(forest).fit(np.eye(4), [0, 1, 0, 1])).reasons == []


def test_a_file_that_a_local_module_reads_while_it_is_imported_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_mlops.capture.observe.watch import import_reads

    Path("mlopsreader.py").write_text("DATA = open('data/a.csv').read()")
    monkeypatch.syspath_prepend(os.getcwd())
    assert seen(lambda: __import__("mlopsreader")).reads == here("data/a.csv")
    assert import_reads["mlopsreader"] == here("data/a.csv")
