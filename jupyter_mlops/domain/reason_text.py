"""Reasons in words, for people. Nothing is decided by them: that is what the codes are for."""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_mlops.domain.reason import Reason, ReasonCode

_PHRASES = {
    ReasonCode.CLOCK: "reads the clock",
    ReasonCode.LOOKS_FOR_FILES: "looks for files",
    ReasonCode.ENTROPY: "draws fresh entropy",
    ReasonCode.ENTROPY_NO_SEED: "draws fresh entropy ({detail} without a seed)",
    ReasonCode.ENTROPY_SEED_MAY_BE_NONE: "draws fresh entropy ({detail} with a seed that may be None)",
    ReasonCode.ENTROPY_SEED_IS_NONE: "draws fresh entropy (a generator seeded with '{detail}')",
    ReasonCode.NETWORK: "talks to the network",
    ReasonCode.PROCESS: "starts a process",
    ReasonCode.DATABASE: "reads a database",
    ReasonCode.ASKS: "asks the user",
    ReasonCode.WORKING_FOLDER: "reads the working folder",
    ReasonCode.ENVIRONMENT: "reads the environment",
    ReasonCode.TEMPORARY_FILES: "makes temporary files",
    ReasonCode.MACHINE: "asks about its process or machine",
    ReasonCode.UNSEEDED: "draws from the generator of {detail}, which no one has seeded",
    ReasonCode.UNSEEDED_NUMPY: "draws from numpy's generator, which it has just imported",
    ReasonCode.NATIVE_READ: "may read files natively",
    ReasonCode.NATIVE_WRITE: "may write files natively",
    ReasonCode.COMPUTED_READ: "reads a file whose name is computed",
    ReasonCode.COMPUTED_WRITE: "writes a file whose name is computed",
    ReasonCode.CHANGED_READ: "reads a file that changed while it ran",
    ReasonCode.NO_PLAIN_FILE: "reads what is no plain file",
    ReasonCode.THREADS: "starts threads or tasks",
    ReasonCode.LEAVES_THREAD: "leaves a thread",
    ReasonCode.LENT_TO_THREAD: "has another thread do work",
    ReasonCode.BESIDE: "runs beside {detail} of an earlier cell",
    ReasonCode.LEAVES: "leaves {detail}",
    ReasonCode.CALLED_LATER: "has something called later",
    ReasonCode.LAST_WORDS: "lets go of, or makes, '{detail}', which has code run when it goes",
    ReasonCode.SIGNALS: "uses signals",
    ReasonCode.SETS_HANDLER: "sets what is called at a signal",
    ReasonCode.OTHER_PROCESSES: "computes in other processes",
    ReasonCode.INTERPRETER: "looks into the interpreter",
    ReasonCode.IDENTITY: "reads what differs from process to process",
    ReasonCode.NAMESPACE: "looks into the namespace",
    ReasonCode.ANY_VARIABLE: "may read any variable",
    ReasonCode.COMPUTED_QUERY: "may read any variable ({detail} of a computed text)",
    ReasonCode.RUNS_CODE: "runs code made while running",
    ReasonCode.IMPORTS_ALL: "imports all of {detail}",
    ReasonCode.SETS_BY_NAME: "sets attributes by name",
    ReasonCode.SHELL: "talks to the shell",
    ReasonCode.SHELL_HISTORY: "reads the shell's history",
    ReasonCode.MAGIC: "runs the magic {detail}",
    ReasonCode.MLFLOW: "talks to MLflow",
    ReasonCode.CHANGES_FILES: "changes files",
    ReasonCode.REMOVES_FILES: "removes files",
    ReasonCode.MOVES_FILES: "moves files",
    ReasonCode.CHANGES_MODE: "changes the mode of a file",
    ReasonCode.CHANGES_OWNER: "changes the owner of a file",
    ReasonCode.MAKES_LINK: "makes a link",
    ReasonCode.MAKES_PIPE: "makes a pipe",
    ReasonCode.UNTOLD_FOLDER: "changes files of a folder that cannot be told",
    ReasonCode.TOO_LONG: "cannot be read ahead: it has more than {detail} characters",
    ReasonCode.TOO_DEEP: "cannot be read ahead: it is nested too deeply",
    ReasonCode.HALF_CHARACTER: "cannot be read ahead: it holds half of a character (a lone surrogate)",
    ReasonCode.UNREADABLE_SOURCE: "uses source that cannot be read",
    ReasonCode.UNREADABLE_FUNCTION: "calls a function whose source cannot be read",
    ReasonCode.NO_SOURCE: "calls '{detail}', whose source is not known",
    ReasonCode.EDITED_MODULE: "uses {detail}, which changed since it was imported (restart the kernel)",
    ReasonCode.OLDER_MODULE: "uses {detail} as it was when this run was asked for, and it has changed",
    ReasonCode.UNTOLD_MODULE: "uses the module {detail}, which holds something of unknown content ({because})",
    ReasonCode.UNTOLD_VALUE: "reads '{detail}', whose content cannot be told ({because})",
    ReasonCode.UNTOLD_OPTIONS: "cannot tell the options of {detail}",
    ReasonCode.UNTOLD_BEFORE: "changes or shares what '{detail}' holds, and what that was before is not known",
    ReasonCode.SETS_ATTRIBUTE: "sets an attribute of {detail}",
    ReasonCode.CONFIGURES: "may configure a library",
    ReasonCode.LIBRARY_STATE: "changes the state of a library",
    ReasonCode.OPEN_FIGURE: "leaves a figure open",
    ReasonCode.WIDGET: "shows a live widget",
    ReasonCode.PRINTS_MUCH: "prints more than {detail} characters, the most that is kept of a cell's output",
    ReasonCode.UNRECORDED_DISPLAY: "shows in a shell whose displays cannot be recorded",
    ReasonCode.UNKEPT_DISPLAY: "shows what cannot be kept ({because})",
    ReasonCode.UNKEPT_OPTIONS: "leaves options of libraries that cannot be stored ({because})",
    ReasonCode.CHANGED_WRITE: "writes a file that was changed before it was stored",
    ReasonCode.NOT_STORED: "could not be stored: {because}",
    ReasonCode.DAMAGED: "has a stored result that is damaged",
    ReasonCode.UNSAVED: "was not saved before its kernel ended",
    ReasonCode.UNTRUSTED: "was imported from another user",
    ReasonCode.OTHER_VERSION: "was recorded by another version, under conditions unknown here",
    ReasonCode.OTHER: "{detail}",
}
"""What a step does, or what befell its result: after "it" or "because it"."""
_SENTENCES = {
    ReasonCode.CODE_CHANGED: "its code changed",
    ReasonCode.MODEL_CHANGED: "its --model changed",
    ReasonCode.QUIET_CHANGED: "its last line shows its value now, or does no longer",
    ReasonCode.INPUT_CHANGED: "its input '{detail}' changed",
    ReasonCode.INPUT_MAY_CHANGE: "its input '{detail}' may change",
    ReasonCode.INPUT_GONE: "its input '{detail}' is gone",
    ReasonCode.INPUT_EARLIER_RESULT: "its input '{detail}' changed: step '{because}' gave another of its earlier results",
    ReasonCode.PARAMETER_CHANGED: "parameter '{detail}' changed: {because}",
    ReasonCode.FILE_CHANGED: "the file {detail} changed",
    ReasonCode.FILE_CAME_OR_WENT: "{detail} came, went or became something else",
    ReasonCode.SECRET_CHANGED: "the secret {detail} changed",
    ReasonCode.MODULE_CHANGED: "the module {detail} changed",
    ReasonCode.VARIABLE_CHANGED: "the variable {detail} changed",
    ReasonCode.OPTIONS_CHANGED: "the options of {detail} changed",
    ReasonCode.EFFECTS_CHANGED: "a cell before it that configures libraries changed",
    ReasonCode.PACKAGES_CHANGED: "installed packages changed",
    ReasonCode.PYTHON_CHANGED: "the Python version changed",
    ReasonCode.DISPLAY_CHANGED: "the shell's display settings changed",
    ReasonCode.INGREDIENT_CHANGED: "{detail} changed",
    ReasonCode.RANDOM_CHANGED: "the state of the random generator of {detail} was another",
    ReasonCode.RANDOM_OR_SHARED_CHANGED: "what it drew from a random generator, or what shares its values, changed",
    ReasonCode.SHARED_CHANGED: "what '{detail}' holds, or shares with other values, was another",
    ReasonCode.BESIDE_UNTOLD: "it changes earlier values in place, and what '{detail}' shares with them cannot be told",
    ReasonCode.SHOWN_READ: "a later cell may read what it shows",
    ReasonCode.FOLDER_CHANGED: "it ran in another folder ({detail})",
    ReasonCode.TOO_OLD: "its result is older than its --ttl",
    ReasonCode.RESULT_GONE: "its result is not in the store",
    ReasonCode.FILE_OR_RANDOM_CHANGED: "a file or random state it read changed",
    ReasonCode.FILE_RANDOM_OR_SHARED_CHANGED: (
        "a file, a random state or what shares its values changed, or a later cell may read what it shows"
    ),
    ReasonCode.NOTHING_CHANGED: "nothing it depends on changed",
    ReasonCode.DEPENDS: "depends on what '{detail}' gives",
    ReasonCode.DEPENDS_BESIDE: "depends on how far what '{detail}' left has come",
    ReasonCode.NEVER_RAN: "it has not run yet",
    ReasonCode.HAD_NOT_RUN: "it had not run before",
    ReasonCode.ENDED: "its last run {detail}",
    ReasonCode.LOST_VALUE: "a later cell needs '{detail}', which cannot be stored",
    ReasonCode.FORCED: "it is forced",
    ReasonCode.NO_CACHE: "it is marked --no-cache",
    ReasonCode.SKIP: "it is marked --skip",
    ReasonCode.SKIP_IF: "{detail} holds",
    ReasonCode.NO_PYTHON: "its code is not valid Python",
    ReasonCode.NO_STEP_LIVE: "it is no step in a live kernel",
    ReasonCode.KERNEL_GONE: "the kernel that ran it is gone",
    ReasonCode.TOLD: "{detail}",
}
_FROM = {ReasonCode.INPUT_CHANGED, ReasonCode.INPUT_MAY_CHANGE}
"""Those whose `because` is the step that makes what they are about."""


def phrase(reason: Reason) -> str:
    """A reason not to reuse a result, to stand after "because it": "reads the clock (time.time) in load"."""
    return _filled(_PHRASES.get(reason.code) or _SENTENCES[reason.code], reason)


def phrases(reasons: Iterable[Reason]) -> str:
    """Several of them."""
    return "; ".join(phrase(reason) for reason in reasons)


def sentence(reason: Reason | None) -> str:
    """Why a step ran or would run, to stand after "because": "its code changed", "it reads the clock"; "" for None."""
    if reason is None:
        return ""
    text = _SENTENCES.get(reason.code)
    return f"it {phrase(reason)}" if text is None else _filled(text, reason)


def _filled(template: str, reason: Reason) -> str:
    text = template.format(detail=reason.detail, because=reason.because)
    if reason.code in _FROM and reason.because:
        text += f" (from step '{reason.because}')"
    elif reason.code is ReasonCode.LOST_VALUE and reason.because:
        text += f" ({reason.because})"
    elif reason.detail and "{detail}" not in template:
        text += f" ({reason.detail})"
    return f"{text} in {reason.where}" if reason.where else text
