"""Finds secrets in texts and bytes and puts their names in place of them; also where one comes in two pieces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_mlops.secrets.forms import forms_of
from jupyter_mlops.secrets.text import mark

_CUT = re.compile(r"\.{3}|…|'\+\d")
"""Where a text was cut short: by pandas, reprlib and the like, or by rich."""
_CUTS = ("...", "…", "'+")
_CUT_LENGTH = 6
"""Characters of the beginning or end of a secret that are taken for it next to a cut."""
_RUN = re.compile(r"[A-Za-z0-9+/_-]{16,}")
"""Where a piece of a long form is looked for, as in base64 that was cut into lines."""
_SEED, _STRIDE = 16, 8
_REST = re.compile(r"((?:<|&lt;)secret [^<>&]+(?:>|&gt;))((?:\\n|\r?\n) *)([A-Za-z0-9+/_-]{2,15})(?![A-Za-z0-9+/_-])")
"""A last line of few characters, below lines that were taken for the secret."""
_LONG = 60
_WINDOW = 8 << 20
_MANY_BYTES = 16 << 20
"""Beyond this size only the plain forms are looked for in bytes."""
_MARKUP = ("text/html", "text/markdown", "image/svg+xml", "text/xml", "application/xml", "text/latex")


class Patterns:
    """The forms of some secrets: name → all values it has had."""

    def __init__(self, values: Mapping[str, Iterable[str]]) -> None:
        self._names: dict[str, str] = {}
        self._words: dict[str, str] = {}
        plain: set[bytes] = set()
        for name, known in values.items():
            for value in known:
                anywhere, words = forms_of(value)
                self._names.update(dict.fromkeys(anywhere, name))
                self._words.update(dict.fromkeys(words, name))
                if len(value) >= 4:
                    plain |= {value.encode(kind, "surrogatepass") for kind in ("utf-8", "utf-16-le", "utf-32-le")}
        self._plain = tuple(plain)
        self._forms = tuple(sorted(self._names, key=len, reverse=True))
        self._word_forms = tuple(sorted(self._words.keys() - self._names.keys(), key=len, reverse=True))
        self._long = tuple(form for form in self._forms if len(form) >= _LONG)
        self._grams = {
            form[place : place + _SEED]: (form, place) for form in self._long for place in range(len(form) - _SEED + 1)
        }
        self._cuttable = tuple(form for form in self._forms if len(form) >= 2 * _CUT_LENGTH)
        parts = [re.escape(form) for form in self._forms]
        parts += [rf"(?<!\w){re.escape(form)}(?!\w)" for form in self._word_forms]
        self._any = re.compile("|".join(parts))
        self._bytes = [form.encode("utf-8", "surrogatepass") for form in self._forms]
        alone = [rb"(?<![A-Za-z0-9_])" + re.escape(_encode(form)) + rb"(?![A-Za-z0-9_])" for form in self._word_forms]
        self._word_bytes = re.compile(b"|".join(alone)) if alone else None

    def redact(self, text: str, *, markup: bool = False) -> str:
        """The text with the name of each secret in its place; the very text where there is none in it."""
        if self._may_hold(text):
            text = self._any.sub(lambda found: self._mark(found[0], markup), text)
        if self._long and len(text) >= 16:
            text = self._redact_runs(text, markup)
        if self._cuttable and any(cut in text for cut in _CUTS):
            text = self._redact_cut(text, markup)
        return text

    def _may_hold(self, text: str) -> bool:
        return any(form in text for form in self._forms) or any(form in text for form in self._word_forms)

    def _mark(self, form: str, markup: bool) -> str:
        shown = mark(self._names.get(form) or self._words[form])
        return shown.replace("<", "&lt;").replace(">", "&gt;") if markup else shown

    def _redact_runs(self, text: str, markup: bool) -> str:
        made = _RUN.sub(lambda found: self._run(found[0], markup), text)
        if made == text and "secret " not in text:
            return text
        return _REST.sub(lambda found: found[1] if any(found[3] in form for form in self._long) else found[0], made)

    def _run(self, run: str, markup: bool) -> str:
        """A run of letters and digits with each long piece of a long form replaced."""
        if len(run) < _SEED:
            return run
        made, done = "", 0
        for start in (*range(0, len(run) - _SEED, _STRIDE), len(run) - _SEED):
            known = self._grams.get(run[start : start + _SEED]) if start >= done else None
            if known is not None:
                low, high = _extended(run, start, *known)
                made += run[done : max(low, done)] + self._mark(known[0], markup)
                done = high
        return made + run[done:]

    def _redact_cut(self, text: str, markup: bool) -> str:
        """What is left of a secret before and after each place where the text was cut short."""
        for cut in reversed(list(_CUT.finditer(text))):
            after = max(((_shared_end(text, cut.end(), form), form) for form in self._cuttable), default=(0, ""))
            if after[0] >= _CUT_LENGTH:
                text = text[: cut.end()] + self._mark(after[1], markup) + text[cut.end() + after[0] :]
            before = max(((_shared_start(text, cut.start(), form), form) for form in self._cuttable), default=(0, ""))
            if before[0] >= _CUT_LENGTH:
                text = text[: cut.start() - before[0]] + self._mark(before[1], markup) + text[cut.start() :]
        return text

    def spans(self, text: str) -> list[tuple[int, int, str]]:
        """Where secrets stand in the text: first character, the one after the last, what stands in its place."""
        if not self._may_hold(text):
            return []
        return [(*found.span(), self._mark(found[0], False)) for found in self._any.finditer(text)]

    def begun(self, text: str) -> str | None:
        """What stands in the place of a text that is more than half of a secret, from its beginning; None for others."""
        for form in self._forms:
            if len(form) < 2 * len(text) and len(text) >= _CUT_LENGTH and form.startswith(text):
                return self._mark(form, False)
        return None

    def holds(self, text: str) -> bool:
        """Whether there is a secret in the text."""
        return self._may_hold(text) and self._any.search(text) is not None

    def holds_bytes(self, data: Any) -> bool:
        """Whether there is a secret in bytes of any kind."""
        view = _view(data)
        forms = [*self._plain, *self._bytes] if view.nbytes <= _MANY_BYTES else list(self._plain)
        longest = max(map(len, forms), default=0)
        for start in range(0, max(view.nbytes, 1), _WINDOW):
            window = bytes(view[start : start + _WINDOW + longest])
            if any(form in window for form in forms):
                return True
            if self._word_bytes is not None and self._word_bytes.search(window):
                return True
        return False

    def open_end(self, text: str) -> int:
        """From where on the text may be the beginning of a secret that goes on in the next piece."""
        found = self._open_from(text, 0)
        if found == len(text):
            return found
        for match in self._any.finditer(text):
            if match.start() < found < match.end():
                found = self._open_from(text, match.end())
        return found

    def _open_from(self, text: str, start: int) -> int:
        end = len(text)
        for form in self._forms:
            end = min(end, _open(text, form, max(start, len(text) - len(form) + 1), end))
        for form in self._word_forms:  # one that is complete may still be the beginning of a longer word
            end = min(end, _open(text, form, max(start, len(text) - len(form)), end))
        return end


def _view(data: Any) -> memoryview:
    view = memoryview(data)
    try:
        return view.cast("B") if view.nbytes else memoryview(b"")
    except (TypeError, ValueError):  # complex numbers, those of the other byte order
        return memoryview(view.tobytes())


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _extended(run: str, start: int, form: str, place: int) -> tuple[int, int]:
    """How far a run goes on being the form, in both directions, around a seed that is in both."""
    low, high = start, start + _SEED
    while low > 0 and place > 0 and run[low - 1] == form[place - 1]:
        low, place = low - 1, place - 1
    place += high - low
    while high < len(run) and place < len(form) and run[high] == form[place]:
        high, place = high + 1, place + 1
    return low, high


def _open(text: str, form: str, start: int, end: int) -> int:
    """The first place from `start` to `end` from which on the whole rest of the text is a beginning of the form."""
    place = text.find(form[0], start, end)
    while place >= 0:
        if form.startswith(text[place:]):
            return place
        place = text.find(form[0], place + 1, end)
    return end


def _shared_start(text: str, end: int, form: str) -> int:
    """How many characters before `end` are the beginning of the form."""
    place = text.find(form[:_CUT_LENGTH], max(0, end - len(form)), end)
    while place >= 0:
        if form.startswith(text[place:end]):
            return end - place
        place = text.find(form[:_CUT_LENGTH], place + 1, end)
    return 0


def _shared_end(text: str, start: int, form: str) -> int:
    """How many characters after `start` are the end of the form."""
    tail = form[-_CUT_LENGTH:]
    place = text.find(tail, start, start + len(form))
    while place >= 0:
        if form.endswith(text[start : place + _CUT_LENGTH]):
            return place + _CUT_LENGTH - start
        place = text.find(tail, place + 1, start + len(form))
    return 0


class Stream:
    """One stream of text in pieces: what may be the beginning of a secret is held back until the next piece."""

    def __init__(self) -> None:
        self.held = ""
        self._shown = ""
        """What was shown last: the beginning of a secret, perhaps."""

    def feed(self, patterns: Patterns, text: str) -> str:
        """What may be shown of the text so far."""
        begin = len(self._shown)
        text = self._shown + self.held + text
        end = patterns.open_end(text)
        if end <= begin:
            self.held = text[begin:]
            return ""
        self.held, self._shown = text[end:], ""
        for first, last, name in patterns.spans(text[:end]) if begin else ():
            if first < begin < last:
                return name + patterns.redact(text[last:end])
        return patterns.redact(text[begin:end])

    def end(self, patterns: Patterns) -> str:
        """What was held back; more than half of a secret is hidden, and so is the rest, should that come."""
        text, self.held = self.held, ""
        if not text:
            return ""
        self._shown += text
        return patterns.begun(self._shown) or patterns.redact(text)


def redact_all(patterns: Patterns, value: Any, *, markup: bool = False) -> Any:
    """The same for all texts in dicts, lists and tuples; what holds no secret stays the very object."""
    if isinstance(value, str):
        return (
            patterns.redact(str(value), markup=markup)
            if type(value) is not str
            else patterns.redact(value, markup=markup)
        )
    if isinstance(value, dict):
        made = {
            redact_all(patterns, key): redact_all(patterns, item, markup=markup or key in _MARKUP)
            for key, item in value.items()
        }
        same = all(one is other for one, other in zip(value, made, strict=False)) and len(made) == len(value)
        return value if same and all(made[key] is item for key, item in value.items()) else made
    if isinstance(value, (list, tuple)):
        items = [redact_all(patterns, item, markup=markup) for item in value]
        if all(one is other for one, other in zip(items, value, strict=True)):
            return value
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, (bytes, bytearray)):
        return b"<secret>" if patterns.holds_bytes(value) else value
    return value
