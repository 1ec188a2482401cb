"""When a partition is complete, and what is said to be missing where it is not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from brewtrain.domain.input.completeness import Verdict, WaitedPartition, described, hours_of, sight
from brewtrain.domain.pipeline.arrival import CompleteWhen
from tests.fixtures.partitions import DAY, NOON, PREFIX, partition, seen, stored

HOURLY = "churn/{date}/{hour}/"
A_FILE_A_DAY = "churn/{date}.csv"
PART = f"{PREFIX}part-0.csv"
MARKER = f"{PREFIX}_SUCCESS"

COMPLETE = {
    "any file": (partition(), [stored(PART)]),
    "any file in a folder below": (partition(), [stored(f"{PREFIX}region=eu/part-0.csv")]),
    "the marker": (partition(marker="_SUCCESS"), [stored(MARKER, size=0)]),
    "a marker in a folder of its own": (partition(marker="_status/done"), [stored(f"{PREFIX}_status/done", size=0)]),
    "as many bytes": (partition(minimum_bytes=20), [stored(PART), stored(f"{PREFIX}part-1.csv")]),
    "unchanged as long": (partition(unchanged_for="10m"), [stored(PART, minutes_old=10)]),
    "all conditions": (
        partition(marker="_SUCCESS", minimum_bytes=10, unchanged_for="10m"),
        [stored(PART), stored(MARKER, size=0)],
    ),
    "one file a day": (partition(A_FILE_A_DAY), [stored("churn/2026-11-30.csv")]),
    "a marker beside one file a day": (
        partition(A_FILE_A_DAY, marker=".done"),
        [stored("churn/2026-11-30.csv.done", size=0)],
    ),
    "a file in every hour": (partition(HOURLY), [stored(f"churn/2026-11-30/{hour:02}/a.csv") for hour in range(24)]),
    "a marker in every hour": (
        partition(HOURLY, marker="_SUCCESS"),
        [stored(f"churn/2026-11-30/{hour:02}/_SUCCESS", size=0) for hour in range(24)],
    ),
    "one marker for all hours": (partition(HOURLY, marker="_SUCCESS"), [stored("churn/2026-11-30/_SUCCESS", size=0)]),
    "enough bytes in some hours": (
        partition(HOURLY, minimum_bytes=10),
        [stored("churn/2026-11-30/07/a.csv")],
    ),
    "an hour that the clocks leave out": (
        partition(HOURLY, day=date(2026, 3, 29), timezone="Europe/Berlin"),
        [stored(f"churn/2026-03-29/{hour:02}/a.csv") for hour in range(24) if hour != 2],
    ),
}
INCOMPLETE = {
    "nothing": (partition(), [], "no file with data is there"),
    "an empty file": (partition(), [stored(PART, size=0)], "no file with data is there"),
    "only the marker of a folder": (partition(), [stored(PREFIX, size=0)], "no file with data is there"),
    "only staging files": (
        partition(),
        [stored(f"{PREFIX}_temporary/0/part-0.csv")],
        "no file with data is there",
    ),
    "another day": (partition(), [stored("churn/dt=2026-11-29/part-0.csv")], "no file with data is there"),
    "files without the marker": (
        partition(marker="_SUCCESS"),
        [stored(PART)],
        f"the marker {MARKER} is missing",
    ),
    "too few bytes": (partition(minimum_bytes=1000), [stored(PART)], "there are 10 of at least 1,000 bytes"),
    "bytes of staging files": (
        partition(minimum_bytes=20),
        [stored(PART), stored(f"{PREFIX}_temporary/part-1.csv")],
        "there are 10 of at least 20 bytes",
    ),
    "changed just now": (
        partition(unchanged_for="10m"),
        [stored(PART), stored(f"{PREFIX}part-1.csv", minutes_old=9)],
        "the last change was 9 min ago, not 10 min",
    ),
    "staging files that are being written": (
        partition(unchanged_for="10m"),
        [stored(PART), stored(f"{PREFIX}_temporary/part-1.csv", minutes_old=1)],
        "the last change was 1 min ago, not 10 min",
    ),
    "an object of the future": (
        partition(unchanged_for="10m"),
        [stored(PART, minutes_old=-5)],
        "the last change was 0 s ago, not 10 min",
    ),
    "no hour 23": (
        partition(HOURLY),
        [stored(f"churn/2026-11-30/{hour:02}/a.csv") for hour in range(23)],
        "no file with data is there for hour 23",
    ),
    "most hours": (
        partition(HOURLY),
        [stored("churn/2026-11-30/00/a.csv")],
        "no file with data is there for the hours 01, 02, 03, 04, 05, 06 and 17 more",
    ),
    "no marker in two hours": (
        partition(HOURLY, marker="_SUCCESS"),
        [stored(f"churn/2026-11-30/{hour:02}/_SUCCESS", size=0) for hour in range(2, 24)],
        "the marker _SUCCESS is missing for the hours 00, 01",
    ),
    "no file beside its marker's name": (
        partition(A_FILE_A_DAY, marker=".done"),
        [stored("churn/2026-11-30.csv")],
        "the marker churn/2026-11-30.csv.done is missing",
    ),
}


@pytest.mark.parametrize("name", COMPLETE)
def test_a_partition_is_complete(name: str) -> None:
    waited, objects = COMPLETE[name]
    assert waited.judge(seen(*objects)) == Verdict()


@pytest.mark.parametrize("name", INCOMPLETE)
def test_what_is_missing_is_one_clause(name: str) -> None:
    waited, objects, missing = INCOMPLETE[name]
    assert waited.judge(seen(*objects)).missing == (missing,)


def test_the_cases_are_all_there() -> None:
    assert (len(COMPLETE), len(INCOMPLETE)) == (14, 15)


def test_everything_that_is_missing_is_said_at_once() -> None:
    waited = partition(marker="_SUCCESS", minimum_bytes=100)
    assert waited.judge(seen(stored(PART))).missing == (
        f"the marker {MARKER} is missing",
        "there are 10 of at least 100 bytes",
    )


def test_a_change_that_was_seen_counts_from_then_whatever_s3s_dates_say() -> None:
    waited = partition(unchanged_for="10m")
    first = seen(stored(PART))
    assert waited.judge(first).complete
    replaced = sight(first, [stored(PART, etag='"b"')], NOON + timedelta(minutes=1))
    assert not waited.judge(replaced).complete
    assert waited.judge(replaced).look_again_at == NOON + timedelta(minutes=11)
    assert waited.judge(sight(replaced, replaced.objects, NOON + timedelta(minutes=11))).complete
    removed = sight(replaced, [], NOON + timedelta(minutes=12))
    assert not waited.judge(removed).complete


def test_an_upload_in_parts_is_dated_by_its_start_so_it_is_watched_for_as_long() -> None:
    waited = partition(unchanged_for="10m")
    upload = stored(PART, etag='"0123abc-7"', minutes_old=45)
    first = seen(upload)
    assert waited.judge(first) == Verdict(("the last change was 0 s ago, not 10 min",), NOON + timedelta(minutes=10))
    assert waited.judge(sight(first, [upload], NOON + timedelta(minutes=10))).complete
    assert waited.judge(seen(stored(PART, etag='"0123abc-7"', minutes_old=60 * 25))).complete, "of the day before"


def test_a_marker_alone_is_listed_by_its_own_key() -> None:
    assert partition(marker="_SUCCESS").looked_for == MARKER
    assert partition(marker="_SUCCESS", minimum_bytes=1).looked_for == PREFIX
    assert partition(HOURLY, marker="_SUCCESS").looked_for == "churn/2026-11-30/"
    assert partition().looked_for == PREFIX


def test_the_hours_are_those_of_the_days_clocks() -> None:
    assert hours_of(DAY, "UTC") == set(range(24))
    assert hours_of(date(2026, 3, 29), "Europe/Berlin") == set(range(24)) - {2}
    assert hours_of(date(2026, 10, 25), "Europe/Berlin") == set(range(24)), "an hour that comes twice has one name"


def test_the_conditions_read_as_in_the_file() -> None:
    assert described(CompleteWhen()) == "any_file"
    when = CompleteWhen.model_validate({"marker": "_SUCCESS", "unchanged_for": "90m"})
    assert described(when) == "marker: _SUCCESS, unchanged_for: 1 h 30 min"


def test_a_partition_is_the_same_when_rebuilt_from_json() -> None:
    waited = partition(marker="_SUCCESS", minimum_bytes=5, unchanged_for="10m")
    document = waited.complete_when.model_dump(mode="json", exclude_none=True)
    assert document == {"marker": "_SUCCESS", "minimum_bytes": 5, "unchanged_for": "600s"}
    rebuilt = WaitedPartition(waited.pattern, waited.day, waited.timezone, CompleteWhen.model_validate(document))
    assert rebuilt == waited
    assert hash(rebuilt) == hash(waited)
