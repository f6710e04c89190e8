"""A walk through one value: plain parts in bulk, each mutable object once, and a path to what cannot be told.

What is fed to the hash can be parted again in one way only: atoms and containers of nothing but atoms as `marshal`
writes them (form 2, which knows neither addresses nor interning), all else after a mark of its own that begins with
a zero byte. So no two different values feed the same bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, compress, repeat
from marshal import dumps
from operator import is_
from typing import TYPE_CHECKING, Any

import xxhash

from jupyter_mlops.capture.digest import layout
from jupyter_mlops.secrets.known import KNOWN
from jupyter_mlops.secrets.scan import Scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})
"""Types whose values are nothing but their content: identity means nothing, and `marshal` writes them exactly."""
_FORM = 2
_CHUNK = 4096
"""How many items are judged and written at once."""
_DEPTH = 4
"""How many containers deep plain values are looked for at once."""
_LARGE = 1 << 20
_BULK_BYTES = 1 << 25
"""Text and bytes beyond this size in one chunk are written one by one, so that no copy of all of them is made."""


class Undigestible(Exception):
    """A value, or a part of it, whose content cannot be told; `path` says which part, such as `model.steps[0]._lock`."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(path, what)
        self.path = path
        self.what = what

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"

    def inside(self, step: str) -> Undigestible:
        """The same, met one step further out."""
        self.path = step + self.path
        return self


class HasLastWords(Undigestible):
    """A value that does something when it goes: no other can stand for it."""


Handler = Callable[["ValueWalk", Any], None]


def module_of(kind: type) -> str:
    """The module that a type says it is of; "" where it says none, as some types that Cython makes."""
    module: object = kind.__module__
    return module if isinstance(module, str) else ""


def item_step(index: int) -> str:
    """The path's step to an item of a sequence."""
    return f"[{index}]"


def no_step(index: int) -> str:
    """The step to what has no name of its own."""
    return ""


class ValueWalk:
    """What is met on the way is noted: `ids` of mutable objects, memory, functions, modules, global names.

    `handlers` says by exact type how a value is walked, `resolve` finds that out for a type not among them.
    """

    __slots__ = (
        "_deadline",
        "_held",
        "_inner",
        "_scan",
        "_seconds",
        "_seen",
        "_ticks",
        "alive",
        "extents",
        "frame_extents",
        "functions",
        "globals",
        "handlers",
        "hash",
        "hides",
        "ids",
        "indexes",
        "modules",
        "named",
        "namespace",
        "resolve",
        "update",
        "views",
    )

    def __init__(
        self,
        namespace: dict[str, Any],
        alive: list[Any],
        handlers: dict[type, Handler],
        named: dict[int, tuple[bytes, str]],
        resolve: Callable[[type], Handler],
        seconds: float,
    ) -> None:
        self.namespace = namespace
        self.alive = alive
        self.handlers = handlers
        self.named = named
        self.resolve = resolve
        self.hash = xxhash.xxh3_128()
        self._scan = None if KNOWN.patterns is None else Scan(KNOWN.patterns)
        self.update = self._feeding(self.hash)
        self.ids: set[int] = set()
        self.extents: list[tuple[int, int]] = []
        self.views: list[tuple[tuple[int, int], Any]] = []
        self.frame_extents: list[tuple[int, int]] = []
        self.modules: set[str] = set()
        self.functions: list[Any] = []
        self.globals: set[str] = set()
        self.hides: set[str] = set()
        self.indexes: dict[int, bytes] = {}
        self._seen: dict[int, int] = {}
        self._inner = False
        self._held = self.extents
        self._ticks = 0
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds

    def _feeding(self, digest: Any) -> Callable[[Any], None]:
        update: Callable[[Any], None] = digest.update
        return update if self._scan is None else self._scan.before(update)

    def met_secret(self) -> None:
        """What is walked holds a secret."""
        if self._scan is not None:
            self._scan.mark()

    def holds_secret(self) -> bool:
        """Whether what was walked holds a secret that this process has looked up."""
        return self._scan is not None and self._scan.found()

    def value(self, value: Any) -> None:
        """Walk any value."""
        kind = type(value)
        if kind in PLAIN:
            if (kind is str or kind is bytes) and len(value) > _LARGE:
                self.tag(kind.__name__)
                self.blob(value.encode("utf-8", "surrogatepass") if kind is str else value)
            else:
                self.update(dumps(value, _FORM))
            return
        handler = self.handlers.get(kind)
        if handler is None:
            handler = self.handlers[kind] = self.resolve(kind)
        handler(self, value)

    def tag(self, *parts: str | bytes) -> None:
        """Feed a mark of any texts and bytes."""
        self.update(b"\0mark" + dumps(parts, _FORM))

    def blob(self, data: Any) -> None:
        """Feed a buffer after its length, uncopied."""
        self.update(b"\0blob" + memoryview(data).nbytes.to_bytes(8, "little"))
        self.update(data)

    def tick(self) -> None:
        """Raise `Undigestible` when the time is over."""
        self._ticks += 1
        if not self._ticks & 511:
            self.check_time()

    def check_time(self) -> None:
        """Raise `Undigestible` when the time is over; to be called before each large piece of work."""
        if time.monotonic() > self._deadline:
            raise Undigestible("", f"determining its content takes over {self._seconds:.0f} s")

    def first_time(self, value: object, *, mutable: bool = True) -> bool:
        """Whether `value` is met for the first time in this walk; if not, its number stands for it."""
        number = self._seen.get(id(value))
        if number is not None:
            self.update(b"\0over" + number.to_bytes(8, "little"))
            return False
        self._seen[id(value)] = len(self._seen)
        self.tick()
        self.alive.append(value)
        if mutable and not self._inner:
            self.ids.add(id(value))
        return True

    def shared(self, value: object) -> None:
        """Note a mutable object that is not walked itself, such as an instance's `__dict__`."""
        if not self._inner:
            self.alive.append(value)
            self.ids.add(id(value))

    def memory(self, array: NDArray[Any]) -> None:
        """Note the memory of a numpy array, and whose it is where that is no array."""
        extent = layout.extent(array)
        if extent is not None:
            self._held.append(extent)
            if not self._inner:
                self.views.append((extent, array))
        owner = layout.owner(array)
        if owner is not None:
            self.shared(owner)

    def own_memory(self, value: object) -> None:
        """Note an object that a frame may hold and someone else write into: its own address is its memory."""
        self.alive.append(value)
        self._held.append((id(value), id(value) + 1))

    @contextmanager
    def within(self, *, copies: bool) -> Iterator[None]:
        """Inside a frame or index: its parts are no one else's; with `copies` nor is their memory written in place."""
        before = self._inner, self._held
        self._inner, self._held = True, self.frame_extents if copies else self.extents
        try:
            yield
        finally:
            self._inner, self._held = before

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Objects that a frame only refers to, such as the items of an object column."""
        before = self._inner, self._held
        self._inner, self._held = False, self.extents
        try:
            yield
        finally:
            self._inner, self._held = before

    def apart(self, step: Handler, value: object) -> bytes:
        """The digest of a part on its own. Objects met in it are not known again outside it."""
        outer, known = self.update, len(self._seen)
        inner = xxhash.xxh3_128()
        self.update = self._feeding(inner)
        try:
            step(self, value)
        finally:
            self.update = outer
        while len(self._seen) > known:
            self._seen.popitem()
        return inner.digest()

    def sequence(self, tag: bytes, values: Sequence[Any], step: Callable[[int], str] = item_step) -> None:
        """Walk a list or tuple; `tag` has four bytes, `step` is the path's step to the item of a number."""
        size = len(values)
        self.update(b"\0" + tag + size.to_bytes(8, "little"))
        if size <= _CHUNK:
            if size:
                self._part(values, 0, step)
            return
        for start in range(0, size, _CHUNK):
            self.check_time()
            self._part(values[start : start + _CHUNK], start, step)

    def _part(self, part: Sequence[Any], start: int, step: Callable[[int], str]) -> None:
        kinds = set(map(type, part))
        if (kinds <= PLAIN and _is_small(part, kinds)) or self._is_nested_plain(part, kinds):
            self.update(dumps(part, _FORM))  # type: ignore[arg-type]
            return
        index = start
        try:
            for item in part:
                self.value(item)
                index += 1
        except Undigestible as error:
            raise error.inside(step(index)) from error.__cause__

    def _is_nested_plain(self, part: Sequence[Any], kinds: set[type]) -> bool:
        """Whether there are only plain values in containers, a few deep, each met for the first time; these are noted."""
        if len(part) < 8:
            return False
        mutable: list[Any] = []
        level: Sequence[Any] = part
        for _ in range(_DEPTH):
            rest = kinds - PLAIN
            if not _is_small(level, kinds):
                return False
            if not rest:
                return self._note_all(mutable)
            if not rest <= {list, tuple, dict}:
                return False
            below: list[Any] = []
            for kind in (list, dict, tuple):
                if kind not in rest:
                    continue
                group = level if len(kinds) == 1 else [item for item in level if type(item) is kind]
                if sum(map(len, group)) > 64 * _CHUNK:
                    return False
                below += chain.from_iterable(group)
                if kind is dict:
                    below += chain.from_iterable(map(dict.values, group))
                if kind is not tuple:
                    mutable += group
            level, kinds = below, set(map(type, below))
        return False

    def _note_all(self, mutable: list[Any]) -> bool:
        """Note containers as met, unless one of them was met before."""
        ids = set(map(id, mutable))
        if len(ids) != len(mutable) or not self._seen.keys().isdisjoint(ids):
            return False
        known = len(self._seen)
        self._seen.update(zip(map(id, mutable), range(known, known + len(mutable)), strict=True))
        self.alive.extend(mutable)
        if not self._inner:
            self.ids |= ids
        return True

    def mapping(self, value: Mapping[Any, Any], *, attributes: bool = False) -> None:
        """Walk keys and values of an exact dict, in their order. `attributes` only says how the path is written."""
        if len(value) <= _CHUNK:
            kinds = set(map(type, value)) | set(map(type, value.values()))
            if kinds <= PLAIN and _is_small([*value, *value.values()], kinds):
                self.update(dumps(value, _FORM))  # type: ignore[arg-type]
                return
        keys = list(value)

        def step(index: int) -> str:
            return f".{keys[index]}" if attributes else f"[{_short(keys[index])}]"

        self.sequence(b"keys", keys)
        self.sequence(b"vals", list(value.values()), step)

    def unordered(self, tag: bytes, values: Collection[Any]) -> None:
        """Walk a set: the digest does not depend on the order."""
        self.update(b"\0" + tag + len(values).to_bytes(8, "little"))
        kinds = set(map(type, values))
        if kinds <= PLAIN:
            written = sorted(map(dumps, values, repeat(_FORM)))
            for start in range(0, len(written), _CHUNK):
                self.update(b"".join(written[start : start + _CHUNK]))
            return
        try:
            digests = sorted([self.apart(ValueWalk.value, item) for item in values])
        except Undigestible as error:
            raise error.inside("{...}") from error.__cause__
        self.tag(*digests)


def _is_small(values: Sequence[Any], kinds: set[type]) -> bool:
    """Whether the text and bytes among plain values may be copied at once."""
    if str not in kinds and bytes not in kinds:
        return True
    total = 0
    for kind in (str, bytes):
        if kind in kinds:
            found = values if len(kinds) == 1 else compress(values, map(is_, map(type, values), repeat(kind)))
            total += sum(map(len, found))
    return total <= _BULK_BYTES


def _short(key: object) -> str:
    text = repr(key) if type(key) in PLAIN else type(key).__name__
    return text if len(text) <= 40 else text[:37] + "..."
