"""`python -m tests.chaos`: a storm in a temporary project; prints the books, and exits with 1 where they are not right."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> int:
    """Entry point."""
    from .storm import Storm

    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=200, help="at least so many")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--folder", type=Path, help="where to make the project, which is kept then")
    parser.add_argument("--year", action="store_true", help="a year of 200 schedules in place of the storm")
    given = parser.parse_args()
    os.environ["MLOPS_TRACKING"] = "later"
    if given.year:
        return _year(given.seed)
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="mlops-chaos-", ignore_cleanup_errors=True) as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        books = Storm(folder, kills=given.kills, jobs=given.jobs, workers=given.workers, seed=given.seed).run()
    print(books)
    if not books.are_right:
        print(f"lost jobs {books.lost}, duplicates {books.duplicates}, wrong outputs {books.wrong}")
        print(f"results lost: {books.results_lost}")
    return 0 if books.are_right else 1


def _year(seed: int) -> int:
    """A simulated year of schedules."""
    import logging
    from datetime import datetime, timezone

    from .calendar import Calendar

    logging.getLogger("jupyter_mlops").setLevel(logging.CRITICAL)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="mlops-year-") as folder:
        begin = datetime(2026, 1, 1, tzinfo=timezone.utc)
        account = Calendar(Path(folder), schedules=200, days=365, seed=seed, begin=begin).live()
    print(account)
    for line in account.wrong[:50]:
        print(line)
    return 1 if account.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
