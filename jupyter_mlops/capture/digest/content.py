"""A value's digest by content: equal for equal values in any process, and after a round trip through the store.

What cannot be walked to the end raises `Undigestible`: then nothing is known of the value, and the step runs. Functions
and classes of the notebook are followed into their code, closures and defaults; the names they look up when called are
told apart. While walking, the mutable objects met and the memory of arrays are noted, so that sharing between two
values can be seen. How each kind of value is walked stands in the modules beside this one.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.capture.digest import arrays as digest_arrays
from jupyter_mlops.capture.digest import arrow, frames, instances, layout, objects
from jupyter_mlops.capture.digest.reduced import reduced
from jupyter_mlops.capture.digest.walk import Handler, Undigestible, ValueWalk
from jupyter_mlops.secrets import Secret
from jupyter_mlops.secrets.known import keyed

__all__ = ["ALGORITHM", "BUDGET_SECONDS", "Fingerprint", "Undigestible", "Walker"]

ALGORITHM = "xxh3-128:2"
"""Name and version of the canonical form: it is part of every key, so a change of form reuses nothing made before."""

BUDGET_SECONDS = 10.0
"""How long walking one value may take: past it nothing is known of the value, and the step runs."""

_MOST_OVERLAPS = 10_000
Extent = tuple[int, int]


@dataclass
class Fingerprint:
    """A value's digest and what was met on the way.

    `ids` of mutable objects and `extents` (first, last address) of memory that may be written in place are valid while
    the walker lives. `frame_extents` are of memory that its holder never writes in place (frames under copy-on-write,
    indexes, arrow): a view of it may. `modules` are names of modules that functions, classes and instances met come
    from; `functions` are those defined in the notebook, whose source may be asked for doubts; `globals` are the names
    they may look up in the walker's namespace when called, whose values are no part of the digest. That of a value which
    holds a `secret` is made with the user's key. `hides` names attributes that the pickled form of an object leaves out.
    """

    digest: str
    ids: set[int]
    extents: list[Extent]
    modules: set[str]
    functions: list[types.FunctionType]
    globals: set[str] = field(default_factory=set)
    frame_extents: list[Extent] = field(default_factory=list)
    secret: bool = False
    hides: tuple[str, ...] = ()

    def shares_with(self, other: Fingerprint) -> bool:
        """Whether changing one of the two values in place may change the other."""
        return (
            not self.ids.isdisjoint(other.ids)
            or _meet(self.extents, other.extents)
            or _meet(self.extents, other.frame_extents)
            or _meet(self.frame_extents, other.extents)
        )


def connected(fingerprints: Mapping[str, Fingerprint]) -> list[set[str]]:
    """The names whose values share with one another, directly or by others of them, in groups of two and more."""
    groups: list[set[str]] = []
    left = sorted(fingerprints)
    while left:
        group, waiting = {left[0]}, [left.pop(0)]
        while waiting:
            this = fingerprints[waiting.pop()]
            met = [name for name in left if this.shares_with(fingerprints[name])]
            left = [name for name in left if name not in met]
            group |= {*met}
            waiting += met
        if len(group) > 1:
            groups.append(group)
    return groups


class Walker:
    """Walks values of one namespace. Keeps all it met alive, so that ids stay true until it is dropped."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self._alive: list[Any] = []
        self._handlers = {**objects.HANDLERS, Secret: _secret}
        self._named: dict[int, tuple[bytes, str]] = {}

    def fingerprint(self, name: str, value: object) -> Fingerprint:
        """The fingerprint of `value`, called `name` in errors. Raises `Undigestible`."""
        walk = ValueWalk(self.namespace, self._alive, self._handlers, self._named, _resolve, BUDGET_SECONDS)
        try:
            walk.value(value)
            if len(walk.views) > 1:
                _views(walk)
        except RecursionError:
            raise Undigestible(name, "it is nested too deeply") from None
        except Undigestible as error:
            raise error.inside(name) from error.__cause__
        except Exception as error:
            raise Undigestible(name, f"{type(error).__name__}: {error}"[:200]) from error
        walk.extents.sort()
        walk.frame_extents.sort()
        digest, secret = walk.hash.hexdigest(), walk.holds_secret()
        return Fingerprint(
            keyed(digest) if secret else digest,
            walk.ids,
            walk.extents,
            walk.modules,
            walk.functions,
            walk.globals,
            walk.frame_extents,
            secret,
            tuple(sorted(walk.hides)),
        )


def _secret(walk: ValueWalk, value: Secret) -> None:
    walk.met_secret()
    walk.tag("secret", str(value))


def _resolve(kind: type) -> Handler:
    for module in (objects, digest_arrays, frames, arrow):
        handler: Handler | None = module.resolve(kind)
        if handler in objects.BY_REDUCTION:
            return instances.resolve(kind) or handler
        if handler is not None:
            return handler
    return instances.resolve(kind) or reduced


def _meet(some: Sequence[Extent], others: Sequence[Extent]) -> bool:
    """Whether any of the one overlaps any of the others; both are sorted."""
    if not some or not others or some[0][0] >= max(end for _, end in others):
        return False
    marks = sorted([(low, high, 0) for low, high in some] + [(low, high, 1) for low, high in others])
    ends = [0, 0]
    for low, high, side in marks:
        if low < ends[1 - side]:
            return True
        ends[side] = max(ends[side], high)
    return False


def _views(walk: ValueWalk) -> None:
    """Feed which arrays of the value are views of one memory: a change of one shows in the other. Not those of frames."""
    views = walk.views
    order = sorted(range(len(views)), key=lambda number: views[number][0])
    overlaps: list[tuple[int, int, int]] = []
    open_ones: list[int] = []
    for number in order:
        low = views[number][0][0]
        open_ones = [other for other in open_ones if views[other][0][1] > low]
        for other in open_ones:
            first, second = sorted((number, other))
            one, two = views[first][1], views[second][1]
            if layout.overlaps(one, two):
                overlaps.append((first, second, layout.element_offset(one, two)))
        open_ones.append(number)
        walk.tick()
        if len(overlaps) > _MOST_OVERLAPS:
            raise Undigestible("", "too many views of one array")
    if overlaps:
        walk.sequence(b"over", sorted(overlaps))
