"""A flush that is done when it returns: what was printed is on its way before the cell goes on.

ipykernel's `flush` waits until its thread has taken the text, not until it has sent it. Native code that keeps the
interpreter to itself right afterwards keeps the text back too, and where the kernel is then killed, it is lost.
"""

from __future__ import annotations

import functools
import threading
from typing import Any


def send_before_flush_returns(shell: Any) -> None:
    """Let the thread that sends a kernel's outputs send at once what it is asked for by itself, as a flush does."""
    sender: Any = getattr(getattr(shell, "kernel", None), "iopub_thread", None)
    if getattr(sender, "thread", None) is None or not hasattr(sender, "_really_send"):
        return
    schedule = sender.send_multipart

    @functools.wraps(schedule)
    def send_multipart(*arguments: Any, **options: Any) -> None:
        if threading.current_thread() is sender.thread:
            sender._really_send(*arguments, **options)
        else:
            schedule(*arguments, **options)

    sender.send_multipart = send_multipart
