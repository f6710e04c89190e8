"""Removes stored results that no one needs. Records stay, and say that their result was removed.

Sound beside kernels and jobs at work: the index is told first, in one transaction; then only objects go that no row needs
and that were not put within the last hour, since their writer records them after it has put them. A file is first
renamed and looked at again, so that one put again at this very moment comes back.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from jupyter_mlops.domain.storage import GcReport, RemovedResult
from jupyter_mlops.operations.store.needs import GRACE, last_used, needed_ids
from jupyter_mlops.operations.store.references import Closures
from jupyter_mlops.operations.store.soundness import require_sound
from jupyter_mlops.operations.store.status import folder_size
from jupyter_mlops.operations.store.trash import put_back, redate, remove_object
from jupyter_mlops.store.objects.remote import RemoteObjects
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.holdings import Holding, holdings, pinned, posted, release, run_holdings, tracked_runs

KEEP = timedelta(days=30)
UNFINISHED = timedelta(days=1)


@dataclass
class _Plan:
    """Which step runs lose their results, and what stays needed then."""

    results: list[RemovedResult] = field(default_factory=list)
    reuses: list[str] = field(default_factory=list)
    """Reuses of these results: they name the same files."""
    needed: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def collect_garbage(
    store: Store,
    *,
    now: datetime,
    keep: timedelta | None = None,
    max_size: int | None = None,
    dry_run: bool = False,
) -> GcReport:
    """Remove results not used for longer than `keep` (30 days where no `max_size` is given), then the oldest until what
    is needed fits into `max_size` bytes; then everything nobody needs. Two at once wait for one another.

    Raises `DamagedIndexError` where the index has rows that cannot be read, and `StoreError` where it cannot be told what a
    result needs; nothing is removed then.
    """
    if keep is None and max_size is None:
        keep = KEEP
    with store.index.lock("gc"):
        require_sound(store)
        closures = Closures(store)
        listing = store.objects.listing()
        sizes = {name: size for name, (size, _) in listing.items()}
        with store.index.read() as connection:
            plan = _plan(connection, closures, sizes, now, keep, max_size)
        if not dry_run and plan.results:
            with store.index.write() as connection:  # once more: the rows may have changed; what was read stays known
                plan = _plan(connection, closures, sizes, now, keep, max_size)
                note = f"its result was removed by gc on {now.date().isoformat()}"
                release(connection, [*(result.step_run_id for result in plan.results), *plan.reuses], note)
        if not dry_run:
            with store.index.read() as connection:
                plan.needed = _needed(connection, closures, holdings(connection))
        removed = _remove_objects(store, plan.needed, listing, now, dry_run)
        young = sum(size for name, size in sizes.items() if name not in plan.needed and name not in removed)
        if young:
            plan.notes.append(
                f"{young} bytes that nothing needs were stored within the last hour: a later gc removes them."
            )
        unfinished = _remove_files(_unfinished(store, now), dry_run)
        damaged = _remove_files(_damaged(store, now, keep or KEEP), dry_run)
        if not dry_run:
            _forget_copies(store, listing, removed, now - (keep or KEEP))
        journals = _remove_files(_journals(store, now, keep or KEEP), dry_run)
        return GcReport(
            is_dry=dry_run,
            results=tuple(plan.results),
            objects=len(removed),
            unfinished=unfinished[0],
            damaged=damaged[0],
            journals=journals[0],
            bytes=sum(removed.values()) + unfinished[1] + damaged[1] + journals[1],
            left=sum(size for name, size in sizes.items() if name not in removed),
            notes=tuple(plan.notes),
        )


def _plan(
    connection: sa.Connection,
    closures: Closures,
    sizes: dict[str, int],
    now: datetime,
    keep: timedelta | None,
    max_size: int | None,
) -> _Plan:
    held = holdings(connection)
    needed = needed_ids(held, tracked_runs(connection), now)
    used = last_used(held)
    users = Counter(name for each in held for name in closures.of(each))
    users.update(_of_others(connection))
    left = sum(sizes.get(name, 0) for name in users)
    plan = _Plan()
    reuses, following = _reuses(held)
    oldest = sorted(
        (each for each in held if each.objects and each.id not in needed and each.id not in following),
        key=lambda each: (used[each.id] or now, each.row),
    )
    for each in oldest:
        at = used[each.id] or now
        is_old = keep is not None and at < now - keep
        is_too_much = max_size is not None and left > max_size
        if at > now - GRACE or not (is_old or is_too_much):
            continue
        objects = closures.of(each)
        for reuse in reuses[each.id]:
            users.subtract(reuse.objects)
            plan.reuses.append(reuse.id)
        users.subtract(objects)
        freed = sum(sizes.get(name, 0) for name in objects if users[name] == 0)
        left -= freed
        plan.results.append(RemovedResult(each.id, each.notebook, each.step, used[each.id], freed))
    if max_size is not None and left > max_size:
        plan.notes.append(f"{left} bytes are needed, more than the requested {max_size}.")
    plan.needed = {name for name, count in users.items() if count > 0}
    return plan


def _reuses(held: list[Holding]) -> tuple[dict[str, list[Holding]], set[str]]:
    """Reuses that name the files of what they reused: by that, and all their ids. They go with it."""
    known = {each.id for each in held if each.result}
    reuses: dict[str, list[Holding]] = defaultdict(list)
    for each in held:
        if each.reused_from in known and not each.result and each.objects:
            reuses[str(each.reused_from)].append(each)
    return reuses, {each.id for found in reuses.values() for each in found}


def _needed(connection: sa.Connection, closures: Closures, held: Iterable[Holding]) -> set[str]:
    return set(closures.of_all(held)) | _of_others(connection)


def _of_others(connection: sa.Connection) -> set[str]:
    """Objects that runs, schedules and messages to tracking need."""
    of_runs = run_holdings(connection)
    found = {name for run in of_runs for name in (run.notebook_object, run.environment, *run.modules) if name}
    return found | pinned(connection) | posted(connection)


def _remove_objects(
    store: Store, needed: set[str], listing: dict[str, tuple[int, float]], now: datetime, dry_run: bool
) -> dict[str, int]:
    """Remove what no one needs and is not young; gives what went with its size."""
    put_back(store, needed)
    before = (now - GRACE).timestamp()
    removed = {}
    for name, (size, modified) in listing.items():
        if name in needed:
            continue
        if modified > (now + GRACE).timestamp() and not dry_run:
            # Put when the clock was ahead: from now on it grows old as others do.
            redate(store, name, now.timestamp())
        if modified < before and (dry_run or remove_object(store, name, before)):
            removed[name] = size
    return removed


def _forget_copies(
    store: Store, listing: dict[str, tuple[int, float]], removed: dict[str, int], before: datetime
) -> None:
    """Copies here of objects that are kept elsewhere go with them, and when they were not fetched for long."""
    if not isinstance(store.objects, RemoteObjects):
        return
    for name, (_, at) in store.objects.at_hand().items():
        is_gone = name in removed or (name not in listing and at < (store.now() - GRACE).timestamp())
        if is_gone or at < before.timestamp():
            store.objects.forget(name)


def _unfinished(store: Store, now: datetime) -> list[Path]:
    """Half-written files, and imports that were killed, of a day ago."""
    found = [*store.objects.leftovers(), *store.folder.glob("import-*"), *store.folder.glob("recovering-*")]
    return [path for path in found if _is_older(path, now - UNFINISHED)]


def _damaged(store: Store, now: datetime, keep: timedelta) -> list[Path]:
    folder = store.folder / "damaged"
    return [path for path in folder.iterdir() if _is_older(path, now - keep)] if folder.is_dir() else []


def _journals(store: Store, now: datetime, keep: timedelta) -> list[Path]:
    """What is told of runs that ended long ago: their executed notebooks hold it too."""
    going_on = {run.id for run in store.runs.open()}
    paths = [store.journals.path(run_id) for run_id in store.journals.ids() if run_id not in going_on]
    return [path for path in paths if _is_older(path, now - keep)]


def _is_older(path: Path, time: datetime) -> bool:
    try:
        return path.stat().st_mtime < time.timestamp()
    except OSError:
        return False


def _remove_files(paths: list[Path], dry_run: bool) -> tuple[int, int]:
    """How many went, and their bytes."""
    size = sum(folder_size(path) for path in paths)
    for path in () if dry_run else paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(paths), size
