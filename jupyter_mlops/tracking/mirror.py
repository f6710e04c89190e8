"""Makes MLflow's runs say what the index says. Each call may be repeated at any time: only what differs is written."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from jupyter_mlops.domain.json_text import dumps
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepLine, StepRun
from jupyter_mlops.domain.step_spec import is_named
from jupyter_mlops.domain.wire import to_wire
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.store.files.atomic import write_atomically
from jupyter_mlops.store.project.output_limit import overflows_of
from jupyter_mlops.tracking import note
from jupyter_mlops.tracking.identities import Identities
from jupyter_mlops.tracking.pages import page_of
from jupyter_mlops.tracking.tags import (
    STATUS,
    TAG_LIMIT,
    data_of,
    data_tags,
    infinite_tags,
    milliseconds,
    parameters,
    run_tags,
    same_metric,
    step_tags,
)
from jupyter_mlops.tracking.uri import local_folder

if TYPE_CHECKING:
    from mlflow.entities import Run as MLflowRun

log = logging.getLogger(__name__)

NOTE_TAG = "mlflow.note.content"
BATCH = 100
"""MLflow takes at most so many parameters, so many tags, and 1,000 of all kinds at once."""
METRICS_BATCH = 800
_MOST_PRINTED = 64 << 20
"""Bytes of a file of what a cell printed that MLflow is given."""
Files = dict[str, "bytes | bytearray"]


class Mirror:
    """Mirrors Runs and StepRuns into one tracking store. Logging models is the matter of `models`."""

    def __init__(self, identities: Identities) -> None:
        self.ids = identities
        self.store = identities.store

    def run(self, run: Run, *, whole: bool) -> None:
        """Mirror a Run; its end only where all of it is there (`whole`).

        One that is pending is left until it starts: MLflow cannot move a start time.
        """
        if run.started_at is None and not run.status.ended:
            return
        params, notes = parameters(run.parameters, _param_limit())
        tags = {**run_tags(run), **notes}
        is_end = whole and run.status.ended
        files = self._files(run, whole_parameters=bool(notes))
        if is_end:
            files += self._executed(run)

        lines = cache(lambda: self.store.steps.lines(run.id))

        def begin_with() -> dict[str, str]:
            there = {file.tag: file.digest for file in files if not isinstance(file.content, MLOpsError)}
            about = self._described(run, lines(), self.ids.experiment(run)) if is_end else {}
            return {**tags, **there, **about}

        known = self._known(run.id, lambda: self.ids.run(run, begin_with))
        if known is None:
            return
        run_id = known.info.run_id
        if run.mlflow_run_id not in (None, run_id):  # where there was none, it is noted already
            self.store.runs.update(run.id, mlflow_run_id=run_id)
        tags_now = {**tags, **self._changed_parameters(params, known)}
        new = {name: value for name, value in params.items() if name not in known.data.params}
        try:
            if is_end:
                tags_now |= self._close(run, known, lines())
            tags_now |= self._put(known, files)
        finally:  # files may have to wait for their store
            self.deliver(known, params=new, metrics=run.metrics, tags=tags_now, at=run.ended_at)
        self._measure_models(run, known)
        if whole:
            self._status(known, run.status, run.ended_at)

    def step(self, step_run_id: str) -> None:
        """Mirror a StepRun: a nested run where it was executed, a link on the pipeline's run where it was reused."""
        step_run = self.store.steps.find(step_run_id)
        if step_run is None:
            self._forgotten(step_run_id)
            return
        if not step_run.is_named:
            return
        run = self.store.runs.get(step_run.run_id)
        if step_run.status is Status.REUSED:
            self._reused(step_run, run)
            return
        tags = {**step_tags(step_run, run), **data_tags(step_run)}
        known = self._known(step_run.id, lambda: self.ids.step(step_run, run, lambda: tags))
        if known is None:
            return
        at = step_run.ended_at
        self.deliver(known, metrics=step_run.metrics, tags=tags, at=at)
        if step_run.status.ended:
            self._data(step_run, known)
            self._hand_up(run, step_run, known)
        self._status(known, step_run.status, at)

    def _forgotten(self, step_run_id: str) -> None:
        """A step failed when it was executed before its turn, which its run does not count."""
        made = self.store.outbox.tracked_id(step_run_id, self.ids.uri)
        if made:
            self.ids.client.set_terminated(made, STATUS[Status.CANCELED])

    def deliver(
        self,
        known: MLflowRun,
        *,
        params: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        at: datetime | None = None,
    ) -> None:
        """Write what `known`, the MLflow run as it is, does not hold yet, in few requests."""
        from mlflow.entities import Metric, Param, RunTag

        stamp = milliseconds(at or self.store.now()) or 0
        new_metrics = [
            Metric(name, float(value), stamp, 0)
            for name, value in (metrics or {}).items()
            if not same_metric(float(value), known.data.metrics.get(name))
        ]
        new_params = [Param(name, value) for name, value in (params or {}).items()]
        told = {**(tags or {}), **infinite_tags(metrics or {})}
        new_tags = [RunTag(name, value) for name, value in told.items() if known.data.tags.get(name) != value]
        write = self.ids.client.log_batch
        size = max(-(-len(new_metrics) // METRICS_BATCH), -(-len(new_params) // BATCH), -(-len(new_tags) // BATCH))
        for number in range(size):
            write(
                known.info.run_id,
                metrics=new_metrics[number * METRICS_BATCH : (number + 1) * METRICS_BATCH],
                params=new_params[number * BATCH : (number + 1) * BATCH],
                tags=new_tags[number * BATCH : (number + 1) * BATCH],
            )

    def _known(self, entity_id: str, identify: Callable[[], str]) -> MLflowRun | None:
        """The MLflow run as it is; None where someone deleted it in MLflow, which is respected."""
        known = self.ids.known(entity_id, identify)
        if known.info.lifecycle_stage != "active":
            log.info("MLflow run %s was deleted in MLflow; nothing more is written to it", known.info.run_id)
            return None
        return known

    def _reused(self, step_run: StepRun, run: Run) -> None:
        known = self._known(run.id, lambda: self.ids.run(run))
        if known is None or step_run.reused_from is None:
            return
        origin = self.store.steps.run(step_run.reused_from)
        made = self._known(origin.id, lambda: self.ids.step(origin))
        link = {f"mlops.reused.{step_run.step}": made.info.run_id if made else "deleted in MLflow"}
        metrics = {**(made.data.metrics if made else {}), **step_run.metrics}
        self.deliver(known, metrics=_without(metrics, run.metrics), tags=link, at=step_run.ended_at)
        if made is not None:
            self.link_models(known, made)

    def link_models(self, known: MLflowRun, made: MLflowRun) -> None:
        """Show the models of the run `made` as outputs of `known` too."""
        from mlflow.entities import LoggedModelOutput

        there = {item.model_id for item in (known.outputs.model_outputs if known.outputs else [])}
        models = [item.model_id for item in (made.outputs.model_outputs if made.outputs else [])]
        missing = [LoggedModelOutput(model_id, 0) for model_id in dict.fromkeys(models) if model_id not in there]
        if missing:
            self.ids.client.log_outputs(known.info.run_id, missing)

    def _hand_up(self, run: Run, step_run: StepRun, made: MLflowRun) -> None:
        """What the step logged through mlflow itself shows in the pipeline's run too, where runs are compared."""
        own = set(step_run.metrics) | set(run.metrics)
        logged = {name: value for name, value in made.data.metrics.items() if name not in own}
        if not logged and not (made.outputs and made.outputs.model_outputs):
            return
        known = self._known(run.id, lambda: self.ids.run(run))
        if known is not None:
            self.deliver(known, metrics=logged, at=step_run.ended_at)
            self.link_models(known, made)

    def _measure_models(self, run: Run, known: MLflowRun) -> None:
        """Give the run's metrics to the models it made or used: MLflow's list of models compares by them."""
        from mlflow.entities import Metric

        for output in known.outputs.model_outputs if known.outputs and run.metrics else []:
            model = self.ids.client.get_logged_model(output.model_id)
            there = {metric.key: metric.value for metric in model.metrics or [] if metric.run_id == known.info.run_id}
            stamp = milliseconds(run.ended_at or self.store.now()) or 0
            new = [
                Metric(name, float(value), stamp, 0, model_id=output.model_id, run_id=known.info.run_id)
                for name, value in run.metrics.items()
                if not same_metric(float(value), there.get(name))
            ]
            if new:
                self.ids.client.log_batch(known.info.run_id, metrics=new)

    def _changed_parameters(self, params: Mapping[str, str], known: MLflowRun) -> dict[str, str]:
        """A live session may change a parameter; MLflow keeps the first value, so a tag tells the present one."""
        return {
            f"mlops.now.{name}": value[:TAG_LIMIT]
            for name, value in params.items()
            if known.data.params.get(name, value) != value
        }

    def _files(self, run: Run, *, whole_parameters: bool) -> list[_File]:
        """The files that are known from the beginning."""
        get = self.store.objects.get
        files = []
        if digest := run.notebook_object:
            path = f"notebook/{PurePosixPath(run.notebook).name}"
            files.append(_File("mlops.notebook_digest", digest, path, partial(get, digest)))
        if digest := run.environment:
            files.append(_File("mlops.environment_digest", digest, "environment.json", partial(get, digest)))
        if whole_parameters:
            content = dumps(to_wire(run.parameters), indent=1, ensure_ascii=False).encode()
            files.append(_File("mlops.parameters_digest", _digest(content), "parameters.json", lambda: content))
        return files

    def _executed(self, run: Run) -> list[_File]:
        """The executed notebook, and the same as a page, as MLflow shows no notebooks."""
        if not run.output_path:
            return []
        path = self.store.root / run.output_path
        if not path.is_file():
            log.warning("the executed notebook '%s' is gone; it was not logged to MLflow", path)
            return []
        content = path.read_bytes()

        def page() -> Files:
            made = page_of(content, path.name)
            return {f"executed/{path.stem}.html": made} if made else {}

        return [
            _File("mlops.output_digest", _digest(content), f"executed/{path.name}", lambda: content, page),
            *self._printed(path),
        ]

    def _printed(self, notebook: Path) -> list[_File]:
        """What cells printed that was too much to be shown; a very large file stays where it is."""
        found = []
        for path in overflows_of(notebook):
            if path.stat().st_size > _MOST_PRINTED:
                log.warning("'%s' is too large for MLflow; it is only beside its notebook", path)
                continue
            content = path.read_bytes()
            place = f"executed/{path.parent.name}/{path.name}"
            found.append(_File(f"mlops.{path.stem}_digest", _digest(content), place, partial(bytes, content)))
        return found

    def _close(self, run: Run, known: MLflowRun, step_runs: Sequence[StepLine]) -> dict[str, str]:
        """What can be told only at the end: lost steps; and, as tags, the note on top of the run."""
        for step_run in step_runs:
            if step_run.status is Status.LOST:
                self.step(step_run.id)
        there = known.data.tags.get(NOTE_TAG, "")
        if there and not note.is_untouched(there):  # one that a person wrote or edited is left alone
            return {}
        return self._described(run, step_runs, known.info.experiment_id)

    def _described(self, run: Run, step_runs: Sequence[StepLine], experiment: str) -> dict[str, str]:
        """The description on top of the run, as a tag."""

        def page(step_run: StepLine) -> str | None:
            if not is_named(step_run.step):
                return None
            made = self.store.outbox.tracked_id(step_run.reused_from or step_run.id, self.ids.uri)
            return f"#/experiments/{experiment}/runs/{made}" if made else None

        return {NOTE_TAG: note.of_run(run, step_runs, page)}

    def _data(self, step_run: StepRun, known: MLflowRun) -> None:
        """What the step read and made, by digest, as a file; it is written once, whole."""
        content = dumps(to_wire(data_of(step_run)), indent=1, ensure_ascii=False).encode()
        there = {file.path: file.file_size for file in self.ids.client.list_artifacts(known.info.run_id)}
        if there.get("data.json") != len(content):
            self._write(known, {"data.json": content})

    def _put(self, known: MLflowRun, files: Sequence[_File]) -> dict[str, str]:
        """Write the files that are not there yet; gives the tags that say which content is there, to be set afterwards."""
        folder = local_folder(known.info.artifact_uri)
        tags: dict[str, str] = {}
        contents: Files = {}
        for file in files:
            is_told = known.data.tags.get(file.tag) == file.digest
            if is_told and (folder is None or (folder / file.path).is_file()):
                continue
            content = file.content
            if isinstance(content, MLOpsError):
                log.error("%s was not logged to MLflow: %s", file.path, content.message)
                tags["mlops.artifact_error"] = f"{file.path}: {content.message}"
                continue
            contents |= {**file.beside(), file.path: content}
            tags[file.tag] = file.digest
        self._write(known, contents)
        return tags

    def _write(self, known: MLflowRun, contents: Files) -> None:
        """Log files by their paths, all at once: for each call MLflow looks the run up anew.

        Into a folder of this machine they are written as they are, as MLflow would copy them.
        """
        if not contents:
            return
        folder = local_folder(known.info.artifact_uri)
        if folder is not None:
            _write_all(folder, contents)
            return
        with tempfile.TemporaryDirectory(prefix="mlops-") as temporary:
            _write_all(Path(temporary), contents)
            self.ids.client.log_artifacts(known.info.run_id, temporary)

    def _status(self, known: MLflowRun, status: Status, ended_at: datetime | None) -> None:
        """Status and end time last, so that a run that shows as ended is whole."""
        word = STATUS[status]
        end = milliseconds(ended_at)
        if status.ended:
            if known.info.status != word or known.info.end_time != end:
                self.ids.client.set_terminated(known.info.run_id, word, end)
        elif known.info.status != word:
            self.ids.client.update_run(known.info.run_id, status=word)


@dataclass
class _File:
    """A file of an MLflow run; `tag` says by its digest which content is there."""

    tag: str
    digest: str
    path: str
    get: Callable[[], bytes | bytearray]
    beside: Callable[[], Files] = dict
    """Files that are written with it."""

    @cached_property
    def content(self) -> bytes | bytearray | MLOpsError:
        """Or why there is none."""
        try:
            return self.get()
        except MLOpsError as error:
            return error


def _write_all(folder: Path, contents: Files) -> None:
    for parent in {Path(folder, path).parent: None for path in contents}:
        parent.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        write_atomically(folder / path, [content], sync=False)


def _without(values: Mapping[str, float], names: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in values.items() if name not in names}


def _param_limit() -> int:
    from mlflow.utils import validation

    return int(getattr(validation, "MAX_PARAM_VAL_LENGTH", 500))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
