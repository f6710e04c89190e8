"""Tells how long a verb takes in the build that is first on the path: `python asker.py FOLDER`, a list of words a line."""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

from rich.console import Console

from jupyter_mlops.verbs import table


def main() -> None:
    """Print the seconds of each line that comes in, from the words to the text."""
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        words = json.loads(line)
        began = time.perf_counter()
        view, _ = table.call(words, table.Context(table.CLI, folder, Console(file=io.StringIO())), "jupyter mlops")
        Console(file=io.StringIO(), width=160).print(view.show())
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main()
