"""Whether a tracking server can be reached, found out in seconds; MLflow's own retries take minutes."""

from __future__ import annotations

import socket
import urllib.request
from urllib.parse import urlsplit

from jupyter_mlops.tracking.uri import shown_uri

PATIENCE = 3.0
"""Seconds to connect."""


def problem_with(address: str) -> str:
    """Why the host of a tracking URI cannot be reached; "" where it can, or where no server is meant."""
    parts = urlsplit(address)
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host:
        return ""
    if parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
        return ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except OSError as error:
        return f"the tracking server {shown_uri(address)} does not answer ({error})"
    return ""
