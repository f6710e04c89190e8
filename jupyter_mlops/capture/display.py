"""What a cell shows, recorded message by message while it goes to the front end as ever, and replayed later.

Works on an ipykernel's shell; any other shell (a terminal) shows as ever, and its steps are not reused.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from jupyter_mlops.domain.json_text import loads
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.secrets.events import without_secrets

if TYPE_CHECKING:
    from jupyter_mlops.capture.world import Pending

WIDGET = "application/vnd.jupyter.widget-view+json"
NOTE = "application/vnd.jupyter-mlops.note+json"
"""Marks our own line among a cell's outputs, so that tools can tell it from the cell's."""
WARNING = "warning"
"""What a note says it is that tells something the user should know."""
METADATA = "jupyter_mlops"
"""Where the cells of a notebook that a job executed say that they were reused."""
LONG = 1 << 15
"""From so many characters on a stream's text is not written as JSON."""
Event = dict[str, Any]
_to_json = json.JSONEncoder(ensure_ascii=False).encode
"""Taken at import: a notebook may put something else in place of `json.dumps`."""


def can_record(shell: Any) -> bool:
    """Whether this shell's displays are messages."""
    return hasattr(shell, "kernel") and hasattr(shell.display_pub, "register_hook")


class DisplayRecorder:
    """Records between `start` and `stop`; `events` is what `replay` takes."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.events: list[Event] = []
        self._streams: list[Any] = []

    def start(self) -> None:
        """Begin to record."""
        self.shell.display_pub.register_hook(self._message)
        hook = self.shell.displayhook
        finish = hook.finish_displayhook

        def recorded_finish() -> None:
            if hook.msg is not None:
                self._message(hook.msg)
            finish()

        hook.finish_displayhook = recorded_finish
        for name in ("stdout", "stderr"):
            self._tap(name, getattr(sys, name))

    def _tap(self, name: str, stream: Any) -> None:
        write = stream.write

        def recorded_write(text: str) -> Any:
            written = write(text)
            self._stream(name, text)
            return written

        stream.write = recorded_write
        self._streams.append(stream)

    def stop(self) -> None:
        """End recording and leave the shell as it was."""
        self.shell.display_pub.unregister_hook(self._message)
        vars(self.shell.displayhook).pop("finish_displayhook", None)
        for stream in self._streams:
            vars(stream).pop("write", None)

    def _stream(self, name: str, text: str) -> None:
        last = self.events[-1] if self.events else None
        if last is not None and last["type"] == "stream" and last["name"] == name:
            last["text"] += text
        else:
            self.events.append({"type": "stream", "name": name, "text": text})

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        if NOTE not in message["content"].get("data", {}):
            self.events.append({"type": message["header"]["msg_type"], "content": dict(message["content"])})
        return message

    def doubts(self) -> list[Reason]:
        """Why these displays cannot stand for the cell's another time."""
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


def replay(shell: Any, events: list[Event]) -> None:
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


def _execute_result(shell: Any, content: dict[str, Any]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    hook = shell.displayhook
    content = {**content, "execution_count": hook.prompt_count}
    hook.session.send(hook.pub_socket, "execute_result", content, parent=hook.parent_header, ident=hook.topic)


class NotRestored:
    """Stands in `_` and `Out` for a value that a reused step showed: its step (`source`) runs again where it is read.

    Where the value is that of a name which is not loaded yet, `name` and `held` say so: it comes with that.
    """

    def __init__(self, step: str, source: str, name: str = "", held: Pending | None = None) -> None:
        self._step = step
        self.source = source
        self.name = name
        self.held = held

    def __repr__(self) -> str:
        return f"<the value that step '{self._step}' showed was not kept; run it with --no-cache to have it>"
