"""Plays scenarios: after each edit all cells must show what a plain run shows. Finds the smallest case that does not."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from .generate import EDITS, FILES, Cell, Scenario, Step, scenario
from .kernels import ForkedKernel, Shown, Zygote
from .running import scratch, write

_ADDRESS = re.compile(rb"0x[0-9a-f]{5,}")


@dataclass
class Difference:
    """A cell that showed something else than plainly, or a file that differs, after one step of a scenario."""

    step: int
    cell: Cell | None
    captured: object
    plain: object
    record: dict[str, object] = field(default_factory=dict)


@dataclass
class Played:
    """What came of a scenario."""

    scenario: Scenario
    edits: int = 0
    cells: int = 0
    reused: int = 0
    differences: list[Difference] = field(default_factory=list)
    needless: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    shown: list[list[Shown]] = field(default_factory=list)


class Side:
    """One of the two: with capture or plain."""

    def __init__(self, folder: Path, zygotes: tuple[Zygote, Zygote], capture: bool) -> None:
        self.folder = folder
        self.zygotes = zygotes
        self.capture = capture
        self.runs = 0
        self.kernel: ForkedKernel | None = None
        folder.mkdir()

    def play(self, step: Step, live: bool) -> list[Shown]:
        """Put the files there and run the cells."""
        write(self.folder, {name: text for name, text in step.files.items() if text or (self.folder / name).exists()})
        if self.kernel is None:
            self.kernel = self.zygotes[self.runs % 2].start(self.folder, self.capture)
        self.runs += 1
        cells = [{"id": cell.id, "code": cell.code, "tags": []} for cell in ordered(step)]
        shown = self.kernel.play(cells)
        if not live:
            self.close()
        return shown

    def close(self) -> None:
        if self.kernel is not None:
            self.kernel.close()
            self.kernel = None

    def files(self) -> dict[str, bytes]:
        """What lies in the folder, without the addresses of objects that texts tell."""
        found = {path.name: path for path in self.folder.iterdir() if path.is_file()}
        return {name: _ADDRESS.sub(b"0xADDRESS", path.read_bytes()) for name, path in sorted(found.items())}


def ordered(step: Step) -> list[Cell]:
    """The cells in the order they are run."""
    return [step.cells[index] for index in (range(len(step.cells)) if step.order is None else step.order)]


def play(story: Scenario, zygotes: tuple[Zygote, Zygote], *, whole: bool = False) -> Played:
    """Play a scenario up to the first difference, or, `whole`, to its end."""
    played = Played(story)
    with scratch() as folder, ExitStack() as stack:
        captured = Side(folder / "captured", zygotes, True)
        plain = Side(folder / "plain", zygotes, False)
        stack.callback(captured.close)
        stack.callback(plain.close)
        before: set[str] = set()
        for number, step in enumerate(story.steps):
            shown, expected = captured.play(step, story.live), plain.play(step, story.live)
            played.shown.append(shown)
            if number:
                played.edits += 1
                played.cells += len(shown)
                played.reused += sum(one.became == "reused" for one in shown)
            _compare(number, step, shown, expected, played)
            if captured.files() != plain.files():
                played.differences.append(Difference(number, None, captured.files(), plain.files()))
            ran = {cell.id for cell, one in zip(ordered(step), shown, strict=True) if one.became != "reused"}
            if step.edit.startswith(("comment", "nothing")) and number and not story.live and ran - before:
                played.needless.append(f"step {number} ({step.edit}): {sorted(ran - before)} ran, and had not before")
            before = ran
            if played.differences and not whole:
                break
    return played


def _compare(number: int, step: Step, shown: list[Shown], expected: list[Shown], played: Played) -> None:
    for cell, one, other in zip(ordered(step), shown, expected, strict=True):
        if one.outputs != other.outputs:
            record = {"became": one.became, **one.record}
            played.differences.append(Difference(number, cell, one.outputs, other.outputs, record))
        if one.complaint:
            played.complaints.append(f"step {number} {cell.id}: {one.complaint}")


def shrink(story: Scenario, zygotes: tuple[Zygote, Zygote], seconds: float = 60.0) -> Scenario:
    """A smaller scenario that still differs: fewer steps, then fewer cells, then fewer lines."""
    end = time.monotonic() + seconds

    def fails(candidate: Scenario) -> bool:
        return time.monotonic() < end and bool(play(candidate, zygotes).differences)

    played = play(story, zygotes)
    if not played.differences:
        return story
    story = replace(story, steps=story.steps[: played.differences[0].step + 1])
    for candidates in (_fewer_steps, _fewer_cells, _fewer_lines):
        changed = True
        while changed and time.monotonic() < end:
            changed = False
            for candidate in candidates(story):
                if fails(candidate):
                    story, changed = candidate, True
                    break
    return story


def _fewer_steps(story: Scenario) -> Iterator[Scenario]:
    size = len(story.steps)
    cuts = [range(size - 1), range(1, size - 1)] if size > 3 else []
    cuts += [range(index, index + 1) for index in range(size - 1)]
    for cut in cuts:
        kept: list[Step] = []
        files: dict[str, str | None] = {}
        for index, step in enumerate(story.steps):
            files = {**files, **step.files}
            if index not in cut:
                kept.append(replace(step, files=files))
                files = {}
        yield replace(story, steps=tuple(kept))


def _fewer_cells(story: Scenario) -> Iterator[Scenario]:
    for name in sorted({cell.id for step in story.steps for cell in step.cells}):
        yield replace(story, steps=tuple(_without(step, name) for step in story.steps))


def _without(step: Step, name: str) -> Step:
    left = [index for index, cell in enumerate(step.cells) if cell.id != name]
    order = None if step.order is None else tuple(left.index(index) for index in step.order if index in left)
    return replace(step, cells=tuple(step.cells[index] for index in left), order=order)


def _fewer_lines(story: Scenario) -> Iterator[Scenario]:
    codes = sorted(
        {cell.code for step in story.steps for cell in step.cells if "\n" in cell.code}, key=len, reverse=True
    )
    for code in codes:
        lines = code.split("\n")
        for index in range(len(lines)):
            fewer = "\n".join(lines[:index] + lines[index + 1 :])
            yield replace(story, steps=tuple(_with_code(step, code, fewer) for step in story.steps))


def _with_code(step: Step, old: str, new: str) -> Step:
    return replace(step, cells=tuple(replace(cell, code=new) if cell.code == old else cell for cell in step.cells))


def told(story: Scenario, zygotes: tuple[Zygote, Zygote]) -> str:
    """A scenario that differs, to be read by people: its runs, cells (code once), and why these ran or were reused."""
    played = play(story, zygotes)
    kind = "one live kernel" if story.live else "a fresh kernel for each run"
    lines = [f"seed {story.seed}, scenario {story.number}, {kind}"]
    told_before: set[Cell] = set()
    for number, (step, shown) in enumerate(zip(story.steps, played.shown, strict=False)):
        lines.append(f"--- run {number}: {step.edit}")
        lines += [f"    file {name}: {text!r}" for name, text in step.files.items() if text != FILES.get(name)]
        for cell, one in zip(ordered(step), shown, strict=True):
            why, unrepeatable = one.record.get("why", ""), one.record.get("unrepeatable", "")
            lines.append(f"  [{cell.id}] {one.became}: {why} {unrepeatable}".rstrip())
            lines += [f"      {line}" for line in cell.code.split("\n") if cell not in told_before]
            told_before.add(cell)
    for difference in played.differences:
        place = f"[{difference.cell.id}]" if difference.cell else "files"
        lines.append(f"=> run {difference.step} {place} {difference.record.get('became', '')}")
        lines += [f"   captured: {difference.captured}", f"   plain:    {difference.plain}"]
    return "\n".join(lines)


def play_many(seed: int, numbers: Iterable[int], zygotes: list[tuple[Zygote, Zygote]]) -> Iterator[Played]:
    """Play many scenarios, as many at once as there are pairs of zygotes."""
    import queue

    free: queue.SimpleQueue[tuple[Zygote, Zygote]] = queue.SimpleQueue()
    for pair in zygotes:
        free.put(pair)

    def one(number: int) -> Played:
        pair = free.get()
        try:
            return play(scenario(seed, number), pair)
        finally:
            free.put(pair)

    with ThreadPoolExecutor(len(zygotes)) as pool:
        yield from pool.map(one, numbers)


__all__ = ["EDITS", "Played", "play", "play_many", "shrink", "told"]
