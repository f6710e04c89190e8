"""What is installed where: which files are the interpreter's or an installed distribution's, wherever on `sys.path`.

An installer leaves beside what it installs a list of its files (`NAME.dist-info/RECORD`): what stands in one is a library's,
what merely lies near is not. Folders of the interpreter, and those called `site-packages`, hold nothing else.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import sysconfig
import threading
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from jupyter_mlops.domain.json_text import loads

_INFO = (".dist-info", ".egg-info")
_PARTS = (
    *("bin", "conda-meta", "DLLs", "etc", "include", "Include", "lib", "Lib", "lib32", "lib64", "libexec", "Library"),
    *("Scripts", "share", "ssl", "tcl"),
)
"""What an interpreter keeps where it is installed. A project may lie beside it (in `/usr/src/app`, in its environment)."""
_NAMED = re.compile(rf"[\\/](site|dist)-packages{re.escape(os.sep)}")
_INITS = re.compile(r"(?:(.*)/)?__init__\.(?:py|pyc|pyd|so|[\w-]+\.so|[\w-]+\.pyd)\Z")
MOST_FILES, MOST_BYTES = 60, 400_000
"""Up to this size a package of an editable install is read as the project's modules are, wherever it lies."""
_SOURCES = (".py", ".so", ".pyd")


@lru_cache(maxsize=1)
def interpreter_folders() -> tuple[str, ...]:
    """Folders, each with a separator at its end, of this interpreter and of what is installed for it."""
    import site

    paths = sysconfig.get_paths()
    folders = {paths[name] for name in paths if name not in ("data", "scripts")}
    folders |= {site.getusersitepackages(), *site.getsitepackages()}
    folders |= {os.path.join(sys.base_prefix, part) for part in _PARTS}
    folders |= {os.path.join(sys.prefix, part, "jupyter") for part in ("etc", "share")}
    return tuple(sorted(f"{os.path.abspath(folder)}{os.sep}" for folder in folders if folder))


def is_installed_file(path: str) -> bool:
    """Whether a file is the interpreter's or an installed distribution's."""
    thread = threading.get_ident()
    if thread in looking:
        return True  # asked by whoever watches what files are opened: these are ours
    looking.add(thread)
    try:
        return _is_installed(path if os.path.isabs(path) else os.path.abspath(path), _search_paths())
    finally:
        looking.discard(thread)


looking: set[int] = set()
"""Threads that look into folders and lists for this answer."""


_searched: list[list[str]] = [[]]
_numbers: list[int] = [0]


def _search_paths() -> int:
    """A number that changes whenever `sys.path` does: what was found out of files holds as long."""
    if sys.path != _searched[0]:
        _searched[0] = list(sys.path)
        _numbers[0] += 1
        _ever.update(dict.fromkeys(os.path.abspath(entry) for entry in sys.path))
    return _numbers[0]


_ever: dict[str, None] = {}
"""All that ever was on the import path: what was imported from there stays what it is."""


@lru_cache(maxsize=8192)
def _is_installed(path: str, _searched: int) -> bool:
    path = os.path.normpath(path)
    if path.startswith(interpreter_folders()) or _NAMED.search(path):
        return True
    for root in list(_ever):
        if path.startswith(f"{root}{os.sep}") and _lists(root, path):
            return True
    return _is_large_editable(path)


def _lists(root: str, path: str) -> bool:
    """Whether a distribution installed in `root` names the file, or lies around it as a package."""
    packages, files = _listed(root, _changed(root))
    inside = path[len(root) + 1 :].replace(os.sep, "/")
    if inside in files or "" in packages:
        return True
    end = inside.find("/")
    while end >= 0:
        if inside[:end] in packages:
            return True
        end = inside.find("/", end + 1)
    return False


def _changed(root: str) -> int:
    try:
        return os.stat(root).st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _listed(root: str, _modified: int) -> tuple[frozenset[str], frozenset[str]]:
    """The packages that distributions in `root` name, and the files that lie in none, seen from there."""
    if os.path.isdir(os.path.join(root, "EGG-INFO")):
        return frozenset({""}), frozenset()
    files: set[str] = set()
    for name in distributions(root):
        files.update(_files_of(root, name))
    packages = {found[1] or "" for found in map(_INITS.match, files) if found} - {""}
    return frozenset(packages), frozenset(file for file in files if not _is_within(file, packages))


def _is_within(file: str, packages: set[str]) -> bool:
    parts = file.split("/")
    return any("/".join(parts[:depth]) in packages for depth in range(1, len(parts)))


def _files_of(root: str, name: str) -> Iterator[str]:
    record = read_metadata(root, name, "RECORD")
    if record is not None:
        for line in record.splitlines():
            file = line[1:].partition('"')[0] if line.startswith('"') else line.partition(",")[0]
            if not file.startswith(("..", "/")):
                yield file
        return
    # What an older pip left of a distribution that it did not install from a wheel; one in development has no such list.
    for line in (read_metadata(root, name, "installed-files.txt") or "").splitlines():
        if line.startswith("../"):
            yield line[3:]


def distributions(entry: str) -> frozenset[str]:
    """What is installed in an entry of the import path, a folder or an archive, by the names of their metadata.

    A folder is listed again only when it was changed, so that asking often costs next to nothing.
    """
    return _distributions(entry, _changed(entry))


@lru_cache(maxsize=128)
def _distributions(entry: str, _modified: int) -> frozenset[str]:
    try:
        names = os.listdir(entry)
    except NotADirectoryError:
        names = [*_folders_in(entry)]
    except OSError:
        return frozenset()
    if "EGG-INFO" in names:
        return frozenset({"-".join(os.path.basename(entry).split("-")[:2]) + ".egg-info"})
    return frozenset(name for name in names if name.endswith(_INFO) and not name.startswith("~"))


def _folders_in(archive: str) -> set[str]:
    import zipfile

    try:
        with zipfile.ZipFile(archive) as members:
            return {name.partition("/")[0] for name in members.namelist() if "/" in name}
    except (OSError, zipfile.BadZipFile):
        return set()


def conda_records(entry: str) -> frozenset[str]:
    """What conda lists as installed in the prefix of a folder of packages, by name, version and build: also what has no
    metadata of Python's own."""
    folder = conda_folder(entry)
    return _records(folder, _changed(folder)) if folder else frozenset()


@lru_cache(maxsize=64)
def conda_folder(entry: str) -> str:
    """Where conda keeps the list of what is in the prefix of a folder of packages; "" where it keeps none."""
    folder = entry
    for _ in range(3 if os.path.basename(entry) == "site-packages" else 0):
        folder = os.path.dirname(folder)
        if os.path.isdir(os.path.join(folder, "conda-meta")):
            return os.path.join(folder, "conda-meta")
    return ""


@lru_cache(maxsize=16)
def _records(folder: str, _modified: int) -> frozenset[str]:
    try:
        return frozenset(name for name in os.listdir(folder) if name.endswith(".json"))
    except OSError:
        return frozenset()


def read_metadata(entry: str, name: str, file: str) -> str | None:
    """A file of a distribution's metadata; None where there is none."""
    if os.path.isfile(entry):
        return _read_packed(entry, f"{name}/{file}")
    try:
        with open(os.path.join(entry, name, file), encoding="utf-8", errors="replace") as text:
            return text.read()
    except OSError:
        return None


def _read_packed(archive: str, name: str) -> str | None:
    import zipfile

    try:
        with zipfile.ZipFile(archive) as members:
            return members.read(name).decode("utf-8", "replace")
    except (OSError, KeyError, zipfile.BadZipFile):
        return None


def _is_large_editable(path: str) -> bool:
    """Whether a file is of an editable install that lies in no project and is too large to be read as one's own modules."""
    for name, place in editables().items():
        if path.startswith(f"{place}{os.sep}"):
            package = _package_of(path)
            return os.path.basename(package) in _gives(name) and _is_large(package)
    return False


def editables() -> dict[str, str]:
    """Distributions that are used from the folder they were installed from, where that lies in no project → that folder."""
    _search_paths()
    found: dict[str, str] = {}
    for entry in [*map(os.path.abspath, sys.path), *_ever]:
        for name, place, _ in _editables(entry, _changed(entry)):
            found.setdefault(name, place)
    return {name: place for name, place in found.items() if not _lies_in_project(place)}


def _gives(name: str) -> frozenset[str]:
    """The packages that an editable distribution is known to give."""
    found = [given for entry in _ever for each, _, given in _editables(entry, _changed(entry)) if each == name]
    return frozenset().union(*found)


@lru_cache(maxsize=128)
def _editables(entry: str, _modified: int) -> tuple[tuple[str, str, frozenset[str]], ...]:
    found = []
    for name in distributions(entry):
        if os.path.exists(os.path.join(entry, name, "direct_url.json")):
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                told = loads(read_metadata(entry, name, "direct_url.json") or "")
                if told["dir_info"].get("editable"):
                    named = (read_metadata(entry, name, "top_level.txt") or "").split()
                    gives = frozenset([name.partition("-")[0], *named])
                    found.append((name, os.path.normpath(unquote(urlsplit(told["url"]).path)), gives))
    return tuple(found)


def _lies_in_project(folder: str) -> bool:
    while not os.path.isdir(os.path.join(folder, ".mlops")):
        folder, below = os.path.dirname(folder), folder
        if folder == below:
            return False
    return True


def _package_of(path: str) -> str:
    """The outermost package a module lies in; itself where it lies in none."""
    place, folder = path, os.path.dirname(path)
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        place, folder = folder, os.path.dirname(folder)
    return place


@lru_cache(maxsize=256)
def _is_large(place: str) -> bool:
    size = 0
    for number, (_, status) in enumerate(_sources(place)):
        size += status.st_size
        if number >= MOST_FILES or size > MOST_BYTES:
            return True
    return False


def _sources(place: str) -> Iterator[tuple[str, os.stat_result]]:
    """The files below a folder that are imported, or the one that it is; those of environments in it are left out."""
    waiting = [place]
    if os.path.isfile(place):
        yield place, os.stat(place)
        return
    while waiting:
        folder = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(_SOURCES):
                    with contextlib.suppress(OSError):
                        yield entry.path, entry.stat()
                elif not entry.name.startswith((".", "__pycache__", "node_modules", "site-packages")) and entry.is_dir(
                    follow_symlinks=False
                ):
                    waiting.append(entry.path)


def editable_content(place: str) -> str:
    """What changes whenever a source below the folder of an editable install does."""
    found = sorted((path, status.st_mtime_ns, status.st_size) for path, status in _sources(place))
    return "\n".join(f"{path}\0{modified}\0{size}" for path, modified, size in found)
