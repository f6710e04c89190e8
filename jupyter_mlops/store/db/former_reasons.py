"""Reads the sentences in which stores and archives before revision 0005 kept reasons; these words change no more."""

from __future__ import annotations

import re

from jupyter_mlops.domain.reason import Reason, ReasonCode, Reasons

_PLAIN = {
    "reads the clock": ReasonCode.CLOCK,
    "looks for files": ReasonCode.LOOKS_FOR_FILES,
    "draws fresh entropy": ReasonCode.ENTROPY,
    "talks to the network": ReasonCode.NETWORK,
    "starts a process": ReasonCode.PROCESS,
    "reads a database": ReasonCode.DATABASE,
    "asks the user": ReasonCode.ASKS,
    "reads the working folder": ReasonCode.WORKING_FOLDER,
    "reads the environment": ReasonCode.ENVIRONMENT,
    "makes temporary files": ReasonCode.TEMPORARY_FILES,
    "draws from numpy's generator, which it has just imported": ReasonCode.UNSEEDED_NUMPY,
    "may read files natively": ReasonCode.NATIVE_READ,
    "may write files natively": ReasonCode.NATIVE_WRITE,
    "reads a file whose name is computed": ReasonCode.COMPUTED_READ,
    "writes a file whose name is computed": ReasonCode.COMPUTED_WRITE,
    "reads a file that changed while it ran": ReasonCode.CHANGED_READ,
    "reads what is no plain file": ReasonCode.NO_PLAIN_FILE,
    "starts threads or tasks": ReasonCode.THREADS,
    "leaves a thread": ReasonCode.LEAVES_THREAD,
    "has another thread do work": ReasonCode.LENT_TO_THREAD,
    "computes in other processes": ReasonCode.OTHER_PROCESSES,
    "looks into the interpreter": ReasonCode.INTERPRETER,
    "reads what differs from process to process": ReasonCode.IDENTITY,
    "looks into the namespace": ReasonCode.NAMESPACE,
    "may read any variable": ReasonCode.ANY_VARIABLE,
    "runs code made while running": ReasonCode.RUNS_CODE,
    "sets attributes by name": ReasonCode.SETS_BY_NAME,
    "talks to the shell": ReasonCode.SHELL,
    "reads the shell's history": ReasonCode.SHELL_HISTORY,
    "talks to MLflow": ReasonCode.MLFLOW,
    "changes files": ReasonCode.CHANGES_FILES,
    "removes files": ReasonCode.REMOVES_FILES,
    "moves files": ReasonCode.MOVES_FILES,
    "changes the mode of a file": ReasonCode.CHANGES_MODE,
    "changes the owner of a file": ReasonCode.CHANGES_OWNER,
    "makes a link": ReasonCode.MAKES_LINK,
    "makes a pipe": ReasonCode.MAKES_PIPE,
    "changes files of a folder that cannot be told": ReasonCode.UNTOLD_FOLDER,
    "uses source that cannot be read": ReasonCode.UNREADABLE_SOURCE,
    "calls a function whose source cannot be read": ReasonCode.UNREADABLE_FUNCTION,
    "may configure a library": ReasonCode.CONFIGURES,
    "leaves a figure open": ReasonCode.OPEN_FIGURE,
    "shows a live widget": ReasonCode.WIDGET,
    "shows in a shell whose displays cannot be recorded": ReasonCode.UNRECORDED_DISPLAY,
    "writes a file that was changed before it was stored": ReasonCode.CHANGED_WRITE,
    "has a stored result that is damaged": ReasonCode.DAMAGED,
    "was not saved before its kernel ended": ReasonCode.UNSAVED,
    "was imported from another user": ReasonCode.UNTRUSTED,
    "was recorded by another version, under conditions unknown here": ReasonCode.OTHER_VERSION,
}
"""Followed by nothing, by what it is about in parentheses, and by " in" and the function or file."""
_PHRASE = re.compile(rf"({'|'.join(map(re.escape, sorted(_PLAIN, key=len, reverse=True)))})(?: \((.*)\))?(?: in (.+))?")
_MACHINE = re.compile(r"(?:os\.(?:getpid|getppid|getlogin|cpu_count|uname)|psutil)\b.*")
_WHERE = r"(?: in (?P<where>[^()]+))?"
_SHAPED = [
    (re.compile(text + _WHERE), code)
    for text, code in [
        (r"draws fresh entropy \((?P<detail>\w+) without a seed\)", ReasonCode.ENTROPY_NO_SEED),
        (
            r"draws fresh entropy \((?P<detail>\w+) with a seed that may be None\)",
            ReasonCode.ENTROPY_SEED_MAY_BE_NONE,
        ),
        (r"draws fresh entropy \(a generator seeded with '(?P<detail>\w+)'\)", ReasonCode.ENTROPY_SEED_IS_NONE),
        (r"draws from the generator of (?P<detail>[\w.]+), which no one has seeded", ReasonCode.UNSEEDED),
        (r"may read any variable \((?P<detail>\w+) of a computed text\)", ReasonCode.COMPUTED_QUERY),
        (r"runs beside (?P<detail>.+) of an earlier cell", ReasonCode.BESIDE),
        (r"imports all of (?P<detail>\S+)", ReasonCode.IMPORTS_ALL),
        (r"runs the magic (?P<detail>%\S+)", ReasonCode.MAGIC),
        (r"runs (?P<detail>%matplotlib \S+)", ReasonCode.MAGIC),
        (r"calls '(?P<detail>\w+)', whose source is not known", ReasonCode.NO_SOURCE),
        (
            r"(?P<detail>\S+) changed since it was imported \(restart the kernel\)",
            ReasonCode.EDITED_MODULE,
        ),
        (
            r"uses (?P<detail>\S+) as it was when this run was asked for, and it has changed",
            ReasonCode.OLDER_MODULE,
        ),
        (
            r"uses the module (?P<detail>\S+), which holds something of unknown content \((?P<because>.*)\)",
            ReasonCode.UNTOLD_MODULE,
        ),
        (r"reads '(?P<detail>\w+)', whose content cannot be told \((?P<because>.*)\)", ReasonCode.UNTOLD_VALUE),
        (r"cannot tell the options of (?P<detail>\S+)", ReasonCode.UNTOLD_OPTIONS),
        (
            r"changes or shares what '(?P<detail>\w+)' holds, and what that was before is not known",
            ReasonCode.UNTOLD_BEFORE,
        ),
        (r"sets an attribute of (?P<detail>\S+)", ReasonCode.SETS_ATTRIBUTE),
        (r"changes the state of a library \((?P<detail>\S+) changed\)", ReasonCode.LIBRARY_STATE),
        (r"shows what cannot be kept \((?P<because>.*)\)", ReasonCode.UNKEPT_DISPLAY),
        (r"leaves options of libraries that cannot be stored \((?P<because>.*)\)", ReasonCode.UNKEPT_OPTIONS),
        (r"could not be stored: (?P<because>.*)", ReasonCode.NOT_STORED),
    ]
]
_WHY = [
    (re.compile(text), code)
    for text, code in [
        ("its code changed", ReasonCode.CODE_CHANGED),
        ("its --model changed", ReasonCode.MODEL_CHANGED),
        ("quiet changed", ReasonCode.QUIET_CHANGED),
        (r"its input '(?P<detail>\w+)' changed(?: \(from step '?(?P<because>.+?)'?\))?", ReasonCode.INPUT_CHANGED),
        (r"the file (?P<detail>.+) changed", ReasonCode.FILE_CHANGED),
        (r"(?P<detail>.+) came, went or became something else", ReasonCode.FILE_CAME_OR_WENT),
        (r"the module (?P<detail>\S+) changed", ReasonCode.MODULE_CHANGED),
        (r"the variable (?P<detail>\S+) changed", ReasonCode.VARIABLE_CHANGED),
        (r"the options of (?P<detail>\S+) changed", ReasonCode.OPTIONS_CHANGED),
        ("a cell before it that configures libraries changed", ReasonCode.EFFECTS_CHANGED),
        (r"effects:(?P<detail>\S+) changed", ReasonCode.EFFECTS_CHANGED),
        ("installed packages changed", ReasonCode.PACKAGES_CHANGED),
        ("the Python version changed", ReasonCode.PYTHON_CHANGED),
        ("the shell's display settings changed", ReasonCode.DISPLAY_CHANGED),
        ("nothing it depends on changed", ReasonCode.NOTHING_CHANGED),
        ("it had not run before", ReasonCode.HAD_NOT_RUN),
        ("its last run (?P<detail>failed|canceled|lost|running|pending)", ReasonCode.ENDED),
        (r"a later cell needs '(?P<detail>\w+)', which cannot be stored", ReasonCode.LOST_VALUE),
        ("a file or random state it read changed", ReasonCode.FILE_OR_RANDOM_CHANGED),
        (
            "a file, a random state or what shares its values changed, or a later cell may read what it shows",
            ReasonCode.FILE_RANDOM_OR_SHARED_CHANGED,
        ),
        ("it is forced", ReasonCode.FORCED),
        ("it is marked --no-cache", ReasonCode.NO_CACHE),
    ]
]


def former_reasons(text: str) -> Reasons:
    """What a column `unrepeatable` said. A part that no code fits is `OTHER`: on that no reuse relies."""
    return Reasons.of(_reason(part) for part in text.split("; ") if part)


def former_why(text: str) -> Reason | None:
    """What a column `why` said."""
    for pattern, code in _WHY:
        if (found := pattern.fullmatch(text)) is not None:
            return Reason(code, **{name: value for name, value in found.groupdict().items() if value})
    if text.startswith("it "):
        return _reason(text[3:].partition("; ")[0])
    return Reason(ReasonCode.TOLD, text) if text else None


def _reason(text: str) -> Reason:
    for pattern, code in _SHAPED:
        if (match := pattern.fullmatch(text)) is not None:
            return Reason(code, **{name: value for name, value in match.groupdict().items() if value})
    match = _PHRASE.fullmatch(text)
    if match is None:
        return Reason(ReasonCode.OTHER, text)
    phrase, detail, where = match[1], match[2] or "", match[3] or ""
    code = _PLAIN[phrase]
    if code is ReasonCode.INTERPRETER and _MACHINE.fullmatch(detail):
        code = ReasonCode.MACHINE
    return Reason(code, detail, where=where)
