from __future__ import annotations

from pathlib import Path

import pytest
from notebooks import code
from notebooks import write_notebook as write
from receivers import web_server

from jupyter_mlops.domain.run import RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import RunError, UnknownNameError
from jupyter_mlops.jobs.notices import delivery
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.submission import create_run
from jupyter_mlops.store.store import Store
from verbs.projects import data_of, rows, text_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("MLOPS_TRACKING", "later")
    monkeypatch.setattr(delivery, "start_detached", lambda *_: None)
    write(tmp_path / "nb.ipynb", code("x = 1"))
    Store.open(tmp_path).close()
    return tmp_path


def fail(folder: Path, target: str) -> None:
    with Store.open(folder) as store:
        request = check_request(folder / "nb.ipynb", {})
        run = create_run(store, request, kind="job", now=store.now(), options=RunOptions(notify=(target,)))
        store.runs.start(run.id, now=store.now())
        store.runs.finish(run.id, Status.FAILED, now=store.now())
        delivery.deliver(store)


def test_no_notice_is_told_in_words(folder: Path) -> None:
    assert "--notify" in text_of(folder, "notices")
    assert data_of(folder, "notices list") == []


def test_what_was_given_up_is_listed_with_the_reason_and_tried_again(folder: Path) -> None:
    with web_server(410, 200) as server:
        fail(folder, f"http://127.0.0.1:{server.port}/")
        (notice,) = data_of(folder, "notices list")
        assert (notice["status"], notice["error"]) == ("given_up", "the receiver answered 410")
        shown = text_of(folder, "notices")
        assert rows(shown)[1][:3] == [notice["id"][:8], "1", "failure"]
        assert "given up" in shown
        assert "notices retry" in shown
        assert text_of(folder, "notices retry").strip() == "1 to be tried again."
        assert data_of(folder, "notices list")[0]["status"] == "pending"
        with Store.open(folder) as store:
            delivery.deliver(store)
        assert data_of(folder, "notices list")[0]["status"] == "sent"
        assert text_of(folder, "notices retry").strip() == "0 to be tried again."
    with pytest.raises(UnknownNameError):
        text_of(folder, "notices retry zzz")


def test_a_target_can_be_tried_out(folder: Path) -> None:
    with web_server(200, 500) as server:
        target = f"success=http://127.0.0.1:{server.port}/"
        assert "Sent" in text_of(folder, f"notices test {target}")
        assert server.requests[0][0]["X-Mlops-Event"] == "success"
        with pytest.raises(RunError, match="answered 500"):
            text_of(folder, f"notices test {target}")
    assert data_of(folder, "notices list") == []


def test_a_schedule_keeps_whom_to_tell(folder: Path) -> None:
    text_of(folder, "schedule add nb.ipynb --cron '0 2 * * *' --notify mailto:me@example.com")
    (schedule,) = data_of(folder, "schedule list")["schedules"]
    assert schedule["notify"] == ["failure,recovery:=mailto:me@example.com"]
