"""What is stale is told from what was read and analysed before: it is always what one who looks anew would tell."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from functools import _lru_cache_wrapper
from pathlib import Path

import pytest

from jupyter_mlops.analysis.code import facts as code_facts
from jupyter_mlops.analysis.pipeline.cells import all_steps_of
from jupyter_mlops.analysis.pipeline.shown import facts_of
from jupyter_mlops.capture import forecast
from jupyter_mlops.capture.key import environment, examination
from jupyter_mlops.capture.key.modules import LocalModules
from jupyter_mlops.capture.key.value_facts import ValueFacts
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.pipeline import PipelineStatus
from jupyter_mlops.domain.plan import Forecast
from jupyter_mlops.domain.reason import DAMAGED
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import Conditions, StepRun
from jupyter_mlops.operations.steps.status import pipeline_status
from jupyter_mlops.store.files.digests import file_digest
from jupyter_mlops.store.store import Store

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
NOTEBOOK = "nb.ipynb"
SOURCES = (
    "a = {}",
    "b = a + {}",
    "def f(x):\n    return x + {} + b",
    "c = f(a) + {}",
    "import numpy as np\nd = np.ones({})",
    "a.append({})",
    "e = [a, {}]",
    "print(b, {})",
    "%%step named\ng = c + {}",
    "%%step named --no-cache\ng = {}",
    "%mlops status {}",
    "not python {}",
)
Told = tuple[PipelineStatus, tuple[Forecast, ...]]


class Life:
    """A notebook that is edited, and whose steps are executed, by chance."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.chance = random.Random(seed)
        self.file = store.root / "read.txt"
        self.made = 0
        self.cells = [self.cell() for _ in range(6)]
        now = store.now()
        self.run = store.runs.create(Run(store.new_id(), 0, "session", NOTEBOOK, Status.RUNNING, created_at=now))

    def cell(self) -> Cell:
        self.made += 1
        source = self.chance.choice(SOURCES).format(self.chance.randrange(3))
        return Cell(0, f"{self.made:08x}", "code", source, self.chance.choice(((), (), ("repeatable",))))

    def numbered(self) -> list[Cell]:
        return [replace(cell, index=index) for index, cell in enumerate(self.cells)]

    def go_on(self) -> None:
        place = self.chance.randrange(len(self.cells))
        match self.chance.randrange(8):
            case 0:
                self.cells[place] = replace(self.cell(), id=self.cells[place].id)
            case 1 if len(self.cells) < 10:
                self.cells.insert(place, self.cell())
            case 2 if len(self.cells) > 3:
                self.cells.append(self.cells.pop(place))
            case 3:
                self.file.write_text(str(self.chance.randrange(2)))
            case 4:
                for known in self.store.steps.runs(notebook=NOTEBOOK, limit=1):
                    self.store.steps.update_run(known.id, unrepeatable=DAMAGED)
            case _:
                self.execute(place)

    def execute(self, place: int) -> None:
        """Record what a kernel would where the cell at `place` ran after those above it."""
        steps, _ = all_steps_of(self.numbered())
        world = forecast.RecordedWorld(where=str(self.store.root))
        runs = forecast._newest(self.store, NOTEBOOK, steps)
        above = [step for step in steps if step.cell.index < place]
        forecast._Forecaster(self.store, world, runs, "").steps(above)
        for step in steps:
            facts = facts_of(step)
            if step.cell.index != place or facts is None:
                continue
            found = examination.examine(facts, world, LocalModules(), display_mode=forecast.DISPLAY_MODE)
            ended = self.chance.choice((Status.COMPLETED, Status.COMPLETED, Status.REUSED, Status.FAILED))
            files = {str(self.file): file_digest(str(self.file))} if self.chance.random() < 0.3 else {}
            known = {
                name: ValueFacts(digest=self.chance.choice("xyz")).to_json() for name in sorted(facts.names.writes)
            }
            run = StepRun(
                self.store.new_id(), self.run.id, NOTEBOOK, step.spec.name, 0, facts.digest, self.made, Status.RUNNING,
                key=found.key, ingredients=found.ingredients, started_at=NOON, pid=1, pid_started=1.0,
            )  # fmt: skip
            self.store.steps.journal([(run, step.code)], now=NOON)
            if self.chance.random() < 0.9:
                done = replace(
                    run, status=ended, known=known, conditions=Conditions(files), ended_at=NOON, duration=1.0
                )
                self.store.steps.journal([(done, step.code)], now=NOON)
            if self.chance.random() < 0.8:
                self.store.steps.update_runs({run.id: {"result": "object", "known": known}})


def told(store: Store, cells: list[Cell]) -> Told:
    return pipeline_status(store, NOTEBOOK, cells, everything=True), forecast.forecast(store, NOTEBOOK, cells)


def told_anew(folder: Path, cells: list[Cell]) -> Told:
    """By one who has read nothing before."""
    for module in (code_facts, environment, examination, forecast):
        for item in vars(module).values():
            if isinstance(item, _lru_cache_wrapper):
                item.cache_clear()
    with Store.open(folder) as store:
        return told(store, cells)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as store:
        yield store


@pytest.mark.parametrize("seed", range(4))
def test_after_any_edits_and_executions_the_same_is_told_as_by_one_who_looks_anew(store: Store, seed: int) -> None:
    life = Life(store, seed)
    decisions = set()
    for _ in range(25):
        life.go_on()
        cells = life.numbered()
        known = told(store, cells)
        assert known == told_anew(store.root, cells)
        decisions |= {item.decision for item in known[1]}
    assert decisions >= {"reuse", "run"}, "the life was too dull to tell"


def test_a_step_run_that_did_not_change_is_not_taken_apart_again(store: Store) -> None:
    life = Life(store, 0)
    life.cells = [Cell(0, "0000000a", "code", "a = 1"), Cell(1, "0000000b", "code", "b = a")]
    life.execute(0)
    life.execute(1)
    first = store.steps.last(NOTEBOOK)
    life.execute(1)
    then = store.steps.last(NOTEBOOK)
    assert {name: then[name] is first[name] for name in first} == {"cell@0000000a": True, "cell@0000000b": False}


def test_files_are_looked_for_from_the_notebooks_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server works in another: what a step asked for by a relative path is there all the same."""
    (tmp_path / "nb").mkdir()
    (tmp_path / "nb" / "go").touch()
    monkeypatch.chdir(tmp_path)
    source = "%%step gate\nimport pathlib\nassert pathlib.Path('go').exists() and not pathlib.Path('stop').exists()"
    (step,) = all_steps_of([Cell(0, "a", "code", source, ())])[0]
    facts = facts_of(step)
    assert facts is not None
    world = forecast.RecordedWorld(where=str(tmp_path / "nb"))

    found = examination.examine(facts, world, LocalModules(), display_mode=forecast.DISPLAY_MODE)

    assert found.ingredients["exists:go"] == "file"
    assert found.ingredients["exists:stop"] == "absent"
