"""The one error tree: every error says what was wrong (message) and what to do next (hint).

MLOpsError                     1  500   something of ours failed
├── InputError                 2  400   what was asked for cannot be: names, values, files the user gave
│   ├── UnknownNameError       2  404   no such step, notebook, template, parameter, run, schedule, kernel
│   ├── NotebookError          2  422   a notebook that cannot be read or breaks a rule (two steps of one name)
│   └── TooLargeError          2  413   more than a route of the server takes
├── StoreError                 1  500   the project's store cannot be read or written
│   ├── NotWritableError       1  403   a folder or file we need to write is not writable
│   ├── FullDiskError          1  507   the disk took no more; all that was stored is whole
│   ├── IndexVersionError      1  409   the index was made by a newer version
│   ├── DamagedIndexError      1  409   the index is damaged, empty, missing or an older copy; nothing is done with it
│   ├── DamagedObjectError     1  500   stored bytes do not match their name or signature; never used
│   └── NotStoredError         1  409   a value was not stored, and cannot be made again as it was
└── RunError                   1  500   a run ended other than completed
    ├── CellFailedError        1  500   a cell raised
    ├── KernelDiedError        1  500   the kernel's process went away
    └── CanceledError          1  409   the run was canceled

The first figure is the exit code of the command line, the second the HTTP status of the server.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

_LONGEST = 10_000
"""Characters of a message, which may quote what someone gave."""
_LONGEST_NAME = 500


def beginning(text: str, most: int) -> str:
    """`text`, or so many characters: its beginning, and how many it has."""
    if len(text) <= most:
        return text
    told = f"… ({len(text):,} characters)"
    return text[: most - len(told)] + told


class MLOpsError(Exception):
    """Base of all errors raised on purpose. Picklable: it is made again from its message, hint and details."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, hint: str = "", **details: Any) -> None:
        self.message = beginning(message, _LONGEST)
        self.hint = beginning(hint, _LONGEST)
        self.details = details
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (type(self), self.message, self.hint, self.details)


def _remake(kind: type[MLOpsError], message: str, hint: str, details: dict[str, Any]) -> MLOpsError:
    return kind(message, hint, **details)


class InputError(MLOpsError):
    code = "input"
    exit_code = 2
    http_status = 400


class UnknownNameError(InputError):
    code = "unknown_name"
    http_status = 404

    @classmethod
    def among(cls, what: str, name: str, known: Iterable[str]) -> UnknownNameError:
        """The error for `name`, which is no `what`, with a did-you-mean from the `known` names."""
        import difflib

        names = sorted(set(known))
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.5) if len(name) <= _LONGEST_NAME else []
        if close:
            hint = f"Did you mean '{close[0]}'?"
        elif names:
            shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
            hint = f"Known: {shown}."
        else:
            hint = f"There is no {what} yet."
        return cls(f"There is no {what} named '{name}'.", hint)


class NotebookError(InputError):
    code = "notebook"
    http_status = 422


class TooLargeError(InputError):
    code = "too_large"
    http_status = 413


class StoreError(MLOpsError):
    code = "store"


class NotWritableError(StoreError):
    code = "not_writable"
    http_status = 403


class FullDiskError(StoreError):
    code = "full_disk"
    http_status = 507


class IndexVersionError(StoreError):
    code = "index_version"
    http_status = 409


class DamagedIndexError(StoreError):
    code = "damaged_index"
    http_status = 409


class DamagedObjectError(StoreError):
    code = "damaged_object"


class NotStoredError(StoreError):
    code = "not_stored"
    http_status = 409


class RunError(MLOpsError):
    code = "run"


class CellFailedError(RunError):
    code = "cell_failed"


class KernelDiedError(RunError):
    code = "kernel_died"


class CanceledError(RunError):
    code = "canceled"
    http_status = 409
