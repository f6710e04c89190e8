"""What a cell may change of the process around it: environment variables, working folder, import path, locale, decimal
context, log levels. Told is what differs from `begin`; what libraries set while they are imported does not count.
"""

from __future__ import annotations

import decimal
import locale
import logging
import os
import sys
import sysconfig
import time
from typing import Any

from jupyter_mlops.capture.libraries import warned
from jupyter_mlops.capture.origin.imports import by_library_import

Options = dict[str, Any]

_VOLATILE = (
    "JPY_",
    "JUPYTER",
    "MLOPS_",
    "MLFLOW_",
    "IPYTHON",
    "VSCODE",
    "PYDEVD",
    "KMP_",
    "COLUMNS",
    "LINES",
    "PWD",
    "OLDPWD",
    "SHLVL",
    "_",
    "MPLBACKEND",
    "CLICOLOR",
    "FORCE_COLOR",
    "TERM",
    "PAGER",
    "GIT_PAGER",
)
"""Variables that Jupyter, the shell, MLflow and we ourselves set."""
_CATEGORIES = ("LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MONETARY", "LC_MESSAGES", "LC_CTYPE")


class _Start:
    """How it all stood in the beginning."""

    def __init__(self) -> None:
        self.environ: dict[str, str] = dict(os.environ)
        self.raw = dict(getattr(os.environ, "_data", {}))
        self.folder = _folder()
        self.path = list(sys.path)
        self.ctype = locale.setlocale(locale.LC_CTYPE)
        self.zone = (time.tzname, time.timezone, time.altzone)
        self.handlers = list(logging.root.handlers)
        self.by_libraries: set[str] = set()
        self.seen: Any = None
        self.told: Options = {}


_started: list[_Start] = []


def begin() -> None:
    """Take what is now as the start; only the first call counts. Call it before any cell runs."""
    if not _started:
        _started.append(_Start())
        warned.begin()
        sys.addaudithook(_hook)


def _start() -> _Start:
    if not _started:
        begin()
    return _started[0]


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("os.putenv", "os.unsetenv") and by_library_import():
        _started[0].by_libraries.add(os.fsdecode(arguments[0]))
    elif event == "os.chdir":
        _folder_now.clear()


_folder_now: list[str] = []
"""The working folder as it was told last; empty where something may have changed it since."""


def cell_ended() -> None:
    """A cell ran: native code in it may have changed the folder unseen."""
    _folder_now.clear()


def _current_folder() -> str:
    """Asking the system lets other threads go first, so it is done once per cell."""
    if not _folder_now:
        found = _folder()
        _folder_now[:] = [found]
        return found
    return _folder_now[0]


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def environ_options() -> Options:
    """Variable → value, None where it was deleted."""
    start = _start()
    raw = getattr(os.environ, "_data", None)  # decoding them all takes longer than comparing
    if raw is not None and raw == start.raw:
        return {}
    if raw is None or start.seen != (raw, start.by_libraries):
        current = dict(os.environ)
        start.seen = (dict(raw or {}), set(start.by_libraries))
        start.told = {
            name: current.get(name)
            for name in sorted(current.keys() | start.environ.keys())
            if current.get(name) != start.environ.get(name)
            and name not in start.by_libraries
            and not name.startswith(_VOLATILE)
        }
    return dict(start.told)


def set_environ_options(options: Options) -> None:
    """Those that do not differ any more get back what they had."""
    before = _start().environ
    wanted = {name: before.get(name) for name in environ_options()} | options
    for name, value in wanted.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    _start().by_libraries -= wanted.keys()


def zone_options() -> Options:
    """The time zone of the process where `time.tzset` changed it."""
    zone = (time.tzname, time.timezone, time.altzone)
    return {} if zone == _start().zone else {"zone": zone}


def set_zone_options(options: Options) -> None:
    """After the variable TZ has been set."""
    if hasattr(time, "tzset") and options != zone_options():
        time.tzset()


def folder_options() -> Options:
    """The working folder, seen from the one of the start."""
    first, folder = _start().folder, _current_folder()
    return {} if folder == first else {"folder": _seen_from(folder, first)}


def set_folder_options(options: Options) -> None:
    """Raises `OSError` where there is no such folder any more."""
    os.chdir(os.path.normpath(os.path.join(_start().folder, options.get("folder", "."))))


def _seen_from(path: str, folder: str) -> str:
    """Relative where it lies in `folder`, so that a project may be moved."""
    return os.path.relpath(path, folder) if f"{path}{os.sep}".startswith(f"{folder}{os.sep}") else path


def path_options() -> Options:
    """Entries of `sys.path`, in order: a number stands for the entry of the start. Packages' own are left out."""
    start = _start()
    if sys.path == start.path:
        return {}
    places = {entry: number for number, entry in reversed(list(enumerate(start.path)))}
    entries: list[Any] = [
        places[entry] if entry in places else _seen_from(entry, start.folder) if os.path.isabs(entry) else entry
        for entry in sys.path
        if entry in places or not entry.startswith(_packages())
    ]
    return {} if entries == list(range(len(start.path))) else {"entries": entries}


def _packages() -> tuple[str, ...]:
    return (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))


def set_path_options(options: Options) -> None:
    """In place, as others may hold the list."""
    start = _start()
    own = [entry for entry in sys.path if entry not in start.path and entry.startswith(_packages())]
    entries = options.get("entries", range(len(start.path)))
    wanted = [_entry(entry, start) for entry in entries]
    sys.path[:] = [*wanted, *(entry for entry in own if entry not in wanted)]


def _entry(entry: int | str, start: _Start) -> str:
    if isinstance(entry, int):
        return start.path[entry] if entry < len(start.path) else ""
    inside = os.path.normpath(os.path.join(start.folder, entry))
    return inside if entry and not os.path.isabs(entry) and os.path.isdir(inside) else entry


def decimal_options() -> Options:
    """The context of decimal numbers, but for the flags of operations past."""
    now, usual = decimal.getcontext(), decimal.DefaultContext
    fields = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")
    changed: Options = {name: getattr(now, name) for name in fields if getattr(now, name) != getattr(usual, name)}
    if now.traps != usual.traps:
        changed["traps"] = sorted(kind.__name__ for kind, on in now.traps.items() if on)
    return changed


def set_decimal_options(options: Options) -> None:
    """Exactly these, for the context that calls."""
    context = decimal.DefaultContext.copy()
    for name, value in options.items():
        if name != "traps":
            setattr(context, name, value)
    if "traps" in options:
        for kind in list(context.traps):
            context.traps[kind] = kind.__name__ in options["traps"]
    decimal.setcontext(context)


def locale_options() -> Options:
    """Category → setting, where a cell set one: Python starts with "C" and the environment's character type."""
    changed = {}
    for name in _CATEGORIES:
        category = getattr(locale, name, None)
        if category is not None:
            setting = locale.setlocale(category)
            if setting != (_start().ctype if name == "LC_CTYPE" else "C"):
                changed[name] = setting
    return changed


def set_locale_options(options: Options) -> None:
    """Raises `locale.Error` where the machine does not have such a locale."""
    for name in {**locale_options(), **options}:
        usual = _start().ctype if name == "LC_CTYPE" else "C"
        locale.setlocale(getattr(locale, name), options.get(name, usual))


def logging_options() -> Options:
    """The root logger's level and stream handlers, and what is disabled altogether. Libraries' handlers do not count."""
    root = logging.root
    changed: Options = {}
    if root.level != logging.WARNING:
        changed["level"] = root.level
    if root.manager.disable:
        changed["disable"] = root.manager.disable
    handlers = [_handler(item) for item in _own_handlers()]
    return {**changed, "handlers": handlers} if handlers else changed


def _own_handlers() -> list[logging.Handler]:
    first = _start().handlers
    return [item for item in logging.root.handlers if item not in first and type(item).__module__ in _HANDLERS]


_HANDLERS = ("logging", "logging.handlers", "__main__")


def _handler(handler: logging.Handler) -> tuple[Any, ...]:
    stream = getattr(handler, "stream", None)
    name = "stderr" if stream is sys.stderr else "stdout" if stream is sys.stdout else None
    formatter = handler.formatter
    if (
        type(handler) is not logging.StreamHandler
        or name is None
        or type(formatter) not in (type(None), logging.Formatter)
    ):
        raise ValueError(f"a {type(handler).__name__} of the root logger")
    layout = None if formatter is None else (formatter._fmt, formatter.datefmt, type(formatter._style).__name__)
    return name, handler.level, layout


_STYLES = {"PercentStyle": "%", "StrFormatStyle": "{", "StringTemplateStyle": "$"}


def set_logging_options(options: Options) -> None:
    """Exactly these; handlers that were there in the beginning and those of libraries stay."""
    root = logging.root
    root.setLevel(options.get("level", logging.WARNING))
    logging.disable(options.get("disable", 0))
    for handler in _own_handlers():
        root.removeHandler(handler)
    for name, level, layout in options.get("handlers", ()):
        handler = logging.StreamHandler(getattr(sys, name))
        handler.setLevel(level)
        if layout is not None:
            handler.setFormatter(logging.Formatter(layout[0], layout[1], _STYLES[layout[2]]))  # type: ignore[arg-type]
        root.addHandler(handler)
