"""Reasons in words, for people. Nothing is decided by them: that is what the codes are for."""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.errors import beginning

WORDS = 500
"""Characters of what stands within a sentence: a name, or what was found of it."""
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
    ReasonCode.UNSEEDED: "draws from the random generator of {detail}, which was never seeded",
    ReasonCode.UNSEEDED_NUMPY: "draws from numpy's random generator, which it imported itself and did not seed",
    ReasonCode.NATIVE_READ: "may read files from native code",
    ReasonCode.NATIVE_WRITE: "may write files from native code",
    ReasonCode.COMPUTED_READ: "reads a file whose name is computed",
    ReasonCode.COMPUTED_WRITE: "writes a file whose name is computed",
    ReasonCode.CHANGED_READ: "reads a file that changed while it ran",
    ReasonCode.NO_PLAIN_FILE: "reads something that is not a regular file",
    ReasonCode.THREADS: "starts threads or tasks",
    ReasonCode.LEAVES_THREAD: "leaves a thread running",
    ReasonCode.LENT_TO_THREAD: "hands work to another thread",
    ReasonCode.BESIDE: "runs alongside {detail} from an earlier cell",
    ReasonCode.LEAVES: "leaves {detail} behind",
    ReasonCode.CALLED_LATER: "arranges for code to be called later",
    ReasonCode.LAST_WORDS: "creates or drops '{detail}', which runs code when it is deleted",
    ReasonCode.SIGNALS: "uses signals",
    ReasonCode.SETS_HANDLER: "sets a signal handler",
    ReasonCode.OTHER_PROCESSES: "computes in other processes",
    ReasonCode.INTERPRETER: "inspects the interpreter",
    ReasonCode.IDENTITY: "reads something that differs between processes",
    ReasonCode.NAMESPACE: "inspects the namespace",
    ReasonCode.ANY_VARIABLE: "may read any variable",
    ReasonCode.COMPUTED_QUERY: "may read any variable ({detail} with a computed text)",
    ReasonCode.RUNS_CODE: "runs code built at run time",
    ReasonCode.IMPORTS_ALL: "imports everything from {detail}",
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
    ReasonCode.UNTOLD_FOLDER: "changes files in a folder that cannot be determined",
    ReasonCode.TOO_LONG: "has more than {detail} characters, too many to be analyzed",
    ReasonCode.TOO_DEEP: "is nested too deeply to be analyzed",
    ReasonCode.HALF_CHARACTER: "contains half a character (a lone surrogate)",
    ReasonCode.UNREADABLE_SOURCE: "uses source that cannot be read",
    ReasonCode.UNREADABLE_FUNCTION: "calls a function whose source cannot be read",
    ReasonCode.NO_SOURCE: "calls '{detail}', whose source is not known",
    ReasonCode.EDITED_MODULE: "uses {detail}, which changed since it was imported (restart the kernel)",
    ReasonCode.OLDER_MODULE: "uses {detail} as it was when this run was submitted, and it has changed since",
    ReasonCode.UNTOLD_MODULE: "uses the module {detail}, which holds something whose content is not known ({because})",
    ReasonCode.UNTOLD_VALUE: "reads '{detail}', whose content cannot be determined ({because})",
    ReasonCode.UNTOLD_OPTIONS: "uses {detail}, whose options cannot be determined",
    ReasonCode.UNTOLD_BEFORE: "changes or shares the content of '{detail}', and its earlier content is not known",
    ReasonCode.SETS_ATTRIBUTE: "sets an attribute of {detail}",
    ReasonCode.CONFIGURES: "may configure a library",
    ReasonCode.LIBRARY_STATE: "changes the state of a library",
    ReasonCode.OPEN_FIGURE: "leaves a figure open",
    ReasonCode.WIDGET: "shows a live widget",
    ReasonCode.PRINTS_MUCH: "prints more than {detail} characters, the limit for a cell's stored output",
    ReasonCode.UNRECORDED_DISPLAY: "shows output in a shell whose displays cannot be recorded",
    ReasonCode.UNKEPT_DISPLAY: "shows output that cannot be stored ({because})",
    ReasonCode.UNKEPT_OPTIONS: "sets options of libraries that cannot be stored ({because})",
    ReasonCode.CHANGED_WRITE: "writes a file that was changed before it was stored",
    ReasonCode.NOT_STORED: "could not be stored: {because}",
    ReasonCode.DAMAGED: "has a stored result that is damaged",
    ReasonCode.UNSAVED: "was not saved before its kernel ended",
    ReasonCode.UNTRUSTED: "was imported from another user",
    ReasonCode.OTHER_VERSION: "was recorded by another version of jupyter-mlops, under conditions unknown to this one",
    ReasonCode.OTHER: "{detail}",
}
"""What a step does, or what befell its result: after "it" or "because it"."""
_SENTENCES = {
    ReasonCode.CODE_CHANGED: "its code changed",
    ReasonCode.MODEL_CHANGED: "its --model changed",
    ReasonCode.QUIET_CHANGED: "its last line now shows its value, or no longer does",
    ReasonCode.INPUT_CHANGED: "its input '{detail}' changed",
    ReasonCode.INPUT_MAY_CHANGE: "its input '{detail}' may change",
    ReasonCode.INPUT_GONE: "its input '{detail}' is gone",
    ReasonCode.INPUT_EARLIER_RESULT: "its input '{detail}' changed: step '{because}' returned a different earlier result",
    ReasonCode.PARAMETER_CHANGED: "parameter '{detail}' changed: {because}",
    ReasonCode.FILE_CHANGED: "the file {detail} changed",
    ReasonCode.FILE_CAME_OR_WENT: "{detail} was created, removed or replaced",
    ReasonCode.SECRET_CHANGED: "the secret {detail} changed",
    ReasonCode.MODULE_CHANGED: "the module {detail} changed",
    ReasonCode.VARIABLE_CHANGED: "the variable {detail} changed",
    ReasonCode.OPTIONS_CHANGED: "the options of {detail} changed",
    ReasonCode.EFFECTS_CHANGED: "a cell before it that configures libraries changed",
    ReasonCode.PACKAGES_CHANGED: "installed packages changed",
    ReasonCode.PYTHON_CHANGED: "the Python version changed",
    ReasonCode.DISPLAY_CHANGED: "the shell's display settings changed",
    ReasonCode.INGREDIENT_CHANGED: "{detail} changed",
    ReasonCode.RANDOM_CHANGED: "the state of the random generator of {detail} was different",
    ReasonCode.RANDOM_OR_SHARED_CHANGED: "what it drew from a random generator, or what shares its values, changed",
    ReasonCode.SHARED_CHANGED: "what '{detail}' holds, or shares with other values, was different",
    ReasonCode.BESIDE_UNTOLD: "it changes earlier values in place, and what '{detail}' shares with them is not known",
    ReasonCode.SHOWN_READ: "a later cell may read what it shows",
    ReasonCode.FOLDER_CHANGED: "it ran in another folder ({detail})",
    ReasonCode.TOO_OLD: "its result is older than its --ttl",
    ReasonCode.RESULT_GONE: "its result is not in the store",
    ReasonCode.FILE_OR_RANDOM_CHANGED: "a file or random state it read changed",
    ReasonCode.FILE_RANDOM_OR_SHARED_CHANGED: (
        "a file, a random state or what shares its values changed, or a later cell may read what it shows"
    ),
    ReasonCode.NOTHING_CHANGED: "nothing it depends on changed",
    ReasonCode.DEPENDS: "depends on the result of '{detail}'",
    ReasonCode.DEPENDS_BESIDE: "depends on the progress of work that '{detail}' left running",
    ReasonCode.NEVER_RAN: "it has not run yet",
    ReasonCode.HAD_NOT_RUN: "it had not run before",
    ReasonCode.ENDED: "its last run {detail}",
    ReasonCode.LOST_VALUE: "a later cell needs '{detail}', which cannot be stored",
    ReasonCode.FORCED: "it is forced",
    ReasonCode.NO_CACHE: "it is marked --no-cache",
    ReasonCode.SKIP: "it is marked --skip",
    ReasonCode.SKIP_IF: "{detail} holds",
    ReasonCode.NO_PYTHON: "its code is not valid Python",
    ReasonCode.NO_STEP_LIVE: "it is not a step in a live kernel",
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
    if len(reason.detail) > WORDS or len(reason.because) > WORDS or len(reason.where) > WORDS:
        parts = (beginning(part, WORDS) for part in (reason.detail, reason.because, reason.where))
        reason = Reason(reason.code, *parts)
    text = template.format(detail=reason.detail, because=reason.because)
    if reason.code in _FROM and reason.because:
        text += f" (from step '{reason.because}')"
    elif reason.code is ReasonCode.LOST_VALUE and reason.because:
        text += f" ({reason.because})"
    elif reason.detail and "{detail}" not in template:
        text += f" ({reason.detail})"
    return f"{text} in {reason.where}" if reason.where else text
