"""Parameters whose values are made for each fire time: Jinja2 templates, in its sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from jupyter_mlops.domain.schedule import Schedule
from jupyter_mlops.errors import InputError

MARKS = ("{{", "{%")
LONGEST = 10_000
"""Characters of a template."""
KNOWN = "fire_time, previous_fire_time, schedule.number, schedule.notebook, cause, days, hours, minutes"


def is_template(text: object) -> bool:
    """Whether a value is a text with Jinja2's marks."""
    return isinstance(text, str) and any(mark in text for mark in MARKS)


def render(
    templates: Mapping[str, str],
    schedule: Schedule,
    fire_at: datetime,
    previous: datetime | None,
    cause: Mapping[str, Any],
) -> dict[str, str]:
    """The texts for a fire time. Times are aware and in the schedule's time zone. Raises `InputError`."""
    if not templates:
        return {}
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    zone = ZoneInfo(schedule.timing.timezone)
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    values = {
        "fire_time": fire_at.astimezone(zone),
        "previous_fire_time": previous.astimezone(zone) if previous is not None else None,
        "schedule": {"number": schedule.number, "notebook": schedule.notebook},
        "cause": dict(cause),
        **{unit: _spans(unit) for unit in ("days", "hours", "minutes")},
    }
    texts = {}
    for name, text in templates.items():
        if len(text) > LONGEST:
            raise InputError(
                f"The template of parameter '{name}' is longer than {LONGEST} characters.", "Make it shorter."
            )
        try:
            texts[name] = environment.from_string(text).render(values)
        except TemplateError as error:
            raise _failed(name, text, str(error)) from None
        except Exception as error:  # noqa: BLE001 - a template can raise whatever its expressions do
            raise _failed(name, text, f"{type(error).__name__}: {error}") from None
    return texts


def _spans(unit: str) -> Any:
    return lambda number=1: timedelta(**{unit: number})


def _failed(name: str, text: str, why: str) -> InputError:
    return InputError(
        f"The template of parameter '{name}' cannot be rendered: {why}.",
        f"The template is {text!r}; it can use {KNOWN}. Example: '{{{{ (fire_time - days(1)).date() }}}}'.",
        parameter=name,
    )
