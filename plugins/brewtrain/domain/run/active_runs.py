"""How many runs of a pipeline may be active at once, so that runs that wait stop no others.

Must not import Airflow or boto3. Airflow counts every running DAG run against ``max_active_runs``,
also one whose only task waits in the triggerer. How many *execute* is for the pipeline's pool.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from brewtrain.domain.run.interval import Schedule
from brewtrain.domain.run.limits import data_wait

if TYPE_CHECKING:
    from brewtrain.domain.pipeline.file import Pipeline

# Runs that may be active where none waits, so also besides those that wait.
WITHOUT_WAIT = 4
# A DAG run costs the scheduler some time in each of its rounds, whether it waits or not.
AT_MOST = 64
# A Monday: schedules of working hours are at their densest from there on.
_SAMPLE_FROM = datetime(2024, 1, 1, tzinfo=UTC)


def max_active_runs(pipeline: Pipeline) -> int:
    """Return ``max_active_runs`` of a pipeline's retrain DAG.

    :param pipeline: The pipeline file.
    """
    return bound(data_wait(pipeline), pipeline.run_schedule)


def bound(wait: timedelta, schedule: Schedule) -> int:
    """Return how many runs may be active: all that may wait at the same time, and some more.

    :param wait: How long a run may wait.
    :param schedule: When runs begin.
    """
    if not wait:
        return WITHOUT_WAIT
    waiting = _most_ticks_within(wait, schedule)
    return min(AT_MOST, WITHOUT_WAIT - 1 + waiting)


def _most_ticks_within(wait: timedelta, schedule: Schedule) -> int:
    """Return the most runs that begin within the wait, both ends included.

    Looked up in the schedule's next :data:`AT_MOST` runs from a fixed day on, which is enough for
    hours and days of the week; a schedule that is denser in some months than in others may get too
    few.
    """
    recent: deque[datetime] = deque()
    most, tick = 1, _SAMPLE_FROM
    for _ in range(AT_MOST):
        tick = schedule.next(tick)
        recent.append(tick)
        while tick - recent[0] > wait:
            recent.popleft()
        most = max(most, len(recent))
    return most
