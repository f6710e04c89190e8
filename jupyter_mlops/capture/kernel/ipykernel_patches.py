"""What a kernel sends is sent: at once when it is flushed, also where it is killed next, and whatever a notebook does to
`json.dumps`."""

from __future__ import annotations

import functools
import json
import os
import threading
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from jupyter_mlops.domain import variables

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def send_before_flush_returns(shell: InteractiveShell) -> None:
    """Let a flush be done when it returns: what was printed is on its way before the cell goes on.

    ipykernel's waits until its thread has taken the text, not until it has sent it. Native code that keeps the
    interpreter to itself right afterwards keeps the text back too, and where the kernel is then killed, it is lost.
    """
    sender: Any = getattr(getattr(shell, "kernel", None), "iopub_thread", None)
    if getattr(sender, "thread", None) is None or not hasattr(sender, "_really_send"):
        return
    schedule = sender.send_multipart

    @functools.wraps(schedule)
    def send_multipart(*arguments: object, **options: object) -> None:
        if threading.current_thread() is sender.thread:
            sender._really_send(*arguments, **options)
        else:
            schedule(*arguments, **options)

    sender.send_multipart = send_multipart


def keep_last_words(shell: InteractiveShell) -> None:
    """Let the runner of a job find the messages that were still on their way when this kernel was killed."""
    sender: Any = getattr(getattr(shell, "kernel", None), "iopub_thread", None)
    path = os.environ.pop(variables.LAST_WORDS, None)
    if path is None or not hasattr(sender, "_really_send"):
        return
    from jupyter_mlops.store.files.last_words import LastWordsFile

    words, lock = LastWordsFile(Path(path)), threading.Lock()
    schedule = sender.send_multipart

    @functools.wraps(schedule)
    def send_multipart(msg: Any, *arguments: object, **options: Any) -> None:
        # One lock for both, so that they stand in the file in the order in which they are sent.
        with lock:
            words.keep(msg)
            schedule(msg, *arguments, **options)

    sender.send_multipart = send_multipart


def keep_packing(shell: InteractiveShell) -> None:
    """Let messages be packed by the json of now: a notebook that exchanges its functions would get no answer any more."""
    session = getattr(getattr(shell, "kernel", None), "session", None)
    if session is not None:
        session.pack, session.unpack = _own(session.pack), _own(session.unpack)


def _own(function: object) -> Any:
    if not isinstance(function, FunctionType) or function.__globals__.get("json") is not json:
        return function
    names = {**function.__globals__, "json": SimpleNamespace(**vars(json))}
    own = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    own.__kwdefaults__ = function.__kwdefaults__
    return own
