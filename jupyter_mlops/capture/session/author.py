"""What the author should know is told to whoever listens to a kernel's steps. The events' classes come with the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_mlops.capture.session.events import StepListener


def warn(listener: StepListener, message: str, hint: str) -> None:
    """Something the author should know; the cell goes on."""
    from jupyter_mlops.capture.session.events import AuthorWarned

    listener.on_event(AuthorWarned(message, hint))
