"""A forecast of parameters against what then happens: over many edits, each step runs or is reused as it was foretold.

The first run of the notebook is recorded, one thing in it is edited, the forecast is asked, and a fresh kernel runs it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.analysis.pipeline.cells import cells_of
from jupyter_mlops.capture.forecast import forecast
from jupyter_mlops.domain.plan import REUSE, RUN, UNKNOWN
from jupyter_mlops.store import open_store

from .conftest import Pair

IMPORTS = (
    "import enum\nfrom datetime import date, datetime, timedelta\nfrom decimal import Decimal\nfrom pathlib import Path"
)
PARAMETERS = """\
rate: float = 0.1  # how fast
depth = 2
name: str = "a"
flag = False
none = None
sizes: list[int] = [1, 2]
grid = {"a": [0.1, 0.2], "b": ("x", None)}
picked = {"u", "v"}
since: date = date(2026, 1, 1)
at = datetime(2026, 1, 1, 12, 30)
span = timedelta(hours=1)
price = Decimal("1.10")
folder = Path("data")
low, high = 1, 5
one = two = 3
double = depth * 2"""
NAMES = (
    *("rate", "depth", "name", "flag", "none", "sizes", "grid", "picked", "since", "at", "span"),
    *("price", "folder", "low", "high", "one", "two", "double"),
)
STEPS = tuple(f"%%step use_{name}\nresult_{name} = repr({name})\nprint(result_{name})" for name in NAMES)
LAST = "%%step both\nprint(result_rate, result_depth)"
AFTER = {"low", "high", "one", "two"}
EDITS: dict[str, tuple[str, str, set[str], set[str]]] = {
    # what is replaced, by what; the parameters whose steps run, and those of which it is not known
    "nothing": ("", "", set(), set()),
    "a comment": ("# how fast", "# how quick", set(), set()),
    "a float": ("0.1  #", "0.2  #", {"rate"}, set()),
    "a float as an int": ("rate: float = 0.1", "rate: float = 1", {"rate"}, set()),
    "a float, written otherwise": ("rate: float = 0.1", "rate: float = 1e-1", set(), set()),
    "a whole number, and what is computed of it": ("depth = 2", "depth = 3", {"depth"}, set()),
    "a text": ('name: str = "a"', 'name: str = "b"', {"name"}, set()),
    "a text in other quotes": ('name: str = "a"', "name: str = 'a'", set(), set()),
    "a truth value": ("flag = False", "flag = True", {"flag"}, set()),
    "a truth value as a number": ("flag = False", "flag = 0", {"flag"}, set()),
    "none": ("none = None", "none = 0", {"none"}, set()),
    "a list": ("[1, 2]", "[1, 2, 3]", {"sizes"}, set()),
    "a list as a tuple": ("[1, 2]", "(1, 2)", {"sizes"}, set()),
    "a dictionary": ("0.2]", "0.3]", {"grid"}, set()),
    "a dictionary's order": ('{"a": [0.1, 0.2], "b": ("x", None)}', '{"b": ("x", None), "a": [0.1, 0.2]}', {"grid"}, set()),
    "a set": ('{"u", "v"}', '{"u", "w"}', {"picked"}, set()),
    "a set's order": ('{"u", "v"}', '{"v", "u"}', set(), set()),
    "a date": ("date(2026, 1, 1)\nat", "date(2026, 1, 2)\nat", {"since"}, set()),
    "a date by words": ("date(2026, 1, 1)\nat", "date(year=2026, month=1, day=1)\nat", set(), set()),
    "a time": ("12, 30)", "12, 31)", {"at"}, set()),
    "a duration": ("hours=1", "minutes=60", set(), set()),
    "another duration": ("hours=1", "minutes=61", {"span"}, set()),
    "a decimal": ('"1.10"', '"1.1"', {"price"}, set()),
    "a path": ('Path("data")', 'Path("other")', {"folder"}, set()),
    "two at once": ("low, high = 1, 5", "low, high = 1, 6", {"high"}, set()),
    "two names of one": ("one = two = 3", "one = two = 4", {"one", "two"}, set()),
    "the order of lines": ("depth = 2\n", "", {"depth"}, set()),
    "a type only": ("rate: float = 0.1", "rate: 'float' = 0.1", set(), set()),
    "a new line of code": ("depth = 2", "depth = 2\nnew = 7", set(), set()),
    "bound again below": ("double = depth * 2", "double = depth * 2\nrate = 0.5", {"rate"}, set()),
    "computed where it was plain": ('name: str = "a"', 'name: str = "".join(["a"])', set(), {"name"}),
    "changed in place below": ("double = depth * 2", "double = depth * 2\nsizes.append(3)", set(), {"sizes"}),
    "an alias that is changed": ("low, high", "more = sizes\nmore.append(3)\nlow, high", set(), {"sizes"}),
    "under a condition": ("flag = False", "flag = False\nif depth > 1:\n    flag = 9", set(), {"flag"}),
    "by a function": ("low, high", "def put():\n    global rate\n    rate = 9\nput()\nlow, high", set(), {"rate"}),
    "by a function, and anew": (
        "low, high",
        "def put():\n    global rate\n    rate = 9\nput()\nrate = 0.1\nlow, high",
        set(),
        set(),
    ),
    "deleted and anew": ("low, high", "del name\nname = 'z'\nlow, high", {"name"}, set()),
    "by code made as it runs": ("low, high", "exec('rate = 3')\nlow, high", AFTER, set(NAMES) - AFTER),
}  # fmt: skip


def notebook(parameters: str, injected: str = "") -> dict[str, Any]:
    sources = [IMPORTS, parameters, *([injected] if injected else []), *STEPS, LAST]
    ids = ["imports", "parameters", *(["injected-parameters"] if injected else []), *NAMES, "both"]
    cells = [
        {
            "cell_type": "code", "id": name, "source": source, "outputs": [], "execution_count": None,
            "metadata": {"tags": [name]} if "parameters" in name else {},
        }
        for name, source in zip(ids, sources, strict=True)
    ]  # fmt: skip
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


class Project:
    """A notebook that was run once; forked kernels run it again as it is then. `back` undoes what came after the first."""

    def __init__(self, folder: Path, pair: Pair) -> None:
        self.path = folder / "project" / "nb.ipynb"
        self._zygote = pair[0]
        self._kept = folder / "kept"
        self.path.parent.mkdir()
        assert set(self.run(notebook(PARAMETERS)).values()) == {"ran"}
        shutil.copytree(self.path.parent, self._kept)

    def back(self) -> Project:
        shutil.rmtree(self.path.parent)
        shutil.copytree(self._kept, self.path.parent)
        return self

    def run(self, made: dict[str, Any]) -> dict[str, str]:
        """Cell id → "ran" or "reused", in a fresh kernel."""
        self.path.write_text(json.dumps(made))
        cells = [{"id": cell["id"], "code": cell["source"]} for cell in made["cells"]]
        kernel = self._zygote.start(self.path.parent, True, MLOPS_CAPTURE="all", JPY_SESSION_NAME=str(self.path))
        shown = kernel.play(cells)
        kernel.close()
        assert not any(kind == "error" for each in shown for kind, _ in each.outputs)
        return {cell["id"]: each.became for cell, each in zip(cells, shown, strict=True)}

    def told(self, made: dict[str, Any]) -> dict[str, tuple[str, str]]:
        """Cell id → decision and reason of the forecast."""
        with open_store(self.path) as store:
            return {step.cell_id: (step.decision, step.reason) for step in forecast(store, "nb.ipynb", cells_of(made))}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Project:
    return Project(tmp_path_factory.mktemp("parameters"), pair)


@pytest.mark.kernel
@pytest.mark.parametrize("edit", EDITS)
def test_after_an_edit_of_the_parameters_each_step_runs_or_not_as_it_is_foretold(project: Project, edit: str) -> None:
    old, new, runs, open_ones = EDITS[edit]
    assert old in PARAMETERS
    edited = PARAMETERS.replace(old, new, 1)
    if edit == "the order of lines":
        edited = edited.replace("double =", "depth = 4\ndouble =")
    project.back()
    told, became = project.told(notebook(edited)), project.run(notebook(edited))
    for cell, (decision, reason) in told.items():
        expected = {REUSE: "reused", RUN: "ran"}.get(decision)
        assert expected in (None, became[cell]), (cell, decision, reason, became[cell])
    if told["parameters"][0] == RUN:
        open_ones = open_ones | {"double"}  # what is computed is known only when the cell has run
    assert {name for name in NAMES if told[name][0] == UNKNOWN} == open_ones
    assert {name for name in NAMES if told[name][0] == RUN} == runs - open_ones


@pytest.mark.kernel
def test_a_default_set_to_what_a_job_was_given_is_known_and_so_is_an_injected_cell(project: Project) -> None:
    project.back()
    given = notebook(PARAMETERS, "# Parameters\nrate = 0.3\nsince = date(2026, 2, 1)\n")
    told, became = project.told(given), project.run(given)
    ran = {"injected-parameters", "rate", "since", "both"}
    assert {cell for cell, (decision, _) in told.items() if decision != REUSE} == ran
    assert told["rate"][0] == told["since"][0] == RUN
    assert {cell for cell, each in became.items() if each == "ran"} == ran
    default = notebook(PARAMETERS.replace("0.1  #", "0.3  #").replace("date(2026, 1, 1)\n", "date(2026, 2, 1)\n"))
    assert {cell for cell, (decision, _) in project.told(default).items() if decision != REUSE} == {
        "parameters",
        "double",
    }
    assert {cell for cell, each in project.run(default).items() if each == "ran"} == {"parameters"}
