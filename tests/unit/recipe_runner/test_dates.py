"""Date patterns of pages and exports, and the spellings of a date that are understood."""

from __future__ import annotations

from datetime import datetime

import pytest

from recipe_runner.language.date_patterns import strftime_pattern
from recipe_runner.tables.datatypes import parse_timestamp_text

PATTERNS = [
    ("mm/dd/yyyy", "%m/%d/%Y"),
    ("MM-dd-yyyy", "%m-%d-%Y"),
    ("yyyy-mm-dd HH:MM:SS", "%Y-%m-%d %H:%M:%S"),
    ("MM/dd/yyyy HH:mm:ss", "%m/%d/%Y %H:%M:%S"),
    ("HH:MM:SS", "%H:%M:%S"),
    ("month*dd*yyyy", "%B*%d*%Y"),
    ("dd month", "%d %B"),
    ("dd Month yyyy", "%d %B %Y"),
    ("d MMM yy", "%-d %b %y"),
    ("hh:mm a", "%I:%M %p"),
    ("EEEE, dd MMMM yyyy", "%A, %d %B %Y"),
    ("yyyy-MM-dd'T'HH:mm:ss.SSS", "%Y-%m-%dT%H:%M:%S.%3f"),
    ("yyyy%", "%Y%%"),
]
SPELLINGS = [
    ("2021-03-30", datetime(2021, 3, 30)),
    ("2021/3/5", datetime(2021, 3, 5)),
    ("20200304", datetime(2020, 3, 4)),
    ("03/04/2021", datetime(2021, 3, 4)),
    ("30.03.2021", datetime(2021, 3, 30)),
    ("02/02/02", datetime(2002, 2, 2)),
    ("March 30, 2021", datetime(2021, 3, 30)),
    ("30 March 2021", datetime(2021, 3, 30)),
    ("2021-03-30T01:02:03Z", datetime(2021, 3, 30, 1, 2, 3)),
    ("2021-03-30T01:02:03.5+02:00", datetime(2021, 3, 29, 23, 2, 3, 500_000)),
    ("03/30/2021 1:02 PM", datetime(2021, 3, 30, 13, 2)),
    ("2021-03-30 01:02:03 UTC", datetime(2021, 3, 30, 1, 2, 3)),
    ("2021-03-30 01:02 GMT", datetime(2021, 3, 30, 1, 2)),
    ("22:10:47", datetime(1970, 1, 1, 22, 10, 47)),
]
NOT_DATES = ["2021-02-30", "20182012", "12202018", "02/june/2009", "", "soon"]


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS)
def test_a_date_pattern_becomes_a_strftime_pattern(pattern: str, expected: str) -> None:
    assert strftime_pattern(pattern) == expected


@pytest.mark.parametrize(("text", "moment"), SPELLINGS)
def test_a_spelling_of_a_date_is_understood(text: str, moment: datetime) -> None:
    assert parse_timestamp_text(text) == moment


@pytest.mark.parametrize("text", NOT_DATES)
def test_any_other_text_is_not_a_date(text: str) -> None:
    assert parse_timestamp_text(text) is None
