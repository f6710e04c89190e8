"""Takes out of a run's tags what decided something before revision 0007: it has columns of its own now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TRACKED_AT = {
    "mlops.tracking_uri": "uri",
    "mlops.experiment": "experiment",
    "mlops.experiment_id": "experiment_id",
}


def former_tags(tags: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
    """The tags that are left, and the values of the columns that are new.

    Names of files that were edited were joined by ", ": one that holds this itself is told in two parts.
    """
    left = dict(tags)
    place = {name: left.pop(tag) for tag, name in _TRACKED_AT.items() if tag in left}
    changed = [path for path in left.pop("source_changed", "").split(", ") if path]
    return left, {
        "kernel_name": left.pop("kernel", None),
        "tracked_at": place or None,
        "asked_as": left.pop("asked_as", None),
        "host": left.pop("host", None),
        "stop": left.pop("stop", ""),
        "changed_sources": changed or None,
        "in_shared_process": left.pop("shared_process", "") == "true",
        "kernel_gone": left.pop("ended", "") == "kernel gone",
    }
