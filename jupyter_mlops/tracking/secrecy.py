"""What the notebook tells MLflow holds names in place of secrets: parameters, tags, texts, traces, whoever logs them.

Files that the notebook logs are its own, and go as they are.
"""

from __future__ import annotations

import dataclasses
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
            _replace(owner, name, _without_secrets)

    _guard_traces()


def _guard_traces() -> None:
    """What spans hold, before it is written down; other versions of MLflow may do so elsewhere."""
    span: Any = sys.modules.get("mlflow.entities.span")
    _replace(span, "dump_span_attribute_value", lambda write: lambda value: redact(write(value)))
    _replace(
        getattr(span, "LiveSpan", None),
        "add_event",
        lambda add: lambda self, event: add(self, dataclasses.replace(event, attributes=redact(event.attributes))),
    )
    _replace(getattr(sys.modules.get("opentelemetry.sdk.trace"), "Span", None), "end", _ending)


def _ending(end: Any) -> Any:
    def ended(self: Any, *arguments: Any, **named: Any) -> Any:
        status = getattr(self, "_status", None)
        if status is not None and redact(status.description) is not status.description:
            self._status = type(status)(status.status_code, redact(status.description))
        self._name = redact(self._name)
        return end(self, *arguments, **named)

    return ended


def _replace(owner: Any, name: str, wrapper: Any) -> None:
    call = getattr(owner, name, None)
    if call is not None and not hasattr(call, "_without_secrets"):
        made = wraps(call)(wrapper(call))
        vars(made)["_without_secrets"] = True
        setattr(owner, name, made)


def _without_secrets(call: Any) -> Any:
    def redacted(self: Any, *arguments: Any, **named: Any) -> Any:
        return call(self, *map(_redact, arguments), **{name: _redact(value) for name, value in named.items()})

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
