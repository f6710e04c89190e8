"""What is known of a name's value without having it: enough to key the steps that read it, and plain JSON."""

from __future__ import annotations

import inspect
import textwrap
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from jupyter_mlops.capture.digest.content import Fingerprint
from jupyter_mlops.capture.digest.walk import HasLastWords, Undigestible, module_of
from jupyter_mlops.capture.origin.calls import is_library_file
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.secrets.known import HOLDS, redact


@dataclass(frozen=True)
class ValueFacts:
    """A value seen from outside.

    `digest` is "" where its content cannot be told, and `lost` then says why; a value whose content can be told but
    which cannot be stored has both. `globals` are the names its notebook functions look up when called, `sources` the
    code of these functions. `modules` are those its functions, classes and instances come from; `dotted` is the real
    name of a module, or of a function or class of one. `text` is the value where it may name a file. `shares` are the
    other names that the same mutable objects are reached from, and `shape` the digest of them all as one value. `hides`
    names attributes that a pickled form leaves out; of a value with `last_words` code runs when it goes.
    """

    digest: str = ""
    lost: str = ""
    kind: str = "value"
    dotted: str = ""
    text: str = ""
    globals: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    doubts: tuple[Reason, ...] = ()
    shares: tuple[str, ...] = ()
    shape: str = ""
    hides: tuple[str, ...] = ()
    last_words: bool = False

    def to_json(self) -> dict[str, Any]:
        """The fields that say something."""
        told = {name: value for name, value in vars(self).items() if value}
        return {**told, "doubts": [reason.to_json() for reason in self.doubts]} if self.doubts else told

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ValueFacts:
        """The same again; fields of a later version are left out."""
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items() if name in _FIELDS
        }
        if "doubts" in known:
            known["doubts"] = tuple(Reason.from_json(item) for item in known["doubts"])
        return cls(**known)


_MOST_HIDDEN = 5
_FIELDS = frozenset(item.name for item in fields(ValueFacts))


def known_of(value: object, fingerprint: Fingerprint) -> ValueFacts:
    """What a fingerprint tells of a value."""
    sources, doubts = _sources(fingerprint.functions)
    text = str(value) if isinstance(value, str) and len(value) < 1000 else _path(value)
    return ValueFacts(
        digest=fingerprint.digest,
        lost=HOLDS if fingerprint.secret else "",
        kind=_kind(value),
        dotted=dotted(value) or "",
        text="" if fingerprint.secret else text,
        globals=tuple(sorted(fingerprint.globals)),
        modules=tuple(sorted(fingerprint.modules)),
        sources=sources,
        doubts=doubts,
        hides=fingerprint.hides[:_MOST_HIDDEN],
    )


def lost(value: object, error: Undigestible) -> ValueFacts:
    """A value whose content cannot be told."""
    return ValueFacts(
        lost=redact(str(error))[:300],
        kind=_kind(value),
        dotted=dotted(value) or "",
        modules=_home(value),
        last_words=isinstance(error, HasLastWords),
    )


def ended(names: Iterable[str], know: Callable[[str], ValueFacts | None]) -> list[Reason]:
    """Why code is not repeatable that binds these names anew or deletes them: what they held may have code run then."""
    return [Reason(ReasonCode.LAST_WORDS, name) for name in sorted(names) if (it := know(name)) and it.last_words]


def first_lost(known: Mapping[str, Mapping[str, Any]]) -> Reason | None:
    """Why a step ran a value of which cannot be stored, with the part of it; None where all could be."""
    lost = ((name, str(data["lost"])) for name, data in known.items() if data.get("lost"))
    return next((Reason(ReasonCode.LOST_VALUE, name, part) for name, part in lost), None)


def reached(know: Callable[[str], ValueFacts | None], names: Iterable[str]) -> set[str]:
    """The names, and those that notebook functions among their values look up when called."""
    met: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in met:
            continue
        met.add(name)
        known = know(name)
        if known is not None:
            waiting += known.globals
    return met


def _home(value: object) -> tuple[str, ...]:
    module = module_of(type(value))
    return () if module in ("", "builtins", "__main__") else (module,)


def _path(value: object) -> str:
    import pathlib

    return str(value) if isinstance(value, pathlib.PurePath) else ""


def _kind(value: object) -> str:
    if isinstance(value, types.ModuleType):
        return "module"
    if isinstance(value, type):
        return "class"
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, types.MethodType)):
        return "function"
    return "value"


def _sources(functions: list[types.FunctionType]) -> tuple[tuple[str, ...], tuple[Reason, ...]]:
    """The source of each notebook function, and a doubt for each that has none."""
    sources: dict[str, None] = {}
    doubts: list[Reason] = []
    seen = set()
    for function in functions:
        code = function.__code__
        if code in seen or is_library_file(code.co_filename):
            continue
        seen.add(code)
        try:
            sources[textwrap.dedent(inspect.getsource(function))] = None
        except (OSError, TypeError, SyntaxError, ValueError):
            if _is_generated(function):
                continue
            doubts.append(Reason(ReasonCode.NO_SOURCE, function.__name__))
    return tuple(sources), tuple(dict.fromkeys(doubts))


def _is_generated(function: types.FunctionType) -> bool:
    """Whether a function without source is one that dataclasses and named tuples make of a class's fields."""
    name = function.__name__
    return function.__code__.co_filename.startswith("<") and (
        (name.startswith("__") and name.endswith("__")) or name in ("_make", "_replace", "_asdict")
    )


def dotted(value: object) -> str | None:
    """The real name of a module, or of a function or class of one; None for any other value."""
    if isinstance(value, types.ModuleType):
        return value.__name__
    if isinstance(value, types.MethodType):
        value = value.__func__
    owner = getattr(value, "__self__", None)
    if isinstance(value, types.BuiltinFunctionType) and isinstance(owner, type):
        return f"{owner.__module__}.{value.__qualname__}"
    if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        module = getattr(value, "__module__", None)
        return None if module in (None, "__main__") else f"{module}.{value.__qualname__}"
    return None
