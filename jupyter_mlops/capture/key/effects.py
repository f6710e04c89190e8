"""What a cell may do to the state of libraries that no fingerprint shows: later steps depend on that by path."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache

import xxhash

from jupyter_mlops.analysis.code.doubts import Doubts, configures
from jupyter_mlops.analysis.code.facts import CodeFacts
from jupyter_mlops.capture.key.resolver import Resolver
from jupyter_mlops.capture.key.world import World
from jupyter_mlops.domain.reason import Reason, ReasonCode

ANY_LIBRARY = "*"
"""Stands for effects that may concern any library."""
TRANSPARENT_MAGICS = {"matplotlib", "load_ext", "mlops", "time", "timeit", "capture", "pinfo", "pinfo2", "who", "whos"}
"""Magics that change nothing a later step could depend on, but what the fingerprints show."""
_KNOWN_OPTIONS = ("matplotlib.rcParams", "matplotlib.pyplot.rcParams", "pandas.options.", "os.environ", "sys.path")
"""What is assigned into, and shows in the fingerprints of options."""
_MAY_CONFIGURE = {ReasonCode.SETS_BY_NAME, ReasonCode.RUNS_CODE, ReasonCode.SHELL}
"""What may change the state of any library."""
_configures = lru_cache(maxsize=4096)(configures)


def effects_of(doubts: Doubts, world: World, resolve: Resolver | None = None) -> dict[str, list[Reason]]:
    """Library → why running this code may change state of it that no fingerprint shows."""
    effects: dict[str, list[Reason]] = {}
    resolve = resolve or Resolver(doubts, world)

    def add(real: str | None, reason: Reason) -> None:
        library = (real or "").partition(".")[0] or ANY_LIBRARY
        effects.setdefault(library, []).append(reason)

    for chain in sorted(doubts.stores):
        if resolve.owner_is_shared(chain) and not (resolve(chain) or "").startswith(_KNOWN_OPTIONS):
            add(resolve(chain), Reason(ReasonCode.SETS_ATTRIBUTE, str(resolve(chain))))
    for real in resolve.all_of(doubts.chains, doubts.calls):
        if _configures(real):
            add(real, Reason(ReasonCode.CONFIGURES, real))
    for reason in doubts.certain:
        if reason.code in _MAY_CONFIGURE:
            add(None, reason)
    for name in sorted(doubts.magics - TRANSPARENT_MAGICS):
        add(None, Reason(ReasonCode.MAGIC, f"%{name}"))
    return effects


def add_effects(world: World, facts: CodeFacts, libraries: Iterable[str]) -> None:
    """Note in `world` that a cell of this code configured these libraries: later steps depend on that by path.

    What decides an effect is the code and what it read; where that cannot be told, it is something never seen before.
    """
    told = [facts.digest]
    for name in sorted(facts.names.reads):
        known = world.know(name)
        if known is not None:
            told.append(known.digest or os.urandom(16).hex())
    for library in libraries:
        text = "\0".join([world.effects.get(library, ""), *told])
        world.effects[library] = xxhash.xxh3_128_hexdigest(text.encode("utf-8", "surrogatepass"))
