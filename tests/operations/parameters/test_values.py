from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from notebooks import code, write_notebook

from jupyter_mlops.errors import InputError, MLOpsError, UnknownNameError
from jupyter_mlops.operations.parameters.values import list_parameters, read_parameters, unused_variables

SOURCE = (
    "from datetime import date\n"
    "n = 1\nname = 'x'\nrate: Annotated[float, Field(gt=0, le=1)] = 0.5  # how fast\n"
    "start: date = date(2024, 1, 1)\nsizes: set[int] = {1}\nwhich: Literal['a', 'b']"
)


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write_notebook(tmp_path / "a.ipynb", code(SOURCE, "parameters"))


def test_the_command_line_comes_before_files_and_these_before_the_environment(notebook: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.json"
    first.write_text("n: 2\nname: from file\nrate: 0.25\n")
    second.write_text('{"rate": 0.75}')
    environment = {"MLOPS_PARAM_N": "4", "MLOPS_PARAM_START": "2024-02-29", "MLOPS_PARAM_OTHER": "?", "PATH": "/bin"}
    asked = read_parameters(notebook, [("n", "3")], [first, second], environment)
    assert asked == {"n": 3, "name": "from file", "rate": 0.75, "start": date(2024, 2, 29)}
    assert asked.sources == {"n": "-p", "name": "first.yaml", "rate": "second.json", "start": "MLOPS_PARAM_START"}
    assert unused_variables(notebook, environment) == ["MLOPS_PARAM_OTHER"]
    shown = {item.name: (item.value, item.source) for item in list_parameters(notebook, asked)}
    assert shown == {
        "n": (3, "-p"),
        "name": ("from file", "first.yaml"),
        "rate": (0.75, "second.json"),
        "start": ("2024-02-29", "MLOPS_PARAM_START"),
        "sizes": ([1], "default"),
        "which": (None, "missing"),
    }


def test_a_variable_of_the_very_name_comes_before_one_in_capitals(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "a.ipynb", code("n = 1\nN = 2\nk = 3", "parameters"))
    environment = {"MLOPS_PARAM_N": "7", "MLOPS_PARAM_k": "8", "MLOPS_PARAM_K": "9"}
    assert read_parameters(notebook, [], environment=environment) == {"N": 7, "k": 8}
    assert unused_variables(notebook, environment) == ["MLOPS_PARAM_K"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "p.yaml",
            "start: 2024-02-29\nsizes: [1, 2]\nname: '007'",
            {"start": date(2024, 2, 29), "sizes": {1, 2}, "name": "007"},
        ),
        ("p.yml", "base: &base {n: 1}\n", "no parameter named 'base'"),
        ("p.yaml", "", {}),
        ("p.toml", "n = 2\nstart = 2024-02-29", {"n": 2, "start": date(2024, 2, 29)}),
        ("p.json", '{"rate": 1}', {"rate": 1.0}),
        ("p.yaml", "name: 007", "a default of type str"),
        ("p.yaml", "n: '7'", "a default of type int"),
        ("p.yaml", "n: 1\nn: 2", "'n' appears twice"),
        ("p.json", '{"n": 1, "n": 2}', "'n' appears twice"),
        ("p.toml", "n = 1\nn = 2", "cannot be read"),
        ("p.yaml", "rate: 2", "p.yaml: Parameter 'rate'.*less than or equal to 1"),
        ("p.yaml", "rat: 2", "no parameter named 'rat'.*p.yaml"),
        ("p.yaml", "- n", "not a mapping"),
        ("p.yaml", "1: 2", "not a mapping"),
        ("p.yaml", "{", "cannot be read"),
        ("p.yaml", "x: !!python/object/apply:os.system [echo]", "cannot be read"),
        ("p.json", "{", "cannot be read"),
        ("p.txt", "n: 1", "does not have the name of a parameters file"),
    ],
)
def test_a_file_gives_values_as_its_format_types_them(
    notebook: Path, tmp_path: Path, name: str, text: str, expected: Any
) -> None:
    path = tmp_path / name
    path.write_text(text)
    if isinstance(expected, dict):
        assert read_parameters(notebook, [], [path]) == expected
        return
    with pytest.raises(MLOpsError, match=expected) as caught:
        read_parameters(notebook, [], [path])
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_a_value_merged_into_a_mapping_may_be_overridden(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "a.ipynb", code("options = {}\nother = {}", "parameters"))
    path = tmp_path / "p.yaml"
    path.write_text("other: &base {a: 1, b: 2}\noptions: {<<: *base, b: 3}\n")
    assert read_parameters(notebook, [], [path])["options"] == {"a": 1, "b": 3}


def test_a_missing_file_and_a_broken_text_are_told(notebook: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no file"):
        read_parameters(notebook, [], [tmp_path / "none.yaml"])
    (tmp_path / "p.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="cannot be read"):
        read_parameters(notebook, [], [tmp_path / "p.yaml"])


def test_an_unfit_variable_is_named(notebook: Path) -> None:
    with pytest.raises(InputError, match="MLOPS_PARAM_N: Parameter 'n' has a default of type int"):
        read_parameters(notebook, [], environment={"MLOPS_PARAM_N": "many"})


HOSTILE = st.sampled_from(
    [
        "n; import os",
        "n\n",
        "__import__('os')",
        "n = 1",
        "",
        " n",
        "n.x",
        "lambda",
        "n[0]",
        "ｎ",
        "N",
        "import",
        "-p",
        "\x00",
    ]
) | st.text(max_size=8).filter(lambda text: text not in ("n", "name", "rate", "start", "sizes", "which"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=HOSTILE)
def test_a_name_that_is_not_declared_is_refused_whatever_it_is(notebook: Path, name: str) -> None:
    with pytest.raises(UnknownNameError):
        read_parameters(notebook, [(name, "1")])


def test_checking_takes_less_than_a_fifth_of_a_second_with_all_imports(notebook: Path) -> None:
    """Of processor time, in a fresh process, beyond what the command line itself imports."""
    import subprocess
    import sys

    script = (
        "import sys, time\n"
        "import jupyter_mlops.cli.main, jupyter_mlops.verbs.runs.run\n"
        "from pathlib import Path\n"
        "assert 'pydantic' not in sys.modules\n"
        "start = time.process_time()\n"
        "from jupyter_mlops.operations.parameters.values import read_parameters\n"
        f"read_parameters(Path({str(notebook)!r}), [('n', '3'), ('rate', '0.5'), ('start', '2024-02-29')])\n"
        "print(time.process_time() - start)\n"
    )
    took = min(
        float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    )
    assert took < 0.2


@pytest.mark.parametrize("written", ["2024-02-03", "2024-02-03 04:05:06", "no", "1.10", "007"])
def test_a_text_that_a_file_takes_for_something_else_is_told_to_be_put_in_quotes(written: str, tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "a.ipynb", code("plain = 'x'\nsaid: str = ''", "parameters"))
    file = tmp_path / "p.yaml"
    for name, kind in (("plain", "has a default of type str"), ("said", "is declared str")):
        file.write_text(f"{name}: {written}")
        with pytest.raises(InputError, match=f"Parameter '{name}' {kind}, and ") as caught:
            read_parameters(notebook, [], [file])
        assert caught.value.hint.startswith("If you mean a text, put it in quotes in the file.")
        file.write_text(f"{name}: '{written}'")
        assert read_parameters(notebook, [], [file]) == {name: written}
