"""Runs the benchmarks that are named (all, if none is) and prints their tables."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time

from rich.console import Console

from benchmarks.measuring import BenchmarkError

NAMES = ("magics", "reuse", "digest", "values", "params", "jobs", "schedules", "output", "capture", "history", "peers")
WIDTH = 120


def main() -> None:
    """Each benchmark is a module with a `tables` function; what is compared is measured in the same run, by turns.

    Ends with 1 where a benchmark says that its tables have a gap or are wrong.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)} (default: all)")
    names = parser.parse_args().names or NAMES
    unknown = set(names) - set(NAMES)
    if unknown:
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    console, errors = Console(width=WIDTH, highlight=False), Console(stderr=True, highlight=False)
    began = time.perf_counter()
    console.print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    )
    failed = False
    for name in names:
        try:
            for table in importlib.import_module(f"benchmarks.{name}").tables():
                console.print(f"\n[bold]{table.title}[/]")
                caption, table.title, table.caption = table.caption, None, None  # these are folded to the table's width
                console.print(table)
                if caption:
                    console.print(caption, style="dim")
        except BenchmarkError as error:
            failed = True
            errors.print(f"\nError: {name}: {error}\nHint: {error.hint}", markup=False, soft_wrap=True)
    console.print(f"\nmeasured in {time.perf_counter() - began:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
