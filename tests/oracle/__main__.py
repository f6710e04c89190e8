"""`python -m tests.oracle`: 10,000 random edits, one edit again, or traps by name."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path

from .edits import EDITS, Played, play, play_many, shrink, told
from .generate import scenario
from .kernels import Zygote
from .running import try_trap


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--seed", type=int, help="of the notebooks and edits; a new one where it is not given")
    parser.add_argument("--edits", type=int, default=10_000, help="how many edits")
    parser.add_argument("--edit", type=int, help="play this one again, and print the smallest case that differs")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--trap", help="play the traps whose name contains this, and print what was wrong")
    asked = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="oracle-home-"))
        os.environ |= {"JUPYTER_DATA_DIR": f"{home}/data", "IPYTHONDIR": f"{home}/ipython"}
        workers = 1 if asked.edit is not None else asked.workers
        pairs = [tuple(stack.enter_context(closing(Zygote(key))) for key in (1, 2)) for _ in range(workers)]
        if asked.trap is not None:
            return _traps(asked.trap, pairs[0])
        if asked.edit is not None:
            return _again(seed, asked.edit, pairs[0])
        return _edits(seed, asked.edits, pairs)


def _edits(seed: int, edits: int, pairs: list) -> int:
    """Many edits, and a line that sums them up."""
    began, total, stale = time.monotonic(), Counter[str](), []
    for played in play_many(seed, range(-(-edits // EDITS)), pairs):
        total.update(edits=played.edits, cells=played.cells, reused=played.reused, needless=len(played.needless))
        total.update(complaints=len(played.complaints))
        _progress(total, stale, began)
        for line in (*played.needless, *played.complaints):
            print(f"\nscenario {played.scenario.number}: {line}", flush=True)
        if played.differences:
            stale.append(_number(played))
            print(f"\nSTALE: python -m tests.oracle --seed {seed} --edit {stale[-1]}", flush=True)
    if stale:
        print("\n" + told(shrink(scenario(seed, stale[0] // EDITS), pairs[0]), pairs[0]))
    share = total["reused"] / max(1, total["cells"])
    minutes = (time.monotonic() - began) / 60
    print(
        f"\r{total['edits']} edits, {len(stale)} stale results, {share:.0%} of cells reused, seed {seed} ({minutes:.1f} min)"
    )
    return 1 if stale or total["needless"] or total["complaints"] else 0


def _progress(total: Counter[str], stale: list[int], began: float) -> None:
    if sys.stdout.isatty():
        print(f"\r{total['edits']} edits, {len(stale)} stale, {time.monotonic() - began:.0f} s", end="", flush=True)


def _number(played: Played) -> int:
    """The number of the edit after which something differed first; the first run of a notebook counts as its first edit."""
    return played.scenario.number * EDITS + max(0, played.differences[0].step - 1)


def _again(seed: int, edit: int, pair: tuple[Zygote, Zygote]) -> int:
    played = play(scenario(seed, edit // EDITS), pair)
    if not played.differences:
        print(f"Nothing differs in scenario {edit // EDITS} of seed {seed}.")
        return 0
    print(told(shrink(played.scenario, pair, seconds=180), pair))
    return 1


def _traps(name: str, pair: tuple[Zygote, Zygote]) -> int:
    from .traps import TRAPS

    wrong = 0
    for trap in TRAPS:
        if name in trap.name:
            findings = try_trap(trap, pair)
            print(f"{trap.name}: {findings.text or 'as it should be'}", flush=True)
            wrong += bool(findings.text)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main())
