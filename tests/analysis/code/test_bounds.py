"""One bad cell is one bad cell: what cannot be read runs always, with the reason, and the others stand as they are."""

from __future__ import annotations

import sys
import threading

import pytest

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.capture.kernel.shell import only_steers
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.reason_text import phrase, sentence
from jupyter_mlops.domain.status import StepState
from jupyter_mlops.operations.steps.graph import pipeline_graph
from jupyter_mlops.operations.steps.plan import pipeline_plan
from jupyter_mlops.operations.steps.status import pipeline_status

MANY = 100_000
DEEP, HALF, LONG = "nested too deeply", "half a character", "more than 1,000,000 characters"
UNREAD = {
    "signs in a row": ("-" * MANY + "1", DEEP),
    "a sum": ("x = " + "+".join(["1"] * 5000), DEEP),
    "attributes": ("x" + ".a" * 5000, DEEP),
    "lambdas": ("lambda:" * 8000 + "1", DEEP),
    "branches": ("if a: pass\n" + "elif a: pass\n" * 8000, DEEP),
    "a lone surrogate": ('x = "\ud800"', HALF),
    "a surrogate in a comment": ("# \udfff\nx = 1", HALF),
    "a long text": (f'x = """{"a" * 1_100_000}"""', LONG),
    "shell lines without end": ("!" * MANY, "more than 20,000 characters"),
}
NO_PYTHON = ("(" * MANY, "[" * MANY, "," * MANY, "\\" * MANY, "x = 1\0", '"' * MANY + "1")
IDLE = ("\n" * MANY + "x = 1", " " * MANY, "\t\n" * 5000, "#" * MANY)
MARKDOWN = ("#" * MANY, "# " + " " * MANY + "x", "# " + "<" * MANY, "# " + "](" * MANY, "# \ud800")


def cells_with(source: str, kind: str = "code", tags: tuple[str, ...] = ()) -> tuple[Cell, ...]:
    return (Cell(0, "bad0cell", kind, source, tags), Cell(1, "good", "code", "%%step good\ny = 1"))


@pytest.mark.parametrize(("source", "reason"), UNREAD.values(), ids=UNREAD)
def test_code_that_cannot_be_read_may_do_anything_and_says_why(source: str, reason: str) -> None:
    facts = cell_facts(source)
    assert (facts.names.everything, facts.names.anything, facts.inert) == (True, True, False)
    assert reason in phrase(facts.doubts.certain[0])
    assert facts.digest != cell_facts(source + "\n ").digest


@pytest.mark.parametrize(
    "source", [*(source for source, _ in UNREAD.values()), *NO_PYTHON, *IDLE], ids=lambda source: ascii(source[:9])
)
@pytest.mark.parametrize("tags", [(), ("parameters",), ("step:bad",)], ids=["plain", "parameters", "step"])
def test_a_status_a_plan_and_a_graph_answer_whatever_one_cell_holds(source: str, tags: tuple[str, ...]) -> None:
    cells = cells_with(source, tags=tags)
    status = pipeline_status(None, "nb.ipynb", cells)
    assert ("good", StepState.NEVER_RUN) in [(step.name, step.state) for step in status.steps]
    assert pipeline_plan(None, "nb.ipynb", cells).steps[-1].name == "good"
    assert "good" in str(pipeline_graph(None, "nb.ipynb", cells))
    for step in status.steps:
        step.label.encode()


@pytest.mark.parametrize("source", MARKDOWN, ids=lambda source: ascii(source[:6]))
def test_a_heading_of_any_length_is_read(source: str) -> None:
    assert [step.name for step in pipeline_status(None, "nb.ipynb", cells_with(source, "markdown")).steps] == ["good"]


@pytest.mark.parametrize(("source", "reason"), [UNREAD["signs in a row"], UNREAD["a lone surrogate"]])
def test_a_plan_tells_why_such_a_cell_runs(source: str, reason: str) -> None:
    (first, _) = pipeline_plan(None, "nb.ipynb", cells_with(f"%%step bad\n{source}")).steps
    assert first.decision == "run"
    assert first.reason is not None
    assert reason in sentence(first.reason)


@pytest.mark.parametrize(("source", "reason"), [UNREAD["signs in a row"], UNREAD["a lone surrogate"]])
def test_a_status_tells_that_such_a_step_runs_always_and_why_before_it_ever_ran(source: str, reason: str) -> None:
    bad, good = pipeline_status(None, "nb.ipynb", cells_with(f"%%step bad\n{source}")).steps
    assert (bad.state, bad.always) == (StepState.NEVER_RUN, True)
    assert bad.reason.startswith("runs always: it ")
    assert reason in bad.reason
    assert (good.state, good.always) == (StepState.NEVER_RUN, False)


def test_a_parameters_cell_that_cannot_be_read_is_a_problem_of_that_cell() -> None:
    (problem,) = pipeline_status(None, "nb.ipynb", cells_with("x = " + "-" * 999 + "1", tags=("parameters",))).problems
    assert problem.cell_id == "bad0cell"
    assert DEEP in problem.message


def test_how_deep_the_caller_stands_does_not_matter() -> None:
    source = "x = " + " + ".join(f"a{number}" for number in range(150))
    found: list[str] = []

    def down(levels: int) -> None:
        if levels:
            down(levels - 1)
        else:
            found.append(cell_facts(source).digest)

    for levels in (sys.getrecursionlimit() - 250, 1):
        cell_facts.cache_clear()
        thread = threading.Thread(target=down, args=(levels,))
        thread.start()
        thread.join()
    assert len(found) == 2
    assert found[0] == found[1]
    assert cell_facts(source).names.reads >= {"a0", "a149"}


def test_empty_lines_above_a_cell_keep_nobody_waiting() -> None:
    """Each line more doubled the time: 15 of them took a captured cell 18 seconds."""
    assert not only_steers("\n" * 5000 + "x = 1")
    assert only_steers("\n  %mlops status\n\n# and\n%load_ext jupyter_mlops \n")
