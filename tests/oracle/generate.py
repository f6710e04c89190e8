"""Random notebooks and random edits of them, all from a seed: what a `Scenario` is, and how one grows."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

EDITS = 25
"""Edits of one notebook; then comes another."""
HELPER = """\
K = 3
PUSHED = []
def f(x):
    return x * 2 + K
def g(x):
    return f(x) - 1
def build(n):
    return [i % 7 for i in range(n % 6 + 2)]
def push(x):
    PUSHED.append(x)
    return len(PUSHED)
class H:
    k = 5
    def __init__(self, v):
        self.v = v
    def m(self):
        return self.v + self.k
"""
FILES = {"helper.py": HELPER, "in.txt": "12\n", "in.csv": "x,y\n1,2\n3,4\n"}
FIRST = """\
import numpy as np
import pandas as pd
import asyncio, glob, os, random, signal, threading, time
random.seed(0)
np.random.seed(0)"""


def _statements() -> dict[str, tuple[int, list[str]]]:
    """Kind → how often it is chosen, and its statements; see the top of `statements.txt`."""
    kinds: dict[str, tuple[int, list[str]]] = {}
    text = Path(__file__).with_name("statements.txt").read_text(encoding="utf-8")
    for block in text.split("\n\n")[1:]:
        head = re.match(r"\[(\w+) (\d+)\]\n", block)
        if head is not None:
            kinds[head[1]] = (int(head[2]), [])
        list(kinds.values())[-1][1].append(block[head.end() if head else 0 :].strip("\n"))
    return kinds


STATEMENTS = _statements()
_NAMES = re.compile(r"(?<!')\b([ILDAFGMOCEBPSTVWRNUQ])\b")
_NUMBER = re.compile(r"(?<![\w.'])\d+(?![\w.'])|(?<=')\d+(?=')")
_COUNTS = {"I": 3, "L": 3, "D": 2, "A": 3, "F": 2, "G": 3, "O": 2}
BASE = (
    "I = #",
    "I = # + 1",
    "L = [#, #]",
    "L = [#]",
    "D = {'a': #}",
    "A = np.arange(#)",
    "F = pd.DataFrame({'x': [1, #, 3], 'y': [#, 1, 2]})",
    "def G(x):\n    return x + #",
    "class C:\n    k = #\n    def __init__(self, v=#):\n        self.v = v\n    def m(self):\n        return self.v + self.k",
    "O = C(#)",
)
_BINDS = re.compile(r"^(?:async )?(?:def |class |for )?([ILDAFGMOCEBPSTVWRNUQ])(?=[ (:,]|\Z)(?: = |\(|:| in |, )", re.M)


@dataclass(frozen=True)
class Cell:
    """A cell of a random notebook."""

    id: str
    code: str


@dataclass(frozen=True)
class Step:
    """The notebook and its files after an edit, and which cells are run in which order (None: all)."""

    cells: tuple[Cell, ...]
    edit: str
    files: dict[str, str | None] = field(default_factory=dict)
    order: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Scenario:
    """One notebook's life: run as it is, then after each edit. `live`: in one kernel, else each time in a fresh one."""

    seed: int
    number: int
    live: bool
    steps: tuple[Step, ...]


def scenario(seed: int, number: int) -> Scenario:
    """The scenario of this number: the same for the same seed, whatever else is done."""
    chance = random.Random(f"{seed}:{number}")
    return Writer(chance).write(seed, number)


class Writer:
    """Writes one scenario."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.count = 0
        self.known: dict[str, set[str]] = {}
        self.weights = [weight * chance.choice((0, 1, 1, 2)) for weight, _ in STATEMENTS.values()]
        self.weights[list(STATEMENTS).index("shows")] = 12

    def write(self, seed: int, number: int) -> Scenario:
        """The first notebook, then its edits."""
        chance = self.chance
        live = chance.random() < 0.3
        base = [self.filled(template) for template in BASE if chance.random() < 0.85]
        cut = chance.randint(1, len(base))
        start = [FIRST, "\n".join(base[:cut]), *(["\n".join(base[cut:])] if base[cut:] else [])]
        cells = tuple(self.cell(code) for code in (*start, *(self.code() for _ in range(chance.randint(4, 11)))))
        steps = [Step(cells, "first", dict(FILES))]
        helper = HELPER
        while len(steps) <= EDITS:
            step, helper = self.edited(steps, helper)
            if live and chance.random() < 0.5:
                size = len(step.cells)
                step = replace(step, order=tuple(chance.randrange(size) for _ in range(chance.randint(1, size))))
            steps.append(step)
        return Scenario(seed, number, live, tuple(steps))

    def cell(self, code: str) -> Cell:
        self.count += 1
        return Cell(f"c{self.count}", code)

    def code(self) -> str:
        """Random code of a cell."""
        parts = []
        for _ in range(self.chance.choice((1, 1, 2, 2, 3, 4))):
            for _ in range(20):
                kind = self.chance.choices(list(STATEMENTS), self.weights)[0]
                template = self.chance.choice(STATEMENTS[kind][1])
                bound = {match[1] for match in _BINDS.finditer(template)}
                if {match[1] for match in _NAMES.finditer(template)} - bound <= self.known.keys():
                    break
            parts.append(self.filled(template))
        return "\n".join(parts)

    def filled(self, template: str) -> str:
        """A template with names and numbers; names it binds are known from then on."""
        bound = [match.start(1) for match in _BINDS.finditer(template)]
        text = _NAMES.sub(lambda match: self._name(match[1], new=match.start() in bound), template)
        return re.sub(r"#", lambda _: str(self.chance.randint(1, 9)), text)

    def _name(self, kind: str, *, new: bool) -> str:
        letter = kind if kind in ("C", "E", "B") else kind.lower()
        known = self.known.setdefault(kind, set())
        if known and (not new or self.chance.random() < 0.5) and self.chance.random() < 0.97:
            return self.chance.choice(sorted(known))
        name = f"{letter}{self.chance.randrange(_COUNTS.get(kind, 1))}"
        known.add(name)
        return name

    def edited(self, steps: list[Step], helper: str) -> tuple[Step, str]:
        """The notebook after one more edit."""
        cells = list(steps[-1].cells)
        kinds: tuple[tuple[int, str, Callable[[list[Cell]], str]], ...] = (
            (35, "literal", self._literal),
            (10, "replace", self._replace),
            (8, "swap", self._swap),
            (7, "delete", self._delete),
            (12, "insert", self._insert),
            (6, "statement", self._statement),
            (4, "rename", self._rename),
            (6, "comment", self._comment),
            (4, "nothing", lambda _: ""),
        )
        pick = self.chance.random()
        files: dict[str, str | None] = {}
        if pick < 0.08:
            helper = self._number(helper) if self.chance.random() < 0.8 else helper + "# more\n"
            files, edit = {"helper.py": helper}, "helper.py edited"
        elif pick < 0.13:
            name, text = self.chance.choice(
                (("in.txt", f"{self.chance.randint(1, 99)}\n"), ("in.csv", f"x,y\n{self.chance.randint(1, 9)},2\n"))
            )
            files, edit = {name: text}, f"{name} edited"
        elif pick < 0.15:
            name = self.chance.choice(("t.txt", "t.csv"))
            files, edit = {name: None}, f"{name} removed"
        elif pick < 0.20 and len(steps) > 2:
            cells, edit = list(self.chance.choice(steps).cells), "back to an earlier notebook"
        else:
            _, kind, change = self.chance.choices(kinds, [weight for weight, _, _ in kinds])[0]
            edit = f"{kind} {change(cells)}".strip()
        return Step(tuple(cells), edit, files), helper

    def _number(self, code: str) -> str:
        """Another number in the place of one."""
        found = list(_NUMBER.finditer(code))
        if not found:
            return code
        match = self.chance.choice(found)
        return code[: match.start()] + str(self.chance.randint(0, 12)) + code[match.end() :]

    def _literal(self, cells: list[Cell]) -> str:
        able = [index for index, cell in enumerate(cells) if _NUMBER.search(cell.code)]
        if not able:
            return "(no number)"
        index = self.chance.choice(able)
        cells[index] = replace(cells[index], code=self._number(cells[index].code))
        return cells[index].id

    def _replace(self, cells: list[Cell]) -> str:
        index = self.chance.randrange(1, len(cells)) if len(cells) > 1 else 0
        cells[index] = replace(cells[index], code=self.code())
        return cells[index].id

    def _statement(self, cells: list[Cell]) -> str:
        index = self.chance.randrange(len(cells))
        cells[index] = replace(cells[index], code=cells[index].code + "\n" + self.code())
        return cells[index].id

    def _swap(self, cells: list[Cell]) -> str:
        if len(cells) < 3:
            return "(too few)"
        one = cells.pop(self.chance.randrange(1, len(cells)))
        cells.insert(self.chance.randrange(1, len(cells) + 1), one)
        return one.id

    def _delete(self, cells: list[Cell]) -> str:
        if len(cells) < 4:
            return "(too few)"
        return cells.pop(self.chance.randrange(1, len(cells))).id

    def _insert(self, cells: list[Cell]) -> str:
        cells.insert(self.chance.randrange(1, len(cells) + 1), self.cell(self.code()))
        return f"c{self.count}"

    def _rename(self, cells: list[Cell]) -> str:
        old = self.chance.choice(("i0", "l0", "a0", "g0", "d0", "f0"))
        for index, cell in enumerate(cells):
            cells[index] = replace(cell, code=re.sub(rf"\b{old}\b", f"{old}x", cell.code))
        return f"{old} to {old}x"

    def _comment(self, cells: list[Cell]) -> str:
        index = self.chance.randrange(len(cells))
        cells[index] = replace(cells[index], code=f"# said {self.chance.randint(0, 99)}\n\n{cells[index].code}")
        return cells[index].id
