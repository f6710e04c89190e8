"""The signature of a model: for each column a type with which MLflow takes the very frame the model was fitted on.

MLflow (3.17) infers `string` for a category, `long` for a nullable integer and `datetime` for a time with a zone, and refuses
such columns when a frame is given to the model; for a frame with a timedelta it infers no columns at all. Such a column
is declared as `any`: it is handed on as it comes.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Signed:
    """Signature and input example of a model; None both where there was no sample that it could predict.

    `loosened` are columns declared as `any`, with their types: "when (datetime64[us, UTC])".
    """

    signature: Any = None
    example: Any = None
    loosened: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What to say of it; "" where all columns have their types."""
        if not self.loosened:
            return ""
        return (
            f"MLflow checks no type of {', '.join(self.loosened)}: it rejects these types when a signature names them."
        )


def signed(model: Any, sample: Any) -> Signed:
    """What a sample of the input tells; nothing, with a line in the log, where the model cannot predict it."""
    from mlflow.models import infer_signature

    if sample is None or not hasattr(model, "predict"):
        return Signed()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            signature = infer_signature(sample, model.predict(sample))
        except Exception as error:  # noqa: BLE001 - predict is foreign code; the model is worth logging without
            log.warning("no signature: predict failed on the sample: %s: %s", type(error).__name__, error)
            return Signed()
        return Signed(signature, sample, _loosen(signature, sample))


def differs(path: Path, model: Any, sample: Any) -> str:
    """Why MLflow's own `predict` with the model saved at `path` does not give what the model gives; "" where it does."""
    import mlflow.pyfunc

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = mlflow.pyfunc.load_model(str(path)).predict(sample.copy())
        except Exception as error:  # noqa: BLE001 - a model's own code, and MLflow's checks of its input
            return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return "" if _equal(found, model.predict(sample)) else "other predictions"


def _loosen(signature: Any, sample: Any) -> tuple[str, ...]:
    """Declare as `any` the columns that MLflow would refuse or did not tell apart, in `signature` itself."""
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    columns = getattr(sample, "columns", None)
    if columns is None or not columns.is_unique or not all(isinstance(name, str) for name in columns):
        return ()
    probe = _with_missing(sample)
    if signature.inputs.has_input_names() and _takes(signature.inputs, probe):
        return ()
    specs, loosened = [], []
    for name in columns:
        spec = _own_spec(probe[[name]])
        if spec is None:
            loosened.append(f"{name} ({sample[name].dtype})")
        specs.append(spec or ColSpec(AnyType(), name, required=False))
    signature.inputs = Schema(specs)
    return tuple(loosened)


def _own_spec(column: Any) -> Any:
    """The type MLflow infers for the one column of a frame, where it then takes it."""
    from mlflow.models import infer_signature

    inputs = infer_signature(column).inputs
    return inputs.inputs[0] if inputs.has_input_names() and _takes(inputs, column) else None


def _takes(inputs: Any, frame: Any) -> bool:
    from mlflow.models import validate_schema

    check: Callable[[Any, Any], None] = validate_schema
    try:
        check(frame.copy(), inputs)
    except Exception:  # noqa: BLE001 - MLflow lets through what pandas and numpy raise on conversion
        return False
    return True


def _with_missing(sample: Any) -> Any:
    """The sample with a missing value in each column whose type is made for them: later rows may have some."""
    import pandas as pd

    probe = sample.copy()
    for name in probe.columns:
        dtype = probe[name].dtype
        if isinstance(dtype, pd.api.extensions.ExtensionDtype) and dtype.na_value is pd.NA and dtype.kind in "iub":
            probe[name] = probe[name].where([False] + [True] * (len(probe) - 1))
    return probe


def _equal(found: Any, own: Any) -> bool:
    import numpy as np

    left, right = np.asarray(found), np.asarray(own)
    if left.shape != right.shape:
        return False
    return bool(np.array_equal(left, right) or (left.dtype.kind == right.dtype.kind == "f" and _close(left, right)))


def _close(left: Any, right: Any) -> bool:
    import numpy as np

    return bool(np.allclose(left, right, rtol=1e-6, atol=0, equal_nan=True))
