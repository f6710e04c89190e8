"""Runs executed in threads of their worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from notebooks import code, write_notebook

from jupyter_mlops.domain.run import RunKind, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.jobs.executors.local import LocalExecutor
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.submission import enqueue
from jupyter_mlops.jobs.worker.worker import WorkLoop
from jupyter_mlops.store.store import Store

MARK = "notebooks that hold this are counted"


@pytest.mark.kernel
@pytest.mark.parametrize("kernel", ["warm", "ordinary"])
def test_a_queued_notebook_is_parsed_once_by_its_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: str
) -> None:
    path = write_notebook(
        tmp_path / "a.ipynb", code("n = 1", "parameters"), code(f"# {MARK}\nprint(n)"), code("%%step s\nm = n")
    )
    parsed: list[str] = []
    decode = json.JSONDecoder.decode

    def counted(self: json.JSONDecoder, text: str, *others: Any) -> Any:
        if MARK in text and '"cells"' in text:
            parsed.append(text)
        return decode(self, text, *others)

    with Store.open(tmp_path) as store:
        options = RunOptions(kernel=kernel)
        run = enqueue(store, check_request(path, {"n": 5}), kind=RunKind.JOB, now=store.now(), options=options)
        monkeypatch.setattr(json.JSONDecoder, "decode", counted)
        WorkLoop(store, slots=1, executor=LocalExecutor(store, 1), linger=0.0).run()
        assert store.runs.get(run.id).status is Status.COMPLETED
    assert len(parsed) == 1
