"""Looks for a token in everything that a run left: plain and encoded, in files, databases and compressed objects."""

from __future__ import annotations

import base64
import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

TOKEN = "kanari-9fQ2/xZ+7w==&p$ß-Ende0815"
"""Its encodings differ: base64 has two alphabets for it, URLs and HTML escape it, and not all of it is ASCII."""


def encodings(token: str = TOKEN) -> dict[str, bytes]:
    """The forms looked for, made here by other means than in the package: what base64 has of it in each alignment."""
    data = token.encode()
    found = {
        "plain": data,
        "utf-16": token.encode("utf-16-le"),
        "utf-32": token.encode("utf-32-le"),
        "hex": data.hex().encode(),
        "HEX": data.hex().upper().encode(),
        "quote": quote(token).encode(),
        "quote all": quote(token, safe="").encode(),
        "quote_plus": quote_plus(token).encode(),
        "json": token.encode("ascii", "backslashreplace"),
        "html": token.replace("&", "&amp;").encode(),
        "bytes": repr(data)[2:-1].encode(),
        "upper case": token.upper().encode(),
        "lower case": token.lower().encode(),
        "hex with colons": ":".join(f"{byte:02x}" for byte in data).encode(),
    }
    for shift in range(3):
        # Whatever stands before and after: the characters that are the same for two different surroundings.
        one = base64.b64encode(b"\x00" * shift + data + b"\x00" * 3)
        other = base64.b64encode(b"\xff" * shift + data + b"\xff" * 3)
        equal = "".join(chr(a) if a == b else " " for a, b in zip(one, other, strict=True))
        middle = max(equal.split(), key=len).encode()
        assert len(middle) > len(data)
        found[f"base64 +{shift}"] = middle
        found[f"urlsafe base64 +{shift}"] = middle.translate(bytes.maketrans(b"+/", b"-_"))
    for shift in range(5):
        found[f"base32 +{shift}"] = _middle(base64.b32encode, data, shift)
    for shift in range(4):
        found[f"base85 +{shift}"] = _middle(base64.b85encode, data, shift)
        found[f"ascii85 +{shift}"] = _middle(base64.a85encode, data, shift)
    return found


def _middle(encode: Callable[[bytes], bytes], data: bytes, shift: int) -> bytes:
    """The longest run of characters that is the same for two different surroundings."""
    one = encode(b"\x01" * shift + data + b"\x01" * 9)
    other = encode(b"\xfe" * shift + data + b"\xfe" * 9)
    equal = bytes(a if a == b else 0 for a, b in zip(one, other, strict=True))
    middle = max(equal.split(b"\0"), key=len)
    assert len(middle) > len(data) - 4
    return middle


def leaks(*folders: Path, token: str = TOKEN) -> list[str]:
    """Each file with the token in it, and in which form; an empty list is what a test wants."""
    forms = encodings(token)
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                for what, data in contents(path.read_bytes()):
                    found += [f"{path}{what}: {name}" for name, form in forms.items() if form in data]
                found += [f"{path}: its name" for form in forms.values() if form in os.fsencode(path)]
    return found


def contents(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The bytes, and what is compressed in them."""
    yield "", data
    for name, decompress in (("gzip", gzip.decompress), ("zlib", zlib.decompress), ("xz", lzma.decompress)):
        try:
            yield f" ({name})", decompress(data)
        except (OSError, zlib.error, lzma.LZMAError, EOFError):
            continue
    if data[:4] == b"\x28\xb5\x2f\xfd":
        import pyarrow

        with pyarrow.input_stream(io.BytesIO(data), compression="zstd") as stream:
            yield " (zstd)", stream.read()
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield f" ({name})", archive.read(name)
