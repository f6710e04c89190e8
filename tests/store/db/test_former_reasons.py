"""The sentences of earlier builds become the codes that decide as they did."""

from __future__ import annotations

import pytest

from jupyter_mlops.domain.reason import AUTHORS_WORD, Reason, ReasonCode
from jupyter_mlops.domain.reason_text import phrase
from jupyter_mlops.store.db.former_reasons import former_reasons, former_why

_INSIDE = "looks into the interpreter"
OF_THE_WORLD = (
    *("reads the clock", "looks for files", "draws fresh entropy", "talks to the network", "starts a process"),
    *("reads a database", "asks the user"),
    *("reads the working folder", "reads the environment", "makes temporary files", "draws from the generator of"),
    *("draws from numpy's generator", "may read files natively", "may write files natively", "reads a file"),
    *("reads what is no plain file", "writes a file whose name is computed"),
    *(
        f"{_INSIDE} ({name}"
        for name in ("os.getpid", "os.getppid", "os.getlogin", "os.cpu_count", "os.uname", "psutil")
    ),
)
"""What earlier builds asked of how a sentence begins."""
AUTHORS = ("reads the clock", "draws fresh entropy", "talks to the network", "starts a process", "looks for files")
SENTENCES = [
    ("reads the clock (datetime.datetime.now) in load", ReasonCode.CLOCK),
    ("reads the clock (now)", ReasonCode.CLOCK),
    ("looks for files (exists) in tools.py", ReasonCode.LOOKS_FOR_FILES),
    ("draws fresh entropy", ReasonCode.ENTROPY),
    ("draws fresh entropy (uuid.uuid4)", ReasonCode.ENTROPY),
    ("draws fresh entropy (default_rng without a seed)", ReasonCode.ENTROPY_NO_SEED),
    ("draws fresh entropy (RandomState with a seed that may be None) in f", ReasonCode.ENTROPY_SEED_MAY_BE_NONE),
    ("draws fresh entropy (a generator seeded with 'seed')", ReasonCode.ENTROPY_SEED_IS_NONE),
    ("talks to the network", ReasonCode.NETWORK),
    ("starts a process (!)", ReasonCode.PROCESS),
    ("starts a process (multiprocessing)", ReasonCode.PROCESS),
    ("starts threads or tasks (threading.Thread)", ReasonCode.THREADS),
    ("reads a database (a b.db)", ReasonCode.DATABASE),
    ("looks into the interpreter (sys.modules)", ReasonCode.INTERPRETER),
    ("looks into the interpreter (os.getpid) in f", ReasonCode.MACHINE),
    ("looks into the interpreter (psutil.cpu_count)", ReasonCode.MACHINE),
    ("reads the working folder (os.getcwd)", ReasonCode.WORKING_FOLDER),
    ("reads the environment in f", ReasonCode.ENVIRONMENT),
    ("makes temporary files (tempfile.mkdtemp)", ReasonCode.TEMPORARY_FILES),
    ("draws from the generator of numpy, which no one has seeded", ReasonCode.UNSEEDED),
    ("draws from numpy's generator, which it has just imported", ReasonCode.UNSEEDED_NUMPY),
    ("may read files natively in load", ReasonCode.NATIVE_READ),
    ("may write files natively in save", ReasonCode.NATIVE_WRITE),
    ("reads a file whose name is computed (read_parquet)", ReasonCode.COMPUTED_READ),
    ("reads a file that changed while it ran (/a (1).csv)", ReasonCode.CHANGED_READ),
    ("reads what is no plain file (s3://a/b)", ReasonCode.NO_PLAIN_FILE),
    ("writes a file whose name is computed (path)", ReasonCode.COMPUTED_WRITE),
    ("asks the user (input)", ReasonCode.ASKS),
    ("talks to MLflow", ReasonCode.MLFLOW),
    ("talks to the shell (get_ipython)", ReasonCode.SHELL),
    ("runs code made while running (eval) in f", ReasonCode.RUNS_CODE),
    ("runs the magic %%sql", ReasonCode.MAGIC),
    ("runs %matplotlib qt", ReasonCode.MAGIC),
    ("runs beside a thread (poller) of an earlier cell", ReasonCode.BESIDE),
    ("reads the shell's history (_)", ReasonCode.SHELL_HISTORY),
    ("reads 'lock', whose content cannot be told (lock: a lock)", ReasonCode.UNTOLD_VALUE),
    ("may read any variable (query of a computed text)", ReasonCode.COMPUTED_QUERY),
    ("may read any variable in f", ReasonCode.ANY_VARIABLE),
    ("tools.py changed since it was imported (restart the kernel)", ReasonCode.EDITED_MODULE),
    ("changes the state of a library (lightgbm.basic.x changed)", ReasonCode.LIBRARY_STATE),
    ("leaves a thread (poller)", ReasonCode.LEAVES_THREAD),
    ("removes files (a.csv)", ReasonCode.REMOVES_FILES),
    ("could not be stored: There is no room left.", ReasonCode.NOT_STORED),
    ("was not saved before its kernel ended", ReasonCode.UNSAVED),
    ("was imported from another user", ReasonCode.UNTRUSTED),
    ("is held by the moon", ReasonCode.OTHER),
    ("reads the clockwork", ReasonCode.OTHER),
]


@pytest.mark.parametrize(("text", "code"), SENTENCES)
def test_a_sentence_becomes_its_code_and_decides_what_it_decided(text: str, code: ReasonCode) -> None:
    (found,) = former_reasons(text)
    assert found.code is code
    if code is ReasonCode.OTHER:
        assert not found.is_of_the_world
        assert phrase(found) == text
        return
    assert found.is_of_the_world is text.startswith(OF_THE_WORLD)
    assert (found.code in AUTHORS_WORD) is text.startswith(AUTHORS)


def test_several_are_told_apart_and_a_part_that_no_code_fits_is_not_relied_on() -> None:
    found = former_reasons("reads the clock (now); could not be stored: no room; left")
    assert [reason.code for reason in found] == [ReasonCode.CLOCK, ReasonCode.NOT_STORED, ReasonCode.OTHER]
    assert former_reasons("") == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", None),
        ("its code changed", Reason(ReasonCode.CODE_CHANGED)),
        ("its input 'df' changed (from step load)", Reason(ReasonCode.INPUT_CHANGED, "df", "load")),
        ("its input 'k' changed", Reason(ReasonCode.INPUT_CHANGED, "k")),
        ("the file /a b.csv changed", Reason(ReasonCode.FILE_CHANGED, "/a b.csv")),
        ("its last run failed", Reason(ReasonCode.ENDED, "failed")),
        ("it reads the clock (now)", Reason(ReasonCode.CLOCK, "now")),
        ("it is forced", Reason(ReasonCode.FORCED)),
        ("nothing it depends on changed", Reason(ReasonCode.NOTHING_CHANGED)),
        ("never run before", Reason(ReasonCode.TOLD, "never run before")),
    ],
)
def test_why_a_step_ran_is_read_too(text: str, reason: Reason | None) -> None:
    assert former_why(text) == reason
