"""What a cell shows, recorded message by message while it goes to the front end as ever, and replayed later.

Works on an ipykernel's shell; any other shell (a terminal) shows as ever, and its steps are not reused.
"""

from __future__ import annotations

import json
import sys
import threading
from io import StringIO
from typing import TYPE_CHECKING, Any, cast

from jupyter_mlops.domain.json_text import loads
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.terminal import standing
from jupyter_mlops.secrets.events import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipykernel.displayhook import ZMQShellDisplayHook
    from ipykernel.zmqshell import ZMQDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

WIDGET = "application/vnd.jupyter.widget-view+json"
NOTE = "application/vnd.jupyter-mlops.note+json"
"""Marks our own line among a cell's outputs, so that tools can tell it from the cell's."""
WARNING = "warning"
"""What a note says it is that tells something the user should know."""
METADATA = "jupyter_mlops"
"""Where the cells of a notebook that a job executed say that they were reused."""
LONG = 1 << 15
"""From so many characters on a stream's text is not written as JSON."""
_PIECES = 4096
Event = dict[str, Any]
_to_json = json.JSONEncoder(ensure_ascii=False).encode
"""Taken at import: a notebook may put something else in place of `json.dumps`."""


def can_record(shell: InteractiveShell) -> bool:
    """Whether this shell's displays are messages."""
    return hasattr(shell, "kernel") and hasattr(shell.display_pub, "register_hook")


def _publisher(shell: InteractiveShell) -> ZMQDisplayPublisher:
    return cast("ZMQDisplayPublisher", shell.display_pub)


def _display_hook(shell: InteractiveShell) -> ZMQShellDisplayHook:
    return cast("ZMQShellDisplayHook", shell.displayhook)


class DisplayRecorder:
    """Records between `start` and `stop`; `events` is what `replay` takes.

    Of more text than `limit` nothing is kept: what the notebook would show of it is not all that the step printed.
    """

    def __init__(self, shell: InteractiveShell, limit: int = sys.maxsize) -> None:
        self.shell = shell
        self._limit = limit
        self._size = 0
        """Characters of text so far; where that passes the limit, those that a terminal leaves standing."""
        self._recorded: list[Event] = []
        self._text = StringIO()
        """What was written since the last event, to the stream that is named last."""
        self._pieces: list[str] = []
        """What was written since then, print by print."""
        self._name = ""
        self._streams: list[Any] = []
        self._lock = threading.Lock()

    @property
    def events(self) -> list[Event]:
        """What was shown so far."""
        self._end_text()
        return self._recorded

    def start(self) -> None:
        """Begin to record."""
        _publisher(self.shell).register_hook(self._message)
        hook = _display_hook(self.shell)
        finish: Callable[[], None] = hook.finish_displayhook

        def recorded_finish() -> None:
            if hook.msg is not None:
                self._message(hook.msg)
            finish()

        vars(hook)["finish_displayhook"] = recorded_finish
        for name in ("stdout", "stderr"):
            self._tap(name, getattr(sys, name))

    def _tap(self, name: str, stream: Any) -> None:
        write = stream.write
        keep = self._pieces.append

        def recorded_write(text: str) -> Any:
            # Once for each print, and twice: so little is done here.
            written = write(text)
            if self._name != name:
                self._end_text()
                self._name = name
            keep(text)
            if len(self._pieces) > _PIECES or len(text) > LONG:
                self._gather()
            return written

        stream.write = recorded_write
        self._streams.append(stream)

    def stop(self) -> None:
        """End recording and leave the shell as it was."""
        _publisher(self.shell).unregister_hook(self._message)
        vars(self.shell.displayhook).pop("finish_displayhook", None)
        for stream in self._streams:
            vars(stream).pop("write", None)

    def _gather(self) -> None:
        """Put together what was written, and see whether it is too much."""
        with self._lock:  # threads print too
            count = len(self._pieces)
            text = "".join(self._pieces[:count])
            del self._pieces[:count]
            if self._size > self._limit:
                return
            self._text.write(text)
            self._size += len(text)
            if self._size > self._limit:
                self._shrink()

    def _end_text(self) -> None:
        self._gather()
        with self._lock:
            self._keep_text()

    def _keep_text(self) -> None:
        text = self._text.getvalue()
        if text:
            self._text = StringIO()
            self._recorded.append({"type": "stream", "name": self._name, "text": text})

    def _shrink(self) -> None:
        """A bar writes over itself a million times: that is little text."""
        self._keep_text()
        streams = [event for event in self._recorded if event["type"] == "stream"]
        for event in streams:
            event["text"] = standing(event["text"])
        self._size = sum(len(event["text"]) for event in streams)
        if self._size > self._limit // 2:
            self._size = sys.maxsize
            self._recorded = [event for event in self._recorded if event["type"] != "stream"]
            return
        if self._recorded[-1]["type"] == "stream":
            last = self._recorded.pop()
            self._text.write(last["text"])
            self._name = last["name"]

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        if NOTE not in message["content"].get("data", {}):
            self._end_text()
            self._recorded.append({"type": message["header"]["msg_type"], "content": dict(message["content"])})
        return message

    def doubts(self) -> list[Reason]:
        """Why these displays cannot stand for the cell's another time."""
        self._end_text()
        if self._size > self._limit:
            return [Reason(ReasonCode.PRINTS_MUCH, f"{self._limit:,}")]
        for event in self.events:
            if WIDGET in event.get("content", {}).get("data", {}):
                return [Reason(ReasonCode.WIDGET)]
        return []


def encode(events: list[Event]) -> bytes:
    """Events as bytes: a line of JSON, and below it the long texts of streams as they are.

    Raises `TypeError` or `ValueError` for what is not JSON.
    """
    told: list[Event] = []
    long: list[bytes] = []
    for event in without_secrets(events):
        if len(event.get("text", "")) >= LONG:
            long.append(event["text"].encode("utf-8", "surrogatepass"))
            event = {**event, "text": len(long[-1])}
        told.append(event)
    line = _to_json(told).encode("utf-8", "surrogatepass")
    return b"".join([line, b"\n", *long]) if long else line


def decode(data: bytes | bytearray) -> list[Event]:
    """The events again."""
    end = data.find(b"\n")
    line, place = (data, len(data)) if end < 0 else (data[:end], end + 1)
    events: list[Event] = loads(line.decode("utf-8", "surrogatepass"))
    for event in events:
        if isinstance(event.get("text"), int):
            size = event["text"]
            event["text"] = data[place : place + size].decode("utf-8", "surrogatepass")
            place += size
    return events


def replay(shell: InteractiveShell, events: list[Event]) -> None:
    """Show the events as if the cell had shown them now."""
    for event in events:
        content = event.get("content", {})
        if event["type"] == "stream":
            getattr(sys, event["name"]).write(event["text"])
        elif event["type"] == "clear_output":
            shell.display_pub.clear_output(wait=content.get("wait", False))
        elif event["type"] == "execute_result":
            _execute_result(shell, content)
        else:
            shell.display_pub.publish(
                data=content["data"],
                metadata=content["metadata"],
                transient=content.get("transient"),
                update=event["type"] == "update_display_data",
            )


def _execute_result(shell: InteractiveShell, content: dict[str, Any]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    hook = _display_hook(shell)
    content = {**content, "execution_count": hook.prompt_count}
    assert hook.session is not None
    hook.session.send(hook.pub_socket, "execute_result", content, parent=hook.parent_header, ident=hook.topic)
