"""`python -m tests.popular`: installs the libraries, plays all notebooks, and writes the table of `docs/libraries.md`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from .place import ROOT, installed, python, versions
from .playing import Played, names
from .table import table, write, wrong


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.popular", description=__doc__)
    parser.add_argument("--python", type=Path, help="an interpreter that has the libraries")
    parser.add_argument("names", nargs="*", help="only these; then nothing is written")
    asked = parser.parse_args()
    if asked.python is None:
        installed()
    interpreter = asked.python or python()
    command = [str(interpreter), "-m", "tests.popular.playing", *(asked.names or names())]
    results = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            results.append(Played(**json.loads(line)))
            print(f"{results[-1].name}: {results[-1].reused} of {results[-1].repeatable}", flush=True)
    problems = [f"{played.name}: {text}" for played in results for text in wrong(played)]
    print(*problems, sep="\n")
    if process.returncode or problems:
        return 1
    if asked.names:
        print(table(results, versions(interpreter)))
    else:
        write(table(results, versions(interpreter)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
