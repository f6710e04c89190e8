"""Proves a store: every object's hash, every reference of the index, the index itself. What is damaged is set aside."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from jupyter_mlops.domain.counted import counted
from jupyter_mlops.domain.storage import Finding, VerifyReport
from jupyter_mlops.errors import FullDiskError, NotWritableError, StoreError
from jupyter_mlops.operations.store.references import Closures
from jupyter_mlops.operations.store.soundness import faults_of
from jupyter_mlops.operations.store.status import object_sizes
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.holdings import (
    Holding,
    RunHolding,
    holdings,
    posted,
    release,
    release_run,
    run_holdings,
)

OnProgress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


def verify_store(store: Store, *, now: datetime, on_progress: OnProgress = lambda done, total: None) -> VerifyReport:
    """Read everything once. Damaged objects go to `.mlops/damaged/`, and step runs that needed them or miss others are no
    longer reusable; the notes say what is left over and fine.
    """
    findings = [Finding(f"The index is damaged: {text}.", RECOVER) for text in faults_of(store.index, store.journals)]
    rows = store.index.unreadable() if findings else []
    sizes = object_sizes(store)
    damaged = _damaged(store, sizes, on_progress)
    for name in damaged:
        findings.append(Finding(f"Object {name[:12]} is damaged: its content does not match its name.",
                                _set_aside(store, name)))  # fmt: skip
    if rows:  # who needs what cannot be said
        return VerifyReport(len(sizes), sum(sizes.values()), tuple(findings), ())
    with store.index.read() as connection:
        held = holdings(connection)
    closures = Closures(store, damaged)  # only now: what was set aside cannot say what it needs
    findings += _release_steps(store, held, closures, damaged, now)
    findings += _release_runs(store, now)
    with store.index.read() as connection:
        findings += [
            Finding(f"Object {name[:12]}, which still has to be sent to MLflow, is missing.", "")
            for name in sorted(posted(connection))
            if not store.objects.is_kept(name)
        ]
        needed = closures.of_all(holdings(connection))
        needed |= {name for run in run_holdings(connection) for name in _objects(run).values()} | posted(connection)
        values = {name for each in holdings(connection) for name in (each.result, each.display) if name}
    notes = _notes(store, sizes.keys() - needed - damaged, values)
    return VerifyReport(len(sizes), sum(sizes.values()), tuple(findings), tuple(notes))


def _damaged(store: Store, sizes: dict[str, int], on_progress: OnProgress) -> set[str]:
    total = sum(sizes.values())
    done = 0
    damaged = set()
    for name, size in sizes.items():
        # Twice: it may have gone, and been put again, between two looks.
        if not store.objects.verify(name) and store.objects.is_kept(name) and not store.objects.verify(name):
            damaged.add(name)
        done += size
        on_progress(done, total)
    return damaged


def _set_aside(store: Store, name: str) -> str:
    """What was done with a damaged object: nothing, where nothing can be written."""
    if store.index.refusal is None:
        aside = store.objects.set_aside(name)
        if aside != store.objects.path(name):
            return f"It was moved to '{aside}'."
    return f"It was left where it is. {UNCHANGED}"


RECOVER = "`jupyter mlops store recover` restores what can be restored; nothing is removed until then."
UNCHANGED = "Nothing was changed, because the store cannot be written now: verify again when it can."


def _release_steps(
    store: Store, held: list[Holding], closures: Closures, damaged: set[str], now: datetime
) -> Iterable[Finding]:
    """Take results that lack an object from their step runs; tell them by step."""

    def is_lacking(each: Holding) -> bool:
        return any(name in damaged or not store.objects.is_kept(name) for name in (*each.objects, *closures.of(each)))

    lacking = {each.id for each in held if is_lacking(each)}
    if not lacking:
        return []
    lost, done = [each for each in held if each.id in lacking], UNCHANGED
    with _where_writable(), store.index.write() as connection:  # those that gc has taken meanwhile lack nothing
        lost = [each for each in holdings(connection) if each.id in lacking and is_lacking(each)]
        note = f"its result was damaged or missing, found by verify on {now.date().isoformat()}"
        release(connection, [each.id for each in lost], note)
        done = "They are no longer reused: the step runs again."
    steps: dict[tuple[str, str], int] = defaultdict(int)
    for each in lost:
        steps[each.notebook, each.step] += 1
    return [
        Finding(f"{counted(count, 'result')} of step '{step}' of '{notebook}' cannot be read back completely.",
                done)
        for (notebook, step), count in sorted(steps.items())
    ]  # fmt: skip


@contextlib.contextmanager
def _where_writable() -> Iterator[None]:
    """Leave out what cannot be written: what was found is told all the same."""
    with contextlib.suppress(NotWritableError, FullDiskError):
        yield


def _release_runs(store: Store, now: datetime) -> list[Finding]:
    findings = []
    with store.index.read() as connection:
        of_runs = run_holdings(connection)
    for run in of_runs:
        for column, name in _objects(run).items():
            if store.objects.is_kept(name):
                continue
            what = "notebook" if column == "notebook_object" else "environment"
            message = f"The {what} of run {run.number} is missing from the store."
            if run.is_open:
                findings.append(Finding(message, ""))
                continue
            done = UNCHANGED
            with _where_writable(), store.index.write() as connection:
                release_run(connection, run.id, column, f"lost, found by verify on {now.date().isoformat()}")
                done = "Its record says so from now on."
            findings.append(Finding(message, done))
    return findings


def _objects(run: RunHolding) -> dict[str, str]:
    found = {"notebook_object": run.notebook_object, "environment": run.environment}
    return {column: name for column, name in found.items() if name is not None}


def _notes(store: Store, unreferenced: set[str], values: set[str]) -> Iterable[str]:
    if unreferenced:
        yield f"{counted(len(unreferenced), 'object')} that nothing needs: `store gc` removes them when they are an hour old."
    unfinished = len(list(store.objects.leftovers()))
    if unfinished:
        yield f"{counted(unfinished, 'half-written file')} of unfinished writes: `store gc` removes them after a day."
    foreign = 0
    for name in values:
        try:
            foreign += name in store.objects and not store.objects.is_signed(name)
        except StoreError:
            continue
    if foreign:
        yield f"{counted(foreign, 'result or display', 'results and displays')} without your signature: not reused here."
