"""Runs: what decides about one has fields of its own, and its tags are for people and MLflow."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import jupyter_mlops
from jupyter_mlops.domain.run import RunKind, TrackedAt
from jupyter_mlops.domain.wire import to_wire

PACKAGE = Path(jupyter_mlops.__file__).parent
DECIDING = ("capture", "execution", "jobs", "operations", "store")
OTHERS = {"cell", "metadata", "data", "item", "step", "trap"}
"""What has tags of its own: cells, and runs as MLflow gives them. `store.db.former_tags` reads what earlier builds wrote."""


def looked_into(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Subscript):
        return [node.value]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop"):
        return [node.func.value]
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
        return node.comparators
    return []


def test_no_one_looks_for_a_tag_of_a_run_to_decide() -> None:
    found = []
    for path in (path for layer in DECIDING for path in (PACKAGE / layer).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for value in looked_into(node):
                if isinstance(value, ast.Attribute) and value.attr == "tags":
                    owner = ast.unparse(value.value).rpartition(".")[2]
                    found += (
                        [] if owner in OTHERS else [f"{path.relative_to(PACKAGE)}:{value.lineno}: {ast.unparse(value)}"]
                    )
    assert found == []


@pytest.mark.parametrize("kind", RunKind)
def test_what_a_run_is_reads_and_travels_as_its_word(kind: RunKind) -> None:
    assert (str(kind), to_wire(kind)) == (kind.value, kind.value)
    assert RunKind(kind.value) is kind


def test_where_a_run_is_told_of_is_the_project_s_choice_unless_it_is_said() -> None:
    assert to_wire(TrackedAt()) == {"uri": "", "experiment": "", "experiment_id": ""}
