"""Secrets in files: plain, across pieces, and compressed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import canary
import numpy
import pandas
import pyarrow
import pytest

from jupyter_mlops.secrets import inside
from jupyter_mlops.secrets.inside import file_holds_secret
from jupyter_mlops.secrets.known import KNOWN

TOKEN = canary.TOKEN


def _zip(path: Path, text: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", "harmless")
        archive.writestr("b.txt", text)


def _zstd(path: Path, text: str) -> None:
    with pyarrow.output_stream(str(path), compression="zstd") as stream:
        stream.write(text.encode())


def _frame(text: str) -> pandas.DataFrame:
    return pandas.DataFrame({"a": range(100), "b": [text, *("x" * 99)]})


WRITERS: dict[str, Callable[[Path, str], object]] = {
    "plain": lambda path, text: path.write_text(text, encoding="utf-8"),
    "in two pieces": lambda path, text: path.write_bytes(b"x" * ((4 << 20) - 5) + text.encode()),
    "gzip": lambda path, text: path.write_bytes(gzip.compress(text.encode())),
    "bzip2": lambda path, text: path.write_bytes(bz2.compress(text.encode())),
    "xz": lambda path, text: path.write_bytes(lzma.compress(text.encode())),
    "zstd": _zstd,
    "zip": _zip,
    "npz": lambda path, text: numpy.savez_compressed(path.open("wb"), a=numpy.array([text])),
    "xlsx-like": _zip,
    "pickle": lambda path, text: _frame(text).to_pickle(path, compression="gzip"),
    "parquet": lambda path, text: _frame(text).to_parquet(path, compression="zstd"),
    "feather": lambda path, text: _frame(text).to_feather(path, compression="lz4"),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_secret_in_a_file_is_found_and_another_text_is_not(kind: str, tmp_path: Path) -> None:
    with_secret, without = tmp_path / "with", tmp_path / "without"
    WRITERS[kind](with_secret, f"a line with {TOKEN}\n")
    WRITERS[kind](without, "a line with nothing\n")
    assert not file_holds_secret(str(with_secret)), "nothing was looked up yet"
    KNOWN.add("TOKEN", TOKEN)
    assert file_holds_secret(str(with_secret))
    assert not file_holds_secret(str(without))


@pytest.mark.parametrize(
    "magic", [b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"PAR1", b"ARROW1"]
)
def test_a_file_that_only_looks_compressed_holds_none(magic: bytes, tmp_path: Path) -> None:
    KNOWN.add("TOKEN", TOKEN)
    (tmp_path / "a").write_bytes(magic + b" and then something else")
    assert not file_holds_secret(str(tmp_path / "a"))


def test_a_bomb_is_not_unpacked_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KNOWN.add("TOKEN", TOKEN)
    monkeypatch.setattr(inside, "_MOST", 1 << 20)
    (tmp_path / "a").write_bytes(gzip.compress(b"\0" * (20 << 20) + TOKEN.encode()))
    assert not file_holds_secret(str(tmp_path / "a"))
