"""Notebooks that together use every way a cell has to show something: `showcase/*.txt`, cells divided by `---`."""

from __future__ import annotations

from pathlib import Path

NOTEBOOKS = {
    file.stem: file.read_text(encoding="utf-8").rstrip("\n").split("\n---\n")
    for file in sorted(Path(__file__).with_name("showcase").glob("*.txt"))
}
