from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from notebooks import code, write_notebook

from jupyter_mlops.analysis.pipeline.quick_imports import CHECKS, quick_imports
from jupyter_mlops.domain.run import RunOptions
from jupyter_mlops.errors import InputError, NotebookError, UnknownNameError
from jupyter_mlops.jobs.queue.prepared import prepare
from jupyter_mlops.jobs.queue.request import LONGEST_NAME, check_request, default_output, given_of
from jupyter_mlops.jobs.queue.submission import create_run
from jupyter_mlops.store.store import Store


def test_values_are_defaults_and_what_was_given(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("n = 1\nname = 'x'\nwhen = today()", "parameters"))
    request = check_request(path, {"n": 5})
    assert request.given == {"n": 5}
    assert request.values == {"n": 5, "name": "x", "when": "today()"}
    assert request.same_python


@pytest.mark.parametrize(
    ("text", "kind", "match"),
    [
        ("{", NotebookError, "not valid JSON"),
        ("[1]", NotebookError, "not a notebook"),
        ('{"cells": [{"no": 1}]}', NotebookError, "format 4"),
    ],
)
def test_what_is_no_notebook_is_refused(tmp_path: Path, text: str, kind: type[Exception], match: str) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(text)
    with pytest.raises(kind, match=match):
        check_request(path, {})


def test_a_missing_notebook_or_kernel_gets_a_did_you_mean(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "train.ipynb", code("x = 1"), kernel="pyhton3")
    with pytest.raises(UnknownNameError) as caught:
        check_request(tmp_path / "trian.ipynb", {})
    assert "train.ipynb" in caught.value.hint
    with pytest.raises(UnknownNameError, match="no kernel named 'pyhton3'") as caught:
        check_request(path, {})
    assert "'python3'" in caught.value.hint
    assert check_request(path, {}, kernel="python3").kernel_name == "python3"


def test_two_steps_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("%%step a\nx = 1"), code("y = 1", "step:a"))
    with pytest.raises(NotebookError, match="Two steps"):
        check_request(path, {})


def test_what_was_asked_for_is_found_again_from_the_record(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("n = 1\nrate = 0.5\nwhen = today()", "parameters"))
    with Store.open(tmp_path) as store:
        request = check_request(path, {"rate": 1})
        run = create_run(store, request, kind="job", now=store.now())
        assert run.parameters == {"n": 1, "rate": 1.0, "when": "today()"}
        assert run.options.given == {"rate": 1.0}
        assert given_of(run, request.notebook) == {"rate": 1.0}
        assert given_of(replace(run, options=RunOptions()), request.notebook) == {"rate": 1.0}
        assert bytes(store.objects.get(str(run.notebook_object))) == path.read_bytes()


def test_an_executed_notebook_is_never_written_over(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("x = 1"))
    with Store.open(tmp_path) as store:
        run = create_run(store, check_request(path, {}), kind="job", now=store.now())
        first = default_output(store, run)
        assert first == tmp_path / "runs" / "a-1.ipynb"
        first.parent.mkdir()
        first.write_text("kept")
        assert default_output(store, run) == tmp_path / "runs" / "a-1-2.ipynb"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(value=JSON)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_injected_source_gives_back_the_value(tmp_path: Path, value: Any) -> None:
    """papermill writes the source; whatever we let through must come back equal, of the same type."""
    path = write_notebook(tmp_path / "a.ipynb", code("x: object = 1", "parameters"))
    notebook = prepare(check_request(path, {"x": value}), tmp_path / "out.ipynb")
    injected = notebook.cells[1]
    assert injected.metadata.tags == ["injected-parameters"]
    (statement,) = ast.parse(injected.source).body
    assert isinstance(statement, ast.Assign)
    assert repr(ast.literal_eval(statement.value)) == repr(value)


def test_a_value_that_cannot_be_written_down_is_refused(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("x: object = 1", "parameters"))
    for value in (b"x", 1j, object(), [object()], {b"x": 1}, 10**5000):
        with pytest.raises(InputError, match="cannot be recorded exactly"):
            check_request(path, {"x": value})


def test_a_second_injection_replaces_the_first(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "a.ipynb", code("x = 1", "parameters"), code("x = 2", "injected-parameters"), code("y = x")
    )
    notebook = prepare(check_request(path, {"x": 3}), tmp_path / "out.ipynb")
    assert [cell.source.strip() for cell in notebook.cells] == ["x = 1", "# Parameters\nx = 3", "y = x"]


def test_an_executed_notebook_run_again_records_the_values_it_still_holds(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("x = 1", "parameters"), code("x = 2", "injected-parameters"))
    assert check_request(path, {}).values == {"x": 2}
    assert check_request(path, {"x": 3}).values == {"x": 3}
    write_notebook(path, code("x = 1", "parameters"), code("x = = 2", "injected-parameters"))
    assert check_request(path, {}).values == {"x": 1}


def test_cells_without_ids_get_the_same_ones_each_time(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(
        '{"nbformat": 4, "nbformat_minor": 2, "metadata": {}, "cells": ['
        '{"cell_type": "code", "source": ["x = 1\\n", "y = 2"], "metadata": {}, "outputs": [], "execution_count": 1}]}'
    )
    notebook = prepare(check_request(path, {}), tmp_path / "out.ipynb")
    assert [(cell.id, cell.source) for cell in notebook.cells] == [("cell-0", "x = 1\ny = 2")]
    assert notebook.nbformat_minor >= 5


def test_quick_imports_leave_no_trace() -> None:
    before = {name: sys.modules.get(name, "absent") for name in CHECKS}
    with quick_imports():
        pass
    assert {name: sys.modules.get(name, "absent") for name in CHECKS} == before


def test_quick_imports_import_nothing_that_only_checks_formats() -> None:
    code = (
        "import sys\nfrom jupyter_mlops.analysis.pipeline.quick_imports import CHECKS, quick_imports\n"
        "with quick_imports():\n    import nbformat\n    assert all(sys.modules[name] is None for name in CHECKS)\n"
        "assert not sys.modules.keys() & set(CHECKS)\n"
        "nbformat.validate(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('x')]))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("is_given", [True, False], ids=["given", "declared"])
def test_a_name_that_is_too_long_for_a_parameter_is_refused_but_of_an_earlier_run(
    tmp_path: Path, is_given: bool
) -> None:
    fits, long = "a" * LONGEST_NAME, "b" * (LONGEST_NAME + 1)
    path = write_notebook(tmp_path / "a.ipynb", code(f"{fits} = 1", "parameters"))
    assert check_request(path, {fits: 2}).values == {fits: 2}
    notebook = write_notebook(tmp_path / "b.ipynb", code(f"{long} = 1", "parameters"))
    with pytest.raises(InputError, match=r"begins with 'bbb[b]+' has 251 characters; the limit is 250") as caught:
        check_request(notebook, {long: 2} if is_given else {})
    assert "MLflow" in caught.value.hint
    with pytest.raises(InputError, match="has 5,000,000 characters"):
        check_request(path, {"c" * 5_000_000: 1})
    assert check_request(notebook, {long: 2}, bounded=False).given == {long: 2}


@pytest.mark.parametrize("value", ["x" * 65_535, ["ä" * 100] * 400], ids=["text", "list"])
def test_a_value_that_is_too_large_for_a_parameter_is_refused_unless_the_project_allows_it(
    tmp_path: Path, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".mlops").mkdir()
    notebook = write_notebook(tmp_path / "a.ipynb", code("held = None\nother = 1", "parameters"))
    with pytest.raises(InputError, match=r"Parameter 'held' takes [0-9,]+ bytes; the limit is 65,536") as caught:
        check_request(notebook, {"held": value})
    assert "pass its path" in caught.value.hint
    (tmp_path / "mlops.toml").write_text("[parameters]\nlimit = 100000\n")
    assert check_request(notebook, {"held": value}).values["held"] == value
    monkeypatch.setenv("MLOPS_PARAMETER_LIMIT", "3")
    with pytest.raises(InputError, match="the limit is 3"):
        check_request(notebook, {"held": value})
    assert check_request(notebook, {"other": 7}).values["held"] is None
    monkeypatch.setenv("MLOPS_PARAMETER_LIMIT", "0")
    assert check_request(notebook, {"held": value}).given


def test_a_large_default_is_no_matter(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "a.ipynb", code(f"held = {'x' * 100_000!r}", "parameters"))
    assert len(check_request(notebook, {}).values["held"]) == 100_000
