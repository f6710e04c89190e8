"""No part of the package needs itself: who reads a module can read what it imports first."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import jupyter_mlops

PACKAGE = Path(jupyter_mlops.__file__).parent


def modules() -> dict[str, Path]:
    """Every module of the package by its whole name; a package stands for its `__init__.py`."""
    files = (path for path in PACKAGE.rglob("*.py") if "versions" not in path.parts)
    return {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in files
    }


def imports_of(path: Path, known: dict[str, Path]) -> set[str]:
    """The modules that a file names in imports, wherever they stand: at the top, in functions, for types only."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in known else node.module for name in whole}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & known.keys()


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports for types, and those inside functions, count as any other."""
    known = modules()
    graph = {name: imports_of(path, known) - {name} for name, path in known.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(reversed(error.args[1]))) from None


def test_a_class_name_stands_for_one_thing_in_the_package() -> None:
    """Whoever reads a name, in an annotation or an error, knows which one is meant."""
    places: dict[str, list[str]] = {}
    for module, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(module)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
