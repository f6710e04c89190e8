"""All traps, read from `traps/*.txt`.

`== name` begins a trap: its cells follow, divided by `---`. Then come lines of `>> what arguments`, some with a text
below: `change CELL`, `delete CELL`, `insert BEFORE_CELL`, `order CELLS`; `file NAME`, `edited NAME`, `removed NAME`;
`environment NAME VALUE`; `tags CELL TAGS`; and `runs`, `may`, `always`, `maybe`, `live` with cells: see `Trap`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .trap import Trap

SETS = ("runs", "may", "always", "maybe", "live")


def parsed(block: str) -> Trap:
    """The trap that a block of such a file tells."""
    head, *parts = re.split(r"^>> ", block, flags=re.M)
    name, _, notebook = head.partition("\n")
    found: dict[str, Any] = {"change": {}, "insert": {}, "files": {}, "edited": {}, "environment": {}, "tags": {}}
    for part in parts:
        line, _, text = part.partition("\n")
        what, *words = line.split()
        if what in SETS:
            found[what] = frozenset(map(int, words))
        elif what == "order":
            found[what] = tuple(map(int, words))
        elif what in ("change", "insert"):
            found[what][int(words[0])] = text.strip("\n")
        elif what == "delete":
            found["change"][int(words[0])] = None
        elif what in ("file", "edited"):
            found["files" if what == "file" else what][words[0]] = (
                text.lstrip("\n").rstrip() + "\n" if text.strip() else ""
            )
        elif what == "removed":
            found["edited"][words[0]] = None
        elif what == "environment":
            found[what][words[0]] = words[1]
        elif what == "tags":
            found[what][int(words[0])] = tuple(words[1:])
        else:
            raise ValueError(f"{name}: '>> {line}' means nothing")
    return Trap(name, notebook.strip("\n"), **found)


def _read() -> tuple[Trap, ...]:
    texts = [file.read_text(encoding="utf-8") for file in sorted(Path(__file__).with_name("traps").glob("*.txt"))]
    return tuple(parsed(block) for text in texts for block in re.split(r"^== ", text, flags=re.M)[1:])


TRAPS = _read()
