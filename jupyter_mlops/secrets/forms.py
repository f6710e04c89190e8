"""The texts in which a secret may show: as it is, and as encoders, escapes and representations write it."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

from jupyter_mlops.domain.json_text import dumps

SHORTEST = 4
"""Characters below which a secret is looked for only as a word of its own: it is part of too much else."""
_SHORTEST_ENCODED = 6
"""Bytes below which the same holds for its encoded forms."""
_SHORTEST_LINE = 12
_LINE_WIDTHS = (76, 64)
"""At which base64 is cut into lines: by MIME, and in PEM files."""


def forms_of(value: str) -> tuple[set[str], set[str]]:
    """The forms that are looked for anywhere, and those that are looked for only as words of their own."""
    encoded = {form for form in _encoded(value) if form}
    plain = {form for text in _texts(value) for form in _escaped(text) if form}
    if len(value) < SHORTEST:
        return set(), plain | encoded
    short = {form for form in plain if len(form) < SHORTEST}
    if len(value.encode("utf-8", "surrogatepass")) < _SHORTEST_ENCODED:
        return plain - short, short | encoded
    return (plain - short) | encoded, short


def _texts(value: str) -> Iterator[str]:
    """The value, in upper and lower case too, and each long line of it: they are often shown one by one."""
    yield from (value, value.upper(), value.lower())
    stripped = value.strip()
    if stripped:
        yield stripped
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _SHORTEST_LINE and not line.startswith("-----"))
        for end in ("\r\n", "\r"):
            yield end.join(value.splitlines())


def _escaped(text: str) -> Iterator[str]:
    """As JSON, Python, HTML and URLs write it."""
    yield text
    for ascii_only in (True, False):
        once = dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield once.replace("/", "\\/")
        yield dumps(once, ensure_ascii=ascii_only)[1:-1]
    shown = repr(text)[1:-1]
    yield from (shown, repr(shown)[1:-1], shown.replace("'", "\\'"), repr(text + "'\"")[1:-4].removesuffix("\\"))
    yield repr(text.encode("utf-8", "surrogatepass"))[2:-1]
    for quotes in (True, False):
        safe = html.escape(text, quote=quotes)
        yield from (safe, safe.replace("&#x27;", "&#39;"), safe.replace("&#x27;", "&apos;").replace("&quot;", "&#34;"))
    data = text.encode("utf-8", "surrogatepass")
    for kept in ("/", "", "!'()*", ";,/?:@&=+$!'()*#"):
        yield from _percent(quote(data, safe=kept))
        yield from _percent(quote_plus(data, safe=kept))


def _percent(text: str) -> Iterator[str]:
    yield text
    if "%" in text:
        pieces = text.split("%")
        yield "%".join([pieces[0], *(piece[:2].lower() + piece[2:] for piece in pieces[1:])])


def _encoded(value: str) -> Iterator[str]:
    """In hexadecimal, and in base64, base32 and base85 wherever in the encoded bytes it begins."""
    for text in {value, value.strip()}:
        data = text.encode("utf-8", "surrogatepass")
        for between in ("", ":", " ", "-"):
            shown = data.hex(between) if between else data.hex()
            yield from (shown, shown.upper())
        for before in range(3):
            yield from _alphabets(_aligned(base64.b64encode, 6, data, before))
            yield from _alphabets(_aligned(base64.b64encode, 6, data, before, whole=True))
        for before in range(5):
            for whole in (False, True):
                shown = _aligned(base64.b32encode, 5, data, before, whole=whole)
                yield from (shown, shown.lower())
        for encode in (base64.b85encode, base64.a85encode):
            yield encode(data).decode()
            yield from (_in_groups(encode, data[skipped:]) for skipped in range(4))
        yield from _in_lines(data)


def _aligned(encode: Callable[[bytes], bytes], bits: int, data: bytes, before: int, *, whole: bool = False) -> str:
    """The characters of `bits` bits that `before` bytes in front leave as they are and (but for `whole`) any bytes behind."""
    text = encode(bytes(before) + data).decode().rstrip("=")
    return text[-(-before * 8 // bits) : None if whole else (before + len(data)) * 8 // bits]


def _in_groups(encode: Callable[[bytes], bytes], data: bytes) -> str:
    """The characters for whole groups of four bytes; "" for less than two of them, which may stand in anything."""
    length = len(data) // 4 * 4
    return encode(data[:length]).decode() if length >= 8 else ""


def _alphabets(text: str) -> tuple[str, str]:
    return text, text.translate(str.maketrans("+/", "-_"))


def _in_lines(data: bytes) -> Iterator[str]:
    text = base64.b64encode(data).decode()
    for width in _LINE_WIDTHS:
        if len(text) > width:
            lines = [text[start : start + width] for start in range(0, len(text), width)]
            yield from ("\n".join(lines), "\\n".join(lines), "\r\n".join(lines))
