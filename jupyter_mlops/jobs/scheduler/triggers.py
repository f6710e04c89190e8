"""What schedules wait for in place of a time. Each thing that happens is one cause with a key of its own, by which it fires
once, whoever sees it and however often.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.domain.run import CauseKind, Run, RunCause
from jupyter_mlops.domain.schedule import EndedAs, Schedule, Sighting, Trigger, TriggerKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError, MLOpsError
from jupyter_mlops.store.files.digests import ABSENT, file_digest

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store

Happened = Iterator[tuple[RunCause | None, Sighting | None]]
"""A cause, and what to note once it has fired; None where only that is to be noted."""
VALUE = "value"
LOOKED_BACK = 50
"""So many of the newest fires of a schedule are looked at for runs that ended."""
MOST_FILES = 100_000


class Watcher:
    """Looks for what schedules wait for. What it remembers between two looks may be forgotten: it only delays."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._settling: dict[tuple[str, str], tuple[str, datetime]] = {}
        """(Schedule, path) → signature, and since when it is that."""
        self._looked: dict[str, datetime] = {}

    def happened(self, schedule: Schedule, now: datetime) -> Happened | None:
        """What happened that the schedule waits for, oldest first; None where it is not yet time to look again.

        Raises `MLOpsError` where it cannot look.
        """
        trigger = schedule.trigger
        assert trigger is not None
        if trigger.kind is TriggerKind.RUN:
            return self._ended_runs(trigger, schedule)
        if now - self._looked.get(schedule.id, now - timedelta(days=1)) < _pause(trigger):
            return None
        self._looked[schedule.id] = now
        if trigger.kind is TriggerKind.FILE:
            return self._new_versions(schedule, trigger, now)
        return self._new_value(schedule, trigger)

    def _new_versions(self, schedule: Schedule, trigger: Trigger, now: datetime) -> Happened:
        seen = self._store.schedules.sightings(schedule.id)
        for path, signature in signatures(self._store.root, trigger.pattern):
            before = seen.get(path)
            if before is not None and before.signature == signature:
                self._settling.pop((schedule.id, path), None)
                continue
            was, since = self._settling.get((schedule.id, path), ("", now))
            if was != signature:
                self._settling[schedule.id, path] = signature, now
            elif now - since >= timedelta(seconds=trigger.settle):
                del self._settling[schedule.id, path]
                yield from self._version(path, signature, before)

    def _version(self, path: str, signature: str, before: Sighting | None) -> Happened:
        digest = file_digest(str(self._store.root / path))
        if digest == ABSENT:
            return
        count = before.count if before is not None else 0
        if before is not None and before.digest == digest:
            yield None, replace(before, signature=signature)
            return
        detail = {"path": path, "digest": digest, "version": count + 1}
        cause = RunCause(CauseKind.FILE, key=f"file {path} {count + 1} {digest}", detail=detail)
        yield cause, Sighting(path, signature, digest, count + 1)

    def _ended_runs(self, trigger: Trigger, schedule: Schedule) -> Happened:
        store = self._store
        watched = store.schedules.by_id(trigger.schedule_id)
        if watched is None:
            raise InputError(
                "The schedule whose runs it waits for was removed.",
                f"Let it wait for another: jupyter mlops schedule edit {schedule.number} --after NUMBER",
            )
        begun = schedule.decided_until or schedule.created_at
        for fire in reversed(store.schedules.fires(watched.id, limit=LOOKED_BACK)):
            if fire.run_id is None:
                continue
            run = _last_of(store, fire.run_id)
            if run is None or run.ended_at is None or (begun is not None and run.ended_at <= begun):
                continue
            failed = run.status is not Status.COMPLETED
            if run.status is Status.FAILED and fire.attempt < watched.policy.retries:
                continue
            if trigger.ended is EndedAs.ANY or failed == (trigger.ended is EndedAs.FAILURE):
                detail = {"run": run.number, "status": run.status.value, "schedule": watched.number}
                detail |= {"notebook": run.notebook, "fire_time": fire.fire_at.isoformat()}
                key = f"run {watched.id} {fire.fire_at.isoformat()}"
                yield RunCause(CauseKind.RUN, key=key, detail=detail), None

    def _new_value(self, schedule: Schedule, trigger: Trigger) -> Happened:
        before = self._store.schedules.sightings(schedule.id).get(VALUE)
        value = ask(self._store.root, trigger)
        if before is not None and before.signature == value:
            return
        count = before.count + 1 if before is not None else 1
        was = before.signature if before is not None else ""
        cause = RunCause(CauseKind.ROWS, key=f"rows {count} {value}", detail={"value": value, "before": was})
        yield cause, Sighting(VALUE, value, "", count)


def _pause(trigger: Trigger) -> timedelta:
    """How long to wait between two looks."""
    return timedelta(seconds=trigger.settle if trigger.kind is TriggerKind.ROWS else min(trigger.settle / 2, 30.0))


def signatures(root: Path, pattern: str) -> Iterator[tuple[str, str]]:
    """Path relative to `root` and signature of each file that a pattern fits, by name. Raises `InputError`."""
    paths = sorted(glob.iglob(pattern, root_dir=root, recursive=True))
    if len(paths) > MOST_FILES:
        raise InputError(f"'{pattern}' fits {len(paths):,} files; the limit is {MOST_FILES:,}.", "Make it narrower.")
    for path in paths:
        try:
            status = os.stat(root / path)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            yield Path(path).as_posix(), f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


def ask(root: Path, trigger: Trigger) -> str:
    """The first value that a query gives, as text; "" where there is none. Raises `InputError`."""
    import sqlalchemy as sa

    url = trigger.url
    if url.startswith("secret:"):
        from jupyter_mlops.secrets.lookup import look_up

        url = look_up(url.removeprefix("secret:"), root)
    try:
        engine = sa.create_engine(url)
        try:
            with engine.connect() as connection:
                row = connection.execute(sa.text(trigger.query)).first()
        finally:
            engine.dispose()
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        why = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise InputError(f"The database cannot be asked: {why}.", "Check --on-rows: its URL and its query.") from None
    return "" if row is None or row[0] is None else str(row[0])


def _last_of(store: Store, run_id: str) -> Run | None:
    """The run that ended what a run began: itself, or the last one that continues it."""
    try:
        run = store.runs.get(run_id)
        while run.status is Status.LOST and (following := store.runs.continuing(run.id)):
            run = store.runs.get(following[0].id)
    except MLOpsError:
        return None
    return run


def baseline(store: Store, schedule: Schedule, digest: Callable[[str], str] = file_digest) -> list[Sighting]:
    """What is there when a schedule begins to wait, which does not fire. Raises `InputError` where it cannot look."""
    trigger = schedule.trigger
    if trigger is None or trigger.kind is TriggerKind.RUN:
        return []
    if trigger.kind is TriggerKind.ROWS:
        return [Sighting(VALUE, ask(store.root, trigger))]
    return [
        Sighting(path, signature, digest(str(store.root / path)))
        for path, signature in signatures(store.root, trigger.pattern)
    ]


def check_no_circle(schedule: Schedule, others: Mapping[str, Schedule]) -> None:
    """Refuse a schedule that would wait for its own runs, by way of others. Raises `InputError`."""
    numbers, seen = [str(schedule.number or "the new one")], {schedule.id}
    trigger = schedule.trigger
    while trigger is not None and trigger.schedule_id:
        if trigger.schedule_id in seen:
            raise InputError(
                f"Schedules would wait for one another in a circle: {' after '.join(numbers)}.",
                "Choose another --after.",
            )
        seen.add(trigger.schedule_id)
        following = others.get(trigger.schedule_id)
        if following is None:
            return
        numbers.append(str(following.number))
        trigger = following.trigger


def check_trigger(trigger: Trigger | None) -> Trigger | None:
    """Refuse a database's URL with a password in it, which lists and the record would show. Raises `InputError`."""
    if trigger is None or trigger.kind is not TriggerKind.ROWS or trigger.url.startswith("secret:"):
        return trigger
    import sqlalchemy as sa

    try:
        password = sa.make_url(trigger.url).password
    except sa.exc.ArgumentError:
        raise InputError(
            "The URL of --on-rows cannot be read.",
            "Write it as SQLAlchemy does: sqlite:///data/events.db, or secret:NAME.",
        ) from None
    if password:
        raise InputError(
            "The URL of --on-rows has a password in it, which the record would show.",
            "Keep the URL as a secret, and write: --on-rows secret:NAME QUERY",
        )
    return trigger


def example_cause(trigger: Trigger | None) -> RunCause:
    """What a cause of this trigger looks like, to check templates with before there is one."""
    if trigger is None:
        return RunCause()
    details: dict[TriggerKind, dict[str, Any]] = {
        TriggerKind.FILE: {"path": trigger.pattern, "digest": "0" * 32, "version": 1},
        TriggerKind.RUN: {"run": 1, "status": "completed", "schedule": 1, "notebook": "", "fire_time": ""},
        TriggerKind.ROWS: {"value": "1", "before": "0"},
    }
    return RunCause(CauseKind(trigger.kind.value), detail=details[trigger.kind])
