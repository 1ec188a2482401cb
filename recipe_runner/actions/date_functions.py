"""Date and time functions.

https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.datetime.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.language.conditions import combined
from recipe_runner.language.date_patterns import DEFAULT_PATTERN, strftime_pattern
from recipe_runner.language.declaration import Step, action, function_page
from recipe_runner.language.operands import (
    ONE_OF_SOURCE_OR_VALUE,
    PAIR,
    SOURCE_OR_VALUE,
    check_pair,
    check_source_or_value,
    last_source,
    pair_names,
    timestamp_operand,
)
from recipe_runner.language.parameters import choice, column, integer, json_map, new_column, number, text
from recipe_runner.tables.datatypes import to_double, to_timestamp
from recipe_runner.tables.table import Change, Columns, NewColumn, Table

FAMILY = "Date and time functions"
UNITS = ("YEARS", "QUARTERS", "MONTHS", "WEEKS", "DAYS", "HOURS", "MINUTES", "SECONDS", "MILLISECONDS", "MICROSECONDS")
_MICROSECONDS = {
    "WEEKS": 604_800_000_000,
    "DAYS": 86_400_000_000,
    "HOURS": 3_600_000_000,
    "MINUTES": 60_000_000,
    "SECONDS": 1_000_000,
    "MILLISECONDS": 1_000,
    "MICROSECONDS": 1,
}
_FIRST, _SECOND = "\x00first", "\x00second"
_MONTHS = {"YEARS": 12, "QUARTERS": 3, "MONTHS": 1}
SPELLINGS = (
    "Which spellings of a date are understood",
    "those of AWS's MONTH_NAME table; month before day",
    "the best public evidence",
)


def _part(
    name: str, change: Callable[[pl.Expr], pl.Expr], page: str = "", ambiguities: Sequence[tuple[str, str, str]] = ()
) -> None:
    @action(
        name,
        FAMILY,
        *SOURCE_OR_VALUE,
        new_column(),
        one_of=ONE_OF_SOURCE_OR_VALUE,
        check=check_source_or_value,
        page=function_page(page or name),
        ambiguities=[SPELLINGS, *ambiguities],
    )
    def apply(step: Step, table: Table) -> Change:
        return Columns([NewColumn(step["targetColumn"], change(timestamp_operand(step, table)), step["sourceColumn"])])


_part("YEAR", lambda moment: moment.dt.year())
_part("QUARTER", lambda moment: moment.dt.quarter().cast(pl.Int32))
_part("MONTH", lambda moment: moment.dt.month().cast(pl.Int32))
_part("MONTH_NAME", lambda moment: moment.dt.strftime("%B"))
_part("DAY", lambda moment: moment.dt.day().cast(pl.Int32))
_part("HOUR", lambda moment: moment.dt.hour().cast(pl.Int32))
_part("MINUTE", lambda moment: moment.dt.minute().cast(pl.Int32))
_part("SECOND", lambda moment: moment.dt.second().cast(pl.Int32))
_part("MILLISECOND", lambda moment: moment.dt.millisecond().cast(pl.Int32))
_part(
    "WEEK_NUMBER",
    lambda moment: moment.dt.week().cast(pl.Int32),
    ambiguities=[("First week of a year", "ISO 8601: the one with the first Thursday", "as Spark's weekofyear")],
)
_part(
    "WEEK_DAY",
    lambda moment: (moment.dt.weekday() % 7 + 1).cast(pl.Int32),
    ambiguities=[
        ("Number or name, and the first day", "a number, 1 is Sunday", "as Spark's dayofweek and spreadsheets")
    ],
)
_part(
    "UNIX_TIME",
    lambda moment: moment.dt.epoch("us") // 1_000_000,
    ambiguities=[("Time zone of a text without one", "UTC", "the page: otherwise UTC")],
)


@action(
    "DATE_FORMAT",
    FAMILY,
    *SOURCE_OR_VALUE,
    text("dateTimeFormat", default=DEFAULT_PATTERN),
    new_column(),
    one_of=ONE_OF_SOURCE_OR_VALUE,
    check=check_source_or_value,
    page=function_page("DATE_FORMAT"),
    ambiguities=[SPELLINGS],
)
def date_format(step: Step, table: Table) -> Change:
    """Write a date in a given format into a new column."""
    value = timestamp_operand(step, table).dt.strftime(strftime_pattern(step["dateTimeFormat"]))
    return Columns([NewColumn(step["targetColumn"], value, step["sourceColumn"])])


@action(
    "UNIX_TIME_FORMAT",
    FAMILY,
    column(required=False),
    number("value", required=False),
    text("dateTimeFormat", default=DEFAULT_PATTERN),
    new_column(),
    one_of=ONE_OF_SOURCE_OR_VALUE,
    check=check_source_or_value,
    page=function_page("UNIX_TIME_FORMAT"),
)
def unix_time_format(step: Step, table: Table) -> Change:
    """Write seconds since 1970 as a formatted date into a new column."""
    source = step["sourceColumn"]
    seconds = to_double(pl.col(source), table.dtype(source)) if source else pl.lit(float(step["value"]))
    moment = pl.from_epoch((seconds * 1_000_000).round(0).cast(pl.Int64, strict=False), time_unit="us")
    return Columns(
        [NewColumn(step["targetColumn"], moment.dt.strftime(strftime_pattern(step["dateTimeFormat"])), source)]
    )


@action(
    "DATE_ADD",
    FAMILY,
    *SOURCE_OR_VALUE,
    choice("units", *UNITS),
    integer("dateAddValue", minimum=-(10**12), maximum=10**12),
    text("dateTimeFormat", default=DEFAULT_PATTERN),
    new_column(),
    one_of=ONE_OF_SOURCE_OR_VALUE,
    check=check_source_or_value,
    page=function_page("DATEADD"),
    ambiguities=[SPELLINGS, ("A month later than January 31", "the last day of February", "as Spark's add_months")],
)
def date_add(step: Step, table: Table) -> Change:
    """Add a number of units of time to a date; null outside the years 1 to 9999."""
    moment = timestamp_operand(step, table)
    units, amount = step["units"], step["dateAddValue"]
    if units not in _MONTHS and abs(amount * _MICROSECONDS[units]) > 2**62:
        raise RecipeError(f"dateAddValue {amount} {units} goes beyond the years 1 to 9999")
    if units in _MONTHS:
        if abs(amount * _MONTHS[units]) > 240_000:
            raise RecipeError(f"dateAddValue {amount} {units} goes beyond the years 1 to 9999")
        moved = moment.dt.offset_by(f"{amount * _MONTHS[units]}mo")
    else:
        moved = moment + pl.lit(amount * _MICROSECONDS[units], dtype=pl.Int64).cast(pl.Duration("us"))
    moved = pl.when(moved.dt.year().is_between(1, 9999)).then(moved)
    return Columns(
        [
            NewColumn(
                step["targetColumn"], moved.dt.strftime(strftime_pattern(step["dateTimeFormat"])), step["sourceColumn"]
            )
        ]
    )


@action(
    "DATE_DIFF",
    FAMILY,
    *PAIR,
    choice("units", *UNITS),
    new_column(),
    check=check_pair,
    page=function_page("DATEDIFF"),
    ambiguities=[
        SPELLINGS,
        ("Sign", "the second minus the first", "the page's example has the earlier date first"),
        ("Parts of a unit", "dropped", "a difference of 36 hours is one whole day"),
    ],
)
def date_diff(step: Step, table: Table) -> Change:
    """Write the difference of two dates in whole units into a new column."""
    names = pair_names(step)
    first, second = (
        timestamp_operand(step, table, source=name)
        if name.startswith("source")
        else timestamp_operand(step, table, source=name.replace("value", "sourceColumn"), value=name)
        for name in names
    )
    units = step["units"]
    # As columns, the two times are computed once, however often a difference in months uses them.
    parsed = table.with_columns([NewColumn(_FIRST, first), NewColumn(_SECOND, second)])
    first, second = pl.col(_FIRST), pl.col(_SECOND)
    if units in _MONTHS:
        whole = whole_months(first, second)
        size = _MONTHS[units]
        value = pl.when(whole < 0).then(-((-whole) // size)).otherwise(whole // size)
    else:
        span = (second - first).dt.total_microseconds()
        size = _MICROSECONDS[units]
        value = pl.when(span < 0).then(-((-span) // size)).otherwise(span // size)
    done = parsed.with_columns(
        [NewColumn(step["targetColumn"], value.cast(pl.Int64), last_source(step) or table.names[-1])],
        combined(step.conditions, table),
    )
    return done.drop([_FIRST, _SECOND])


def whole_months(first: pl.Expr, second: pl.Expr) -> pl.Expr:
    """Count whole calendar months from first to second, rounded towards zero."""
    months = (
        (second.dt.year().cast(pl.Int64) - first.dt.year()) * 12 + second.dt.month().cast(pl.Int64) - first.dt.month()
    )
    rest = (second - second.dt.truncate("1mo")) - (first - first.dt.truncate("1mo"))
    zero = pl.duration()
    return (
        pl.when((months > 0) & (rest < zero))
        .then(months - 1)
        .when((months < 0) & (rest > zero))
        .then(months + 1)
        .otherwise(months)
    )


_COMPONENTS = ("year", "month", "day", "hour", "minute", "second", "millisecond", "value")
_DEFAULTS = {"year": 1970, "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "millisecond": 0}


def _check_components(arguments: Mapping[str, Any]) -> Sequence[str]:
    problems = []
    for name, part in arguments["dateTimeParameters"].items():
        if name not in _COMPONENTS:
            problems.append(f"dateTimeParameters has no component {name!r}; it takes {', '.join(_COMPONENTS[:-1])}")
        elif part is not None and (not isinstance(part, dict) or set(part) - {"sourceColumn", "value"}):
            problems.append(f"the component {name} must be an object with sourceColumn or value")
    if not any(isinstance(part, dict) and part for part in arguments["dateTimeParameters"].values()):
        problems.append("dateTimeParameters must give at least one component")
    return problems


def _composed(name: str) -> None:
    @action(
        name,
        FAMILY,
        text("dateTimeFormat", default=DEFAULT_PATTERN),
        json_map("dateTimeParameters"),
        new_column(),
        check=_check_components,
        page=function_page("DATETIME" if name == "DATE_TIME" else name),
        ambiguities=[
            (
                "A component that is not given",
                "1 January 1970, 00:00:00",
                "the epoch; the pages' examples leave components empty",
            ),
            ("Components that are not a date (31 February)", "null", "as other unconvertible values"),
        ],
    )
    def apply(step: Step, table: Table) -> Change:
        parts: dict[str, pl.Expr] = {}
        last: str | None = None
        for part in _COMPONENTS[:-1]:
            given = step["dateTimeParameters"].get(part) or {}
            source = given.get("sourceColumn")
            if source:
                parts[part] = to_double(pl.col(source), table.dtype(source)).cast(pl.Int64, strict=False)
                last = source
            elif given.get("value") not in (None, ""):
                try:
                    parts[part] = pl.lit(int(float(str(given["value"]))), dtype=pl.Int64)
                except (ValueError, OverflowError):
                    raise RecipeError(
                        f"the component {part} must be a whole number; it is {given['value']!r}"
                    ) from None
            else:
                parts[part] = pl.lit(_DEFAULTS[part], dtype=pl.Int64)
        return Columns(
            [
                NewColumn(
                    step["targetColumn"], _moment(parts).dt.strftime(strftime_pattern(step["dateTimeFormat"])), last
                )
            ]
        )


def _moment(parts: Mapping[str, pl.Expr]) -> pl.Expr:
    day_text = pl.concat_str(
        parts["year"].cast(pl.String).str.zfill(4),
        pl.lit("-"),
        parts["month"].cast(pl.String).str.zfill(2),
        pl.lit("-"),
        parts["day"].cast(pl.String).str.zfill(2),
    )
    clock_fits = parts["hour"].is_between(0, 23) & parts["minute"].is_between(0, 59) & parts["second"].is_between(0, 59)
    clock = pl.duration(
        hours=parts["hour"], minutes=parts["minute"], seconds=parts["second"], milliseconds=parts["millisecond"]
    )
    return pl.when(clock_fits).then(day_text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")) + clock)


_composed("DATE")
_composed("TIME")
_composed("DATE_TIME")


# Names that Java's TimeZone has in addition to the time zone database.
_JAVA_ZONES = {
    "Z": "UTC",
    "ACT": "Australia/Darwin",
    "AET": "Australia/Sydney",
    "AGT": "America/Argentina/Buenos_Aires",
    "ART": "Africa/Cairo",
    "AST": "America/Anchorage",
    "BET": "America/Sao_Paulo",
    "BST": "Asia/Dhaka",
    "CAT": "Africa/Harare",
    "CNT": "America/St_Johns",
    "CST": "America/Chicago",
    "CTT": "Asia/Shanghai",
    "EAT": "Africa/Addis_Ababa",
    "ECT": "Europe/Paris",
    "IET": "America/Indiana/Indianapolis",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "MIT": "Pacific/Apia",
    "NET": "Asia/Yerevan",
    "NST": "Pacific/Auckland",
    "PLT": "Asia/Karachi",
    "PNT": "America/Phoenix",
    "PRT": "America/Puerto_Rico",
    "PST": "America/Los_Angeles",
    "SST": "Pacific/Guadalcanal",
    "VST": "Asia/Ho_Chi_Minh",
}


@functools.cache
def _zone_names() -> dict[str, str]:
    """Return the names of time zones by their spelling in lower case."""
    names = {name.lower(): name for name in available_timezones()}
    return names | {name.lower(): zone for name, zone in _JAVA_ZONES.items()}


def zone_of(name: str | None) -> tzinfo:
    """Return the time zone of a name (US/Pacific, Europe/Berlin) or an offset (UTC+08:00).

    :raises ValueError: it is neither.
    """
    text_value = (name or "UTC").strip()
    found = re.fullmatch(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?(\d{2}))?", text_value, re.IGNORECASE)
    if found:
        offset = timedelta(hours=int(found.group(2)), minutes=int(found.group(3) or 0))
        return timezone(-offset if found.group(1) == "-" else offset)
    try:
        return ZoneInfo(text_value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # Listing all zones is slow: look up only a name that is not a zone as it is.
        known = _zone_names().get(text_value.lower())
    if known is None:
        raise ValueError(
            f"there is no time zone {name!r}; use a name such as US/Pacific or an offset such as UTC+08:00"
        )
    return ZoneInfo(known)


def _check_zones(*names: str) -> Callable[[Mapping[str, Any]], Sequence[str]]:
    def check(arguments: Mapping[str, Any]) -> Sequence[str]:
        problems = []
        for name in names:
            try:
                zone_of(arguments[name])
            except ValueError as problem:
                problems.append(f"{name}: {problem}")
        return problems

    return check


def _clock(name: str, pattern_text: str) -> None:
    @action(
        name,
        FAMILY,
        text("timeZone", required=False),
        new_column(),
        check=_check_zones("timeZone"),
        page=function_page(name),
        ambiguities=[("Which moment", "the start of the job run, the same in every row", "a run must be repeatable")],
    )
    def apply(step: Step, table: Table) -> Change:
        moment = table.context.started_at.astimezone(zone_of(step["timeZone"]))
        return Columns([NewColumn(step["targetColumn"], pl.lit(moment.strftime(pattern_text)))])


_clock("NOW", "%Y-%m-%d %H:%M:%S")
_clock("TODAY", "%Y-%m-%d")


@action(
    "CONVERT_TIMEZONE",
    FAMILY,
    column(),
    text("fromTimeZone", required=False),
    text("toTimeZone", required=False),
    new_column(),
    text("dateTimeFormat", default=DEFAULT_PATTERN),
    check=_check_zones("fromTimeZone", "toTimeZone"),
    page=function_page("CONVERT_TIMEZONE"),
    ambiguities=[
        SPELLINGS,
        (
            "A local time that occurs twice, or never, in fromTimeZone",
            "the earlier one; null if it never occurs",
            "the convention of most libraries",
        ),
    ],
)
def convert_timezone(step: Step, table: Table) -> Change:
    """Convert a local time from one time zone to another."""
    source = step["sourceColumn"]
    moment = to_timestamp(pl.col(source), table.dtype(source))
    start, end = zone_of(step["fromTimeZone"]), zone_of(step["toTimeZone"])
    if isinstance(start, ZoneInfo):
        moment = (
            moment.dt.replace_time_zone(start.key, ambiguous="earliest", non_existent="null")
            .dt.convert_time_zone("UTC")
            .dt.replace_time_zone(None)
        )
    else:
        moment = moment - start.utcoffset(None)
    if isinstance(end, ZoneInfo):
        moment = moment.dt.replace_time_zone("UTC").dt.convert_time_zone(end.key).dt.replace_time_zone(None)
    else:
        moment = moment + end.utcoffset(None)
    return Columns(
        [NewColumn(step["targetColumn"], moment.dt.strftime(strftime_pattern(step["dateTimeFormat"])), source)]
    )
