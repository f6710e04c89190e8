"""Word of how runs ended: who is told what, once, and that no receiver can harm."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from notebooks import code, write_notebook
from receivers import mail_server, web_server

from jupyter_mlops.domain.notice import GIVEN_UP, PENDING, SENT
from jupyter_mlops.domain.run import RunFailure, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError, MLOpsError, UnknownNameError
from jupyter_mlops.jobs.notices import delivery, send
from jupyter_mlops.jobs.notices.delivery import deliver, work
from jupyter_mlops.jobs.notices.targets import check_target, find_target, targets_of
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.submission import create_run
from jupyter_mlops.store.store import Store

NOW = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
ENDS = {"failed": Status.FAILED, "completed": Status.COMPLETED, "canceled": Status.CANCELED, "lost": Status.LOST}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("MLOPS_TRACKING", "later")
    write_notebook(tmp_path / "nb.ipynb", code("token = 'x'\nn = 1", "parameters"))
    with Store.open(tmp_path) as opened:
        yield opened


def ended(store: Store, end: str, *notify: str, schedule_id: str | None = None, **given: Any) -> str:
    """A run of the notebook that has ended; its id."""
    request = check_request(store.root / "nb.ipynb", given)
    options = RunOptions(notify=notify)
    run = create_run(store, request, kind="job", now=store.now(), schedule_id=schedule_id, options=options)
    store.runs.start(run.id, now=store.now())
    error = RunFailure("cell_error", "ValueError: bad", 3, "train") if end == "failed" else None
    assert store.runs.finish(run.id, ENDS[end], now=store.now(), error=error)
    return run.id


def told(store: Store) -> list[tuple[str, str]]:
    return sorted((notice.event, notice.status) for notice in store.notices.list())


@pytest.mark.parametrize(
    ("ends", "notify", "events"),
    [
        (["completed"], "http://localhost:1/a", []),
        (["failed"], "http://localhost:1/a", ["failure"]),
        (["lost"], "http://localhost:1/a", ["failure"]),
        (["canceled"], "success,failure,recovery=http://localhost:1/a", []),
        (["failed", "completed", "completed"], "http://localhost:1/a", ["failure", "recovery"]),
        (["failed", "canceled", "completed"], "recovery=http://localhost:1/a", ["recovery"]),
        (["failed", "completed"], "success=http://localhost:1/a", ["success"]),
        (["failed", "completed", "completed"], "success,recovery=http://localhost:1/a", ["recovery", "success"]),
    ],
)
def test_a_target_is_told_of_the_events_it_asked_for(
    store: Store, ends: list[str], notify: str, events: list[str]
) -> None:
    for end in ends:
        ended(store, end, notify)
    assert sorted(notice.event for notice in store.notices.list()) == events


def test_a_schedule_recovers_by_itself(store: Store) -> None:
    ended(store, "failed", schedule_id="a")
    ended(store, "completed", "mailto:a@b.example", schedule_id="b")
    assert store.notices.list() == []
    ended(store, "completed", "mailto:a@b.example", schedule_id="a")
    assert [notice.event for notice in store.notices.list()] == ["recovery"]


def test_a_lost_run_that_is_taken_up_anew_is_no_failure_yet(store: Store) -> None:
    request = check_request(store.root / "nb.ipynb", {})
    options = RunOptions(notify=("success,recovery,failure=command:x",), attempts=1)
    made = create_run(store, request, kind="job", now=store.now(), options=options, queued=True)
    store.runs.update(made.id, worker_id="w")
    store.runs.start(made.id, now=store.now())
    run = store.runs.get(made.id)
    assert store.runs.lose(run, now=store.now(), error=RunFailure("runner_lost", "gone"))
    assert store.notices.list() == []
    (again,) = store.runs.continuing(run.id)
    assert again.options.notify == run.options.notify
    store.runs.start(again.id, now=store.now())
    store.runs.finish(again.id, Status.COMPLETED, now=store.now())
    assert [notice.event for notice in store.notices.list()] == ["success"]


def test_a_webhook_gets_a_body_signed_with_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_SECRET_HOOK_KEY", "open sesame")
    with web_server() as server:
        (store.root / "mlops.toml").write_text(
            f'[notify.ops]\nurl = "http://127.0.0.1:{server.port}/hook"\nkey = "secret:hook_key"\n'
        )
        run_id = ended(store, "failed", "ops", n=5, token="secret:tok")
        assert deliver(store) == 1
        assert told(store) == [("failure", SENT)]
    ((headers, body),) = server.requests
    signed = f"{headers['X-Mlops-Timestamp']}.".encode() + body
    expected = hmac.new(b"open sesame", signed, hashlib.sha256).hexdigest()
    assert headers["X-Mlops-Signature"] == f"sha256={expected}"
    assert abs(int(headers["X-Mlops-Timestamp"]) - time.time()) < 60
    event = json.loads(body)
    assert (headers["X-Mlops-Delivery"], headers["X-Mlops-Event"]) == (event["id"], "failure")
    assert (event["run"]["id"], event["run"]["status"]) == (run_id, "failed")
    assert event["run"]["parameters"] == {"token": "secret:tok", "n": 5}
    assert event["summary"] == "nb.ipynb: run 1 failed in step train"
    for path in (store.folder / "index.db", *store.folder.glob("index.db-*")):
        assert b"open sesame" not in path.read_bytes()


def test_a_mail_says_what_happened(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_SECRET_MAIL", "pass word")
    with mail_server() as server:
        (store.root / "mlops.toml").write_text(
            f'[smtp]\nserver = "smtp://127.0.0.1:{server.port}"\nfrom = "mlops@a.example"\n'
            'user = "me"\npassword = "secret:mail"\n'
            '[notify.team]\nmail = ["a@b.example", "c@d.example"]\non = ["failure"]\n'
        )
        ended(store, "failed", "team")
        assert deliver(store) == 1
    (mail,) = server.mails
    assert "Subject: [mlops] nb.ipynb: run 1 failed in step train" in mail
    assert "To: a@b.example, c@d.example" in mail
    assert "ValueError: bad" in mail
    assert f"Message-ID: <{store.notices.list()[0].id}@jupyter-mlops>" in mail
    assert len(server.logins) == 1
    assert told(store) == [("failure", SENT)]


def test_a_password_is_not_sent_in_the_clear_over_a_network(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_SECRET_MAIL", "pass word")
    monkeypatch.setattr(send, "_LOOPBACK", ())
    with mail_server() as server:
        (store.root / "mlops.toml").write_text(
            f'[smtp]\nserver = "smtp://127.0.0.1:{server.port}"\nuser = "me"\npassword = "secret:mail"\n'
        )
        ended(store, "failed", "mailto:a@b.example")
        deliver(store)
    assert server.logins == []
    assert "no encryption" in store.notices.list()[0].error


def test_a_mail_to_no_one_the_server_knows_is_given_up(store: Store) -> None:
    with mail_server(550) as server:
        (store.root / "mlops.toml").write_text(f'[smtp]\nserver = "smtp://127.0.0.1:{server.port}"\n')
        ended(store, "failed", "mailto:a@b.example")
        deliver(store)
    assert told(store) == [("failure", GIVEN_UP)]


def test_a_command_gets_the_event_on_its_standard_input(store: Store) -> None:
    told_all = "[json.load(sys.stdin), os.environ['MLOPS_EVENT']]"
    script = f"import sys, os, json; open('told.json', 'w').write(json.dumps({told_all}))"
    (store.root / "mlops.toml").write_text(
        f"[notify.run]\ncommand = {json.dumps([sys.executable, '-c', script])}\nalways = true\n"
    )
    ended(store, "failed")
    assert deliver(store) == 1
    event, word = json.loads((store.root / "told.json").read_text())
    assert (event["event"], word) == ("failure", "failure")
    assert told(store) == [("failure", SENT)]


def test_a_command_that_fails_or_hangs_is_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "COMMAND_SECONDS", 0.5)
    fails = f"command:{sys.executable} -c 'import sys; sys.exit(\"no luck\")'"
    hangs = f"command:{sys.executable} -c 'import time; time.sleep(60)'"
    ended(store, "failed", fails, hangs, "command:/no/such/program")
    started = time.monotonic()
    assert deliver(store) == 3
    assert time.monotonic() - started < 30
    errors = {notice.error for notice in store.notices.list()}
    assert any("ended with 1: no luck" in error for error in errors)
    assert any("took longer" in error for error in errors)
    assert any("cannot be started" in error for error in errors)
    assert told(store) == [("failure", PENDING)] * 3


@pytest.mark.parametrize(
    ("answers", "status", "tries"),
    [
        ([500, 200], SENT, 2),
        ([503, 429, 204], SENT, 3),
        ([500], GIVEN_UP, 4),
        ([404], GIVEN_UP, 1),
        ([302], GIVEN_UP, 1),
    ],
)
def test_what_may_pass_is_tried_again_and_what_does_not_is_given_up(
    store: Store, monkeypatch: pytest.MonkeyPatch, answers: list[int], status: str, tries: int
) -> None:
    monkeypatch.setattr(delivery, "PAUSES", (0.01, 0.01, 0.01))
    with web_server(*answers) as server:
        ended(store, "failed", f"http://127.0.0.1:{server.port}/hook")
        work(store)
        assert told(store) == [("failure", status)]
        assert len(server.requests) == tries
        assert len({body for _, body in server.requests}) == 1
        assert len({headers["X-Mlops-Delivery"] for headers, _ in server.requests}) == 1


def test_a_receiver_that_is_gone_or_silent_harms_no_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "SECONDS", 0.5)
    with web_server(0) as silent, web_server() as alive:
        targets = [f"http://127.0.0.1:{port}/" for port in (silent.port, 9, alive.port)]
        started = time.monotonic()
        ended(store, "failed", *targets)
        assert time.monotonic() - started < 5
        deliver(store)
        assert len(alive.requests) == 1
    assert told(store) == [("failure", PENDING), ("failure", PENDING), ("failure", SENT)]


def test_two_senders_at_once_send_once(store: Store) -> None:
    with web_server() as server:
        for _ in range(4):
            ended(store, "failed", f"http://127.0.0.1:{server.port}/")
        due = store.notices.due(store.now())
        barrier = threading.Barrier(3)

        def send_all() -> None:
            barrier.wait()
            for notice in due:
                delivery._try(store, notice)

        threads = [threading.Thread(target=send_all) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.requests) == 4


def test_an_attempt_whose_sender_died_is_made_again(store: Store) -> None:
    ended(store, "failed", "http://localhost:1/")
    (notice,) = store.notices.due(store.now())
    now = store.now()
    assert store.notices.claim(notice, now=now, until=now + delivery.ATTEMPT)
    assert not store.notices.claim(notice, now=now, until=now + delivery.ATTEMPT)
    assert store.notices.due(now) == ()
    assert len(store.notices.due(now + delivery.ATTEMPT)) == 1


def test_what_waits_for_long_is_left_to_who_comes_next(store: Store) -> None:
    ended(store, "failed", "http://127.0.0.1:9/")
    slept: list[float] = []
    work(store, linger=1.0, sleep=slept.append)
    assert slept == []
    next_at = store.notices.next_at()
    assert next_at is not None
    assert next_at > store.now() + timedelta(seconds=1)


def test_a_run_is_told_of_by_a_process_of_its_own(store: Store) -> None:
    with web_server() as server:
        ended(store, "failed", f"http://127.0.0.1:{server.port}/")
        delivery.wake(store)
        deadline = time.monotonic() + 60
        while told(store) != [("failure", SENT)] and time.monotonic() < deadline:
            time.sleep(0.1)
        assert told(store) == [("failure", SENT)]
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("ops", "no target named 'ops'"),
        ("sometimes=http://a.example", "does not begin with an event"),
        ("http://me:word@a.example/", "would be recorded"),
        ("http:/x", "not a URL"),
        ("mailto:me", "not a mail address"),
        ("command:'", "not a valid command"),
        ("command:", "command is empty"),
    ],
)
def test_a_target_that_there_is_not_is_refused_when_it_is_asked_for(store: Store, text: str, match: str) -> None:
    with pytest.raises(MLOpsError, match=match) as caught:
        ended(store, "failed", text)
    assert caught.value.exit_code == 2
    assert store.runs.list() == []


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[notify.a]\nurl = 'http://a.example'\nmail = 'a@b.example'", "is not a valid target"),
        ("[notify.a]\nurl = 'http://a.example'\nkeys = 'x'", "is not a valid target"),
        ("[notify]\na = 1", "is not a valid target"),
        ("notify = 1", "not a table"),
        ("[notify.a]\ncommand = 'x'\non = ['sometimes']", "does not list events"),
        ("[", "not valid TOML"),
    ],
)
def test_a_file_that_says_nothing_clear_stops_who_names_it_and_no_other_run(
    store: Store, text: str, match: str, caplog: pytest.LogCaptureFixture
) -> None:
    (store.root / "mlops.toml").write_text(text)
    with pytest.raises(InputError, match=match):
        check_target(store.root, "a")
    assert targets_of(store.root, ()) == ()
    assert "No notifications are sent" in caplog.text


def test_a_target_is_what_the_file_says_when_the_notice_is_sent(store: Store) -> None:
    path = store.root / "mlops.toml"
    path.write_text("[notify.a]\nurl = 'secret:url'\non = ['success']\nalways = true\n[webhook]\nkey = 'secret:k'\n")
    assert targets_of(store.root, ()) == ("success:=a",)
    assert targets_of(store.root, ("failure=a",)) == ("failure:=a",)
    found = find_target(store.root, "a")
    assert (found.kind, found.value, found.key) == ("url", ("secret:url",), "secret:k")
    path.unlink()
    with pytest.raises(UnknownNameError, match="no longer exists"):
        find_target(store.root, "a")
    # A run that is asked for once more, as by a schedule, is not stopped by a target that is gone.
    assert targets_of(store.root, ("success:=a",)) == ("success:=a",)
    ended(store, "failed", "command:true")
    assert replace(store.runs.list()[0].options).notify == ("failure,recovery:=command:true",)


def test_a_receiver_is_told_little_of_megabytes_and_how_much_is_left_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web_server() as server:
        (store.root / "mlops.toml").write_text(f'[notify.ops]\nurl = "http://127.0.0.1:{server.port}/hook"\n')
        run_id = ended(store, "failed", "ops", n=5)
        store.runs.update(run_id, parameters={"n": 5, "text": "a" * 4_000_000})
        deliver(store)
    ((_, body),) = server.requests
    run = json.loads(body)["run"]
    assert len(body) < 20_000
    assert run["parameters"]["n"] == 5
    assert run["left_out"]["parameters"]["texts"] == {"text": 4_000_000}
