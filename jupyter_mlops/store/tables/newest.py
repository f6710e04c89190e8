"""Statements for the newest step runs that read by index alone, so that a long history costs no more than a short one.

They go from one value of an index to the next (the next digest of a notebook, the next step of a digest), and from
there to the newest row: grouping would read every row that was ever recorded. Where a partial index serves, its
condition stands in the statement as it stands in the index, since SQLite compares their words.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.brief import KEPT_ERROR
from jupyter_mlops.store.db.portable import in_list, items_of, unless_larger
from jupyter_mlops.store.db.schema import COMPLETED, step_runs, step_versions

NEWEST: sa.UnaryExpression[Any] = sa.literal_column("step_runs.rowid").desc()
_ERROR = sa.type_coerce(step_runs.c.error, sa.Text)
_KEPT: sa.ColumnElement[int] = sa.literal_column(str(KEPT_ERROR))
_BEGUN: sa.ColumnElement[str] = sa.func.substr(_ERROR, sa.literal_column("1"), _KEPT, type_=sa.Text())
_AND_MORE: sa.ColumnElement[str] = sa.literal_column("'…'")
RAW: list[Any] = [
    *(
        sa.type_coerce(column, sa.types.NullType()).label(column.name)
        for column in step_runs.c
        if column.name != "error"
    ),
    unless_larger(step_runs.c.error, 4 * _KEPT, _BEGUN.concat(_AND_MORE)).label("error"),
]
"""The columns as the database has them, but of an error no more than is recorded now; the first is the id."""


def processors(dialect: sa.Dialect) -> list[tuple[str, Any]]:
    """For each column its name, and what makes a value of what the database has in it (None where it is the value)."""
    kinds = sa.types.TypeDecorator, sa.JSON
    return [
        (
            each.name,
            each.type.dialect_impl(dialect).result_processor(dialect, None) if isinstance(each.type, kinds) else None,
        )
        for each in (step_runs.c[column.key] for column in RAW)
    ]


_IN = sa.bindparam("in_notebook", type_=sa.String)
_RUN = step_runs.alias("recorded")
_ROW: sa.ColumnElement[Any] = sa.literal_column("recorded.rowid")
_DONE = _RUN.c.status == COMPLETED


def _first(column: Any, *conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
    """The first value that an index has under these conditions."""
    return sa.select(sa.func.min(column)).where(*conditions).scalar_subquery()


def _newest(*conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
    """The row recorded last under these conditions."""
    return sa.select(_ROW).select_from(_RUN).where(*conditions).order_by(_ROW.desc()).limit(1).scalar_subquery()


def _one_by_one(name: str, column: Any, *conditions: sa.ColumnElement[bool]) -> sa.CTE:
    """The distinct values of an indexed column, one after the other; the last is NULL."""
    walk = sa.select(_first(column, *conditions).label("value")).cte(name, recursive=True)
    following = _first(column, *conditions, column > walk.c.value).correlate(walk)
    return walk.union_all(sa.select(following).where(walk.c.value.is_not(None)))


def _each_with(name: str, given: Any, column: Any, *conditions: sa.ColumnElement[bool], of: Any) -> sa.CTE:
    """For each value of `given` the distinct values of an indexed column where `of` is that value; a last one is NULL."""
    first = _first(column, *conditions, of == given.c.value).correlate(given)
    walk = sa.select(given.c.value.label("of"), first.label("value")).cte(name, recursive=True)
    following = _first(column, *conditions, of == walk.c.of, column > walk.c.value).correlate(walk)
    return walk.union_all(sa.select(walk.c.of, following).where(walk.c.value.is_not(None)))


def _at(rows: sa.Select[Any]) -> sa.Select[Any]:
    return sa.select(*RAW).where(sa.literal_column("step_runs.rowid").in_(rows)).order_by(NEWEST)


def _listed(parameter: str) -> Any:
    return items_of(sa.bindparam(parameter, type_=sa.Text)).subquery()


def _of_steps(steps: Any, *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The newest step run of each of these steps of a notebook."""
    found = _newest(_RUN.c.notebook == _IN, _RUN.c.step == steps.c.value, *conditions).correlate(steps)
    return _at(sa.select(found).where(steps.c.value.is_not(None)))


def _of_digests(digests: Any) -> sa.Select[Any]:
    """The newest completed step run of each step of a notebook that had one of these contents, for each of them."""
    here = (_RUN.c.notebook == _IN, _DONE)
    pairs = _each_with("steps_of_digests", digests, _RUN.c.step, *here, of=_RUN.c.version_digest)
    same = (_RUN.c.version_digest == pairs.c.of, _RUN.c.step == pairs.c.value)
    return _at(sa.select(_newest(*here, *same).correlate(pairs)).where(pairs.c.value.is_not(None)))


def _everywhere() -> sa.Select[Any]:
    """The newest step run of each step of each notebook."""
    notebooks = _one_by_one("notebooks", _RUN.c.notebook)
    there = sa.select(notebooks.c.value).where(notebooks.c.value.is_not(None)).subquery()
    steps = _each_with("steps_of_notebooks", there, _RUN.c.step, of=_RUN.c.notebook)
    newest = _newest(_RUN.c.notebook == steps.c.of, _RUN.c.step == steps.c.value).correlate(steps)
    return _at(sa.select(newest).where(steps.c.value.is_not(None)))


def _walked(walk: sa.CTE) -> sa.Select[Any]:
    return sa.select(walk.c.value).where(walk.c.value.is_not(None))


LAST = _of_steps(_one_by_one("steps", _RUN.c.step, _RUN.c.notebook == _IN))
"""Of each step of a notebook, however it ended."""
LAST_OF = _of_steps(_listed("of_steps"))
LAST_IN_RUN = _at(
    sa.select(sa.func.max(_ROW)).select_from(_RUN).where(_RUN.c.run_id == sa.bindparam("in_run")).group_by(_RUN.c.step)
)
"""Of each step that a run came to."""
SOME = sa.select(*RAW).where(in_list(step_runs.c.id, "of_ids"))
COMPLETED_OF = _of_steps(_listed("of_steps"), _DONE)
OF_DIGESTS = _of_digests(_listed("of_digests"))
OF_VERSIONS = _of_digests(_one_by_one("digests", _RUN.c.version_digest, _RUN.c.notebook == _IN, _DONE))
EVERYWHERE = _everywhere()
NAMES = _walked(_one_by_one("steps", step_versions.c.step))
"""Of the steps that have a version anywhere."""
NOTEBOOKS = _walked(_one_by_one("notebooks", _RUN.c.notebook))
"""In which any step was run."""
NOTEBOOKS_WITH = _walked(
    _one_by_one("notebooks", step_versions.c.notebook, step_versions.c.step == sa.bindparam("of_step"))
)
"""In which a step has a version."""
NAMES_IN = _walked(_one_by_one("steps", step_versions.c.step, step_versions.c.notebook == _IN))
