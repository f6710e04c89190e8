"""Logs a step's model into the step's MLflow run: the right flavour, exact requirements, a signature.

MLflow finds requirements by loading the model in a subprocess (7 to 20 s). Here they are what unpickling the model
imported, in the versions installed. scikit-learn models are saved by skops, which runs no code when loading, where all
their types are scikit-learn's own or audited; else by cloudpickle, and a tag names the types that were the reason.
"""

from __future__ import annotations

import importlib
import inspect
import pickle
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.store.files.installed import is_installed_file
from jupyter_mlops.tracking.signatures import Signed, differs, signed

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities import Run as MLflowRun

AUDITED = frozenset(
    {
        "numpy.dtype",
        "numpy.mean",
        "scipy._lib.array_api_compat.numpy._aliases.asarray",
        "scipy.interpolate._bsplines.BSpline",
        "scipy.sparse._csr.csr_matrix",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.cluster._bisect_k_means._BisectingTree",
        "sklearn.cluster._kmeans._kmeans_single_lloyd",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.tree._tree.Tree",
    }
)
"""Types skops does not trust by itself, looked through: they hold numbers and run nothing of their own on loading."""

FLAVOURS = {
    "sklearn": "sklearn",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "statsmodels": "statsmodels",
    "keras": "tensorflow",
    "tensorflow": "tensorflow",
    "torch": "pytorch",
    "spacy": "spacy",
    "prophet": "prophet",
    "pmdarima": "pmdarima",
    "transformers": "transformers",
    "sentence_transformers": "sentence_transformers",
    "onnx": "onnx",
    "paddle": "paddle",
    "h2o": "h2o",
}
"""Top-level module of a model's class (or of one it derives from) → MLflow's flavour."""
ALWAYS = {"sklearn": ("sklearn", "numpy", "scipy")}
"""What a flavour needs even where unpickling does not name it."""


class UnsupportedModelError(Exception):
    """The object cannot be logged as a model; the text says why."""


@dataclass
class Loaded:
    """An unpickled object and the modules that were needed for it."""

    value: Any
    modules: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class ModelFormat:
    """How a model will be saved: MLflow's flavour, arguments of its `save_model`, and the reason of a lesser format."""

    flavour: str
    arguments: dict[str, Any]
    reason: str = ""


def load(data: bytes | bytearray) -> Loaded:
    """Unpickle `data` (which the caller has proven to be signed), noting what it imports."""
    loaded = Loaded(None)
    loaded.value = _ImportNotingUnpickler(data, loaded.modules).load()
    return loaded


def plan(model: Loaded) -> ModelFormat:
    """How to save the model. Raises `UnsupportedModelError`."""
    flavour = flavour_of(model.value)
    if flavour != "sklearn":
        return ModelFormat(flavour, {})
    if not hasattr(model.value, "predict") and not hasattr(model.value, "transform"):
        raise UnsupportedModelError(f"{_type_name(model.value)} has neither predict nor transform")
    trusted, reason = _skops(model.value)
    if reason:
        return ModelFormat(flavour, {"serialization_format": "cloudpickle"}, reason)
    return ModelFormat(flavour, {"serialization_format": "skops", "skops_trusted_types": trusted})


def flavour_of(model: Any) -> str:
    """MLflow's flavour for an object. Raises `UnsupportedModelError` where MLflow has none."""
    for kind in type(model).__mro__:
        found = FLAVOURS.get(kind.__module__.partition(".")[0])
        if found is not None:
            return found
    raise UnsupportedModelError(f"MLflow has no flavour for {_type_name(model)}")


def log_model(
    client: MlflowClient,
    run: MLflowRun,
    name: str,
    model: Loaded,
    sample: Any,
    how: ModelFormat,
    *,
    root: Path,
    params: dict[str, str],
) -> str:
    """Log `model` as `name`, made by `run` and an output of it; one that was logged half before is completed.

    Returns what is to be said of its signature, "" where that has all types. `params` describe the model in MLflow's
    list of models. `root` is the project whose own modules go with the model.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    kept = _logged_model(client, run, name, params)
    if kept.status == LoggedModelStatus.READY:
        return ""
    with tempfile.TemporaryDirectory(prefix="mlops-") as folder:
        path = Path(folder, "model")
        note = _save(path, model, sample, how, kept, run.info.run_id, root)
        client.log_model_artifacts(kept.model_id, str(path))
    there = run.outputs.model_outputs if run.outputs else []
    if kept.model_id not in [item.model_id for item in there]:
        client.log_outputs(run.info.run_id, [LoggedModelOutput(kept.model_id, 0)])
    client.finalize_logged_model(kept.model_id, LoggedModelStatus.READY)
    return note


def _logged_model(client: MlflowClient, run: MLflowRun, name: str, params: dict[str, str]) -> LoggedModel:
    experiment, run_id = run.info.experiment_id, run.info.run_id
    found = client.search_logged_models([experiment], f"source_run_id = '{run_id}' AND name = '{name}'", max_results=1)
    if found:
        return found[0]
    tags = {tag: value for tag, value in run.data.tags.items() if tag.startswith("mlflow.source.")}
    return client.create_logged_model(experiment, name, run_id, tags, params)


def _save(path: Path, model: Loaded, sample: Any, how: ModelFormat, kept: LoggedModel, run_id: str, root: Path) -> str:
    """Save with a signature, or without where MLflow would then hand other data to the model. Returns what to say."""
    found = signed(model.value, sample)
    needed = model.modules | set(ALWAYS.get(how.flavour, ())) | {type(sample).__module__}
    arguments = {
        "pip_requirements": requirements(needed, how),
        "code_paths": _project_code(model.modules, root) or None,
        **how.arguments,
    }
    write = partial(_write, path, model.value, how.flavour, kept, run_id, arguments)
    return _write_with(path, model, sample, found, write)


def _write_with(path: Path, model: Loaded, sample: Any, signed: Signed, write: Callable[..., None]) -> str:
    """Write the model with all that is known of its input, or with less where that cannot be. Returns what to say."""
    notes = [signed.note]
    try:
        write(signature=signed.signature, input_example=signed.example)
    except Exception as error:  # the example is kept as JSON, which not all types of columns can be
        if signed.example is None:
            raise
        notes.append(f"No input example: {type(error).__name__}: {error}.")
        shutil.rmtree(path, ignore_errors=True)
        write(signature=signed.signature)
    reason = differs(path, model.value, sample) if signed.loosened else ""
    if reason:
        shutil.rmtree(path)
        write()
        notes.insert(0, f"No signature: with one, MLflow's predict would not return what the model returns ({reason}).")
    return " ".join(filter(None, notes))


def _write(
    path: Path, model: Any, name: str, kept: LoggedModel, run_id: str, arguments: dict[str, Any], **about_input: Any
) -> None:
    from mlflow.models import Model

    flavour = importlib.import_module(f"mlflow.{name}")
    first = next(iter(inspect.signature(flavour.save_model).parameters))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flavour.save_model(
            **{first: model},
            path=str(path),
            mlflow_model=Model(
                artifact_path=kept.artifact_location, model_uuid=kept.model_id, run_id=run_id, model_id=kept.model_id
            ),
            **arguments,
            **about_input,
        )


def tags_of(name: str, how: ModelFormat, signature_note: str = "") -> dict[str, str]:
    """What the step's MLflow run tells of its model."""
    found = {"mlops.model": name, "mlops.model_flavour": how.flavour}
    if "serialization_format" in how.arguments:
        found["mlops.model_format"] = how.arguments["serialization_format"]
    if how.reason:
        found["mlops.model_format_reason"] = how.reason[:2000]
    if signature_note:
        found["mlops.model_signature"] = signature_note[:2000]
    return found


def requirements(modules: Iterable[str], how: ModelFormat) -> list[str]:
    """`name==version` of each distribution that provides one of the modules, and of what the format needs."""
    owners = metadata.packages_distributions()
    tops = {module.partition(".")[0] for module in modules} | {"mlflow"}
    tops.add("skops" if how.arguments.get("serialization_format") == "skops" else "cloudpickle")
    names = {owner for top in tops for owner in owners.get(top, ()) if not owner.startswith("mlflow-")}
    return sorted(f"{name}=={metadata.version(name)}" for name in names)


def _skops(model: Any) -> tuple[list[str], str]:
    """The audited types to trust, and "" or the reason why skops will not do."""
    import skops.io

    try:
        data = skops.io.dumps(model)
        types = sorted(skops.io.get_untrusted_types(data=data))
        foreign = [name for name in types if name not in AUDITED]
        if foreign:
            return [], f"types outside the audited list: {', '.join(foreign)}"
        skops.io.loads(data, trusted=types)
    except Exception as error:  # noqa: BLE001 - skops raises anything on types it does not know; cloudpickle takes over
        return [], f"skops cannot store it: {type(error).__name__}: {error}"
    return types, ""


def _project_code(modules: Iterable[str], root: Path) -> list[str]:
    """Files and packages of the project that the model's classes come from: they go with the model."""
    found = set()
    for top in {module.partition(".")[0] for module in modules}:
        file = getattr(sys.modules.get(top), "__file__", None)
        if file is None:
            continue
        path = Path(file)
        if root in path.parents and not is_installed_file(str(path)):
            found.add(str(path.parent if path.name == "__init__.py" else path))
    return sorted(found)


def _type_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


class _ImportNotingUnpickler(pickle.Unpickler):
    """Notes the modules that are imported, also those that functions kept by value refer to."""

    def __init__(self, data: bytes | bytearray, modules: set[str]) -> None:
        super().__init__(BytesIO(data))
        self._modules = modules

    def find_class(self, module: str, name: str) -> Any:
        self._modules.add(module)
        found = super().find_class(module, name)
        if name == "subimport" and module.startswith("cloudpickle"):

            def noted(imported: str) -> Any:
                self._modules.add(imported)
                return found(imported)

            return noted
        return found
