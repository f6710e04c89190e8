"""Every template is whole; the notebook of `tabular-classification` is a pipeline, and runs without us too."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jupyter_mlops.analysis.parameters.declared import parameters_of
from jupyter_mlops.analysis.pipeline.cells import cells_of, checked_steps
from jupyter_mlops.operations.project.templates import list_templates

SHELF = Path(__file__).parents[2] / "templates"
TABULAR = SHELF / "tabular-classification" / "breast_cancer.ipynb"


@pytest.fixture(scope="module")
def notebook() -> Any:
    return nbformat.read(TABULAR, as_version=4)


@pytest.mark.parametrize("name", sorted(path.name for path in SHELF.iterdir()))
def test_a_template_has_a_description_a_readme_and_a_clean_notebook(name: str) -> None:
    template = {found.name: found for found in list_templates([SHELF])}[name]
    assert template.title
    assert template.description
    assert template.folder.joinpath("README.md").read_text().startswith(f"# {template.title}")
    found = json.loads(template.folder.joinpath(template.notebook).read_text())
    nbformat.validate(found)
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    for cell in found["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_its_steps_are_the_pipeline(notebook: Any) -> None:
    steps = checked_steps(cells_of(notebook))
    assert [step.spec.name for step in steps] == ["load", "clean", "split", "train", "evaluate"]
    train, evaluate = steps[3].spec, steps[4].spec
    assert (train.model, train.metrics) == ("model", ("cv_auc",))
    assert {"auc", "accuracy", "recall"} <= set(evaluate.metrics)


def test_every_parameter_has_a_type_a_default_and_a_help(notebook: Any) -> None:
    parameters = parameters_of(cells_of(notebook))
    assert [parameter.name for parameter in parameters] == [
        "max_correlation", "test_size", "n_estimators", "learning_rate", "max_depth", "threshold", "seed"
    ]  # fmt: skip
    for parameter in parameters:
        assert type(parameter.default).__name__ == parameter.type
        assert parameter.help


def test_a_step_above_train_does_not_read_what_train_reads(notebook: Any) -> None:
    steps = {step.spec.name: step for step in checked_steps(cells_of(notebook))}
    own = {"n_estimators", "learning_rate", "max_depth", "threshold"}
    for name in ("load", "clean", "split"):
        names = {node.id for node in ast.walk(ast.parse(steps[name].code)) if isinstance(node, ast.Name)}
        assert not names & own


def test_a_step_defines_no_functions_and_binds_no_name_of_another(notebook: Any) -> None:
    bound: set[str] = set()
    for step in checked_steps(cells_of(notebook)):
        nodes = list(ast.walk(ast.parse(step.code)))
        assert not [node for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda))]
        names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        assert not names & bound
        bound |= names


@pytest.mark.kernel
def test_it_runs_without_the_package(notebook: Any, tmp_path: Path) -> None:
    from nbclient import NotebookClient

    plain = nbformat.from_dict(json.loads(json.dumps(notebook)))
    for cell in plain.cells:
        if cell.cell_type == "code":
            cell.source = "\n".join("" if line.startswith("%") else line for line in cell.source.split("\n"))
    NotebookClient(plain, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = {cell.id: cell.outputs for cell in plain.cells if cell.cell_type == "code"}
    assert [output.output_type for output in outputs["evaluate"]] == ["display_data", "execute_result"]
    assert "image/png" in outputs["evaluate"][0].data
    assert not [output for shown in outputs.values() for output in shown if output.output_type == "stream"]
    assert list(tmp_path.iterdir()) == []
