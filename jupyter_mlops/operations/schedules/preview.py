"""What a schedule's next runs would be given."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jupyter_mlops.domain.schedule import Fire, Schedule
from jupyter_mlops.jobs.scheduler.firing import check_fire
from jupyter_mlops.store.store import Store


def preview_parameters(store: Store, schedule: Schedule, times: Sequence[datetime]) -> list[dict[str, Any]]:
    """The parameters, in JSON form, that the runs of these fire times would be given. Raises as `check_fire`."""
    previous: datetime | None = next((fire.fire_at for fire in store.schedules.fires(schedule.id, limit=1)), None)
    found = []
    for moment in times:
        found.append(check_fire(store, schedule, Fire(schedule.id, moment, "claimed"), previous).given)
        previous = moment
    return found
