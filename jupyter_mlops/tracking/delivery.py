"""Delivers messages of the outbox in order; what fails stays, with its error, and holds up nobody else's."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.attempts import is_here
from jupyter_mlops.store.tables.outbox import Message
from jupyter_mlops.tracking import models
from jupyter_mlops.tracking.identities import Identities
from jupyter_mlops.tracking.mirror import Mirror
from jupyter_mlops.tracking.reach import problem_with
from jupyter_mlops.tracking.tags import TAG_LIMIT, parameters
from jupyter_mlops.tracking.uri import own_uri, shown_uri, sqlite_path, uri_of

if TYPE_CHECKING:
    from mlflow.entities import Run as MLflowRun

RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Pauses after failed rounds; after the last the writer gives up, messages stay, and the next wake tries again."""
PATIENCE_SECONDS = 1.0
"""What is new of a run that has not ended waits so long for more: most jobs are then told of once, at their end."""
DONE_AT_ONCE = 1000
FORGET_SECONDS = 0.5
"""So long at most what was delivered stays in the outbox; a writer killed within tells of it twice, which changes nothing."""
MODEL_ATTEMPTS = 5
"""A model is left out, with a tag, after so many. An attempt is noted before it is made, as loading may take the writer
down with it (native code), and once more when it fails."""

log = logging.getLogger("jupyter_mlops.tracking.writer")


@dataclass(frozen=True)
class MessageGroup:
    """Messages that tell of the same thing: what it is now is told once. Not `whole`: more is coming, keep it open."""

    messages: list[Message]
    whole: bool = True


class Delivery:
    """Goes through the outbox round by round. `newest` is the highest message id seen."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.newest = 0
        self.delivered = 0
        self._mirrors: dict[str, Mirror] = {}
        self._failed: set[int] = set()
        self._failures = 0
        self._retry_at: float | None = None
        self._look_at: float | None = None
        self._errors: dict[int, str] = {}
        self._told: list[int] = []
        self._forgot = 0.0

    @property
    def waiting(self) -> bool:
        """Whether there is something to be tried again."""
        return bool(self._failed) and not self.gave_up

    @property
    def gave_up(self) -> bool:
        """Whether what fails has been tried often enough for one process."""
        return self._failures > len(RETRY_SECONDS)

    def due(self, now: float) -> bool:
        """Whether it is time to try again what failed, or to tell what waited for more."""
        return self._is_retried(now) or (self._look_at is not None and now >= self._look_at)

    def _is_retried(self, now: float) -> bool:
        return self._retry_at is not None and now >= self._retry_at

    def round(self, now: float) -> bool:
        """Deliver what is new, and what failed if that is due; returns whether there was anything to do."""
        messages = self.store.outbox.take(limit=1_000_000)
        again = self._is_retried(now)
        todo = [message for message in messages if again or message.id not in self._failed]
        if self.store.place.index is not None:
            todo = [message for message in todo if not self._is_elsewhere(message)]
        if again:
            self._failed.clear()
            self._retry_at = None
        todo = self._ripe(todo, now)
        if not todo:
            return False
        self.newest = max(self.newest, todo[-1].id)
        before = len(self._failed)
        unreachable: dict[str, str] = {}
        try:
            for group in _groups(todo):
                self._deliver(group, unreachable)
        finally:
            self._forget()
        if len(self._failed) > before:
            self._back_off(now)
        elif not self._failed:
            self._failures = 0
        return True

    def _ripe(self, messages: list[Message], now: float) -> list[Message]:
        """Without what need not be told: of runs that wait nothing, and of those that go on nothing from just now."""
        self._look_at = None
        today = self.store.now()
        ages: dict[str, float] = {}
        for message in messages:
            ages.setdefault(message.run_id, (today - message.created_at).total_seconds())
        going_on = self.store.runs.going_on(list(ages)) if ages else {}
        waiting = [
            message.id
            for message in messages
            if message.kind == "run" and going_on.get(message.run_id) is Status.PENDING
        ]
        for start in range(0, len(waiting), DONE_AT_ONCE):  # their beginning will be told
            self.store.outbox.done(waiting[start : start + DONE_AT_ONCE])
            self.newest = max(self.newest, waiting[-1])
        young = {run_id for run_id in going_on if 0 <= ages[run_id] < PATIENCE_SECONDS}
        if young:
            self._look_at = now + PATIENCE_SECONDS / 4
        left = {message.id for message in messages}.difference(waiting)
        return [message for message in messages if message.id in left and message.run_id not in young]

    def _is_elsewhere(self, message: Message) -> bool:
        """Whether it is for an MLflow store that is a file of another machine, which delivers it itself."""
        run = self.store.runs.get(message.run_id)
        return not is_here(run) and sqlite_path(uri_of(run, self.store.root)) is not None

    def _back_off(self, now: float) -> None:
        if self._retry_at is None:
            pause = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
            self._failures += 1
            self._retry_at = now + pause

    def _deliver(self, group: MessageGroup, unreachable: dict[str, str]) -> None:
        message = group.messages[-1]
        try:
            run = self.store.runs.get(message.run_id)
            address = uri_of(run, self.store.root)
            if address not in unreachable and (problem := problem_with(address)):
                unreachable[address] = problem
            if address in unreachable:
                raise ConnectionError(unreachable[address])
            self._tell(message, run, address, whole=group.whole)
        except ConnectionError as error:
            self._keep(group, str(error))
        except Exception as error:
            log.exception("message %d (%s) failed", message.id, message.kind)
            self._keep(group, f"{type(error).__name__}: {error}")
        else:
            if group.whole:
                self._told += [item.id for item in group.messages]
                if time.monotonic() - self._forgot > FORGET_SECONDS:
                    self._forget()

    def _forget(self) -> None:
        """Take what was delivered out of the outbox, together: each transaction takes a while."""
        self._forgot = time.monotonic()
        if self._told:
            told, self._told = self._told, []
            self.store.outbox.done(told)
            self.delivered += len(told)

    def _keep(self, group: MessageGroup, error: str) -> None:
        for message in group.messages if group.whole else ():
            self.store.outbox.failed(message.id, error[:2000])
            self._failed.add(message.id)
            self._errors[message.id] = error
        log.warning("not delivered: %s", error)

    def _tell(self, message: Message, run: Run, address: str, *, whole: bool) -> None:
        mirror = self._mirror(address)
        if message.kind == "run":
            mirror.run(run, whole=whole)
            own = own_uri(self.store.root)
            if address != own and self.store.outbox.tracked_id(message.run_id, own):
                # The user changed the tracking URI midway: what was begun in the project's own store ends there too.
                self._mirror(own).run(run, whole=whole)
        elif message.kind == "step":
            mirror.step(message.body["id"])
        elif message.kind == "model":
            self._model(message, mirror)
        else:
            raise ValueError(f"unknown kind '{message.kind}': made by a newer version of jupyter-mlops")

    def _mirror(self, address: str) -> Mirror:
        if address not in self._mirrors:
            log.info("tracking store: %s", shown_uri(address))
            self._mirrors[address] = Mirror(Identities(self.store, address))
        return self._mirrors[address]

    def _model(self, message: Message, mirror: Mirror) -> None:
        body = message.body
        step_run = self.store.steps.run(body["step_run_id"])
        made = mirror.ids.client.get_run(mirror.ids.step(step_run))
        if message.attempts >= MODEL_ATTEMPTS:
            error = self._errors.get(message.id, "loading it crashed the writer")
            self._model_error(mirror, made, body["name"], error)
            return
        self.store.outbox.failed(message.id, "loading the model crashed the writer")
        run = self.store.runs.get(message.run_id)
        try:
            model, sample, how = self._load(body, step_run)
        except (MLOpsError, models.UnsupportedModelError) as error:
            self._model_error(mirror, made, body["name"], str(error))
            return
        except Exception as error:  # noqa: BLE001 - unpickling runs the code of foreign types, which may raise anything
            self._model_error(mirror, made, body["name"], f"cannot be loaded: {type(error).__name__}: {error}")
            return
        params, _ = parameters(run.parameters, TAG_LIMIT)
        client = mirror.ids.client
        note = models.log_model(client, made, body["name"], model, sample, how, root=self.store.root, params=params)
        mirror.deliver(made, tags=models.tags_of(body["name"], how, note))
        mirror.step(step_run.id)
        mirror.run(self.store.runs.get(run.id), whole=True)

    def _load(self, body: dict[str, Any], step_run: StepRun) -> tuple[models.Loaded, Any, models.ModelFormat]:
        """The model, a sample of its input (or None), and how to save it."""
        objects = self.store.objects
        for folder in (self.store.root, Path(self.store.root, step_run.notebook).parent):
            if str(folder) not in sys.path:
                sys.path.append(str(folder))
        model = models.load(objects.get_signed(body["object"]))
        sample = models.load(objects.get_signed(body["input_object"])).value if body["input_object"] else None
        return model, sample, models.plan(model)

    def _model_error(self, mirror: Mirror, made: MLflowRun, name: str, error: str) -> None:
        log.error("model '%s' is not logged: %s", name, error)
        mirror.deliver(made, tags={"mlops.model_error": f"{name}: {error}"[:2000]})


def _groups(messages: Sequence[Message]) -> list[MessageGroup]:
    """What to tell, in order. A step is told once, where it was first mentioned; a Run whole at the end, and, where there
    are steps, first."""
    same: dict[tuple[str, str], list[Message]] = {}
    for message in messages:
        same.setdefault(_subject(message), []).append(message)
    others = {message.run_id for message in messages if message.kind != "run"}
    groups = []
    for message in messages:
        group = same[_subject(message)]
        if message is group[-1 if message.kind == "run" else 0]:
            groups.append(MessageGroup(group))
        elif message is group[0] and message.run_id in others:
            groups.append(MessageGroup(group, whole=False))
    return groups


def _subject(message: Message) -> tuple[str, str]:
    return message.kind, str(message.body["id"] if message.kind in ("run", "step") else message.id)
