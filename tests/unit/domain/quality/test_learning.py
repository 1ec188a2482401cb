"""Rules learnt from profiles: what always held, with slack, and nothing about what grows."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brewtrain.domain.quality.learning import GoodWindow, learn
from brewtrain.domain.quality.proposal_text import rule_lines

DAY = date(2024, 3, 4)


def number(
    low: float, high: float, *, missing: int = 0, kind: str = "double", distinct: int = 500, **facts: Any
) -> dict[str, Any]:
    return {"type": kind, "min": low, "max": high, "missingValuesCount": missing, "distinctValuesCount": distinct,
            "mostCommonValues": [{"value": low, "count": 2}] * min(distinct, 50), **facts}  # fmt: skip


def text(values: dict[str, int], *, missing: int = 0, distinct: int | None = None) -> dict[str, Any]:
    listed = [{"value": value, "count": count} for value, count in values.items()]
    return {
        "type": "string",
        "min": 1,
        "max": 9,
        "missingValuesCount": missing,
        "distinctValuesCount": len(values) if distinct is None else distinct,
        "mostCommonValues": listed,
    }


def windows(*columns: dict[str, Any], rows: int = 1000, name: str = "a", days: int | None = None) -> list[GoodWindow]:
    """Return a window for each state of a column."""
    return [
        GoodWindow(
            DAY + timedelta(days=place), {"sampleSize": rows, "columns": [{"name": name, **column}]}, days
        )
        for place, column in enumerate(columns)
    ]  # fmt: skip


def lines(found: list[GoodWindow]) -> list[str]:
    return rule_lines(learn(found))


LEARNT: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "a range with a tenth of slack": (
        [number(10, 90), number(20, 110)],
        ["- not_null: [a]", "- between:", "    a: [0, 120]"],
    ),
    "a range of whole numbers": (
        [number(17, 98, kind="int"), number(18, 95, kind="int")],
        ["- not_null: [a]", "- between:", "    a: [8, 107]"],
    ),
    "a range below zero": ([number(-0.5, -0.25)], ["- not_null: [a]", "- between:", "    a: [-0.53, -0.22]"]),
    "more slack beyond a long tail": (
        [number(1, 1000, percentile5=5, percentile95=100)],
        ["- not_null: [a]", "- between:", "    a: [0, 1450]"],
    ),
    "missing values as often as they may be": (
        [number(10, 90, missing=100), number(10, 90)],
        ["- not_null: [a]", "  threshold: 13%", "- between:", "    a: [2, 98]", "  threshold: 13%"],
    ),
    "values": (
        [text({"gold": 600, "lead": 400}), text({"gold": 900, "40K - 60K €": 100})],
        ["- not_null: [a]", "- in:", '    a: ["40K - 60K €", gold, lead]', "  threshold: 0.52%"],
    ),
    "values that may be missing": (
        [text({"gold": 500, "lead": 400}, missing=100)],
        ["- not_null: [a]", "  threshold: 13%", "- in:", "    a: [gold, lead]", "  threshold: 13.91%"],
    ),
    "values seen once leave room for others": (
        [text({"gold": 998, "x": 1, "z": 1})],
        ["- not_null: [a]", "- in:", "    a: [gold, x, z]", "  threshold: 0.82%"],
    ),
    "values of which one came late": (
        [text({"gold": 1000}), text({"gold": 1000}), text({"gold": 900, "new": 100})],
        ["- not_null: [a]", "- in:", "    a: [gold, new]", "  threshold: 0.40%", "  on_fail: warn"],
    ),
    "words that YAML would misread": (
        [text({"yes": 500, "no": 300, "12": 200})],
        ["- not_null: [a]", "- in:", '    a: ["12", "no", "yes"]', "  threshold: 0.82%"],
    ),
    "one row of a rare category is no fault of a day": (
        [text({"no": 800, "unknown": 200})] * 8,
        ["- not_null: [a]", "- in:", '    a: ["no", unknown]', "  threshold: 0.23%"],
    ),
    "a code": (
        [number(0, 1, kind="int", distinct=2, mostCommonValues=[{"value": 1, "count": 5}, {"value": 0, "count": 9}])],
        ["- not_null: [a]", "- in:", "    a: [0, 1]"],
    ),
    "an id that grows": (
        [number(0, 999, kind="int", distinct=1000), number(1000, 1999, kind="int", distinct=1000),
         number(2000, 2999, kind="int", distinct=1000)],
        ["- not_null: [a]", "- unique: [a]"],
    ),
    "an id in a single window": ([number(0, 999, kind="int", distinct=1000)], ["- not_null: [a]", "- unique: [a]"]),
    "a number that grows": ([number(0, 9), number(10, 19)], ["- not_null: [a]"]),
    "a number that falls": ([number(10, 19), number(0, 9)], ["- not_null: [a]"]),
    "a text that is unique": ([text({"k1": 1}, distinct=1000)], ["- not_null: [a]", "- unique: [a]"]),
    "a timestamp": (
        [text({"2024-03-04 10:00:00.5": 1, "2024-03-05 11:00:00.0": 1}, distinct=1000)],
        ["- not_null: [a]", "- matches:",
         '    a: "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{1}"'],
    ),
    "timestamps of two forms": (
        [text({"2024-03-04 10:00:00": 1, "2024-03-04 9:00:00": 1}, distinct=1000)],
        ["- not_null: [a]"],
    ),
    "a day in each window": (
        [text({"2024-03-04": 1000}), text({"2024-03-05": 1000})],
        ["- not_null: [a]", "- matches:", '    a: "[0-9]{4}-[0-9]{2}-[0-9]{2}"'],
    ),
    "new values in every window": (
        [text({f"batch{number}": 1000}) for number in range(6)],
        ["- not_null: [a]"],
    ),
    "many values": ([text({f"v{number}": 20 for number in range(50)}, distinct=51)], ["- not_null: [a]"]),
    "a measurement is not an id": (
        [number(0, 9.5, distinct=1000)],
        ["- not_null: [a]", "- between:", "    a: [0, 10.5]"],
    ),
    "true and false": ([{"type": "boolean", "missingValuesCount": 0, "distinctValuesCount": 2}],
                       ["- not_null: [a]", "- in:", '    a: ["false", "true", "False", "True", "FALSE", "TRUE"]']),
    "a number that is always the same": ([number(3, 3, distinct=1)], ["- not_null: [a]"]),
    "a column that is nearly always missing": ([number(1, 9, missing=990)], []),
    "a column that is empty": ([{"type": "string", "missingValuesCount": 1000, "distinctValuesCount": 0}], []),
    "a column of two types": ([number(1, 9), text({"x": 1000})], ["- not_null: [a]"]),
}  # fmt: skip


@pytest.mark.parametrize(("columns", "expected"), LEARNT.values(), ids=LEARNT)
def test_what_is_learnt_of_a_column(columns: list[dict[str, Any]], expected: list[str]) -> None:
    assert lines(windows(*columns)) == expected


def test_there_is_a_case_for_each_kind_of_column() -> None:
    assert len(LEARNT) == 28


def test_a_column_that_a_window_lacks_is_not_learnt() -> None:
    found = windows(number(1, 9), name="a") + windows(number(1, 9), name="b")
    assert lines(found) == []


def test_no_window_teaches_nothing() -> None:
    assert lines([]) == []
    assert lines(windows(number(1, 9), rows=0)) == []


def days(*rows: int, each: int = 1) -> list[GoodWindow]:
    return [GoodWindow(DAY + timedelta(days=place), {"sampleSize": number}, each) for place, number in enumerate(rows)]


def test_the_rows_of_single_days_bound_the_rows_of_a_day() -> None:
    assert learn(days(*[1000] * 14)).row_count == {"drop_max": "50%", "grow_max": "100%"}
    assert learn(days(*[1000] * 14, 400, 4000)).row_count == {"drop_max": "90%", "grow_max": "450%"}
    assert learn(days(*[1000] * 14, 10)).row_count == {"grow_max": "100%"}


@pytest.mark.parametrize(
    ("counts", "rule"),
    [
        pytest.param([0, 0], ["- check: AGG(DUPLICATE_ROWS_PERCENTAGE) <= 1"], id="none"),
        pytest.param([0, 31], ["- check: AGG(DUPLICATE_ROWS_PERCENTAGE) <= 8"], id="a few"),
        pytest.param([0, 120], [], id="many"),
        pytest.param([0, None], [], id="not counted everywhere"),
    ],
)
def test_rows_that_repeat_are_bounded(counts: list[int | None], rule: list[str]) -> None:
    found = [
        GoodWindow(DAY + timedelta(days=place), {"sampleSize": 1000, "duplicateRowsCount": count})
        for place, count in enumerate(counts)
    ]
    assert lines(found) == rule


def test_few_days_or_windows_of_several_bound_nothing() -> None:
    assert learn(days(*[1000] * 7)).row_count == {}
    assert learn(days(*[1000] * 20, each=7)).row_count == {}


def test_slack_grows_with_chance() -> None:
    few = learn(windows(number(1, 9, missing=10), rows=100)).proposals[0].allowed_percent
    many = learn(windows(number(1, 9, missing=10_000), rows=100_000)).proposals[0].allowed_percent
    assert (few, many) == (Decimal(19), Decimal(11))
