"""What a step drew from the global random generators: the states it depends on, and those it leaves behind."""

from __future__ import annotations

import ast
import contextlib
import random
import sys
from collections.abc import Callable
from pathlib import Path

from jupyter_mlops.capture import libraries
from jupyter_mlops.capture.key import Examination, Resolver
from jupyter_mlops.domain.step import StepRun

_SEEDS = {"random.seed": "random", "numpy.random.seed": "numpy", "torch.manual_seed": "torch"}
_NEVER_SEED = {"numpy", "pandas", "sklearn", "scipy", "matplotlib", "seaborn", "mpl_toolkits", "statsmodels"}
_NEVER_SEED |= sys.stdlib_module_names
_RICH = "rich.style"
"""Draws one number from `random` when it is imported, for names of styles; scikit-learn imports it."""


class Draws:
    """Made before a step runs; `unseeded` are digests of states of generators that no one has set in this process."""

    def __init__(self, unseeded: set[str]) -> None:
        self.before = libraries.random_digests()
        self._unseeded = unseeded
        if "numpy" in self.before and not libraries.numpy_drawn_since_import():
            unseeded.add(self.before["numpy"])
        self._state = random.getstate()
        self._rich = _RICH in sys.modules

    def ended(self, source: str, found: Examination, resolve: Resolver, last: StepRun | None) -> None:
        """The step ran: `source` is its plain Python, `found` what was known before, `last` the run before this one."""
        now = libraries.random_digests()
        drawn = {name: digest for name, digest in now.items() if self.before.get(name) not in (None, digest)}
        if "random" in drawn and self._only_by_import():
            self._unseeded.add(drawn.pop("random"))
        first = seeded_first(source, resolve)
        self.reasons: list[str] = []
        if "numpy" in now and "numpy" not in self.before and libraries.numpy_drawn_since_import():
            if "numpy" in first:
                drawn["numpy"] = now["numpy"]
            else:
                self.reasons.append("draws from numpy's generator, which it has just imported")
        for name in drawn.keys() - first if _cannot_seed(found, resolve) else ():
            if self.before.get(name) in self._unseeded:
                self._unseeded.add(drawn[name])
                self.reasons.append(f"draws from the generator of {name}, which no one has seeded")
        perhaps: set[str] = set()
        for name in (first | _may_seed(found, resolve)) & now.keys() & self.before.keys() - drawn.keys():
            drawn[name] = now[name]  # it may have been set to the very state it had
            perhaps.add(name)
        self.after = drawn
        """Generator → digest of the state the step left, where it drew from it or set it."""
        needed = set(drawn) - first
        if last is not None and last.key == found.key and last.status.succeeded:
            needed -= {name for name in needed - perhaps if self._the_same_from_another(name, last)}
        self.needed = {name: self.before[name] for name in sorted(needed) if name in self.before}
        """Generator → digest of the state before, where what the step gave depends on it."""

    def _only_by_import(self) -> bool:
        """Whether all that was drawn is what importing `rich` draws, from a generator that no one had seeded."""
        if self._rich or _RICH not in sys.modules or self.before["random"] not in self._unseeded:
            return False
        replay = random.Random()
        replay.setstate(self._state)
        replay.getrandbits(24)
        return replay.getstate() == random.getstate()

    def _the_same_from_another(self, name: str, last: StepRun) -> bool:
        """Whether the run before began with another state and left the same: then the step sets it before it draws."""
        before = last.conditions.random_before.get(name)
        return (
            before not in (None, self.before.get(name)) and last.effects.get("random", {}).get(name) == self.after[name]
        )


def _may_seed(found: Examination, resolve: Resolver) -> set[str]:
    """Generators that a step may set: those it names, or all where a function or module it may call speaks of seeds."""
    named = {_SEEDS[real] for chain in found.facts.doubts.chains if (real := resolve(chain)) in _SEEDS}
    texts = [source for known in found.inputs.values() for source in known.sources]
    for name in found.ingredients:
        file = (
            getattr(sys.modules.get(name[len("module:") :]), "__file__", None) if name.startswith("module:") else None
        )
        if file:
            with contextlib.suppress(OSError):
                texts.append(Path(file).read_text(encoding="utf-8", errors="replace"))
    return named | (set(_SEEDS.values()) if any("seed" in text for text in texts) else set())


def _cannot_seed(found: Examination, resolve: Resolver) -> bool:
    """Whether a step calls nothing that might set a generator's state."""
    if found.packages - _NEVER_SEED or any(known.sources for known in found.inputs.values()):
        return False
    return not any(resolve(chain) in _SEEDS for chain in found.facts.doubts.chains)


def seeded_first(source: str, resolve: Callable[[str], str | None]) -> set[str]:
    """Generators that plain code seeds with a given number before it does anything that could draw."""
    found: set[str] = set()
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return found
    for statement in body:
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
                continue
            case ast.Assign(value=ast.Constant()) | ast.AnnAssign(value=ast.Constant()):
                continue
            case ast.Expr(value=ast.Call(func=function, args=[ast.Constant(value=int()) | ast.Name(), *_])):
                generator = _SEEDS.get(resolve(ast.unparse(function)) or "")
                if generator is None:
                    break
                found.add(generator)
            case _:
                break
    return found
