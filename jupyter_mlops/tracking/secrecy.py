"""What the notebook tells MLflow holds names in place of secrets: parameters, tags, texts, whoever logs them.

Files that the notebook logs are its own, and go as they are.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import Any

from jupyter_mlops.secrets.known import KNOWN, redact
from jupyter_mlops.secrets.redaction import redact_all
from jupyter_mlops.tracking.imports import ImportWatch

_SERVICE = (
    *(
        "create_run",
        "create_experiment",
        "rename_experiment",
        "log_param",
        "log_batch",
        "set_tag",
        "set_experiment_tag",
    ),
    *("update_run", "log_inputs", "create_logged_model", "log_model_params", "set_logged_model_tags"),
)
_CLIENT = ("log_text", "log_dict", "log_table", "set_trace_tag", "create_registered_model", "create_model_version")
_CLIENT_TAGS = ("set_registered_model_tag", "set_model_version_tag", "update_registered_model", "update_model_version")


def guard() -> None:
    """See to it that MLflow hears no secret, now or when it is imported."""
    if "mlflow" in sys.modules:
        _guard()
    else:
        _watch.install()


def _guard() -> None:
    from mlflow.tracking._tracking_service.client import TrackingServiceClient
    from mlflow.tracking.client import MlflowClient

    _watch.remove()
    for owner, names in ((TrackingServiceClient, _SERVICE), (MlflowClient, (*_CLIENT, *_CLIENT_TAGS))):
        for name in names:
            call = getattr(owner, name, None)
            if call is not None and not hasattr(call, "_without_secrets"):
                setattr(owner, name, _without_secrets(call))


def _without_secrets(call: Any) -> Any:
    @wraps(call)
    def redacted(self: Any, *arguments: Any, **named: Any) -> Any:
        return call(self, *map(_redact, arguments), **{name: _redact(value) for name, value in named.items()})

    vars(redacted)["_without_secrets"] = True
    return redacted


def _redact(value: Any) -> Any:
    """Texts in plain structures, and in MLflow's own pairs of key and value."""
    patterns = KNOWN.patterns
    if patterns is None:
        return value
    if isinstance(value, (list, tuple)) and any(hasattr(item, "key") and hasattr(item, "value") for item in value):
        return [_redact_pair(item) for item in value]
    return redact_all(patterns, value)


def _redact_pair(item: Any) -> Any:
    made = redact(getattr(item, "value", None))
    if isinstance(made, str) and made is not item.value:
        return type(item)(redact(item.key), made)
    return item


_watch = ImportWatch("mlflow", _guard)
