"""Files behind a URL that fsspec knows (s3, gs, abfs, file, memory ...): whole files by key, and errors in our words.

Network work is done in a thread of our own, so that what a notebook does with fsspec itself is told apart from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import NotWritableError, StoreError

THREADS = "jupyter-mlops-objects"
_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "memory"})
"""Where a file that is being written is not seen until it is whole; elsewhere it is renamed."""
_PATIENCE = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 4}}
_TIMES = ("LastModified", "mtime", "last_modified", "updated", "modified", "created")
_EXTRAS = {"s3": "s3", "s3a": "s3"}


class Bucket:
    """A folder of files. After a fork it is opened anew, as connections and threads do not survive one.

    All methods raise `StoreError` where it cannot be reached or its package is missing, `NotWritableError` where it refuses.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.protocol = url.partition("://")[0]
        self._opened: tuple[int, Any, str] | None = None
        self._lock = threading.Lock()

    def info(self, key: str) -> tuple[int, float] | None:
        """A file's bytes and when it was written (seconds since 1970); None where there is none."""
        with self._told(key):
            files, root = self._files()
            try:
                return _facts(files.info(f"{root}/{key}"))
            except FileNotFoundError:
                return None
        return None

    def put(self, file: Path, key: str) -> None:
        """Bring a whole file there; no reader ever sees a part of it."""
        with self._told(key, writing=True):
            files, root = self._files()
            target = f"{root}/{key}"
            if self.protocol in _WHOLE:
                files.put_file(str(file), target)
                return
            files.makedirs(target.rpartition("/")[0], exist_ok=True)
            temporary = f"{root}/tmp/{secrets.token_hex(8)}"
            files.makedirs(f"{root}/tmp", exist_ok=True)
            try:
                files.put_file(str(file), temporary)
                files.mv(temporary, target)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    files.rm_file(temporary)

    def put_text(self, text: str, key: str) -> None:
        """Write a short text."""
        with self._told(key, writing=True):
            files, root = self._files()
            if self.protocol not in _WHOLE:
                files.makedirs(f"{root}/{key}".rpartition("/")[0], exist_ok=True)
            files.pipe_file(f"{root}/{key}", text.encode())

    def text(self, key: str) -> str | None:
        """A short text; None where there is none."""
        with self._told(key):
            files, root = self._files()
            try:
                return bytes(files.cat_file(f"{root}/{key}")).decode("utf-8", "replace")
            except FileNotFoundError:
                return None
        return None

    def fetch(self, key: str, file: Path) -> bool:
        """Bring a file here; False where there is none."""
        with self._told(key):
            files, root = self._files()
            try:
                files.get_file(f"{root}/{key}", str(file))
            except FileNotFoundError:
                return False
        return True

    def refresh(self, key: str) -> bool:
        """Make a file as young as one just written; False where that takes writing it anew."""
        with self._told(key, writing=True):
            files, root = self._files()
            try:
                if hasattr(files, "setxattr"):
                    files.setxattr(f"{root}/{key}", refreshed=str(time.time()))
                elif self.protocol in ("file", "local"):
                    files.touch(f"{root}/{key}", truncate=False)
                else:
                    return False
            except FileNotFoundError:
                return False
        return True

    def remove(self, key: str) -> None:
        """Delete a file; one that is gone already is no error."""
        with self._told(key, writing=True), contextlib.suppress(FileNotFoundError):
            files, root = self._files()
            files.rm_file(f"{root}/{key}")

    def list(self, below: str = "") -> dict[str, tuple[int, float]]:
        """All keys (below a folder), with what `info` tells of each."""
        with self._told(below):
            files, root = self._files()
            top = f"{root}/{below}".rstrip("/")
            try:
                infos = files.find(top, detail=True)
            except FileNotFoundError:
                return {}
            start = len(files._strip_protocol(root)) + 1
            return {name[start:]: _facts(info) for name, info in infos.items()}
        return {}

    def _files(self) -> tuple[Any, str]:
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():
                self._opened = (os.getpid(), *self._open())
            return self._opened[1], self._opened[2]

    def _open(self) -> tuple[Any, str]:
        """What reaches the files, and the folder's path there; made once per process and host, as that takes long."""
        fsspec = require_fsspec()
        host = "" if self.protocol in _EXTRAS else self.url.split("/")[2]
        which = (os.getpid(), self.protocol, host)
        with _opening:
            files = _opened.get(which)
            if files is None:
                files = _opened[which] = self._connect(fsspec)
        return files, str(files._strip_protocol(self.url)).rstrip("/")

    def _connect(self, fsspec: Any) -> Any:
        try:
            kind = fsspec.get_filesystem_class(self.protocol)
        except (ImportError, ValueError) as error:
            extra = _EXTRAS.get(self.protocol)
            raise StoreError(
                f"Objects at '{self.url}' cannot be reached: {error}.",
                f"pip install 'jupyter-mlops[{extra}]'" if extra else "Install the package that fsspec asks for.",
            ) from None
        options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
        if getattr(kind, "async_impl", False):
            options["loop"] = _loop()
        if self.protocol in ("s3", "s3a"):
            options["config_kwargs"] = _PATIENCE
        with self._told(""):
            return fsspec.core.url_to_fs(self.url, **options)[0]

    @contextlib.contextmanager
    def _told(self, key: str, *, writing: bool = False) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            where = f"{self.url}/{key}".rstrip("/")
            text = str(error) or type(error).__name__
            if isinstance(error, PermissionError) or "credentials" in text.lower():
                raise NotWritableError(
                    f"'{where}' cannot be {'written' if writing else 'read'}: {text}.",
                    "Check your credentials for it, and their permissions.",
                ) from error
            raise StoreError(
                f"'{where}' cannot be {'written' if writing else 'read'}: {text}.",
                "Check that it exists and can be reached (MLOPS_OBJECTS, or .mlops/store.json).",
            ) from error


def require_fsspec() -> Any:
    """The module fsspec. Raises `StoreError` where it is not installed."""
    try:
        importlib.import_module("fsspec.core")
        return importlib.import_module("fsspec")
    except ImportError as error:
        raise StoreError(
            f"Objects are behind a URL, and the package that reads it is not installed: {error}.",
            "pip install 'jupyter-mlops[s3]'",
        ) from None


def _facts(info: dict[str, Any]) -> tuple[int, float]:
    when = next((info[name] for name in _TIMES if info.get(name) is not None), None)
    if isinstance(when, str):
        with contextlib.suppress(ValueError):
            when = datetime.fromisoformat(when.replace("Z", "+00:00"))
    if isinstance(when, datetime):
        when = when.replace(tzinfo=when.tzinfo or timezone.utc).timestamp()
    # What does not tell its time is as young as can be: it is never taken for garbage.
    return int(info.get("size") or 0), float(when) if isinstance(when, (int, float)) else time.time()


def _loop() -> asyncio.AbstractEventLoop:
    """The loop of this process, in a daemon thread that ends with it."""
    with _loops_lock:
        made = _loops.get(os.getpid())
        if made is None:
            made = _loops[os.getpid()] = asyncio.new_event_loop()
            made.set_default_executor(ThreadPoolExecutor(max_workers=4, thread_name_prefix=THREADS))
            threading.Thread(target=made.run_forever, name=THREADS, daemon=True).start()
        return made


_opened: dict[tuple[int, str, str], Any] = {}
_opening = threading.Lock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}
_loops_lock = threading.Lock()
