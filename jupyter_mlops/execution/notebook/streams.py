"""The streams of one cell as its notebook shows them: pieces joined, and of much text head and tail, the rest in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nbformat import NotebookNode

from jupyter_mlops.capture.observe.display import METADATA
from jupyter_mlops.domain.terminal import Screen, first_kept, standing
from jupyter_mlops.execution.notebook.nodes import OutputNode
from jupyter_mlops.execution.notebook.overflow import Overflow

_WEIGHT = 100
"""Characters that an output counts for besides its text."""
Moved = Callable[[Callable[[int], int]], None]
"""Told where outputs stand now: place before → place after."""


class Shown:
    """Of one cell. What is added is in `outs` after `flush_outputs`; the whole text is in `overflow` where it is too much."""

    def __init__(self, outs: list[OutputNode], limit: int, overflow: Overflow, moved: Moved) -> None:
        self.outs = outs
        self._limit = limit
        self._overflow = overflow
        self._moved = moved
        self.reset()

    def reset(self) -> None:
        """The outputs were cleared."""
        self._output: OutputNode | None = None
        self._screen = Screen()
        self._before = 0
        """Characters of the outputs before the last, as far as they can still go."""
        self._marker: OutputNode | None = None
        self._left_out = 0

    def sort_out(self, text: str, cleared: bool) -> dict[str, Any] | None:
        """Whether a text that comes next is too much: it then goes to the file, and where there is what is given."""
        if self._marker is None or cleared:
            shown = 0 if cleared else self._before + self._screen.length
            if shown + len(text) <= self._limit or shown + len(standing(text)) <= self._limit:
                return None
            self._overflow.begin([] if cleared else self._texts())
        return {**self._overflow.append(text), "limit": self._limit}

    def follow(self, told: dict[str, Any]) -> None:
        """Do as was done with a piece of which `sort_out` gave this."""
        self._limit, path = told["limit"], Path(told["path"])
        self._overflow = Overflow(path, f"{path.parent.name}/{path.name}", told.get("problem", ""))

    def add(self, name: str, text: str, told: dict[str, Any] | None) -> OutputNode:
        """Put a piece in its place; the piece as an output. `told` is what `sort_out` said of it."""
        outs = self.outs
        if not outs or outs[-1] is not self._output or self._output.name != name:
            self.flush_outputs()
            self._before += 0 if self._output is None else self._screen.length + _WEIGHT
            self._output, self._screen = NotebookNode(output_type="stream", name=name, text=""), Screen()
            outs.append(self._output)
        self._screen.feed(text)
        if told is not None and (self._marker is None or self._before + self._screen.length > self._limit):
            self._cut()
        return NotebookNode(output_type="stream", name=name, text=text)

    def close(self) -> None:
        """Nothing is added any more."""
        self.flush_outputs()
        self._overflow.close()

    def flush_outputs(self) -> None:
        """Let the outputs hold what was added."""
        if self._output is not None:
            self._output.text = self._screen.take()
        if self._marker is not None:
            self._marker.data = _told(self._overflow, self._left_out)
            self._marker.metadata[METADATA]["characters_left_out"] = self._left_out

    def _texts(self) -> list[str]:
        self.flush_outputs()
        return [output.text for output in self.outs if output.output_type == "stream"]

    def _cut(self) -> None:
        """Leave the beginning above the line that tells of the rest, and below it the end."""
        self.flush_outputs()
        marker = self._marker or self._mark()
        outs, start = self.outs, self.outs.index(marker) + 1
        left, kept, places = self._limit // 2, [], []
        for place in reversed(range(start, len(outs))):
            output = outs[place]
            if output.output_type == "stream":
                if left <= 0:
                    self._left_out += len(output.text)
                    continue
                self._shorten(output, left)
                left -= len(output.text) + _WEIGHT
            kept.append(output)
            places.append(place)
        places = [*range(start), *reversed(places)]
        outs[start:] = reversed(kept)
        self._moved({before: after for after, before in enumerate(places)}.__getitem__)
        streams = [output for output in outs[start:] if output.output_type == "stream" and output is not self._output]
        self._before = sum(len(output.text) + _WEIGHT for output in streams)

    def _shorten(self, output: OutputNode, most: int) -> None:
        if len(output.text) <= most:
            return
        if output is self._output:
            self._left_out += self._screen.keep_last(most)
            output.text = self._screen.take()
            return
        cut = first_kept(output.text, most)
        output.text, self._left_out = output.text[cut:], self._left_out + cut

    def _mark(self) -> OutputNode:
        """Put the line that tells of the rest below the first half of what may be shown."""
        outs, left = self.outs, self._limit // 2
        place = 0
        for place, output in enumerate(outs):  # noqa: B007 - where it ends is what is looked for
            left -= len(output.text) if output.output_type == "stream" else 0
            if left <= 0:
                break
        noted = {METADATA: {"output_file": self._overflow.shown}}
        marker = self._marker = NotebookNode(output_type="display_data", data={}, metadata=noted)
        head = output.text[: len(output.text) + left]
        head = head[: head.rfind("\n") + 1] or head
        rest = NotebookNode(output_type="stream", name=output.name, text=output.text[len(head) :])
        if output is self._output:
            self._screen.forget_first(len(head))
            self._output = rest
        output.text = head
        outs[place + 1 : place + 1] = [marker, rest]
        self._moved(lambda before: before if before <= place else before + 2)
        return marker


def _told(overflow: Overflow, left_out: int) -> dict[str, str]:
    if overflow.problem:
        text = f"… {left_out:,} characters are not shown here, and could not be written to {overflow.shown}: "
        text += overflow.problem
        return {"text/plain": text}
    text = f"… {left_out:,} characters are not shown here. Everything this cell printed is in "
    link = f"[{overflow.shown}]({quote(overflow.shown)})"
    return {"text/plain": text + overflow.shown, "text/markdown": text + link}
