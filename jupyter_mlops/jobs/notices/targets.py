"""To whom notices go: `[EVENTS=]TARGET` as it is asked for, and what the project's `mlops.toml` says of targets.

A target is a name of that file, a URL, `mailto:ADDRESS` or `command:WORDS`. What is to be kept from others (a key, a
password, a URL with a token) stands there as `secret:NAME` and is looked up when a notice is sent.
"""

from __future__ import annotations

import logging
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_mlops.domain.notice import EVENTS, FAILURE, GOES_TO, RECOVERY
from jupyter_mlops.domain.parameter import SECRET
from jupyter_mlops.errors import InputError, MLOpsError, UnknownNameError

FILE = "mlops.toml"
DEFAULT_EVENTS = (FAILURE, RECOVERY)
_EVENTS_PART = re.compile(rf"((?:{'|'.join(EVENTS)})(?:,(?:{'|'.join(EVENTS)}))*)=(.+)", re.DOTALL)
_KEPT_FORM = re.compile(rf"(?:{'|'.join(EVENTS)})(?:,(?:{'|'.join(EVENTS)}))*{GOES_TO}")
_KEYS = {"url", "mail", "command", "on", "always", "key"}
_SMTP_KEYS = {"server", "from", "user", "password"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """Where a notice goes. `value` is a URL, addresses or the words of a command; it may hold `secret:NAME`."""

    kind: str
    value: tuple[str, ...]
    key: str | None = None
    """Names the key by which a webhook's body is signed."""
    smtp: Mapping[str, str] = field(default_factory=dict)


def targets_of(root: Path, asked: Sequence[str]) -> tuple[str, ...]:
    """`EVENTS:=TARGET` for each target that was asked for, and for those that `mlops.toml` has for every run.

    Raises `InputError` or `UnknownNameError` for what was asked for; the file's faults only do where it is needed.
    """
    made = dict.fromkeys(check_target(root, text) for text in asked)
    try:
        config = _targets(read_config(root))
        for name, table in config.items():
            if table.get("always") and not any(text.endswith(f"{GOES_TO}{name}") for text in made):
                made[f"{_events(table)}{GOES_TO}{name}"] = None
    except MLOpsError as error:
        logger.warning("No notifications are sent by %s: %s %s", FILE, error.message, error.hint)
    return tuple(made)


def check_target(root: Path, text: str) -> str:
    """`EVENTS:=TARGET` of what was asked for. Raises `InputError` or `UnknownNameError`.

    What has this form was asked for before: it stands, whatever became of the target since.
    """
    if _KEPT_FORM.match(text):
        return text
    match = _EVENTS_PART.fullmatch(text)
    events, name = (match[1], match[2]) if match else (None, text)
    if not re.match(r"(https?:|mailto:|command:)", name):
        config = _targets(read_config(root))
        if name not in config:
            if "=" in name and not match:
                raise InputError(f"'{text}' does not begin with an event.", f"The events are {', '.join(EVENTS)}.")
            hint = f"Use the name of a [notify.NAME] table in {FILE}, a URL, mailto:ADDRESS or command:WORDS."
            raise UnknownNameError(f"There is no target named '{name}'.", hint)
        return f"{events or _events(config[name])}{GOES_TO}{name}"
    _ad_hoc(name, {})
    return f"{events or ','.join(DEFAULT_EVENTS)}{GOES_TO}{name}"


def find_target(root: Path, name: str) -> Target:
    """The target as it is to be sent to now. Raises `InputError` or `UnknownNameError`."""
    config = read_config(root)
    if re.match(r"(https?:|mailto:|command:)", name):
        return _ad_hoc(name, config)
    tables = _targets(config)
    if name not in tables:
        raise UnknownNameError(f"The target '{name}' no longer exists.", f"Add [notify.{name}] to {FILE}.")
    table = tables[name]
    smtp = _smtp(config)
    if "url" in table:
        return Target("url", (_url(str(table["url"])),), str(table.get("key") or _key(config) or "") or None)
    if "mail" in table:
        return Target("mail", _texts(table["mail"]), smtp=smtp)
    return Target("command", _words(table["command"]))


def read_config(root: Path) -> dict[str, Any]:
    """The project's `mlops.toml`, {} where there is none. Raises `InputError`."""
    path = root / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"'{path}' cannot be read: {error}.", "Fix or remove the file.") from error
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"'{path}' is not valid TOML: {error}.", "Fix or remove the file.") from error


def _targets(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    tables = config.get("notify", {})
    if not isinstance(tables, dict):
        raise InputError(f"'notify' in {FILE} is not a table.", "Write a table for each target, such as [notify.ops].")
    for name, table in tables.items():
        kinds = [key for key in ("url", "mail", "command") if isinstance(table, dict) and key in table]
        if len(kinds) != 1 or set(table) - _KEYS:
            raise InputError(
                f"[notify.{name}] in {FILE} is not a valid target.",
                "Give it one of url, mail or command and, if needed, on, always or key.",
            )
        _events(table)
    return tables


def _events(table: Mapping[str, Any]) -> str:
    events = table.get("on", list(DEFAULT_EVENTS))
    if not isinstance(events, list) or not events or not all(event in EVENTS for event in events):
        raise InputError(f"'on = {events!r}' in {FILE} does not list events.", f'Write it as on = ["{EVENTS[0]}"].')
    return ",".join(events)


def _ad_hoc(name: str, config: Mapping[str, Any]) -> Target:
    kind, _, rest = name.partition(":")
    if kind == "mailto":
        if "@" not in rest or re.search(r"[\s<>]", rest):
            raise InputError(f"'{rest}' is not a mail address.", "Write it as mailto:me@example.com")
        return Target("mail", tuple(rest.split(",")), smtp=_smtp(config) if config else {})
    if kind == "command":
        return Target("command", _words(rest))
    return Target("url", (_url(name),), _key(config))


def _url(text: str) -> str:
    if SECRET.match(text):
        return text
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"'{text}' is not a URL.", "Write it as https://example.com/hook")
    if parts.username or parts.password:
        raise InputError(
            "The URL contains a password, which would be recorded.",
            f"Store the URL as a secret, and write url = 'secret:NAME' in {FILE}.",
        )
    return text


def _key(config: Mapping[str, Any]) -> str | None:
    table = config.get("webhook", {})
    return str(table["key"]) if isinstance(table, dict) and "key" in table else None


def _smtp(config: Mapping[str, Any]) -> dict[str, str]:
    table = config.get("smtp", {})
    if not isinstance(table, dict) or set(table) - _SMTP_KEYS:
        raise InputError(
            f"[smtp] in {FILE} is not a table, or has an unknown key.", "Its keys are server, from, user and password."
        )
    return {name: str(value) for name, value in table.items()}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _words(value: object) -> tuple[str, ...]:
    try:
        words = _texts(value) if isinstance(value, list) else tuple(shlex.split(str(value)))
    except ValueError as error:
        raise InputError(f"'{value}' is not a valid command: {error}.", "Close the quotes.") from error
    if not words:
        raise InputError("The command is empty.", "Write it as command:./notify.sh")
    return words
