from __future__ import annotations

import json
from pathlib import Path

import pytest
from notebooks import code
from notebooks import write_notebook as write

from jupyter_mlops.errors import InputError, UnknownNameError
from verbs.projects import data_of, rows, text_of

SOURCE = (
    "from enum import Enum\nclass Mode(Enum):\n    FAST = 1\n    SLOW = 2\n"
    "rate: Annotated[float, Field(gt=0, le=1)] = 0.5  # how fast\nmode: Mode = Mode.FAST\nname: str\nseed: int | None = None"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "nb.ipynb", code(SOURCE, "parameters"))
    return tmp_path


def test_the_table_says_what_each_parameter_takes(folder: Path) -> None:
    shown = text_of(folder, "params nb.ipynb")
    assert rows(shown)[0] == ["name", "type", "default", "allowed", "help"]
    line = next(line for line in shown.splitlines() if line.startswith("rate"))
    assert "Annotated[float, Field(gt=0, le=1)]" in line
    assert "> 0, <= 1" in line
    assert line.rstrip().endswith("how fast")
    assert ["mode", "Mode", "Mode.FAST", "FAST", "|", "SLOW"] in rows(shown)
    assert ["name", "str", "required"] in rows(shown)


def test_the_winner_of_several_sources_is_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "p.yaml").write_text("rate: 0.25\nseed: 3\n")
    monkeypatch.setenv("MLOPS_PARAM_SEED", "4")
    monkeypatch.setenv("MLOPS_PARAM_MODE", "SLOW")
    monkeypatch.setenv("MLOPS_PARAM_RAET", "1")
    line = "params nb.ipynb -p rate 0.75 -f p.yaml"
    found = {item["name"]: (item["value"], item["source"]) for item in data_of(folder, line)}
    assert found == {
        "rate": (0.75, "-p"),
        "mode": ("SLOW", "MLOPS_PARAM_MODE"),
        "name": (None, "missing"),
        "seed": (3, "p.yaml"),
    }
    shown = text_of(folder, line)
    assert "MLOPS_PARAM_RAET is not a parameter" in shown
    assert rows(shown)[0] == ["name", "type", "default", "value", "from", "allowed", "help"]


def test_the_schema_is_json_schema(folder: Path) -> None:
    schema = json.loads(text_of(folder, "params nb.ipynb --json-schema"))
    assert schema == data_of(folder, "params nb.ipynb --json-schema")
    assert schema["required"] == ["name"]
    assert schema["properties"]["rate"] == {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 1,
        "default": 0.5,
        "description": "how fast",
    }
    assert schema["properties"]["mode"] == {"enum": ["FAST", "SLOW"], "title": "Mode", "default": "FAST"}
    assert schema["properties"]["seed"] == {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}


def test_every_kind_of_type_has_a_schema(tmp_path: Path) -> None:
    kinds = ("date", "datetime", "timedelta", "Path", "Decimal", "Any", "pd.Timestamp", "tuple[int, ...]", "set[date]")
    source = "\n".join(
        f"x{index}: {kind}" for index, kind in enumerate((*kinds, "dict[str, list[int]]", "Literal[1, 'a']"))
    )
    write(tmp_path / "nb.ipynb", code(source + "\ny: int = None", "parameters"))
    properties = json.loads(text_of(tmp_path, "params --json-schema"))["properties"]
    assert len(properties) == 12
    assert properties["x0"]["format"] == "date"
    assert properties["y"] == {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}


def test_what_does_not_fit_is_refused_with_a_hint(folder: Path) -> None:
    with pytest.raises(InputError, match="less than or equal to 1") as caught:
        text_of(folder, "params nb.ipynb -p rate 2")
    assert "> 0, <= 1" in caught.value.hint
    with pytest.raises(UnknownNameError) as unknown:
        text_of(folder, "params nb.ipynb -p raet 1")
    assert "'rate'" in unknown.value.hint
    with pytest.raises(InputError, match="given twice"):
        text_of(folder, "params nb.ipynb -p rate 1 -p rate 1")


def test_a_notebook_without_parameters_is_told_how_to_have_some(tmp_path: Path) -> None:
    write(tmp_path / "nb.ipynb", code("x = 1"))
    assert "Tag the cell" in text_of(tmp_path, "params")
