"""Typed parameters from what was asked for to what the kernel has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from notebooks import code, write_notebook

from jupyter_mlops.domain.parameter import Asked
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.queue.prepared import NEEDED_TAG, prepare
from jupyter_mlops.jobs.queue.request import check_request, given_of, request_of
from jupyter_mlops.jobs.queue.submission import create_run
from jupyter_mlops.operations.runs.run import run_notebook
from jupyter_mlops.store.store import Store

SOURCE = """\
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal
from pydantic import Field

class Mode(Enum):
    FAST = 1
    SLOW = 2

rate: Annotated[float, Field(gt=0, le=1)] = 0.5
since: date = date(2024, 1, 1)
mode: Mode = Mode.FAST
where = Path("a")
price = Decimal("1.00")
sizes: set[int] = {1}
either: date | str = "soon"
days: int
until = since + timedelta(days)
"""
GIVEN: dict[str, Any] = {
    "rate": 1,
    "since": "2024-02-28",
    "mode": "SLOW",
    "where": "007",
    "price": "0.10",
    "sizes": [2, 3],
    "either": "later",
    "days": 2,
}


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    show = code("print(repr([rate, since, mode, str(where), price, sizes, either, days, until]))")
    return write_notebook(tmp_path / "a.ipynb", code(SOURCE, "parameters"), show)


@pytest.mark.kernel
def test_the_kernel_has_the_very_values(notebook: Path, tmp_path: Path) -> None:
    asked = Asked(GIVEN, dict.fromkeys(GIVEN, "-p"))
    run = run_notebook(notebook, asked, tmp_path / "out.ipynb")
    cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    shown = "".join(cells[-1]["outputs"][0]["text"])
    assert shown.strip() == (
        "[1.0, datetime.date(2024, 2, 28), <Mode.SLOW: 2>, '007', Decimal('0.10'), {2, 3}, 'later', 2, "
        "datetime.date(2024, 3, 1)]"
    )
    assert [cell["metadata"]["tags"] for cell in cells[:3]] == [[NEEDED_TAG], ["parameters"], ["injected-parameters"]]
    assert run.options.given == {**GIVEN, "rate": 1.0}
    assert run.options.sources["rate"] == "-p"
    assert run.parameters["since"] == "2024-02-28"


def test_a_worker_makes_the_same_values_of_the_record(notebook: Path, tmp_path: Path) -> None:
    request = check_request(notebook, GIVEN)
    with Store.open(tmp_path) as store:
        run = create_run(store, request, kind="job", now=store.now())
        again = request_of(store, store.runs.get(run.id))
        assert again.arguments == request.arguments
        assert (again.given, again.sources) == (request.given, dict.fromkeys(GIVEN, "asked"))
        assert (
            prepare(again, tmp_path / "o.ipynb").cells[2].source
            == prepare(request, tmp_path / "o.ipynb").cells[2].source
        )


def test_a_value_whose_type_json_would_lose_comes_back_by_its_mark(notebook: Path, tmp_path: Path) -> None:
    from datetime import date

    request = check_request(notebook, {"days": 1, "either": date(2024, 1, 1)})
    assert request.values["either"] == "2024-01-01"
    with Store.open(tmp_path) as store:
        run = create_run(store, request, kind="job", now=store.now())
        stored = store.runs.get(run.id)
        assert check_request(notebook, given_of(stored, request.notebook)).arguments["either"] == date(2024, 1, 1)


def test_a_notebook_that_was_executed_is_injected_anew(notebook: Path, tmp_path: Path) -> None:
    first = prepare(check_request(notebook, GIVEN), tmp_path / "out.ipynb")
    import nbformat

    nbformat.write(first, tmp_path / "out.ipynb")
    again = prepare(check_request(tmp_path / "out.ipynb", {**GIVEN, "days": 9}), tmp_path / "again.ipynb")
    assert [cell.id for cell in again.cells] == [cell.id for cell in first.cells]
    assert again.cells[2].source == first.cells[2].source.replace("days = 2", "days = 9")
    assert again.cells[0].source == "# Parameters that the next cell needs\ndays = 9\n"
    assert "until = since" in again.cells[2].source


def test_what_is_out_of_range_starts_nothing(notebook: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="less than or equal to 1"):
        run_notebook(notebook, {**GIVEN, "rate": 1.5}, tmp_path / "out.ipynb")
    assert not (tmp_path / ".mlops").exists()


@pytest.mark.kernel
def test_papermill_with_our_engine_computes_again_too(tmp_path: Path) -> None:
    import papermill

    source = write_notebook(tmp_path / "a.ipynb", code("n = 10\nm = n * 2", "parameters"), code("print(n, m)"))
    papermill.execute_notebook(
        str(source), str(tmp_path / "out.ipynb"), {"n": 5}, engine_name="mlops", progress_bar=False
    )
    cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    assert "".join(cells[1]["source"]).splitlines()[-1] == "m = n * 2"
    assert "".join(cells[2]["outputs"][0]["text"]) == "5 10\n"
