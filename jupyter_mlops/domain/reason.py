"""A Reason: why a step runs, or why its result is not reused. What decides is its code; `reason_text` has the words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any


class ReasonCode(Enum):
    """Every reason there is. The values stand in stores: they stay, whatever is said for them."""

    # What the world may answer otherwise the next time
    CLOCK = "clock"
    LOOKS_FOR_FILES = "looks_for_files"
    ENTROPY = "entropy"
    ENTROPY_NO_SEED = "entropy_no_seed"
    ENTROPY_SEED_MAY_BE_NONE = "entropy_seed_may_be_none"
    ENTROPY_SEED_IS_NONE = "entropy_seed_is_none"
    NETWORK = "network"
    PROCESS = "process"
    DATABASE = "database"
    ASKS = "asks"
    WORKING_FOLDER = "working_folder"
    ENVIRONMENT = "environment"
    TEMPORARY_FILES = "temporary_files"
    MACHINE = "machine"
    UNSEEDED = "unseeded"
    UNSEEDED_NUMPY = "unseeded_numpy"
    NATIVE_READ = "native_read"
    NATIVE_WRITE = "native_write"
    COMPUTED_READ = "computed_read"
    COMPUTED_WRITE = "computed_write"
    CHANGED_READ = "changed_read"
    NO_PLAIN_FILE = "no_plain_file"
    # What the code does that no one can follow
    THREADS = "threads"
    LEAVES_THREAD = "leaves_thread"
    LENT_TO_THREAD = "lent_to_thread"
    BESIDE = "beside"
    LEAVES = "leaves"
    CALLED_LATER = "called_later"
    LAST_WORDS = "last_words"
    SIGNALS = "signals"
    SETS_HANDLER = "sets_handler"
    OTHER_PROCESSES = "other_processes"
    INTERPRETER = "interpreter"
    IDENTITY = "identity"
    NAMESPACE = "namespace"
    ANY_VARIABLE = "any_variable"
    COMPUTED_QUERY = "computed_query"
    RUNS_CODE = "runs_code"
    IMPORTS_ALL = "imports_all"
    SETS_BY_NAME = "sets_by_name"
    SHELL = "shell"
    SHELL_HISTORY = "shell_history"
    MAGIC = "magic"
    MLFLOW = "mlflow"
    CHANGES_FILES = "changes_files"
    REMOVES_FILES = "removes_files"
    MOVES_FILES = "moves_files"
    CHANGES_MODE = "changes_mode"
    CHANGES_OWNER = "changes_owner"
    MAKES_LINK = "makes_link"
    MAKES_PIPE = "makes_pipe"
    UNTOLD_FOLDER = "untold_folder"
    # Code and values whose content cannot be told
    TOO_LONG = "too_long"
    TOO_DEEP = "too_deep"
    HALF_CHARACTER = "half_character"
    UNREADABLE_SOURCE = "unreadable_source"
    UNREADABLE_FUNCTION = "unreadable_function"
    NO_SOURCE = "no_source"
    EDITED_MODULE = "edited_module"
    OLDER_MODULE = "older_module"
    UNTOLD_MODULE = "untold_module"
    UNTOLD_VALUE = "untold_value"
    UNTOLD_OPTIONS = "untold_options"
    UNTOLD_BEFORE = "untold_before"
    # What it leaves that cannot be put in place
    SETS_ATTRIBUTE = "sets_attribute"
    CONFIGURES = "configures"
    LIBRARY_STATE = "library_state"
    OPEN_FIGURE = "open_figure"
    WIDGET = "widget"
    PRINTS_MUCH = "prints_much"
    UNRECORDED_DISPLAY = "unrecorded_display"
    UNKEPT_DISPLAY = "unkept_display"
    UNKEPT_OPTIONS = "unkept_options"
    CHANGED_WRITE = "changed_write"
    NOT_STORED = "not_stored"
    # What became of its result
    DAMAGED = "damaged"
    UNSAVED = "unsaved"
    UNTRUSTED = "untrusted"
    OTHER_VERSION = "other_version"
    OTHER = "other"
    """In words that no code stands for: what another version wrote."""

    # Why it ran or would run: what differs from the last time
    CODE_CHANGED = "code_changed"
    MODEL_CHANGED = "model_changed"
    QUIET_CHANGED = "quiet_changed"
    INPUT_CHANGED = "input_changed"
    INPUT_MAY_CHANGE = "input_may_change"
    INPUT_GONE = "input_gone"
    INPUT_EARLIER_RESULT = "input_earlier_result"
    PARAMETER_CHANGED = "parameter_changed"
    FILE_CHANGED = "file_changed"
    FILE_CAME_OR_WENT = "file_came_or_went"
    SECRET_CHANGED = "secret_changed"
    MODULE_CHANGED = "module_changed"
    VARIABLE_CHANGED = "variable_changed"
    OPTIONS_CHANGED = "options_changed"
    EFFECTS_CHANGED = "effects_changed"
    PACKAGES_CHANGED = "packages_changed"
    PYTHON_CHANGED = "python_changed"
    DISPLAY_CHANGED = "display_changed"
    INGREDIENT_CHANGED = "ingredient_changed"
    RANDOM_CHANGED = "random_changed"
    RANDOM_OR_SHARED_CHANGED = "random_or_shared_changed"
    SHARED_CHANGED = "shared_changed"
    BESIDE_UNTOLD = "beside_untold"
    SHOWN_READ = "shown_read"
    FOLDER_CHANGED = "folder_changed"
    TOO_OLD = "too_old"
    RESULT_GONE = "result_gone"
    FILE_OR_RANDOM_CHANGED = "file_or_random_changed"
    FILE_RANDOM_OR_SHARED_CHANGED = "file_random_or_shared_changed"
    # ... and what else makes it run, or keeps it from running
    NOTHING_CHANGED = "nothing_changed"
    DEPENDS = "depends"
    DEPENDS_BESIDE = "depends_beside"
    NEVER_RAN = "never_ran"
    HAD_NOT_RUN = "had_not_run"
    ENDED = "ended"
    LOST_VALUE = "lost_value"
    FORCED = "forced"
    NO_CACHE = "no_cache"
    SKIP = "skip"
    SKIP_IF = "skip_if"
    NO_PYTHON = "no_python"
    NO_STEP_LIVE = "no_step_live"
    KERNEL_GONE = "kernel_gone"
    TOLD = "told"
    """In a sentence that no code stands for."""


_ENTROPY = frozenset(
    {
        ReasonCode.ENTROPY,
        ReasonCode.ENTROPY_NO_SEED,
        ReasonCode.ENTROPY_SEED_MAY_BE_NONE,
        ReasonCode.ENTROPY_SEED_IS_NONE,
    }
)
AUTHORS_WORD = _ENTROPY | {ReasonCode.CLOCK, ReasonCode.NETWORK, ReasonCode.PROCESS, ReasonCode.LOOKS_FOR_FILES}
"""What an author answers for with `--repeatable` or `--ttl`."""
OF_THE_WORLD = AUTHORS_WORD | {
    ReasonCode.DATABASE,
    ReasonCode.ASKS,
    ReasonCode.WORKING_FOLDER,
    ReasonCode.ENVIRONMENT,
    ReasonCode.TEMPORARY_FILES,
    ReasonCode.MACHINE,
    ReasonCode.UNSEEDED,
    ReasonCode.UNSEEDED_NUMPY,
    ReasonCode.NATIVE_READ,
    ReasonCode.NATIVE_WRITE,
    ReasonCode.COMPUTED_READ,
    ReasonCode.COMPUTED_WRITE,
    ReasonCode.CHANGED_READ,
    ReasonCode.NO_PLAIN_FILE,
}
"""What tells only where a result came from: once there, it is whole, and can be put in place."""


@dataclass(frozen=True)
class Reason:
    """One reason. `detail` is what it is about (a name, a path, a function), `because` what was found of that, `where`
    the function or file in which it was found."""

    code: ReasonCode
    detail: str = ""
    because: str = ""
    where: str = ""

    def within(self, where: str) -> Reason:
        """The same, found in a function or file."""
        return replace(self, where=where) if where else self

    @property
    def is_of_the_world(self) -> bool:
        """Whether it tells only that the world may give another result next time."""
        return self.code in OF_THE_WORLD

    def to_json(self) -> dict[str, str]:
        """What it says, in JSON's own types."""
        told = {"code": self.code.value, "detail": self.detail, "because": self.because, "where": self.where}
        return {name: text for name, text in told.items() if text}

    @classmethod
    def from_json(cls, data: Any) -> Reason:
        """The same again. What is none of this version's is `OTHER`, on which no one relies."""
        if not isinstance(data, Mapping):
            return cls(ReasonCode.OTHER, str(data))
        code = _CODES.get(str(data.get("code", "")))
        if code is None:
            return cls(ReasonCode.OTHER, " ".join(str(text) for text in data.values()))
        detail, because, where = (str(data.get(name, "")) for name in ("detail", "because", "where"))
        return cls(code, detail, because, where)


_CODES = {code.value: code for code in ReasonCode}


class Reasons(tuple[Reason, ...]):
    """Why a result is not reused, each reason once; empty where it may be."""

    __slots__ = ()

    @classmethod
    def of(cls, found: Iterable[Reason]) -> Reasons:
        """These reasons in their order, each once."""
        return cls(dict.fromkeys(found))

    def to_json(self) -> list[dict[str, str]]:
        return [reason.to_json() for reason in self]

    @classmethod
    def from_json(cls, data: Any) -> Reasons:
        """The same again; what is no list of reasons is one of `OTHER`."""
        return cls.of(Reason.from_json(item) for item in (data if isinstance(data, list) else [data]))


NO_REASONS = Reasons()
DAMAGED = Reasons.of([Reason(ReasonCode.DAMAGED)])
"""Of a step run whose stored result cannot be read any more."""
UNREAD = frozenset({ReasonCode.TOO_LONG, ReasonCode.TOO_DEEP, ReasonCode.HALF_CHARACTER})
"""Why code is not read at all."""
