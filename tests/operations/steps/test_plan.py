"""The plan: what capture forecasts, from one step to another, with some of them forced; and its sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.plan import ALL, Forecast
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.operations.steps import plan as operation
from jupyter_mlops.operations.steps.plan import RunPlan, pipeline_plan

STEPS = (
    Forecast("load", "1", 0, True, "reuse", Reason(ReasonCode.NOTHING_CHANGED), 0.0, {}, ("df",)),
    Forecast("clean", "2", 1, True, "reuse", Reason(ReasonCode.NOTHING_CHANGED), 0.0, {"df": "load"}, ("tidy",)),
    Forecast("other", "3", 2, True, "reuse", Reason(ReasonCode.NOTHING_CHANGED), 0.0, {}, ("x",)),
    Forecast("train", "4", 3, True, "run", Reason(ReasonCode.CODE_CHANGED), 2.5, {"tidy": "clean"}, ("model",)),
    Forecast("report", "5", 4, True, "unknown", Reason(ReasonCode.DEPENDS, "train"), 0.5, {"model": "train"}),
    Forecast("extra", "6", 5, False, "run", Reason(ReasonCode.NEVER_RAN), None),
)


@pytest.fixture(autouse=True)
def _forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "forecast", lambda store, notebook, cells: STEPS)


def decisions(plan: RunPlan) -> list[str]:
    return [step.decision for step in plan.steps]


def test_steps_and_times_are_summed() -> None:
    plan = pipeline_plan(None, "nb.ipynb", ())
    assert (plan.running, plan.reused, plan.unknown) == (2, 3, 1)
    assert (plan.seconds, plan.uncertain, plan.untimed) == (2.5, 0.5, 1)


@pytest.mark.parametrize(
    ("start", "until", "names"),
    [
        (None, None, [step.name for step in STEPS]),
        ("train", None, ["train", "report", "extra"]),
        (None, "clean", ["load", "clean"]),
        ("clean", "tr", ["clean", "other", "train"]),
        ("load", "load", ["load"]),
    ],
)
def test_a_plan_goes_from_one_step_to_another(start: str | None, until: str | None, names: Sequence[str]) -> None:
    assert [step.name for step in pipeline_plan(None, "nb.ipynb", (), start=start, until=until).steps] == names


def test_crossed_ends_and_unknown_steps_are_told() -> None:
    with pytest.raises(InputError, match="'load' comes before step 'train'"):
        pipeline_plan(None, "nb.ipynb", (), start="train", until="load")
    for given in ({"start": "tarin"}, {"until": "tarin"}, {"force": "tarin"}):
        with pytest.raises(UnknownNameError) as caught:
            pipeline_plan(None, "nb.ipynb", (), **given)
        assert caught.value.hint == "Did you mean 'train'?"


def test_what_follows_from_a_forced_step_is_not_known() -> None:
    plan = pipeline_plan(None, "nb.ipynb", (), force="load")
    assert decisions(plan) == ["run", "unknown", "reuse", "run", "unknown", "run"]
    assert [step.reason for step in plan.steps[:2]] == [Reason(ReasonCode.FORCED), Reason(ReasonCode.DEPENDS, "load")]
    assert plan.steps[3].reason == Reason(ReasonCode.CODE_CHANGED)


def test_all_steps_can_be_forced() -> None:
    assert set(decisions(pipeline_plan(None, "nb.ipynb", (), force=ALL))) == {"run"}


def test_a_chain_of_unknown_steps_names_the_one_that_decides() -> None:
    steps = (STEPS[0], STEPS[1], replace(STEPS[2], inputs={"tidy": "clean"}))
    assert [step.reason for step in operation.forced(steps, ["load"])][1:] == [Reason(ReasonCode.DEPENDS, "load")] * 2


def test_cells_that_only_steer_this_extension_are_no_steps() -> None:
    sources = [
        "%load_ext jupyter_mlops",
        "%mlops run --from a\n# and so on",
        "%mlops status\nx = 1",
        "x = 1",
        "# a remark",
    ]
    cells = [Cell(index, str(index), "code", source) for index, source in enumerate(sources)]
    assert [cell.index for cell in operation.working(cells)] == [2, 3, 4]
