"""What each verb takes, as data, for completion: `python -m jupyter_mlops.verbs.arguments` writes it from the verbs' parsers.

Completion then needs no verb's module, which imports all that the verb works with. With `--check` nothing is written and
the exit code says whether the file is fresh.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from jupyter_mlops.domain.json_text import dumps, loads
from jupyter_mlops.verbs.table import ENTRIES, parser_of

TARGET = Path(__file__).with_name("arguments.json")
STEP, RUN, NOTEBOOK, VERSION, VERB = "step", "run", "notebook", "version", "verb"
_KINDS = {
    "step": STEP,
    "run": RUN,
    "a": RUN,
    "b": RUN,
    "notebook": NOTEBOOK,
    "v": VERSION,
    "v1": VERSION,
    "v2": VERSION,
    "verb": VERB,
}
"""What the metavar or the name of an argument says of its values."""
Arguments = dict[str, Any]
"""`options` and `free` (in order); each has `values` (a list, or their kind), `needs` (how many values) and `many`
(whether it may be given again), an option its `names`; `forms` maps a word to the arguments that follow it."""


@lru_cache(maxsize=1)
def all_arguments() -> dict[str, Arguments]:
    """Module of a verb → what it takes."""
    found: dict[str, Arguments] = loads(TARGET.read_text(encoding="utf-8"))
    return found


def _collected() -> dict[str, Arguments]:
    found = {}
    for entry in ENTRIES:
        verb = importlib.import_module(entry.path).VERB
        found[entry.module] = _arguments(parser_of(verb, ""))
    return dict(sorted(found.items()))


def _arguments(parser: Any) -> Arguments:
    options = [_argument(action) for action in parser._actions if action.option_strings and _is_shown(action)]
    free = [_argument(action) for action in parser._actions if not action.option_strings and _is_shown(action)]
    return {"options": options, "free": free}


def _is_shown(action: argparse.Action) -> bool:
    return action.help != argparse.SUPPRESS or action.option_strings == ["--json"]


def _argument(action: Any) -> Arguments:
    told: Arguments = {"names": list(action.option_strings)} if action.option_strings else {}
    if isinstance(action, argparse._SubParsersAction):
        return {"forms": {name: _arguments(parser) for name, parser in action.choices.items()}}
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    told["values"] = [str(each) for each in action.choices or ()] or (
        _KINDS.get(metavar.lower()) or _KINDS.get(action.dest, "")
    )
    told["needs"] = 1 if action.nargs is None else action.nargs if isinstance(action.nargs, int) else 0
    told["takes"] = action.nargs != 0
    told["many"] = isinstance(action, argparse._AppendAction) or action.nargs in ("*", "+")
    return {name: value for name, value in told.items() if value}


def _text() -> str:
    """A line for each verb."""
    lines = [f"{dumps(name)}: {dumps(told, ensure_ascii=False)}" for name, told in _collected().items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or with `--check` say whether it is fresh (exit code 0) or stale (1)."""
    parser = argparse.ArgumentParser(prog="python -m jupyter_mlops.verbs.arguments", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the file is stale")
    options = parser.parse_args(arguments)
    text = _text()
    if options.check:
        fresh = TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text
        if not fresh:
            sys.stderr.write(f"{TARGET.name} is stale: run `python -m jupyter_mlops.verbs.arguments`.\n")
        return 0 if fresh else 1
    TARGET.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
