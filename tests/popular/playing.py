"""Plays the notebooks of `notebooks/` with capture and plainly, and tells what of each was reused.

`python -m tests.popular.playing NAME...` prints it as JSON; it needs the libraries, and nothing else that tests need.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.oracle.kernels import Shown, Zygote
from tests.oracle.running import scratch
from tests.oracle.trap import Cells, Trap
from tests.oracle.traps import parsed

NOTEBOOKS = Path(__file__).with_name("notebooks")


@dataclass
class Played:
    """What became of a notebook. `again` are its cells that ran a second time though nothing had changed, with the reason."""

    name: str
    cells: int = 0
    repeatable: int = 0
    """Cells that are not made to run always, by the notebook's own word."""
    reused: int = 0
    reused_after_edit: int = 0
    kept_after_edit: int = 0
    """Cells that the edit does not concern."""
    again: dict[str, str] = field(default_factory=dict)
    differs: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """How many of the repeatable cells were reused."""
        return self.reused / self.repeatable


def notebook(name: str) -> Trap:
    """A notebook, with its edit."""
    return parsed(f"{name}\n{(NOTEBOOKS / f'{name}.txt').read_text(encoding='utf-8')}")


def names() -> list[str]:
    """All notebooks."""
    return sorted(path.stem for path in NOTEBOOKS.glob("*.txt"))


def play(name: str, zygotes: tuple[Zygote, Zygote]) -> Played:
    """Play a notebook twice and after its edit, each in a fresh kernel, with capture and plainly."""
    trap = notebook(name)
    ways = {"first": trap.first(), "unchanged": trap.first(), "edited": trap.second()}
    captured, plain = _played(ways, zygotes, True), _played(ways, zygotes, False)
    played = Played(name, len(ways["first"]), len(ways["first"]) - len(trap.always))
    for way, cells in ways.items():
        for cell, one, expected in zip(cells, captured[way], plain[way], strict=True):
            if one.outputs != expected.outputs:
                played.differs.append(f"[{way}] {cell['id']} {one.became}: {one.outputs}, plainly {expected.outputs}")
            if one.complaint:
                played.complaints.append(f"[{way}] {cell['id']}: {one.complaint}")
    for cell, one in _chosen(ways["first"], captured["unchanged"], trap.always):
        played.reused += one.became == "reused"
        if one.became != "reused":
            played.again[cell["code"].splitlines()[0]] = _why(one)
    concerned = {*trap.change, *trap.runs, *trap.may, *trap.always}
    for _, one in _chosen(ways["edited"], captured["edited"], concerned):
        played.kept_after_edit += 1
        played.reused_after_edit += one.became == "reused"
    return played


def _played(ways: dict[str, Cells], zygotes: tuple[Zygote, Zygote], capture: bool) -> dict[str, list[Shown]]:
    shown = {}
    with scratch() as folder:
        for number, (way, cells) in enumerate(ways.items()):
            path = folder / "notebook.ipynb"
            path.write_text(json.dumps(_notebook(cells)), encoding="utf-8")
            kernel = zygotes[number % 2].start(folder, capture, JPY_SESSION_NAME=str(path))
            shown[way] = kernel.play(cells)
            kernel.close()
    return shown


def _notebook(cells: Cells) -> dict[str, Any]:
    made = [{"cell_type": "code", "id": cell["id"], "source": cell["code"], "metadata": {}} for cell in cells]
    told = [{**cell, "outputs": [], "execution_count": None} for cell in made]
    return {"cells": told, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def _chosen(cells: Cells, shown: list[Shown], without: Collection[int]) -> Iterator[tuple[dict[str, Any], Shown]]:
    for cell, one in zip(cells, shown, strict=True):
        if int(cell["id"][1:]) not in without:
            yield cell, one


def _why(one: Shown) -> str:
    return str(one.record.get("unrepeatable") or one.record.get("why") or "no record")


def main() -> None:
    """The command."""
    with closing(Zygote(1)) as first, closing(Zygote(2)) as second:
        for name in sys.argv[1:]:
            print(json.dumps(asdict(play(name, (first, second)))), flush=True)


if __name__ == "__main__":
    main()
