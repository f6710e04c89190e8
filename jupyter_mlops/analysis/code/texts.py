"""Names inside texts that libraries evaluate where they are called: pandas queries, formulas, SQL over frames."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator

from jupyter_mlops.analysis.code.magics import EVERYTHING

_FORMULAS = frozenset(
    str.split(
        "ols glm gls wls rlm logit probit poisson mixedlm quantreg phreg gee mnlogit negativebinomial from_formula dmatrix "
        "dmatrices conditional_logit glsar ordinal_gee nominal_gee"
    )
)
"""Functions of statsmodels and patsy that evaluate the parts of a formula in the caller's namespace."""
_NUMERIC = ("poisson", "logit", "probit")
"""Those of them that generators and SciPy have, too, for numbers: a formula is given with its data."""
_EVALUATORS = ("ne", "numexpr")
_WORD = re.compile(r"[^\W\d]\w*")
_SQL = re.compile(r"\s*(select|with|from|create|insert|copy|describe|summarize|pivot)\b", re.IGNORECASE)


def text_reads(node: ast.Call) -> set[str]:
    """The names that a call may read because a text it is given names them; `EVERYTHING` for a text that is computed."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    names = _marked(node, name)
    if not isinstance(node.func, ast.Attribute) and name not in ("sql", "evaluate") and name not in _FORMULAS:
        return names
    given = node.args[0] if node.args else next((item.value for item in node.keywords if item.arg in _KEYWORDS), None)
    if given is None:
        return names
    text = constant_text(given)
    if text is None and name in _NUMERIC and not _has_data(node):
        return names
    if name == "query":
        return names | ({EVERYTHING} if text is None else query_names(text))
    if name in ("eval", "sql") or name in _FORMULAS:
        return names | ({EVERYTHING} if text is None else words_of(text))
    if name == "evaluate":
        computed = _root(node.func) in _EVALUATORS or isinstance(given, ast.JoinedStr)
        return names | (words_of(text) if text is not None else {EVERYTHING} if computed else set())
    if name in ("execute", "executemany") and text is not None and _SQL.match(text):
        return names | words_of(text)
    return names


def _has_data(node: ast.Call) -> bool:
    """Whether a call gives what could be a formula's data besides its first argument."""
    rest = [*node.args[1:], *(item.value for item in node.keywords if item.arg in ("data", None))]
    return any(not isinstance(item, (ast.Constant, ast.Tuple)) for item in rest)


_KEYWORDS = ("expr", "query", "formula", "sql", "ex", "formula_like")


def query_names(text: str) -> set[str]:
    """The variables of a pandas query, `@name`; all words of an SQL text."""
    if _SQL.match(text):
        return words_of(text)
    return set(re.findall(r"@\s*([^\W\d]\w*)", text))


def words_of(text: str) -> set[str]:
    """All words of a text that could be names, quoted parts aside."""
    words = _WORD.findall(re.sub(r"'[^']*'|\"[^\"]*\"", " ", text))
    return {word for word in words if not keyword.iskeyword(word)}


def constant_text(node: ast.AST) -> str | None:
    """The text a constant, or a sum of constants, stands for; None where it is computed."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = constant_text(node.left), constant_text(node.right)
        return None if left is None or right is None else left + right
    return None


def _marked(node: ast.Call, name: str) -> set[str]:
    """Names in any text with a `~` (a formula); everything for one that speaks of `__main__`."""
    found: set[str] = set()
    for text in _texts(node):
        if "__main__" in text:
            found.add(EVERYTHING)
        elif "~" in text and name != "print":
            found |= words_of(text)
    return found


def _texts(node: ast.Call) -> Iterator[str]:
    for argument in (*node.args, *(item.value for item in node.keywords)):
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
