"""What a run depends on is fixed when it is asked for: notebook and modules; a later edit is told, and is not this run's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from notebooks import code, read, shown, write_notebook

from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.worker import Worker
from jupyter_mlops.execution.engine.stop import Stop
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.sources import changed_sources, module_files
from jupyter_mlops.jobs.queue.submission import enqueue
from jupyter_mlops.jobs.running.job import execute_claimed
from jupyter_mlops.operations.runs.jobs import show_job
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def notebook(store: Store, source: str) -> Path:
    return write_notebook(store.root / "work" / "a.ipynb", code(f"%%step s\n{source}"))


def write(store: Store, **sources: str) -> None:
    write_files(store, {f"{name}.py": source for name, source in sources.items()})


def write_files(store: Store, sources: dict[str, str]) -> None:
    for name, source in sources.items():
        path = store.root / "work" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)


def files(store: Store, path: Path) -> list[str]:
    found = module_files(store.root, check_request(path, {}))
    return sorted(file.relative_to(store.root / "work").as_posix() for file in found)


def asked(store: Store, path: Path) -> Run:
    return enqueue(store, check_request(path, {}), kind="job", now=store.now())


def test_modules_are_found_by_their_imports_in_turn_and_by_no_others(store: Store) -> None:
    sources = {
        "one.py": "import json\nfrom pkg import sub",
        "pkg/__init__.py": "from . import other",
        "pkg/sub.py": "def f():\n    import deep.er",
        "deep/er.py": "",
    }
    empty = ("pkg/other.py", "pkg/unused.py", "deep/__init__.py", "unused.py")
    write_files(store, {**sources, **dict.fromkeys(empty, "")})
    path = notebook(store, "import one, numpy, no_such_module")
    assert files(store, path) == [
        "deep/__init__.py",
        "deep/er.py",
        "one.py",
        "pkg/__init__.py",
        "pkg/other.py",
        "pkg/sub.py",
    ]


def test_modules_that_import_one_another_or_are_no_python_are_no_trouble(store: Store) -> None:
    write(store, one="import two", two="import one, broken", broken="def (")
    assert files(store, notebook(store, "import one")) == ["broken.py", "one.py", "two.py"]


def test_an_edit_is_told_by_the_file_s_name(store: Store) -> None:
    write(store, helper="x = 1", other="y = 1")
    path = notebook(store, "import helper, other")
    run = asked(store, path)
    assert sorted(run.options.modules) == ["work/helper.py", "work/other.py"]
    assert changed_sources(store, run) == []
    write(store, helper="x = 2")
    (store.root / "work" / "other.py").unlink()
    assert changed_sources(store, run) == ["work/helper.py", "work/other.py"]
    notebook(store, "pass")
    assert show_job(store, run.number).changed == ("work/a.ipynb", "work/helper.py", "work/other.py")
    assert show_job(store, run.number).changed_then == ()


def execute(store: Store) -> Run:
    """Take the next run, as a worker would, and execute it here."""
    pid, started = processes.this_process()
    worker = Worker("w", processes.this_host(), pid, started, 1, store.now(), store.now())
    run = store.queue.claim(worker, now=store.now())
    assert run is not None
    execute_claimed(store, run, Stop())
    return store.runs.get(run.id)


@pytest.mark.kernel
@pytest.mark.parametrize("edit", ["changed", "gone"])
def test_a_run_imports_its_modules_as_they_were_and_leaves_nothing_stale(store: Store, edit: str) -> None:
    write(store, helper="import deeper\ndef f():\n    return deeper.VALUE + 1", deeper="VALUE = 10")
    path = notebook(store, "import helper\nx = helper.f()\nprint(x)")
    asked(store, path)
    if edit == "changed":
        write(store, deeper="VALUE = 20")
    else:
        (store.root / "work" / "deeper.py").unlink()
    run = execute(store)
    assert run.status is Status.COMPLETED, run.error
    assert shown(read(store.root / str(run.output_path))["cells"][-1]).strip() == "11"
    assert show_job(store, run.id).changed_then == ("work/deeper.py",)
    step = next(step for step in store.steps.runs(run_id=run.id) if step.step == "s")
    assert Reason(ReasonCode.OLDER_MODULE, "deeper.py") in step.unrepeatable
    # What is asked for now is executed with what is there now.
    write(store, deeper="VALUE = 20")
    asked(store, path)
    run = execute(store)
    assert shown(read(store.root / str(run.output_path))["cells"][-1]).strip() == "21"
    assert {step.status for step in store.steps.runs(run_id=run.id)} == {Status.COMPLETED}
