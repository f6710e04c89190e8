"""What may stand at the end of a line of verbs, for the magic and the command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

import pytest

from jupyter_mlops.verbs import arguments
from jupyter_mlops.verbs.completion import complete, split_last
from jupyter_mlops.verbs.framework.verb import CLI, MAGIC


class Record:
    """Names on record; `asked` notes what was looked up."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def steps(self) -> Iterable[str]:
        self.asked.append("steps")
        return ["load", "train"]

    def runs(self) -> Iterable[str]:
        self.asked.append("runs")
        return ["12", "3"]

    def notebooks(self, begun: str) -> Iterable[str]:
        self.asked.append(f"notebooks {begun}")
        return ["nb.ipynb", "my nb.ipynb", "sub/"]

    def versions(self, step: str) -> Iterable[str]:
        self.asked.append(f"versions {step}")
        return ["v2", "v1"]


def told(line: str, surface: str = MAGIC) -> list[str]:
    words, begun = split_last(line)
    return [each.text for each in complete(words, begun, surface, Record())]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("st", ["status", "steps", "store"]),
        ("runs ", ["compare", "notebook"]),
        ("runs compare ", ["12", "3"]),
        ("runs compare 3 1", ["12"]),
        ("runs compare 3 12 --", ["--help", "--json"]),
        ("runs notebook 3 --o", ["--output"]),
        ("attach ", ["12", "3"]),
        ("log ", ["load", "train"]),
        ("log train --n", ["--notebook"]),
        ("log train --notebook ", ["nb.ipynb", '"my nb.ipynb"', "sub/"]),
        ("log train --notebook=n", ["--notebook=nb.ipynb"]),
        ('status "m', ['"my nb.ipynb"']),
        ("status 'n", ["'nb.ipynb'"]),
        ("diff train ", ["v2", "v1"]),
        ("diff train v1 ", ["v2", "v1"]),
        ("diff train v1 v2 --no", ["--notebook"]),
        ("run --from ", ["load", "train"]),
        ("run --from=t", ["--from=train"]),
        ("run --force ", ["load", "train"]),
        ("run --force --u", ["--until"]),
        ("run --from load --f", ["--force"]),
        ("runs --limit ", []),
        ("runs --limit 5 ", ["compare", "notebook"]),
        ("jobs list --status ", ["pending", "running", "completed", "failed", "canceled", "lost"]),
        ("jobs show ", ["12", "3"]),
        ("capture o", ["on", "off"]),
        ("help at", ["attach"]),
        ("nosuch ", []),
        ("submit ", []),
    ],
)
def test_names_options_and_values_are_offered_where_a_verb_takes_them(line: str, expected: list[str]) -> None:
    assert told(line) == expected


def test_each_surface_is_offered_its_own_verbs() -> None:
    assert "submit" in told("", CLI)
    assert "attach" not in told("", CLI)
    assert "--workers" in told("run nb.ipynb --", CLI)
    assert "--workers" not in told("run --")


def test_the_record_is_asked_only_where_names_of_it_may_stand() -> None:
    for line in ("", "log --", "runs --limit ", "capture "):
        record = Record()
        words, begun = split_last(line)
        complete(words, begun, MAGIC, record)
        assert record.asked == [], line


def test_what_verbs_take_is_written_down_as_their_parsers_have_it() -> None:
    assert arguments.main(["--check"]) == 0, "run `python -m jupyter_mlops.verbs.arguments`"


def test_completing_imports_nothing_that_verbs_work_with() -> None:
    code = (
        "import sys\n"
        "from jupyter_mlops.verbs.completion import complete\n"
        "assert complete(['runs'], '--', 'magic', None)\n"
        "heavy = ('sqlalchemy', 'rich', 'nbformat', 'pandas', 'jupyter_mlops.operations', 'jupyter_mlops.verbs.runs.runs')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
