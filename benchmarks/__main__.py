"""Runs the benchmarks that are named (all, if none is) and prints their tables."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import time

from rich.console import Console

NAMES = ("magics", "reuse", "digest", "values", "jobs", "capture", "peers")


def main() -> None:
    """Each benchmark is a module with a `tables` function; what is compared is measured in the same run, by turns."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)} (default: all)")
    names = parser.parse_args().names or NAMES
    unknown = set(names) - set(NAMES)
    if unknown:
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    console = Console(width=110, highlight=False)
    began = time.perf_counter()
    console.print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    )
    for name in names:
        for table in importlib.import_module(f"benchmarks.{name}").tables():
            console.print(f"\n[bold]{table.title}[/]")
            table.title = None  # a table's own title is folded to the table's width
            console.print(table)
    console.print(f"\nmeasured in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
