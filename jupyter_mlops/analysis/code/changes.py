"""Names whose values a piece of code may change in place: a guess that only pictures and plans rest on, never a reuse."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_PURE_FUNCTIONS = frozenset(
    str.split(
        "abs all any ascii bin bool bytes callable chr complex dict dir display divmod enumerate filter float "
        "format frozenset getattr hasattr hash help hex id input int isinstance issubclass iter len list map "
        "max min oct open ord pow print range repr reversed round set sorted str sum super tuple type vars "
        "zip defaultdict Counter deque deepcopy copy"
    )
)
_PURE_METHODS = frozenset(
    str.split(
        "head tail sample describe info mean median sum std var min max count nunique unique value_counts "
        "groupby agg aggregate apply map applymap assign astype copy corr cov cumsum diff dropna drop "
        "drop_duplicates duplicated fillna isna isnull notna notnull isin join merge melt pivot pivot_table "
        "plot hist boxplot query eval quantile rank rename replace reset_index set_index resample rolling "
        "round select_dtypes shift sort_values sort_index stack unstack to_csv to_numpy to_frame to_dict "
        "to_list tolist to_excel to_parquet to_json to_string transform where mask items iteritems iterrows "
        "itertuples keys values get predict predict_proba score decision_function reshape ravel flatten dot "
        "argmax argmin argsort nonzero squeeze T format join split strip lower upper startswith endswith "
        "encode decode index"
    )
)
"""Methods that leave what they are called on as it is, unless they are told `inplace=True`."""
_LIBRARIES = frozenset({"np", "numpy", "pd", "pandas", "plt", "sns", "math", "json", "os", "re"})
"""Roots, by their usual names, of functions that leave their arguments as they are, but for the following."""
_CHANGING = frozenset(str.split("shuffle fill_diagonal put place copyto putmask put_along_axis setdiff1d_inplace"))


def root_of(node: ast.AST) -> set[str]:
    """The name that `a.b[c].d` hangs on; empty where it hangs on none."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred, ast.Await)):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def changed_by_call(node: ast.Call) -> set[str]:
    """The names whose values a call may change: what its method belongs to, and its arguments."""
    changed: set[str] = set()
    function = node.func
    inplace = any(item.arg in ("inplace", "out") for item in node.keywords)
    if isinstance(function, ast.Name) and function.id in _PURE_FUNCTIONS:
        return changed
    if isinstance(function, ast.Attribute):
        root = root_of(function.value)
        if root & _LIBRARIES and function.attr not in _CHANGING and not inplace:
            return changed
        if function.attr in _PURE_METHODS:
            return root if inplace else changed
        changed |= root
    for argument in (*node.args, *(item.value for item in node.keywords)):
        for part in _parts(argument):
            changed |= root_of(part)
    return changed


def _parts(node: ast.expr) -> Iterator[ast.AST]:
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        for item in node.elts:
            yield from _parts(item)
    elif isinstance(node, ast.Dict):
        for item in node.values:
            yield from _parts(item)
    else:
        yield node
