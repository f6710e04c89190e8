"""Does what a step's cell would have done: binds and deletes its names, sets the generators, shows its displays."""

from __future__ import annotations

import time

from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.capture.observe import display
from jupyter_mlops.capture.restore.restore import put_in_place
from jupyter_mlops.capture.session.events import StepEnded, StepReused
from jupyter_mlops.capture.session.session import Session
from jupyter_mlops.capture.step.decision import StepReplacement
from jupyter_mlops.capture.step.logged import log_parameters, metrics_of
from jupyter_mlops.domain.status import Status


def replace(session: Session, step: StepCell, replacement: StepReplacement) -> None:
    """Put the result in place of running the step. The files that it wrote are there already."""
    context, hydrator, reuse, ahead = session.context, session.hydrator, replacement.reuse, replacement.ahead
    source = reuse.source
    put_in_place(context.world, hydrator, reuse)
    display.replay(context.shell, reuse.events)
    if any(event["type"] == "execute_result" for event in reuse.events):
        hydrator.showed(source)
    if ahead is None:
        _record(session, step, replacement)
    elif ahead.status is Status.REUSED:
        session.listener.on_event(StepReused(ahead, source.duration or 0.0, source))
    hydrator.load_small(reuse.known)


def _record(session: Session, step: StepCell, replacement: StepReplacement) -> None:
    """Record that the step was reused, with what it names to be logged."""
    record, source, namespace = replacement.record, replacement.reuse.source, session.context.namespace
    metrics = dict(source.metrics)
    if set(metrics) != set(step.spec.metrics):
        session.hydrator.ready(step.spec.metrics, libraries_used=True)
        metrics = metrics_of(step.spec, namespace, session.listener)
    if step.spec.params:
        session.hydrator.ready(step.spec.params, libraries_used=True)
        log_parameters(step.spec, namespace, session.run, record.step_run.run_id, session.listener)
    record.reused(replacement.reuse, metrics, time.perf_counter() - replacement.began)
    session.listener.on_event(StepReused(record.step_run, source.duration or 0.0, source))
    session.listener.on_event(StepEnded(record.step_run))
