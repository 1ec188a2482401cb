"""Which objects a dataset's path means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recipe_runner.errors import RecipeError
from recipe_runner.files import path_selection
from recipe_runner.files.path_selection import select_files

NOW = datetime(2021, 4, 1, 12, tzinfo=UTC)
REPORTS = [
    (f"new-cases/{country}/daily-report-2021-03-{day}.csv", NOW - timedelta(days=31 - int(day)))
    for country in ("UR", "US", "USA")
    for day in ("28", "29", "30", "31")
]


def chosen(pattern: str, options: dict[str, Any] | None = None, listing: Any = REPORTS) -> list[str]:
    return list(select_files(listing, pattern, options, now=NOW))


def date_parameter(expression: str | None = None, values: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    definition: dict[str, Any] = {
        "Name": "day", "Type": "Datetime", "DatetimeOptions": {"Format": "yyyy-MM-dd", **more},
    }  # fmt: skip
    if expression:
        definition["Filter"] = {"Expression": expression, "ValuesMap": values or {}}
    return definition


COUNTRY = {"Name": "country", "Type": "String"}
PATH = "new-cases/{country}/daily-report-{day}.csv"


def test_a_folder_means_all_below_it() -> None:
    assert len(chosen("new-cases/US/")) == 4
    assert len(chosen("new-cases/US")) == 4
    assert len(chosen("new-cases/")) == 12


def test_one_file_is_one_file() -> None:
    assert chosen("new-cases/US/daily-report-2021-03-30.csv") == ["new-cases/US/daily-report-2021-03-30.csv"]


def test_hidden_files_are_left_out() -> None:
    assert chosen("a/", listing=[("a/_SUCCESS", NOW), ("a/.crc", NOW), ("a/x.csv", NOW)]) == ["a/x.csv"]


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("new-cases/<U.>/", 8),
        ("new-cases/<.*>2021-03-3<\\d>.csv", 6),
        ("new-cases/<[^/]+>/daily-report-<.*>28.csv", 3),
        ("<.*>", 12),
    ],
)
def test_regular_expressions_stand_between_angle_brackets(pattern: str, count: int) -> None:
    assert len(chosen(pattern)) == count


@pytest.mark.parametrize(
    ("expression", "values", "days"),
    [
        ("after :d", {":d": "2021-03-29T00:00:00Z"}, ["30", "31"]),
        ("before :d", {":d": "2021-03-29T00:00:00Z"}, ["28"]),
        ("(after :a and before :b)", {":a": "2021-03-28T00:00:00Z", ":b": "2021-03-31T00:00:00Z"}, ["29", "30"]),
        ("before :a or after :b", {":a": "2021-03-29T00:00:00Z", ":b": "2021-03-30T00:00:00Z"}, ["28", "31"]),
        ("relative_after :r", {":r": "-48h"}, ["31"]),
        ("relative_before :r", {":r": "-3d"}, ["28", "29"]),
        ("relative_after :r", {":r": "-1w"}, ["28", "29", "30", "31"]),
        ("not after :d", {":d": "2021-03-29T00:00:00Z"}, ["28", "29"]),
    ],
)
def test_dates_are_selected_by_conditions(expression: str, values: dict[str, str], days: list[str]) -> None:
    options = {"Parameters": {"day": date_parameter(expression, values)}}
    found = chosen("new-cases/US/daily-report-{day}.csv", options)
    assert found == [f"new-cases/US/daily-report-2021-03-{day}.csv" for day in days]


def test_the_time_zone_of_a_date_counts() -> None:
    options = {
        "Parameters": {"day": date_parameter("before :d", {":d": "2021-03-28T23:00:00Z"}, TimezoneOffset="+02:00")}
    }
    assert chosen("new-cases/US/daily-report-{day}.csv", options) == [
        "new-cases/US/daily-report-2021-03-28.csv",
        "new-cases/US/daily-report-2021-03-29.csv",
    ]


@pytest.mark.parametrize(
    ("expression", "value", "countries"),
    [
        ("is :v", "US", ["US"]), ("is not :v", "US", ["UR", "USA"]), ("!= :v", "US", ["UR", "USA"]),
        ("contains :v", "SA", ["USA"]), ("not contains :v", "S", ["UR"]), ("starts_with :v", "US", ["US", "USA"]),
        ("ends_with :v", "R", ["UR"]), ("not ends_with :v", "R", ["US", "USA"]),
        ("matches :v", "^[A-Z]{2}$", ["UR", "US"]),
        ("matches :v", "(?i)^us$", ["US"]), ("not matches :v", "A$", ["UR", "US"]),
    ],
)  # fmt: skip
def test_texts_are_selected_by_conditions(expression: str, value: str, countries: list[str]) -> None:
    country = {**COUNTRY, "Filter": {"Expression": expression, "ValuesMap": {":v": value}}}
    found = chosen(PATH.replace("{day}", "2021-03-28"), {"Parameters": {"country": country}})
    assert [key.split("/")[1] for key in found] == countries


@pytest.mark.parametrize(
    ("expression", "numbers"),
    [
        ("is :v", [2]), ("<= :v", [1, 2]), ("gt :v", [3]), ("less_than :v", [1]), ("greater_than_equal :v", [2, 3]),
        ("is not :v", [1, 3]),
    ],
)  # fmt: skip
def test_numbers_are_selected_by_conditions(expression: str, numbers: list[int]) -> None:
    parameter = {"Name": "n", "Type": "Number", "Filter": {"Expression": expression, "ValuesMap": {":v": "2"}}}
    listing = [(f"a/{number}.csv", NOW) for number in (1, 2, 3)] + [("a/x.csv", NOW)]
    assert chosen("a/{n}.csv", {"Parameters": {"n": parameter}}, listing) == [f"a/{number}.csv" for number in numbers]


def test_a_parameter_can_become_a_column() -> None:
    made = {"CreateColumn": True}
    options = {"Parameters": {"day": date_parameter() | made, "country": COUNTRY | made}}
    found = select_files(REPORTS[:1], PATH, options, now=NOW)
    assert found == {REPORTS[0][0]: {"country": "UR", "day": datetime(2021, 3, 28, tzinfo=UTC)}}


def test_a_text_that_is_not_a_date_does_not_match() -> None:
    listing = [("d/dt=2021-13-45/x.csv", NOW), ("d/dt=latest/x.csv", NOW), ("d/dt=2021-03-01/x.csv", NOW)]
    assert chosen("d/dt={day}/", {"Parameters": {"day": date_parameter()}}, listing) == ["d/dt=2021-03-01/x.csv"]


def test_a_date_may_span_folders() -> None:
    parameter = {"Name": "day", "Type": "Datetime", "DatetimeOptions": {"Format": "yyyy/MM/dd"}}
    listing = [("folder/2021/04/01/x.csv", NOW), ("folder/2021/x.csv", NOW)]
    assert chosen("folder/{day}/", {"Parameters": {"day": parameter}}, listing) == ["folder/2021/04/01/x.csv"]


@pytest.mark.parametrize(
    ("order", "days"), [(None, ["30", "31"]), ("DESCENDING", ["30", "31"]), ("ASCENDING", ["28", "29"])]
)
def test_the_number_of_files_is_limited_by_age(order: str | None, days: list[str]) -> None:
    limit = {"MaxFiles": 2, "OrderedBy": "LAST_MODIFIED_DATE"} | ({"Order": order} if order else {})
    found = chosen("new-cases/US/", {"FilesLimit": limit})
    assert found == [f"new-cases/US/daily-report-2021-03-{day}.csv" for day in days]


def test_files_are_chosen_by_when_they_were_changed() -> None:
    condition = {"Expression": "relative_after :r", "ValuesMap": {":r": "-36h"}}
    assert chosen("new-cases/US/", {"LastModifiedDateCondition": condition}) == [
        "new-cases/US/daily-report-2021-03-30.csv",
        "new-cases/US/daily-report-2021-03-31.csv",
    ]


@pytest.mark.parametrize(
    ("pattern", "options", "message"),
    [
        ("a/{n}.csv", {}, "'n' is not defined"),
        ("a/x.csv", {"Parameters": {"n": {"Name": "n", "Type": "Number"}}}, "not in the path"),
        ("a/{n}.csv", {"Parameters": {"n": {"Name": "n", "Type": "Integer"}}}, "write String, Number or Datetime"),
        ("a/{n}.csv", {"Parameters": {"n": {"Name": "n", "Type": "Datetime"}}}, "without a format"),
        ("a/<(>.csv", {}, "has an invalid regular expression"),
    ],
)
def test_a_wrong_path_is_an_error_that_says_why(pattern: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        chosen(pattern, options, [("a/x/1.csv", NOW), ("a/1.csv", NOW)])


@pytest.mark.parametrize(
    ("expression", "values", "message"),
    [
        ("later_than :d", {":d": "x"}, "Datetime parameters can use after"),
        ("after :d", {}, "which is not in ValuesMap"),
        ("after", {}, "needs a ':variable'"),
        ("(after :d", {":d": "2021-03-29"}, r"has no closing '\)'"),
        ("after :d)", {":d": "2021-03-29"}, "continues after its end"),
        ("after :d", {":d": "yesterday"}, "not an ISO 8601"),
        ("relative_after :d", {":d": "2 days"}, "not a relative date"),
        ("after :d and", {":d": "2021-03-29"}, "ends too early"),
    ],
)
def test_a_wrong_condition_is_an_error_that_says_why(expression: str, values: dict[str, str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        chosen("new-cases/US/daily-report-{day}.csv", {"Parameters": {"day": date_parameter(expression, values)}})


def typed(kind: str, pattern: str = "") -> dict[str, Any]:
    return {"Type": kind, "CreateColumn": True} | ({"DatetimeOptions": {"Format": pattern}} if pattern else {})


@pytest.mark.parametrize(
    ("key", "pattern", "parameters", "columns"),
    [
        (
            "in/north-west-2021-03-30.csv",
            "in/{c}-{d}.csv",
            {"c": typed("String"), "d": typed("Datetime", "yyyy-MM-dd")},
            {"c": "north-west", "d": datetime(2021, 3, 30, tzinfo=UTC)},
        ),
        (
            "in/2021-03-30-5.csv",
            "in/{d}-{n}.csv",
            {"n": typed("Number"), "d": typed("Datetime", "yyyy-MM-dd")},
            {"d": datetime(2021, 3, 30, tzinfo=UTC), "n": 5},
        ),
        ("in/a-b-5.csv", "in/{c}-{n}.csv", {"c": typed("String"), "n": typed("Number")}, {"c": "a-b", "n": 5}),
        ("in/file12.5.csv", "in/{c}{n}.csv", {"c": typed("String"), "n": typed("Number")}, {"c": "file", "n": 12.5}),
        ("in/(feb)/x.csv", "in/<(\\(jan\\)|\\(feb\\))>/{c}.csv", {"c": typed("String")}, {"c": "x"}),
    ],
)
def test_parameters_side_by_side_are_told_apart_by_their_types(
    key: str, pattern: str, parameters: dict[str, Any], columns: dict[str, Any]
) -> None:
    assert select_files([(key, NOW)], pattern, {"Parameters": parameters}, now=NOW) == {key: columns}


@pytest.mark.parametrize("text", ["1_000", " 5", "\u0663", "1e999", "inf", "nan", "0x10", "", "5-", "1.2.3"])
def test_a_text_that_is_not_a_number_does_not_match(text: str) -> None:
    assert chosen("in/{n}.csv", {"Parameters": {"n": typed("Number")}}, [(f"in/{text}.csv", NOW)]) == []


@pytest.mark.parametrize(
    ("pattern", "text", "moment"),
    [
        ("yyyy-MM-dd'T'HH:mm:ssZ", "2021-03-30T10:00:00+0200", datetime(2021, 3, 30, 8, tzinfo=UTC)),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "2021-03-30T10:00:00-07:00", datetime(2021, 3, 30, 17, tzinfo=UTC)),
        ("yyyy-MM-dd'T'HH:mm:ssX", "2021-03-30T10:00:00Z", datetime(2021, 3, 30, 10, tzinfo=UTC)),
        ("yyyyMMddHHmmssSSS", "20210330101112123", datetime(2021, 3, 30, 10, 11, 12, 123000, tzinfo=UTC)),
        ("MM.dd.yyyy-'at'-HH:mm", "03.30.2021-at-10:15", datetime(2021, 3, 30, 10, 15, tzinfo=UTC)),
        ("dd MMMM yyyy hh a", "30 March 2021 10 PM", datetime(2021, 3, 30, 22, tzinfo=UTC)),
        ("EEE, d MMM yy", "Tue, 30 Mar 21", datetime(2021, 3, 30, tzinfo=UTC)),
        ("yyyy/MM/dd/HH", "2021/03/30/07", datetime(2021, 3, 30, 7, tzinfo=UTC)),
    ],
)
def test_a_date_in_a_path_is_read_by_its_format(pattern: str, text: str, moment: datetime) -> None:
    found = select_files(
        [(f"in/{text}.csv", NOW)], "in/{d}.csv", {"Parameters": {"d": typed("Datetime", pattern)}}, now=NOW
    )
    assert found == {f"in/{text}.csv": {"d": moment}}


def test_an_expression_that_backtracks_without_bound_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_selection, "MATCH_SECONDS", 0.05)
    listing = [("a/" + "x" * 40 + "!", NOW)]
    with pytest.raises(RecipeError, match="too long"):
        chosen("a/<(?:x|xx)+[yz]>", None, listing)
