"""Keeps the model a step names, with a sample of its input, for tracking to log."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.capture.session.events import AuthorWarned, StepListener
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.secrets.known import holds_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_mlops.capture.key.examination import Examination
    from jupyter_mlops.capture.session.run import RunHandle
    from jupyter_mlops.store.store import Store

SAMPLE_ROWS = 5


def keep_model(
    namespace: Mapping[str, Any],
    run: RunHandle,
    listener: StepListener,
    step: StepCell,
    step_run: StepRun,
    examination: Examination,
) -> None:
    """Store the model and tell tracking; where that cannot be, the author is told. Never raises into the cell."""
    name = str(step.spec.model)
    hint = "Bind the fitted model to that name in the step, or change --model."
    if name not in namespace:
        listener.on_event(
            AuthorWarned(f"Model '{name}' of step '{step.spec.name}' was not logged: no such variable.", hint)
        )
        return
    model = namespace[name]
    try:
        import cloudpickle

        data = cloudpickle.dumps(model, protocol=5)
        sample = _sample(model, [namespace.get(item) for item in examination.inputs])
        sample_data = None if sample is None else pickle.dumps(sample, protocol=5)
    except Exception as error:  # noqa: BLE001 - pickling runs the code of foreign types, which may raise anything
        listener.on_event(
            AuthorWarned(
                f"Model '{name}' of step '{step.spec.name}' was not logged: it cannot be stored ({error}).", hint
            )
        )
        return
    if holds_bytes(data) or (sample_data is not None and holds_bytes(sample_data)):
        listener.on_event(
            AuthorWarned(
                f"Model '{name}' of step '{step.spec.name}' was not logged: it holds a secret.",
                "Pass the secret to the code that needs it when it is needed, instead of storing it in the model.",
            )
        )
        return
    run.saver.do(lambda: _post(run.store, step_run, name, data, sample_data))


def _post(store: Store, step_run: StepRun, name: str, data: bytes, sample: bytes | None) -> None:
    try:
        body = {
            "step_run_id": step_run.id,
            "name": name,
            "object": store.objects.put(data, signed=True),
            "input_object": None if sample is None else store.objects.put(sample, signed=True),
        }
    except MLOpsError as error:
        store.steps.update_run(step_run.id, error=f"model '{name}' was not stored: {error.message}")
        raise
    store.outbox.post(step_run.run_id, "model", body, now=store.now())


def _sample(model: object, inputs: list[Any]) -> Any:
    """The first rows of the input the model was most likely fitted on: same columns, or same number of them."""
    names = getattr(model, "feature_names_in_", None)
    count = getattr(model, "n_features_in_", None)
    for value in inputs:
        shape = getattr(value, "shape", None)
        if not isinstance(shape, tuple) or len(shape) != 2 or shape[1] != count:
            continue
        columns = getattr(value, "columns", None)
        if columns is None and names is None:
            return value[:SAMPLE_ROWS].copy()
        if columns is not None and (names is None or list(columns) == list(names)):
            return value.head(SAMPLE_ROWS).copy()
    return None
