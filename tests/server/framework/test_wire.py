from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jupyter_mlops.server.framework import wire


def test_the_file_is_fresh() -> None:
    assert wire.TARGET.read_text(encoding="utf-8") == wire.typescript(), (
        "run `python -m jupyter_mlops.server.framework.wire`"
    )


def test_check_tells_fresh_from_stale_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wire, "TARGET", tmp_path / "wire.ts")
    assert wire.main(["--check"]) == 1
    assert "python -m jupyter_mlops.server.framework.wire" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert wire.main([]) == 0
    assert wire.main(["--check"]) == 0
    (tmp_path / "wire.ts").write_text("export {};\n")
    assert wire.main(["--check"]) == 1


def test_every_word_the_panel_needs_is_there() -> None:
    text = wire.typescript()
    for name in (
        "Run", "StepRun", "PipelineStatus", "StepStatus", "Parameter", "Problem", "Cell", "ScheduleView",
        "SchedulerStatus", "RunFailure", "Progress", "RunList", "RunDetail", "ScheduleList", "ErrorAnswer", "Changed",
    ):  # fmt: skip
        assert text.count(f"export interface {name} ") == 1
    assert text.count("export type StepState =") == text.count("export type Status =") == 1
    assert max(len(line) for line in text.splitlines() if not line.startswith(("//", "/**"))) <= wire.WIDTH


@dataclass(frozen=True)
class Inner:
    """An inner one."""

    number: int | None = None


@dataclass(frozen=True)
class Outer(Inner):
    """An outer one,
    told on two lines.

    And more.
    """

    inners: tuple[Inner, ...] = ()
    maybe: list[str | None] = field(default_factory=list)
    table: dict[str, dict[str, Inner]] = field(default_factory=dict)


def test_dataclasses_nest_and_extend() -> None:
    assert [kind.__name__ for kind in wire._in_order([Outer])] == ["Inner", "Outer"]
    assert wire._declaration(Outer) == (
        "/** An outer one, told on two lines. */\n"
        "export interface Outer extends Inner {\n"
        "  inners: Inner[];\n"
        "  maybe: (string | null)[];\n"
        "  table: { [key: string]: { [key: string]: Inner } };\n"
        "}\n"
    )


def test_a_type_without_a_wire_form_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes"):
        wire._type(bytes)
