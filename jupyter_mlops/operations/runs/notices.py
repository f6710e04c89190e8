"""`notices`: what could not be sent is tried again, and a target is tried out."""

from __future__ import annotations

from datetime import datetime

from jupyter_mlops.domain.notice import EVENTS, FAILURE, GOES_TO, SENT, Notice, notice_id
from jupyter_mlops.errors import RunError
from jupyter_mlops.jobs.notices import delivery
from jupyter_mlops.jobs.notices.send import NotSentError, send
from jupyter_mlops.jobs.notices.targets import check_target, find_target
from jupyter_mlops.store.store import Store


def retry_notices(store: Store, name: str | None, *, now: datetime) -> list[Notice]:
    """Try the notice whose id begins with `name`, or all that were given up, again; returns them.

    Raises `UnknownNameError`.
    """
    chosen = store.notices.retry(name, now=now)
    delivery.wake(store)
    return [notice for notice in store.notices.list() if notice.id in chosen]


def try_target(store: Store, text: str, *, now: datetime) -> Notice:
    """Send a made-up event to a target now; returns the notice as it was sent.

    Raises `InputError` or `UnknownNameError` for a target that there is not, `RunError` where it did not take it.
    """
    events, _, name = check_target(store.root, text).partition(GOES_TO)
    event = events.split(",")[0]
    assert event in EVENTS
    notice = Notice(notice_id(store.new_id(), event, name), "", event, name, SENT, 1, "", now)
    told = {
        "id": notice.id,
        "event": event,
        "summary": f"test of {name}: nothing {'failed' if event == FAILURE else 'happened'}",
        "project": store.root.name,
        "test": True,
        "run": {},
    }
    try:
        send(find_target(store.root, name), told, folder=store.root, timestamp=int(now.timestamp()))
    except NotSentError as error:
        raise RunError(
            f"'{name}' did not accept it: {error}.",
            "Check the target's address and that the receiver is running and accepts the notification.",
        ) from error
    return notice
