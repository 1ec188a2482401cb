"""The card of data that came too late: what was looked for, what is there, what was late before.

Must not import Airflow or boto3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from brewtrain.domain.failure.card import block
from brewtrain.domain.input.completeness import Sighting, Verdict, WaitedPartition, described
from brewtrain.domain.pipeline.duration import in_words
from brewtrain.domain.run.days import WEEKDAYS, DataDays

RUNBOOK = "docs/runbooks/data-late.md"
DAYS_BEFORE = 7


def days_before(day: date, days: DataDays) -> list[date]:
    """Return the last days of the pipeline before one, newest first, for a comparison.

    :param day: The day itself, excluded.
    :param days: Which days the pipeline has.
    """
    found: list[date] = []
    while len(found) < DAYS_BEFORE:
        day -= timedelta(days=1)
        if day < days.start_date:
            break
        if WEEKDAYS[day.weekday()] in days.weekdays:
            found.append(day)
    return found


@dataclass(frozen=True)
class LateData:
    """A partition that was not complete in time.

    :param pipeline: Name of the pipeline.
    :param run_id: Airflow's id of the DAG run.
    :param bucket: The source's bucket.
    :param partition: What was waited for.
    :param seen: What is there.
    :param verdict: What is missing.
    :param since: From when it was waited for, aware.
    :param until: Until when; the same if the pipeline does not wait.
    :param before: The last write of earlier days' partitions, by day.
    :param days: When the pipeline's days end.
    """

    pipeline: str
    run_id: str
    bucket: str
    partition: WaitedPartition
    seen: Sighting
    verdict: Verdict
    since: datetime
    until: datetime
    before: Mapping[date, datetime]
    days: DataDays

    @property
    def sentence(self) -> str:
        """What failed and what to do, in one line."""
        waited = f" after a wait of {in_words(self._wait)}, until {_time(self.until)}" if self._wait else ""
        return (
            f"{self._path} is not complete{waited}: {'; '.join(self.verdict.missing)}; deliver the partition of "
            f"{self.partition.day}, then clear check_input"
        )

    def render(self) -> str:
        """Return the card."""
        return block(
            f"{self.pipeline}: check_input failed (the data of {self.partition.day} is late)",
            [
                ("run", self.run_id),
                ("looked for", self._path),
                ("complete when", described(self.partition.complete_when)),
                ("missing", "; ".join(self.verdict.missing)),
                ("waited", self._waited()),
                ("there is", self._found()),
                ("before", self._before()),
                ("runbook", RUNBOOK),
                ("what to do", self._advice()),
            ],
        )

    @property
    def _wait(self) -> timedelta:
        return self.until - self.since

    def _waited(self) -> str:
        if not self._wait:
            return "not at all: the pipeline file has no source.wait"
        return f"{in_words(self._wait)}, from {_time(self.since)} until {_time(self.until)}"

    @property
    def _path(self) -> str:
        return f"s3://{self.bucket}/{self.partition.prefix}"

    def _found(self) -> str:
        if not self.seen.objects or self.seen.newest is None:
            return "nothing"
        data = self.partition.data(self.seen.objects)
        known = {one.key for one in data}
        others = [one for one in self.seen.objects if one.key not in known]
        more = f" and {len(others)} other object(s), such as {others[0].key}" if others else ""
        return (
            f"{len(data)} file(s) with {sum(one.size for one in data):,} bytes{more}; the newest is of "
            f"{_time(self.seen.newest)}"
        )

    def _before(self) -> str:
        late = [written - self.days.ends(day) for day, written in sorted(self.before.items())]
        if not late:
            return f"none of the {DAYS_BEFORE} days before has what is looked for"
        first, last = min(late), max(late)
        span = _after(first) if first == last else f"{_after(first)} to {_after(last)}"
        slowest = max(self.before, key=lambda day: self.before[day] - self.days.ends(day))
        return (
            f"the last writes of the last {len(late)} day(s) were {span} the day's end (the latest: that of {slowest})"
        )

    def _advice(self) -> str:
        again = ": it looks at once and waits again as long" if self._wait else ""
        return (
            f"Find out why the data is late and deliver it. Then clear check_input{again}. If the data always comes "
            "that late, write a longer source.wait; if the day has no data by plan, leave its day of the week out of "
            "source.days."
        )


def lateness(written: Mapping[date, Sequence[datetime]]) -> dict[date, datetime]:
    """Return the last write of each day that has any object.

    :param written: Times of the objects of each day.
    """
    return {day: max(times) for day, times in written.items() if times}


def _after(late: timedelta) -> str:
    if late < timedelta():
        return f"{in_words(-late)} before"
    return f"{in_words(late)} after"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
