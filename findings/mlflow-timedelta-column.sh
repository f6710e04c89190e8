#!/usr/bin/env bash
# mlflow 3.17.2, pandas 3.1.1: one timedelta column takes the names and types of all other columns out of an inferred
# signature, and a frame with such a column cannot be an input example.
#
# Seen: `infer_signature` of a frame with the columns x (float64), name (str) and waited (timedelta64) gives
#   [Any (required)]
# one column without a name, with a line in the log and no exception, where a frame of x and name gives both. Read on,
# `validate_schema` then lets a frame through that has none of the columns. Given as `input_example`, the same frame makes
# `mlflow.sklearn.save_model` raise
#   TypeError: Object of type Timedelta is not JSON serializable
# so that the model is not saved at all. A datetime column does neither.
#
# Exits with 0 while this is so, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check mlflow==3.17.2 pandas==3.1.1 scikit-learn==1.9.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import logging
import sys
import warnings

warnings.filterwarnings("ignore")
import mlflow
import pandas as pd
from mlflow.models import infer_signature, validate_schema
from sklearn.dummy import DummyClassifier

logging.getLogger("mlflow").setLevel(logging.ERROR)
plain = pd.DataFrame({"x": [1.0, 2.0, 3.0], "name": ["a", "b", "c"]})
dated = plain.assign(when=pd.date_range("2026-01-01", periods=3))
waited = plain.assign(waited=pd.to_timedelta([1, 2, 3], unit="s"))
model = DummyClassifier().fit(plain, [0, 1, 0])


def saved(frame, folder):
    try:
        mlflow.sklearn.save_model(model, folder, serialization_format="cloudpickle", input_example=frame,
                                  signature=infer_signature(plain), pip_requirements=[])
    except TypeError as error:
        return f"TypeError: {error}"
    return "saved"


inputs = infer_signature(waited).inputs
validate_schema(pd.DataFrame({"other": ["z"]}), inputs)
seen = {
    "columns without a timedelta": infer_signature(plain).inputs.input_names(),
    "columns with a datetime": infer_signature(dated).inputs.input_names(),
    "signature with a timedelta": str(inputs),
    "names with a timedelta": inputs.has_input_names(),
    "a datetime in the example": saved(dated, "dated"),
    "a timedelta in the example": saved(waited, "waited"),
}
for what, value in seen.items():
    print(f"{what}: {value}")
expected = {
    "columns without a timedelta": ["x", "name"],
    "columns with a datetime": ["x", "name", "when"],
    "signature with a timedelta": "[Any (required)]",
    "names with a timedelta": False,
    "a datetime in the example": "saved",
    "a timedelta in the example": "TypeError: Object of type Timedelta is not JSON serializable",
}
sys.exit(seen != expected)
PYTHON
