"""What a step drew from the global random generators: the states it depends on, and those it leaves behind."""

from __future__ import annotations

import ast
import contextlib
import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_mlops.analysis.code.facts import source_facts
from jupyter_mlops.capture import libraries
from jupyter_mlops.capture.key.examination import Examination, Resolver
from jupyter_mlops.domain.reason import Reason, ReasonCode

_SEEDS = {"random.seed": "random", "numpy.random.seed": "numpy", "torch.manual_seed": "torch"}
_NEVER_SEED = {"numpy", "pandas", "sklearn", "scipy", "matplotlib", "seaborn", "mpl_toolkits", "statsmodels"}
_NEVER_SEED |= sys.stdlib_module_names
_RICH = "rich.style"
"""Draws one number from `random` when it is imported, for names of styles; scikit-learn imports it."""


@dataclass(frozen=True)
class Drawn:
    """What a step drew from the global generators of random numbers."""

    after: dict[str, str] = field(default_factory=dict)
    """Generator → digest of the state the step left, where it drew from it or set it."""
    needed: dict[str, str] = field(default_factory=dict)
    """Generator → digest of the state before, where what the step gave depends on it."""
    reasons: list[Reason] = field(default_factory=list)
    """Why what it gave is not repeatable."""


class Draws:
    """Made before a step runs; `unseeded` are digests of states of generators that no one has set in this process."""

    def __init__(self, unseeded: set[str]) -> None:
        self.before = libraries.random_digests()
        self._unseeded = unseeded
        if "numpy" in self.before and libraries.numpy_stood_fresh():
            unseeded.add(self.before["numpy"])
        self._state = random.getstate()
        self._rich = _RICH in sys.modules

    def ended(self, source: str, examination: Examination, resolve: Resolver) -> Drawn:
        """The step ran: `source` is its plain Python, `examination` what was known before."""
        now = libraries.random_digests()
        drawn = {name: digest for name, digest in now.items() if self.before.get(name) not in (None, digest)}
        if "random" in drawn and self._only_by_import():
            self._unseeded.add(drawn.pop("random"))
        sources = [
            source for known in examination.inputs.values() if known.kind == "function" for source in known.sources
        ]
        first = seeded_first(source, resolve, sources)
        reasons: list[Reason] = []
        if "numpy" in now and "numpy" not in self.before and libraries.numpy_drawn_since_import():
            if "numpy" in first:
                drawn["numpy"] = now["numpy"]
            else:
                reasons.append(Reason(ReasonCode.UNSEEDED_NUMPY))
        for name in drawn.keys() - first if _cannot_seed(examination, resolve) else ():
            if self.before.get(name) in self._unseeded:
                self._unseeded.add(drawn[name])
                reasons.append(Reason(ReasonCode.UNSEEDED, name))
        perhaps: set[str] = set()
        for name in (first | _may_seed(examination, resolve)) & now.keys() & self.before.keys() - drawn.keys():
            drawn[name] = now[name]  # it may have been set to the very state it had
            perhaps.add(name)
        needed = {name: self.before[name] for name in sorted(set(drawn) - first) if name in self.before}
        return Drawn(drawn, needed, reasons)

    def _only_by_import(self) -> bool:
        """Whether all that was drawn is what importing `rich` draws, from a generator that no one had seeded."""
        if self._rich or _RICH not in sys.modules or self.before["random"] not in self._unseeded:
            return False
        replay = random.Random()
        replay.setstate(self._state)
        replay.getrandbits(24)
        return replay.getstate() == random.getstate()


def _may_seed(examination: Examination, resolve: Resolver) -> set[str]:
    """Generators that a step may set: those it names, or all where a function or module it may call speaks of seeds."""
    named = {_SEEDS[real] for chain in examination.facts.doubts.chains if (real := resolve(chain)) in _SEEDS}
    texts = []
    for known in examination.inputs.values():
        named.update(*(seeds_spoken_of(source, resolve) for source in known.sources))
    for name in examination.ingredients:
        file = (
            getattr(sys.modules.get(name[len("module:") :]), "__file__", None) if name.startswith("module:") else None
        )
        if file:
            with contextlib.suppress(OSError):
                texts.append(Path(file).read_text(encoding="utf-8", errors="replace"))
    return named | (set(_SEEDS.values()) if any("seed" in text for text in texts) else set())


def seeds_spoken_of(source: str, resolve: Callable[[str], str | None]) -> set[str]:
    """Generators that a function of the notebook may set: those whose `seed` it names, or all where it speaks of seeds
    in any other way."""
    if "seed" not in source:
        return set()
    with contextlib.suppress(SyntaxError, ValueError):
        taken = source_facts(source).names.carries
        chains = [
            ast.unparse(node)
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Attribute) and "seed" in node.attr
        ]
        generators = {_SEEDS.get(resolve(chain) or "") for chain in chains if chain.partition(".")[0] in taken}
        if source.count("seed") == len(chains) and len(generators) == len(set(chains)) and None not in generators:
            return {generator for generator in generators if generator}
    return set(_SEEDS.values())


def _cannot_seed(found: Examination, resolve: Resolver) -> bool:
    """Whether a step calls nothing that might set a generator's state."""
    if found.packages - _NEVER_SEED or any(known.sources for known in found.inputs.values()):
        return False
    return not any(resolve(chain) in _SEEDS for chain in found.facts.doubts.chains)


def seeded_first(source: str, resolve: Callable[[str], str | None], sources: Iterable[str] = ()) -> set[str]:
    """Generators that plain code seeds with a given number before it does anything that could draw.

    `sources` are of the notebook's functions that it may call; what such a function seeds first counts too.
    """
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return set()
    return _Seeding(resolve, _functions([*sources])).first(body, {})


class _Seeding:
    """Follows code as long as it does nothing that could draw."""

    def __init__(self, resolve: Callable[[str], str | None], functions: Mapping[str, ast.FunctionDef]) -> None:
        self._resolve = resolve
        self._functions = functions

    def first(self, body: Sequence[ast.stmt], given: Mapping[str, bool] | None, depth: int = 0) -> set[str]:
        """Generators seeded by `body`. In a function `given` says of its parameters whether they are whole numbers."""
        seeded: set[str] = set()
        for statement in body:
            match statement:
                case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()) | ast.Global() | ast.Pass():
                    continue
                case ast.Assign(value=value, targets=[ast.Name()]) if _is_still(value):
                    continue
                case ast.AnnAssign(value=ast.Constant()):
                    continue
                case ast.FunctionDef(decorator_list=[], args=arguments) if _are_still(arguments):
                    continue
                case ast.Expr(value=ast.Call() as call) | ast.Assign(value=ast.Call() as call):
                    pass
                case ast.Return(value=ast.Call() as call):
                    pass
                case _:
                    break
            generator = _SEEDS.get(self._resolve(ast.unparse(call.func)) or "")
            if generator is not None and call.args and self._is_number(call.args[0], given if depth else None):
                seeded.add(generator)
                continue
            seeded |= self._inside(call, depth)
            break
        return seeded

    @staticmethod
    def _is_number(argument: ast.expr, given: Mapping[str, bool] | None) -> bool:
        match argument:
            case ast.Constant(value=int()):
                return True
            case ast.Name(id=name):
                return True if given is None else given.get(name, False)
        return False

    def _inside(self, call: ast.Call, depth: int) -> set[str]:
        """What a function of the notebook seeds first, given what it is called with."""
        function = self._functions.get(call.func.id) if isinstance(call.func, ast.Name) else None
        values = [*call.args, *(keyword.value for keyword in call.keywords)]
        if function is None or depth > 3 or not all(_is_still(value) for value in values):
            return set()
        if any(keyword.arg is None for keyword in call.keywords):
            return set()
        names = [item.arg for item in (*function.args.posonlyargs, *function.args.args)]
        defaults = function.args.defaults
        given = {
            name: _is_int(value) for name, value in zip(names[len(names) - len(defaults) :], defaults, strict=True)
        }
        for item, value in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
            given[item.arg] = _is_int(value)
        given.update({name: _is_int(value) for name, value in zip(names, call.args, strict=False)})
        given.update({str(keyword.arg): _is_int(keyword.value) for keyword in call.keywords})
        return self.first(function.body, given, depth + 1)


def _functions(sources: Iterable[str]) -> dict[str, ast.FunctionDef]:
    found: dict[str, ast.FunctionDef] = {}
    for source in sources:
        with contextlib.suppress(SyntaxError, ValueError):
            for node in ast.parse(source).body:
                if isinstance(node, ast.FunctionDef) and not node.decorator_list:
                    found[node.name] = node
    return found


def _is_int(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, int)


def _is_still(value: ast.expr) -> bool:
    """Whether evaluating this only takes what is there, so that nothing can draw."""
    match value:
        case ast.Constant() | ast.Name():
            return True
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return all(_is_still(item) for item in items)
    return False


def _are_still(arguments: ast.arguments) -> bool:
    values = [*arguments.defaults, *(item for item in arguments.kw_defaults if item is not None)]
    return all(_is_still(value) for value in values)
