"""A digest of option values: plain ones by their text, all others by what the walker of values finds in them."""

from __future__ import annotations

import re
from typing import Any

import xxhash

from jupyter_mlops.capture.digest.content import Undigestible, Walker
from jupyter_mlops.secrets.known import holds, keyed

_ATOMS = (type(None), bool, int, float, complex, str, bytes)
_TEXTUAL = {"Cycler"}
"""Types whose text is their whole content."""


class UnreadableOption(Exception):
    """An option holds something whose content cannot be told."""


def digest(value: object) -> str:
    """The digest of `value`. Raises `UnreadableOption`."""
    text = _text(value)
    found = xxhash.xxh3_128_hexdigest(text.encode("utf-8", "surrogatepass"))
    return keyed(found) if holds(text) else found


def _text(value: Any) -> str:
    kind = type(value)
    if kind in _ATOMS or kind.__name__ in _TEXTUAL:
        return repr(value)
    if kind in (list, tuple):
        return f"{kind.__name__}({','.join(_text(item) for item in value)})"
    if kind in (set, frozenset):
        return f"{kind.__name__}({','.join(sorted(_text(item) for item in value))})"
    if kind is dict:
        return f"dict({','.join(f'{_text(key)}:{_text(item)}' for key, item in value.items())})"
    if kind is re.Pattern:
        return f"pattern({value.pattern!r},{value.flags})"
    try:
        return f"{kind.__module__}.{kind.__qualname__}({Walker({}).fingerprint('option', value).digest})"
    except Undigestible as error:
        raise UnreadableOption(error.what) from error
