"""What the names of a kernel stand for, as far as keys need it: values that are there, and values not loaded yet.

`examine` asks a `World`; the live one looks at the namespace, and looks again only at what a cell may have touched.
"""

from __future__ import annotations

import builtins
import operator
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from jupyter_mlops.analysis.code.doubts import SHELL_NAMES
from jupyter_mlops.capture import libraries
from jupyter_mlops.capture.digest.content import Fingerprint, Undigestible, Walker, connected
from jupyter_mlops.capture.key.conditions import depended_on
from jupyter_mlops.capture.key.value_facts import ValueFacts, known_of, lost


class World(Protocol):
    """What a step finds when it begins."""

    effects: dict[str, str]
    """Library (or "*") → digest of the cells that configured it in ways no fingerprint shows."""

    def know(self, name: str) -> ValueFacts | None:
        """What is known of a name; None where nothing is bound to it."""

    def component(self, names: Iterable[str]) -> set[str]:
        """The names, and all others that share mutable state with them."""

    def shapes(self, names: Iterable[str]) -> dict[str, str]:
        """The groups that the components of `names` fall into ("a,b") → digest of each group as one value, which tells
        also how its values hang together; `UNTOLD` where that is not known."""

    def together(self, names: Collection[str]) -> dict[str, str]:
        """Those of `names` that share among themselves ("a,b") → digest of these values as one; `UNTOLD` where that is
        not known."""

    def libraries(self, among: Collection[str] | None = None) -> Mapping[str, str]:
        """Library → digest of its options; of those `among` at least."""

    def randoms(self) -> Mapping[str, str]:
        """Global random generator → digest of its state."""

    def folder(self) -> str:
        """The working folder."""

    def file(self, path: str) -> str:
        """The digest of a file's content as the step would find it; or of a secret's value, `UNTOLD` where none may be
        looked up."""

    def untold(self) -> list[str]:
        """Names of values that are there, and whose sharing with others cannot be told."""


_MODULES_OWN = {
    "__name__",
    "__doc__",
    "__package__",
    "__loader__",
    "__spec__",
    "__file__",
    "__builtin__",
    "__builtins__",
}
_MODULES_OWN |= {"__session__", "__vsc_ipynb_file__", "__warningregistry__", "__pydevd_ret_val_dict", "__cached__"}
"""Names that every module has, or that tools put there."""
UNTOLD = "?"
"""In place of a digest that cannot be told."""


class Shaped(Protocol):
    """What knows which names share, and what they are together."""

    def component(self, names: Iterable[str]) -> set[str]:
        """See `World`."""

    def shape(self, group: set[str]) -> str:
        """The digest of values that share, as one value; `UNTOLD` where that is not known."""


def shapes_in(world: Shaped, names: Iterable[str]) -> dict[str, str]:
    """What `World.shapes` gives."""
    left = world.component(names)
    found = {}
    while left:
        group = world.component({min(left)})
        left -= group
        found[",".join(sorted(group))] = world.shape(group)
    return found


@dataclass(frozen=True)
class Pending:
    """A name of a reused step whose value is not loaded: `result` names the stored values, None where it is lost.

    `group` are the names that must be loaded together, this one among them; `source` is the id of the step run that
    computed them.
    """

    known: ValueFacts
    source: str
    result: str | None
    group: frozenset[str]


@dataclass
class _Mark:
    """What was seen of a value; `fresh` until a cell may have touched it. The walker keeps the ids in `found` true."""

    value: Any
    known: ValueFacts
    found: Fingerprint | None
    walker: Walker | None
    fresh: bool = True


class LiveWorld:
    """The namespace of this kernel."""

    def __init__(self, namespace: dict[str, Any], hidden: Mapping[str, Any]) -> None:
        self.namespace = namespace
        self.pending: dict[str, Pending] = {}
        self.effects: dict[str, str] = {}
        self.states: dict[str, tuple[str, Any]] = {}
        """Library → digest and value of the options that a reused step left, not set yet."""
        self.load: Callable[[Iterable[str]], None] = lambda names: None
        """Loads values that are pending; the session sets it."""
        self.has_last_words = False
        """Whether a value was met that has code run when it goes, at whatever time."""
        self._hidden = hidden
        self._marks: dict[str, _Mark] = {}
        self._shapes: dict[frozenset[str], tuple[list[_Mark], str]] = {}

    def is_shells(self, name: str) -> bool:
        """Whether a name is the shell's own, not the notebook's."""
        if name in SHELL_NAMES or name in _MODULES_OWN:
            return True
        if name[:1] == "_" and name.lstrip("_").lstrip("i").isdigit():
            return True
        return name in self._hidden and self._hidden[name] is self.namespace.get(name)

    def user_names(self) -> list[str]:
        """The notebook's names that are bound to values."""
        return [name for name in self.namespace if not self.is_shells(name)]

    def know(self, name: str) -> ValueFacts | None:
        if name not in self.namespace:
            pending = self.pending.get(name)
            return pending.known if pending is not None else None
        if self._hidden.get(name) is self.namespace[name] and hasattr(builtins, name):
            return None  # `open`, in whose place the shell has one of its own
        return self._look(name).known

    def mark(self, name: str) -> Fingerprint | None:
        """The fingerprint of a value that is there; None where its content cannot be told."""
        mark = self._look(name)
        if mark.found is None and not mark.known.lost:
            mark = self._see(name)
        return mark.found

    def _look(self, name: str) -> _Mark:
        mark = self._marks.get(name)
        if mark is not None and mark.fresh and mark.value is self.namespace[name]:
            return mark
        return self._see(name)

    def _see(self, name: str) -> _Mark:
        value = self.namespace[name]
        walker = Walker(self.namespace)
        try:
            found = walker.fingerprint(name, value)
            mark = _Mark(value, known_of(value, found), found, walker)
        except Undigestible as error:
            mark = _Mark(value, lost(value, error), None, None)
            self.has_last_words = self.has_last_words or mark.known.last_words
        self._marks[name] = mark
        return mark

    def loaded(self, name: str, value: object, known: ValueFacts) -> None:
        """Bind a name to its restored value, of which all is known but where its parts lie."""
        self.namespace[name] = value
        self.pending.pop(name, None)
        self._marks[name] = _Mark(value, known, None, None)

    def pend(self, name: str, pending: Pending) -> None:
        """A name of a reused step: its value is to be loaded when it is needed."""
        self.forget(name)
        self.pending[name] = pending

    def forget(self, name: str) -> None:
        """Nothing is bound to a name any more."""
        self.namespace.pop(name, None)
        self.pending.pop(name, None)
        self._marks.pop(name, None)

    def has_parts(self, name: str) -> bool:
        """Whether a value has mutable parts that another name could share; True where that cannot be told."""
        found = self.mark(name)
        return found is not None and _has_parts(found)

    def known_now(self, among: Iterable[str] | None = None) -> dict[str, ValueFacts]:
        """What is known already, and still true, of the values that are there (of these names)."""
        marks = self._marks
        return {
            name: mark.known
            for name, mark in (
                marks.items() if among is None else [(name, marks[name]) for name in among if name in marks]
            )
            if mark.fresh and name in self.namespace and mark.value is self.namespace[name]
        }

    def touch(self, names: Iterable[str] | None) -> set[str]:
        """Some code may have changed the values of these names, or of all: they, and what shares with them, are looked at
        again. Gives those of them that are there."""
        touched = set(self._marks) if names is None else set(names)
        seen_now = self._see_loaded(touched) if names is not None else set()
        touched |= seen_now
        if names is not None:
            touched |= set(self._sharing([name for name in touched if name in self._marks]))
        for name in (touched - seen_now) & set(self._marks):
            self._marks[name].fresh = False
        for name in [name for name in self._marks if name not in self.namespace]:
            del self._marks[name]
        for group in [group for group in self._shapes if not group <= self._marks.keys() or group & touched]:
            del self._shapes[group]
        for name in [name for name in self.pending if name in self.namespace]:
            del self.pending[name]
        return {name for name in touched if name in self.namespace}

    def _see_loaded(self, names: Iterable[str]) -> set[str]:
        """Look at the values among `names` that were loaded, and of which only now it matters where their parts lie."""
        seen: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            mark = self._marks.get(name)
            if name in seen or mark is None or name not in self.namespace or mark.found is not None or mark.known.lost:
                continue
            seen.add(name)
            waiting += mark.known.shares
            self._see(name)
        return seen

    def _sharing(self, names: Iterable[str]) -> list[str]:
        """Names marked already that share with `names`."""
        marked: dict[str, Fingerprint] = {}
        waiting = [name for name in names if self._parted(name)]
        if waiting:
            marked = {name: parted for name in self._marks if (parted := self._parted(name)) is not None}
        reached = set(waiting)
        while waiting:
            this = marked[waiting.pop()]
            for name, other in marked.items():
                if name not in reached and this.shares_with(other):
                    reached.add(name)
                    waiting.append(name)
        return sorted(reached)

    def _parted(self, name: str) -> Fingerprint | None:
        """The fingerprint of a value that is marked and has parts; None for any other."""
        mark = self._marks.get(name)
        if mark is None or mark.found is None or not _has_parts(mark.found) or self.is_shells(name):
            return None
        return mark.found

    def component(self, names: Iterable[str]) -> set[str]:
        members = set(names)
        for name in list(members):
            pending = self.pending.get(name)
            if pending is not None and name not in self.namespace:
                members |= {
                    other
                    for other in pending.group
                    if other not in self.namespace and self._same_group(pending, self.pending.get(other))
                }
        live = [name for name in members if name in self.namespace and self.has_parts(name)]
        if live:
            for name in self.user_names():
                self.mark(name)
            members |= set(self._sharing(live))
        return members

    def shapes(self, names: Iterable[str]) -> dict[str, str]:
        return shapes_in(self, names)

    def shape(self, group: set[str]) -> str:
        """The digest of values that share, as one value."""
        names = sorted(group)
        here = [name for name in names if name in self.namespace]
        if not here and len(names) > 1 and not self._is_as_stored(group):
            self.load(names)  # some of what was stored with them has been bound anew: only the values can tell
            here = [name for name in names if name in self.namespace]
        if not here:
            known = [pending.known for name in names if (pending := self.pending.get(name)) is not None]
            if len(known) != len(names) or any(
                {name, *item.shares} != group for name, item in zip(names, known, strict=True)
            ):
                return UNTOLD
            return known[0].digest or UNTOLD if len(known) == 1 else known[0].shape or UNTOLD
        if len(here) < len(names):
            return UNTOLD
        marks = [self._look(name) for name in names]
        if len(names) == 1:
            return marks[0].known.digest or UNTOLD
        before = self._shapes.get(frozenset(names))
        if before is not None and all(map(operator.is_, before[0], marks)):
            return before[1]
        try:
            shape = Walker(self.namespace).fingerprint("", [self.namespace[name] for name in names]).digest
        except Undigestible:
            shape = UNTOLD
        self._shapes[frozenset(names)] = (marks, shape)
        return shape

    def together(self, names: Collection[str]) -> dict[str, str]:
        waiting = {name: self.pending[name].group for name in names if self._is_pending(name)}
        parted = [group for group in waiting.values() if 1 < len(group & waiting.keys()) < len(group)]
        self.load(frozenset().union(*parted) & waiting.keys())  # only the values tell how a part hangs together
        groups = {group for name, group in waiting.items() if self._is_pending(name) and len(group) > 1}
        whole = [set(group) for group in groups if group <= waiting.keys()]
        live = {name: mark for name in names if name in self.namespace and (mark := self.mark(name)) is not None}
        whole += connected({name: mark for name, mark in live.items() if _has_parts(mark)})
        return {",".join(sorted(group)): self.shape(group) for group in whole}

    def _is_pending(self, name: str) -> bool:
        return name in self.pending and name not in self.namespace

    def is_in_history(self, names: Iterable[str]) -> bool:
        """Whether the shell's history (`_`, `Out`) holds something that shares with the values of `names`."""
        marks = [self.mark(name) for name in names if name in self.namespace]
        live = [item for item in marks if item is not None and _has_parts(item)]
        if not live:
            return False
        shown = [self.namespace.get(name) for name in ("_", "__", "___")]
        shown += self.namespace.get("Out", {}).values()
        for value in {id(value): value for value in shown}.values():
            try:
                held = Walker(self.namespace).fingerprint("", value)
            except Undigestible:
                return True
            if any(held.shares_with(item) for item in live):
                return True
        return False

    def _is_as_stored(self, group: set[str]) -> bool:
        held = [self.pending.get(name) for name in group]
        return all(item is not None and item.group == group for item in held)

    @staticmethod
    def _same_group(one: Pending, other: Pending | None) -> bool:
        return other is not None and other.source == one.source and other.group == one.group

    def libraries(self, among: Collection[str] | None = None) -> Mapping[str, str]:
        state = libraries.library_state(among)
        for name, (digest, _) in self.states.items():
            if digest:
                state[name] = digest
            else:
                state.pop(name, None)
        return state

    def randoms(self) -> Mapping[str, str]:
        return libraries.random_digests()

    def folder(self) -> str:
        return os.getcwd()

    def file(self, path: str) -> str:
        return depended_on(path)

    def untold(self) -> list[str]:
        return [name for name in self.user_names() if self._look(name).found is None and self._look(name).known.lost]


def _has_parts(found: Fingerprint) -> bool:
    return bool(found.ids or found.extents or getattr(found, "frame_extents", None))
