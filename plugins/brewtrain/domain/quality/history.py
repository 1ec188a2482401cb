"""What is judged by the days before: how many rows a day has, and whether it is new.

DataBrew has no such checks. Pure functions; who calls them brings the history. Must not import
Airflow or boto3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import median

from brewtrain.domain.pipeline.quality import Freshness, RowCount
from brewtrain.domain.quality.report import RuleResult, outcome_of

#: Earlier days that a day is compared with.
USUAL_DAYS = 14
#: The same weekday counts alone where it is known this often: a shop's Sunday is no usual day.
SAME_WEEKDAYS = 3
#: Weeks back in which the same weekday is looked for.
WEEKS = 8


@dataclass(frozen=True)
class DayRows:
    """How many rows a day has.

    :param day: The day.
    :param rows: Its rows.
    """

    day: date
    rows: int


@dataclass(frozen=True)
class DayFiles:
    """The files of a day, to tell whether it is new.

    :param day: The day.
    :param written: When the last of its files was written; aware.
    :param contents: ETag and size in bytes of each file that is not empty.
    """

    day: date
    written: datetime
    contents: frozenset[tuple[str, int]]


def usual_rows(day: date, history: Sequence[DayRows]) -> float | None:
    """Return the usual number of rows of a day: a median of days before it.

    Of the last three of the same weekday, where that many are known in the eight weeks before;
    otherwise of the last 14 days that are known. A day that occurs twice counts as it is last in
    the history.

    :param day: The day.
    :param history: What is known, in any order; the day itself and later days do not count.
    :returns: ``None`` if no day before is known.
    """
    rows = {one.day: one.rows for one in history if one.day < day}
    weekdays = [
        rows[before] for before in (day - timedelta(weeks=week) for week in range(1, WEEKS + 1)) if before in rows
    ]
    if len(weekdays) >= SAME_WEEKDAYS:
        return float(median(weekdays[:SAME_WEEKDAYS]))
    latest = sorted(rows)[-USUAL_DAYS:]
    return float(median(rows[one] for one in latest)) if latest else None


def judge_row_count(row_count: RowCount, today: DayRows, history: Sequence[DayRows]) -> RuleResult:
    """Return whether a day has as many rows as it should.

    The first day of a pipeline has no day before it: only ``min`` is checked then.

    :param row_count: The pipeline's section.
    :param today: The day and its rows.
    :param history: Days whose data was good.
    """
    usual = usual_rows(today.day, history)
    return RuleResult(
        rule="row_count",
        column=None,
        outcome=outcome_of(reason := _row_count_problem(row_count, today, usual), row_count.on_fail),
        expectation=_demanded_rows(row_count),
        reason=reason,
        rows=today.rows,
        failing_rows=None,
    )


def _row_count_problem(row_count: RowCount, today: DayRows, usual: float | None) -> str:
    if row_count.min is not None and today.rows < row_count.min:
        return f"{today.day} has {today.rows:,} rows."
    if not usual:
        return ""
    change = 100 * (Decimal(today.rows) - Decimal(usual)) / Decimal(usual)
    too_few = row_count.drop_max is not None and -change > row_count.drop_max
    too_many = row_count.grow_max is not None and change > row_count.grow_max
    if not too_few and not too_many:
        return ""
    how = "fewer" if too_few else "more"
    return f"{today.day} has {today.rows:,} rows: {abs(change):.0f}% {how} than the usual {usual:,.0f}."


def _demanded_rows(row_count: RowCount) -> str:
    parts = []
    if row_count.min is not None:
        parts.append(f"at least {row_count.min:,} rows")
    if row_count.drop_max is not None:
        parts.append(f"at most {row_count.drop_max:f}% fewer than usual")
    if row_count.grow_max is not None:
        parts.append(f"at most {row_count.grow_max:f}% more than usual")
    return f"a day must have {', '.join(parts)}"


def judge_freshness(
    freshness: Freshness, newest: DayFiles, earlier: Sequence[DayFiles], *, due: datetime
) -> RuleResult:
    """Return whether the newest day is new.

    :param freshness: The pipeline's section.
    :param newest: The newest day's files.
    :param earlier: The files of days before it.
    :param due: When the run was due, which is the end of its data interval; aware. A backfill is
        judged as the run of that time was.
    """
    demands = []
    if freshness.max_age_hours is not None:
        demands.append(f"written at most {freshness.max_age_hours} hours before the run was due")
    if freshness.same_as_earlier == "refuse":
        demands.append("other than every earlier day")
    return RuleResult(
        rule="freshness",
        column=None,
        outcome=outcome_of(reason := _freshness_problem(freshness, newest, earlier, due), freshness.on_fail),
        expectation=f"the newest day's files must be {' and '.join(demands)}",
        reason=reason,
        rows=0,
        failing_rows=None,
    )


def _freshness_problem(freshness: Freshness, newest: DayFiles, earlier: Sequence[DayFiles], due: datetime) -> str:
    if freshness.same_as_earlier == "refuse" and newest.contents:
        for other in sorted(earlier, key=lambda one: one.day, reverse=True):
            if other.day < newest.day and other.contents == newest.contents:
                return f"{newest.day} has exactly the files of {other.day}: the data was delivered again, or copied."
    age = due - newest.written
    if freshness.max_age_hours is not None and age > timedelta(hours=freshness.max_age_hours):
        return (
            f"The last file of {newest.day} was written at {newest.written.astimezone(UTC):%Y-%m-%d %H:%M} UTC, "
            f"{age.total_seconds() / 3600:.0f} hours before the run was due."
        )
    return ""
