"""Digests of files and folders, as they are now."""

from __future__ import annotations

import os
import stat

import xxhash

ABSENT = "absent"
EXISTS = "exists:"
"""In front of an absolute path: only asked is whether something is there."""


def file_digest(path: str) -> str:
    """The digest of a file's content; for a folder, of the names in it; "absent" where there is nothing.

    With `EXISTS` in front of the path: "file", "folder" or "absent". Digests are not remembered: neither size nor times
    of a file tell reliably that its content is the same (a mapped file may be written without any of them changing).
    """
    if path.startswith(EXISTS):
        path = path[len(EXISTS) :]
        return "folder" if os.path.isdir(path) else "file" if os.path.exists(path) else ABSENT
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            return "folder:" + xxhash.xxh3_128_hexdigest(
                "\0".join(sorted(os.listdir(path))).encode("utf-8", "surrogateescape")
            )
        if not stat.S_ISREG(status.st_mode):
            return f"special:{status.st_mode}"
        digest = xxhash.xxh3_128()
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()
    except OSError:
        return ABSENT


def named_files(texts: set[str], folder: str) -> dict[str, str]:
    """Those of the texts that name regular files, seen from `folder`, as absolute paths with their digests."""
    found = {}
    for text in texts:
        if 0 < len(text) < 1000 and "\n" not in text and "\0" not in text:
            path = os.path.abspath(os.path.join(folder, os.path.expanduser(text)))
            if os.path.isfile(path):
                found[path] = file_digest(path)
    return found
