"""Where the files of a day lie, and which of them a run's DataBrew dataset picks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brewtrain.domain.pipeline.layout import DATABREW_KEY_MAX_LENGTH, Layout
from recipe_runner.files.path_selection import select_files

LAYOUTS = {
    "hive": "data/dt={date}/",
    "compact": "data/{date:%Y%m%d}/",
    "folders": "data/year={date:%Y}/month={date:%m}/day={date:%d}/",
    "day first": "in.coming/{date:%d.%m.%Y}/rows/",
    "a file a day": "data/churn_{date}.csv",
    "a compressed file a day": "data/{date:%Y/%m/%d}.csv.gz",
    "hours": "data/{date}/{hour}/",
    "a file an hour": "data/{date:%Y-%m-%d}T{hour}.json",
    "date twice": "data/{date:%Y}/{date}/",
}
NAMES = ("part-0.csv", "a/b=1/part-0.csv", "_c=2/part-0.csv")
NO_DATA = (
    "_SUCCESS",
    "_temporary/0/part-0.csv",
    ".part-0.csv.swp",
    "x/.hidden/part-0.csv",
    "_committed_17",
    "x//y.csv",
    "",
)
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def keys_of(layout: Layout, day: date, names: tuple[str, ...]) -> list[str]:
    prefix = layout.prefix(day)
    if layout.hourly:
        rest = layout.pattern.rpartition("{hour}")[2]
        starts = [f"{prefix}{hour:02}{rest}" for hour in (0, 9, 23)]
    else:
        starts = [prefix]
    return [start + name for start in starts for name in names] if layout.is_prefix else starts


@pytest.mark.parametrize("pattern", LAYOUTS.values(), ids=list(LAYOUTS))
@given(
    first=st.dates(date(1999, 12, 1), date(2040, 1, 1)),
    length=st.one_of(st.integers(1, 70), st.integers(1, 1200)),
    beside=st.lists(st.integers(-800, 2000), max_size=40),
)
def test_the_dataset_picks_the_files_of_the_window(pattern: str, first: date, length: int, beside: list[int]) -> None:
    layout = Layout(pattern)
    last = first + timedelta(days=length - 1)
    near = {first, last, first - timedelta(days=1), last + timedelta(days=1)}
    days = near | {first + timedelta(days=number) for number in beside}
    of_day = {key: day for day in days for key in keys_of(layout, day, NAMES)}
    others = [key for day in days for key in keys_of(layout, day, NO_DATA)] if layout.is_prefix else []
    others += [f"else/{key}" for key in of_day] + [f"{key}.bak/x" for key in of_day if not layout.is_prefix]
    listing = [(key, NOW) for key in [*of_day, *others]]
    picked = select_files(listing, layout.databrew_key(first, last), None, now=NOW)
    assert set(picked) == {key for key, day in of_day.items() if first <= day <= last}
    assert {key: layout.day_of(key) for key in of_day} == of_day
    assert [key for key in others if layout.day_of(key) is not None] == []


@pytest.mark.parametrize("pattern", LAYOUTS.values(), ids=list(LAYOUTS))
@given(first=st.dates(date(1999, 1, 1), date(2040, 1, 1)), length=st.integers(1, 3660))
def test_windows_of_ten_years_fit_the_key_that_databrew_takes(pattern: str, first: date, length: int) -> None:
    assert len(Layout(pattern).databrew_key(first, first + timedelta(days=length - 1))) <= DATABREW_KEY_MAX_LENGTH


def test_a_key_that_would_be_too_long_is_refused() -> None:
    sentence = (
        r"^needs a dataset key of \d+ characters for 2026-11-02 to 2026-11-29, and DataBrew takes 1280; "
        r"write a shorter path, or a smaller window_days$"
    )
    with pytest.raises(ValueError, match=sentence):
        Layout(f"{'x' * 1270}/{{date}}/").databrew_key(date(2026, 11, 2), date(2026, 11, 29))


@pytest.mark.parametrize("pattern", LAYOUTS.values(), ids=list(LAYOUTS))
def test_an_object_whose_date_is_no_day_belongs_to_none(pattern: str) -> None:
    layout = Layout(pattern)
    [key, *_] = keys_of(layout, date(2026, 12, 28), NAMES)
    assert layout.day_of(key) == date(2026, 12, 28)
    assert layout.day_of(key.replace("28", "32")) is None
    assert layout.day_of(key.replace("12", "13")) is None


def test_dates_that_differ_within_a_key_are_no_day() -> None:
    assert Layout("data/{date:%Y}/{date}/").day_of("data/2025/2026-11-29/part-0.csv") is None


def test_what_a_listing_begins_with() -> None:
    assert Layout("data/year={date:%Y}/month={date:%m}/day={date:%d}/").literal_prefix == "data/year="
    assert Layout("data/{date}/{hour}/").prefix(date(2026, 11, 9)) == "data/2026-11-09/"


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        pytest.param("data/", "must contain {date}, where the day of a partition stands", id="no date"),
        pytest.param("data/{date:%Y}/{date:%m}/", "must contain {date}, where the day", id="no day"),
        pytest.param("data/{date:%y%m%d}/", "has '%y' in {date:%y%m%d}; write %Y, %m and %d there", id="short year"),
        pytest.param("data/{date:%H}/", "has '%H' in {date:%H}; write %Y, %m and %d there", id="hour in date"),
        pytest.param("data/{date:%Y%}/", "has '%' in {date:%Y%}; write %Y, %m and %d there", id="lone percent"),
        pytest.param("data/{day}/", "has the unknown placeholder {day}; write {date}, {date:%Y%m%d} or", id="other"),
        pytest.param("data/{date}/{hour:%H}/", "has the unknown placeholder {hour:%H}; write", id="hour with a format"),
        pytest.param("data/{date!r}/", "has the unknown placeholder {date!r}; write", id="conversion"),
    ],
)
def test_other_placeholders_are_refused(pattern: str, problem: str) -> None:
    with pytest.raises(ValueError) as raised:
        Layout(pattern)
    assert str(raised.value).startswith(problem)
