"""The panel's schedules in a real JupyterLab: what they wait for, steering them, and starting the scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from labpage import LabPage
from labserver import LabServer
from playwright.sync_api import expect

from jupyter_mlops.domain.schedule import Missed, Trigger, TriggerKind
from jupyter_mlops.jobs.scheduler.starting import stop_schedulers
from jupyter_mlops.operations.schedules.making import ScheduleRequest, add_schedule
from jupyter_mlops.store.store import Store

NotebookWriter = Callable[..., Path]


@pytest.fixture
def scheduled(write_notebook: NotebookWriter) -> Iterator[Path]:
    """A notebook with three schedules; no scheduler of its project is left afterwards."""
    path = write_notebook(("n = 1\nday = ''", ["parameters"]), "%%step train\nm = n", name="train.ipynb")
    with Store.open(path) as store:
        now = store.now()
        nightly = ScheduleRequest(
            cron="30 2 * * *",
            zone="Europe/Berlin",
            parameters={"n": 3},
            templates={"day": "{{ fire_time.date() }}"},
            policy={"missed": Missed.LATEST},
        )
        add_schedule(store, path, nightly, now=now)
        add_schedule(store, path, ScheduleRequest(every=900.0, zone="UTC"), now=now)
        waits = ScheduleRequest(trigger=Trigger(TriggerKind.FILE, "data/*.csv"), zone="UTC")
        add_schedule(store, path, waits, now=now)
    yield path
    with Store.open(path) as store:
        stop_schedulers(store)


def test_schedules_are_paused_run_and_removed_and_the_scheduler_is_started(
    lab: LabServer, lab_page: LabPage, scheduled: Path
) -> None:
    lab_page.open_notebook(lab.url(scheduled.relative_to(lab.root).as_posix()))
    lab_page.open_panel()
    rows = lab_page.panel.get_by_role("list", name="Schedules").get_by_role("listitem")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("30 2 * * *")
    expect(rows.nth(1)).to_contain_text("every 15 min")
    expect(rows.nth(2)).to_contain_text("file data/*.csv")
    lab_page.button("Start the scheduler").click()
    expect(lab_page.panel).to_contain_text("A scheduler is running", timeout=40_000)
    lab_page.button("Pause schedule 1").click()
    expect(rows.nth(0)).to_contain_text("Paused")
    lab_page.button("Resume schedule 1").click()
    expect(rows.nth(0)).to_contain_text("Next:")
    lab_page.button("Run schedule 2 now").click()
    runs = lab_page.panel.get_by_role("list", name="Runs").get_by_role("listitem")
    expect(runs.first).to_contain_text("completed", timeout=60_000, ignore_case=True)
    lab_page.button("Remove schedule 2").click()
    lab_page.page.get_by_role("button", name="Remove", exact=True).click()
    expect(rows).to_have_count(2)
