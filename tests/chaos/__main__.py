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
    given = parser.parse_args()
    os.environ["MLOPS_TRACKING"] = "later"
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


if __name__ == "__main__":
    sys.exit(main())
