"""Models fitted on frames whose types MLflow infers and then refuses: logged by the real writer, asked through MLflow."""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from tracked_project import TrackedProject

from jupyter_mlops.tracking.signatures import signed
from jupyter_mlops.tracking.uri import own_uri

ROWS = 40
FRAME = pd.DataFrame(
    {
        "x": np.linspace(0, 1, ROWS),
        "colour": pd.Series(["red", "blue"] * (ROWS // 2), dtype="category"),
        "n": pd.Series([*range(ROWS - 1), None], dtype="Int64"),
        "known": pd.Series([*[True, False] * (ROWS // 2 - 1), True, None], dtype="boolean"),
        "when": pd.date_range("2026-01-01", periods=ROWS, tz="Europe/Berlin"),
        "span": pd.to_timedelta(np.arange(ROWS), unit="s"),
        "word": pd.Series(["a", "b"] * (ROWS // 2), dtype="str"),
    }
)
TARGET = (FRAME["colour"] == "red").astype(int).to_numpy()


def logged(project: TrackedProject, model: Any, frame: pd.DataFrame) -> tuple[Any, dict[str, str]]:
    """The model as MLflow loads it, and the tags of the run that made it."""
    run = project.run()
    step_run = project.step(run, "train")
    project.model(step_run, "classifier", model, frame.head())
    project.finish(run, status=run.status.COMPLETED)
    project.deliver()
    made = project.mlflow_run(step_run)
    assert made.outputs is not None
    (output,) = made.outputs.model_outputs
    mlflow.set_tracking_uri(own_uri(project.root))
    try:
        uri = project.client.get_logged_model(output.model_id).model_uri
        return mlflow.pyfunc.load_model(uri), made.data.tags
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def test_a_model_takes_the_very_frame_its_signature_was_made_of(project: TrackedProject) -> None:
    columns = make_column_transformer((OneHotEncoder(), ["colour", "word"]), ("passthrough", ["x"]))
    model = make_pipeline(columns, LogisticRegression()).fit(FRAME, TARGET)
    loaded, tags = logged(project, model, FRAME)
    assert np.array_equal(loaded.predict(FRAME), model.predict(FRAME))
    inputs = loaded.metadata.signature.inputs
    assert inputs.input_names() == list(FRAME.columns)
    types = {spec.name: str(spec.type) for spec in inputs.inputs}
    assert (types["x"], types["word"]) == ("DataType.double", "DataType.string")
    note = tags["mlops.model_signature"]
    assert note.startswith("MLflow checks no type of colour (category), n (Int64), known (boolean), when (datetime64[")
    assert "word" not in note.partition(":")[0]
    assert "No input example: TypeError" in note  # a timedelta is no JSON


def test_a_model_that_would_be_handed_other_types_is_logged_without_a_signature_and_says_so(
    project: TrackedProject,
) -> None:
    frame = FRAME[["x", "colour"]]
    codes = FunctionTransformer(lambda rows: rows.assign(colour=rows["colour"].cat.codes))
    model = make_pipeline(codes, LogisticRegression()).fit(frame, TARGET)
    loaded, tags = logged(project, model, frame)
    assert loaded.metadata.signature is None
    assert np.array_equal(loaded.predict(frame), model.predict(frame))
    assert tags["mlops.model_signature"].startswith("No signature: with one, MLflow's predict would not return what")


def test_a_frame_of_ordinary_types_keeps_them_all_and_needs_no_word() -> None:
    found = signed(_Constant(), FRAME[["x", "word"]].assign(k=1, flag=True).head())
    assert [str(spec.type).removeprefix("DataType.") for spec in found.signature.inputs.inputs] == [
        *("double", "string", "long", "boolean")
    ]
    assert found.note == ""


@pytest.mark.parametrize("name", ["n", "known", "when", "colour", "span"])
def test_what_mlflow_infers_of_such_a_column_it_still_refuses(name: str) -> None:
    """Where this fails, MLflow has changed, and the column need not be loosened any more."""
    from mlflow.models import infer_signature, validate_schema

    column = FRAME[[name]].tail()
    inputs = infer_signature(column).inputs
    if inputs.has_input_names():
        with pytest.raises(Exception, match=r"convert|NA|timezone"):
            validate_schema(column, inputs)
    assert signed(_Constant(), column).loosened == (f"{name} ({column[name].dtype})",)


class _Constant:
    def predict(self, frame: pd.DataFrame) -> Any:
        return np.zeros(len(frame))
