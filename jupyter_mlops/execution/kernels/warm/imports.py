"""What of a notebook may be made ready ahead of it: imports and cells. Pure: looks at source only."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jupyter_mlops.analysis.pipeline.cells import tags_of

_CODE_MAGICS = ("%%step", "%%time", "%%timeit", "%%capture", "%%prun")
_CHANGES = re.compile(
    r"environ\s*\[[^\]]*\]\s*=(?!=)|del\s+\S*environ|environ\.(?:update|setdefault|pop|clear)|putenv|load_dotenv|"
    r"^\s*%(?:env|set_env|cd|pip|conda|mamba|uv)\b|^\s*!|sys\.(?:path|modules|meta_path|path_hooks)\b|chdir|"
    r"(?:simplefilter|filterwarnings)\(\s*['\"]error|importlib\.reload",
    re.MULTILINE,
)
"""What may change how a later import goes: modules imported below it are left for the notebook itself."""


LONGEST, LONGEST_TOGETHER = 5_000, 200_000
"""Characters of a cell, and of all, up to which they are looked at ahead: it must not take the process that does so long."""
_INJECTED = "injected-parameters"


def cells_to_learn(notebook: Mapping[str, Any]) -> tuple[str, ...]:
    """The code of cells that are the same in each job of a notebook."""
    cells: list[str] = []
    left = LONGEST_TOGETHER
    for cell in notebook.get("cells", ()):
        source = cell.get("source", "")
        if cell.get("cell_type") != "code" or not isinstance(source, str) or len(source) > min(LONGEST, left):
            continue
        if _INJECTED not in tags_of(cell.get("metadata", {})):
            cells.append(source)
            left -= len(source)
    return tuple(cells)


def imports_of(notebook: Mapping[str, Any]) -> list[str]:
    """Modules in the order of their imports; `a.b:c` for `from a.b import c`, where `c` may be a module too."""
    imports: dict[str, None] = {}
    for cell in notebook.get("cells", ()):
        if cell.get("cell_type") != "code":
            continue
        source = cell.get("source", "")
        names, goes_on = _in_cell("".join(source) if isinstance(source, list) else str(source))
        imports.update(dict.fromkeys(names))
        if not goes_on:
            break
    return list(imports)


@lru_cache(maxsize=4096)
def _in_cell(source: str) -> tuple[tuple[str, ...], bool]:
    """Its imports in order, and whether those of the cells below may be loaded ahead too."""
    first = source.lstrip().split(None, 1)[:1]
    if first and first[0].startswith("%%") and first[0] not in _CODE_MAGICS:
        return (), True
    change = _CHANGES.search(source)
    last_line = source.count("\n", 0, change.start()) + 1 if change else None
    lines = [
        "pass" if line.lstrip().startswith(("%", "!")) and line == line.lstrip() else line
        for line in source.split("\n")
    ]
    try:
        tree = ast.parse("\n".join(lines))
    except (SyntaxError, ValueError):
        return (), change is None
    names: list[str] = []
    for node in _statements(tree):
        if last_line is not None and node.lineno >= last_line:
            break
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [f"{node.module}:{alias.name}" for alias in node.names if alias.name != "*"] or [node.module]
    return tuple(names), change is None


def _statements(tree: ast.AST) -> list[ast.stmt]:
    """The statements that run with the cell, in order: not those of functions and classes."""
    found: list[ast.stmt] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.stmt):
            found.append(node)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            found += _statements(node)
    return found
