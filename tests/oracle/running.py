"""Plays a trap every way: fresh and live, with capture and plainly, changed and unchanged; says what was wrong."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .kernels import Shown, Zygote
from .trap import Cells, Trap

SURROUNDINGS = ("options_changed", "effects_changed")
"""Why a cell may run a second time in the same kernel: what later cells have set still holds."""


@dataclass
class Findings:
    """What was wrong with a trap: results that were stale, cells that ran without need, or did not where they must."""

    stale: list[str] = field(default_factory=list)
    needless: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        kinds = {"STALE": self.stale, "RAN NEEDLESSLY": self.needless, "DID NOT RUN": self.missed}
        kinds["COMPLAINED"] = self.complaints
        return "\n".join(f"{kind}: {line}" for kind, lines in kinds.items() for line in lines)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for a case."""
    with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
        yield Path(folder)


def write(folder: Path, files: dict[str, str | None]) -> None:
    """Put files there, or away."""
    for name, content in files.items():
        path = folder / name
        if content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("PARQUET "):
            import pandas as pd

            pd.DataFrame({"a": [int(content.split()[1])]}).to_parquet(path)
        else:
            path.write_text(content, encoding="utf-8")


class Project:
    """A trap's folder, with capture or plain: played, edited, and brought back to how it was after the first time."""

    def __init__(self, folder: Path, trap: Trap, zygotes: tuple[Zygote, Zygote], capture: bool) -> None:
        self.folder = folder
        self.trap = trap
        self.zygotes = zygotes
        self.capture = capture
        self.kept = folder.with_name(folder.name + ".kept")
        self.before = dict.fromkeys(trap.environment, "first")
        folder.mkdir()
        write(folder, dict(trap.files))

    def play(self) -> dict[str, list[Shown]]:
        """What the cells showed: "first", then "live", "fresh" and "unchanged"."""
        trap = self.trap
        kernel = self.zygotes[0].start(self.folder, self.capture, **self.before)
        shown = {"first": kernel.play(self._cells(trap.first()))}
        shutil.copytree(self.folder, self.kept, symlinks=True)
        write(self.folder, dict(trap.edited))
        shown["live"] = kernel.play(self._cells(trap.second()), **trap.environment)
        kernel.close()
        self._back(again=True)
        write(self.folder, dict(trap.edited))
        shown["fresh"] = self._fresh(trap.second(), {**self.before, **trap.environment})
        self._back(again=False)
        shown["unchanged"] = self._fresh(trap.first(), self.before)
        return shown

    def _cells(self, cells: Cells) -> Cells:
        if self.capture:
            return cells
        return [{**cell, "code": plainly(cell["code"])} for cell in cells]

    def _fresh(self, cells: Cells, environment: dict[str, str]) -> list[Shown]:
        kernel = self.zygotes[1].start(self.folder, self.capture, **environment)
        shown = kernel.play(self._cells(cells))
        kernel.close()
        return shown

    def _back(self, *, again: bool) -> None:
        shutil.rmtree(self.folder)
        if again:
            shutil.copytree(self.kept, self.folder, symlinks=True)
        else:
            self.kept.rename(self.folder)


def plainly(code: str) -> str:
    """A cell without its `%%step` line."""
    first, _, rest = code.partition("\n")
    return rest if first.startswith("%%step") else code


def try_trap(trap: Trap, zygotes: tuple[Zygote, Zygote]) -> Findings:
    """Play a trap with capture and plainly, and compare."""
    with scratch() as folder:
        captured = Project(folder / "project", trap, zygotes, True).play()
        (folder / "project").rename(folder / "captured")
        plain = Project(folder / "project", trap, zygotes, False).play()
    findings = Findings()
    for way in captured:
        cells = trap.first() if way in ("first", "unchanged") else trap.second()
        for cell, shown, expected in zip(cells, captured[way], plain[way], strict=True):
            if shown.outputs != expected.outputs:
                findings.stale.append(
                    f"[{way}] {cell['id']} {shown.became or 'ran'}: {cell['code']!r} showed {shown.outputs}, "
                    f"plainly {expected.outputs}"
                )
            if shown.complaint:
                findings.complaints.append(f"[{way}] {cell['id']}: {shown.complaint}")
        if way != "first":
            _executed(trap, way, cells, captured[way], findings)
    return findings


def _only_imports(code: str) -> bool:
    """Whether a cell only imports: a second time in the same kernel that takes no time, and need not be reused."""
    return all(line.startswith(("import ", "from ")) for line in code.splitlines())


def _executed(trap: Trap, way: str, cells: Cells, shown: list[Shown], findings: Findings) -> None:
    allowed = trap.anywhere if way == "unchanged" else trap.allowed | (set(trap.live) if way == "live" else set())
    must = {*trap.always, *(trap.runs if way == "fresh" else ())}
    for cell, one in zip(cells, shown, strict=True):
        number = int(cell["id"][1:])
        ran = one.became != "reused"
        why = one.record.get("why") or "no record"
        again = way == "live" and (_only_imports(cell["code"]) or one.record.get("why_code") in SURROUNDINGS)
        if ran and number not in allowed and not again and all(kind != "error" for kind, _ in one.outputs):
            unrepeatable = one.record.get("unrepeatable")
            findings.needless.append(f"[{way}] {cell['id']} {cell['code']!r}: {why}; {unrepeatable}")
        if not ran and number in must:
            findings.missed.append(f"[{way}] {cell['id']} {cell['code']!r}")
