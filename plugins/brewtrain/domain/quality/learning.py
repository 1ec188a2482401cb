"""Proposes quality rules from the data profiles of good windows; a person commits them or not.

What never happened in any window is what a rule forbids, with slack where chance needs it: a range
reaches beyond all values that were seen, a share of missing values beyond its largest plus three
standard errors. Values of a column are listed only where the profiles list all of them, and nothing
is said about a column that grows with time, such as a timestamp. Must not import Airflow or boto3.

Sources: AWS Glue DataBrew Developer Guide, "Building a profile job configuration" (members of a
profile: min and max of a text are lengths, mostCommonValues lists 50 values unless told otherwise);
I. J. Good, "The population frequencies of species", Biometrika 40 (1953): the share of values never
seen before is about the share of those seen once; J. A. Hanley and A. Lippman-Hand, "If nothing
goes wrong, is everything all right?", JAMA 249 (1983): what was not seen in n rows has a share of
at most 3/n, at 95%.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from brewtrain.domain.pipeline.plain_text import hidden_character
from brewtrain.domain.quality.history import DayRows, usual_rows

_WHOLE = frozenset({"byte", "short", "int", "integer", "long", "bigint"})
_NUMBERS = _WHOLE | {"float", "double", "decimal"}
_DIGITS = re.compile(r"[0-9]+")
_NOT_PLAIN = re.compile(r"[.+*?|(){}$/]")
# A column of only true and false has a type of its own, which does not show how they are written.
_SPELLINGS = ("false", "true", "False", "True", "FALSE", "TRUE")
_DATE = re.compile(r"\d{4}[-/.]?\d{2}[-/.]?\d{2}")
#: Values of a column that a rule lists; a profile lists no more.
MOST_VALUES = 50
#: Distinct whole numbers up to which a column is a code, and not a quantity.
MOST_CODES = 2
#: Share of repeated rows, in percent, up to which more of them mean something.
MOST_REPEATED_PERCENT = 12
#: Rows from which "no value twice" is no accident.
FEWEST_FOR_UNIQUE = 100
#: Days from which the usual number of rows is known well enough.
FEWEST_DAYS = 7
#: Rows, among all that were looked at, in which a rare category may have been missed by chance.
UNSEEN = 3
_HUNDRED = Decimal(100)


@dataclass(frozen=True)
class GoodWindow:
    """What DataBrew found in data on which a model may be trained.

    :param newest_day: Newest day of the data.
    :param profile: The data profile, parsed.
    :param days: How many days the profile is about; ``None`` if that is not known.
    """

    newest_day: date
    profile: Mapping[str, Any]
    days: int | None = None

    @property
    def rows(self) -> int:
        """Rows that the profile is about."""
        return int(self.profile.get("sampleSize") or 0)


@dataclass(frozen=True)
class Proposal:
    """What one column must be like.

    :param form: Short form of a rule: ``not_null``, ``unique``, ``in``, ``between``, ``matches``.
    :param column: The column.
    :param value: What the form says of the column; nothing for ``not_null`` and ``unique``.
    :param allowed_percent: Share of the rows that may fail.
    :param on_fail: ``warn`` where the windows do not agree yet.
    """

    form: str
    column: str
    value: tuple[str | Decimal, ...] = ()
    allowed_percent: Decimal = Decimal(0)
    on_fail: str = "block"


@dataclass(frozen=True)
class Learnt:
    """Everything that is proposed.

    :param proposals: In the order of the columns.
    :param repeated_rows_percent: Largest share of repeated rows: data that was delivered twice has
        more; ``None`` if the profiles do not count them, or they are common.
    :param row_count: Fields of ``quality.row_count``; empty if the days are too few.
    :param left_out: How many more were learnt than DataBrew takes.
    """

    proposals: tuple[Proposal, ...]
    repeated_rows_percent: Decimal | None = None
    row_count: Mapping[str, str] = field(default_factory=dict)
    left_out: int = 0

    def __bool__(self) -> bool:
        """Whether there is anything to propose."""
        return bool(self.proposals or self.row_count or self.repeated_rows_percent is not None)


@dataclass(frozen=True)
class _Column:
    """One column in all windows, oldest first.

    :param name: The column.
    :param facts: Its members of the profiles.
    :param rows: Rows of the windows.
    """

    name: str
    facts: Sequence[Mapping[str, Any]]
    rows: Sequence[int]

    @property
    def types(self) -> set[str]:
        return {str(one.get("type")) for one in self.facts}

    def counts(self, member: str) -> list[int]:
        return [int(one.get(member) or 0) for one in self.facts]

    def numbers(self, member: str) -> list[Decimal]:
        return [Decimal(str(one[member])) for one in self.facts if isinstance(one.get(member), int | float)]

    @property
    def present(self) -> list[int]:
        return [rows - missing for rows, missing in zip(self.rows, self.counts("missingValuesCount"), strict=True)]


def learn(windows: Iterable[GoodWindow]) -> Learnt:
    """Return the rules that all windows keep.

    :param windows: Good windows, in any order; those without rows do not count.
    """
    known = sorted((one for one in windows if one.rows), key=lambda one: one.newest_day)
    columns = list(_columns(known))
    proposals = tuple(proposal for column in columns for proposal in _proposals(column))
    return Learnt(
        proposals,
        _repeated_rows(known),
        _row_count([DayRows(one.newest_day, one.rows) for one in known if one.days == 1]),
    )


def _columns(windows: Sequence[GoodWindow]) -> Iterator[_Column]:
    """Iterate over the columns that every window has, in the newest window's order."""
    found = [
        {
            str(column.get("name")): column
            for column in window.profile.get("columns") or []
            if isinstance(column, Mapping)
        }
        for window in windows
    ]
    for name in found[-1] if found else []:
        if all(name in one for one in found) and "`" not in name and hidden_character(name) is None:
            yield _Column(name, [one[name] for one in found], [window.rows for window in windows])


def _proposals(column: _Column) -> Iterator[Proposal]:
    missing = _allowed_missing(column)
    if missing is not None:
        yield Proposal("not_null", column.name, allowed_percent=missing)
    if not sum(column.present):
        return
    unique = _is_unique(column)
    if unique:
        yield Proposal("unique", column.name)
    # Missing values fail a check of rows too.
    allowed = _HUNDRED if missing is None else missing
    if allowed >= _HUNDRED:
        return
    values = _values(column, allowed)
    pattern = _date_pattern(column)
    if values is not None:
        yield values
    elif pattern is not None:
        yield Proposal("matches", column.name, (pattern,), allowed)
    elif column.types == {"boolean"}:
        yield Proposal("in", column.name, _SPELLINGS, allowed)
    elif column.types <= _NUMBERS and not unique and not _grows(column):  # an id has no range
        bounds = _range(column)
        if bounds is not None:
            yield Proposal("between", column.name, bounds, allowed)


def _allowed_missing(column: _Column) -> Decimal | None:
    """Return the share of missing values that may be, in percent; ``None`` if it says nothing."""
    counts = column.counts("missingValuesCount")
    if not any(counts):
        return Decimal(0)
    share, rows = max((missing / rows, rows) for missing, rows in zip(counts, column.rows, strict=True))
    allowed = 100 * (share + 3 * math.sqrt(share * (1 - share) / min(rows, *column.rows)))
    return _rounded_up(allowed) if allowed < 95 else None


def _is_unique(column: _Column) -> bool:
    if not (column.types <= _WHOLE or column.types == {"string"}) or sum(column.present) < FEWEST_FOR_UNIQUE:
        return False
    return column.counts("distinctValuesCount") == column.present and not _is_date(column)


def _texts(column: _Column) -> list[str]:
    """Return the most common values of all windows that are texts."""
    values = [entry.get("value") for one in column.facts for entry in _most_common(one)]
    return [value for value in values if isinstance(value, str)]


def _is_date(column: _Column) -> bool:
    texts = _texts(column)
    return bool(texts) and all(_DATE.match(value) for value in texts)


def _date_pattern(column: _Column) -> str | None:
    """Return the one form that all of a column's dates are written in."""
    if column.types != {"string"} or not _is_date(column):
        return None
    forms = {_NOT_PLAIN.sub(r"[\g<0>]", _DIGITS.sub("0", value)) for value in _texts(column)}
    lengths = {tuple(map(len, _DIGITS.findall(value))) for value in _texts(column)}
    if len(forms) != 1 or len(lengths) != 1:
        return None
    runs = iter(lengths.pop())
    return re.sub("0", lambda _: f"[0-9]{{{next(runs)}}}", forms.pop())


def _grows(column: _Column) -> bool:
    """Whether each window's numbers lie beyond those of the window before, or below them."""
    lows, highs = column.numbers("min"), column.numbers("max")
    if len(lows) < 2 or len(lows) != len(highs):
        return False
    rises = all(low > high for low, high in zip(lows[1:], highs, strict=False))
    return rises or all(high < low for high, low in zip(highs[1:], lows, strict=False))


def _values(column: _Column, allowed: Decimal) -> Proposal | None:
    """Return the list of a column's values, where the profiles say all of them."""
    text = column.types == {"string"}
    if not (text or column.types <= _WHOLE) or _is_date(column):
        return None
    total: Counter[str | Decimal] = Counter()
    new_in: list[int] = []
    for number, one in enumerate(column.facts):
        entries = _most_common(one)
        if len(entries) != one.get("distinctValuesCount"):
            return None
        seen = {
            value if text else Decimal(value): int(entry["count"])
            for entry in entries
            if (value := entry["value"]) != ""
        }
        new_in += [number] * len([value for value in seen if value not in total])
        total.update(seen)
    if not 1 <= len(total) <= (MOST_VALUES if text else MOST_CODES) or len(total) * 5 > sum(column.present):
        return None
    if any(not value or hidden_character(value) or len(value) > 500 for value in total if isinstance(value, str)):
        return None
    if len(set(new_in)) > 1 + len(column.facts) / 2:
        return None  # nearly every window brings new values: the list would be old tomorrow
    allowed += _allowed_unseen(column, list(total.values()).count(1), text=text)
    if allowed >= _HUNDRED:
        return None
    late = len(column.facts) >= 3 and max(new_in) >= len(column.facts) * 2 / 3
    return Proposal("in", column.name, tuple(sorted(total)), allowed, "warn" if late else "block")


def _allowed_unseen(column: _Column, once: int, *, text: bool) -> Decimal:
    """Return the share of rows that may have a value that nobody has seen yet, in percent.

    :param once: How many values were seen once.
    :param text: Whether the values are texts: a code of two numbers gets no third one by chance.
    """
    seen = sum(column.present)
    share = max(once, UNSEEN if text else 0) / seen
    if not share:
        return Decimal(0)
    smallest = min(rows for rows in column.present if rows)
    return _rounded_up(100 * (share + 3 * math.sqrt(share * (1 - share) / smallest)))


def _most_common(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries = facts.get("mostCommonValues")
    if not isinstance(entries, list):
        return []
    return [one for one in entries if isinstance(one, Mapping) and one.get("value") is not None]


def _range(column: _Column) -> tuple[Decimal, Decimal] | None:
    """Return the range of all values with slack: a tenth of it, more beyond a long tail."""
    lows, highs = column.numbers("min"), column.numbers("max")
    if not lows or not highs or min(lows) == max(highs):
        return None
    low, high = min(lows), max(highs)
    span = high - low
    slack_low = max(span / 10, (min(column.numbers("percentile5") or [low]) - low) / 2)
    slack_high = max(span / 10, (high - max(column.numbers("percentile95") or [high])) / 2)
    step = Decimal(10) ** (math.floor(span.log10()) - 1)
    if column.types <= _WHOLE:
        step = max(step, Decimal(1))
    lowest = ((low - slack_low) / step).to_integral_value(ROUND_FLOOR) * step
    highest = ((high + slack_high) / step).to_integral_value(ROUND_CEILING) * step
    # What was never negative, or never positive, is a quantity that cannot be.
    return max(lowest, Decimal(0)) if low >= 0 else lowest, min(highest, Decimal(0)) if high <= 0 else highest


def _repeated_rows(windows: Sequence[GoodWindow]) -> Decimal | None:
    counts = [window.profile.get("duplicateRowsCount") for window in windows]
    known = [(count, window.rows) for count, window in zip(counts, windows, strict=True) if isinstance(count, int)]
    if not known or len(known) < len(windows):
        return None
    share = max(100 * count / rows for count, rows in known)
    # A file that came twice makes half of the rows repeated ones.
    return Decimal(math.ceil(2 * share + 1)) if share < MOST_REPEATED_PERCENT else None


def _row_count(days: Sequence[DayRows]) -> dict[str, str]:
    changes = [
        100 * (one.rows - usual) / usual
        for number, one in enumerate(days)
        if number >= FEWEST_DAYS and (usual := usual_rows(one.day, days[:number]))
    ]
    if not changes:
        return {}
    drop = max(50, math.ceil(-min(changes) * 0.15) * 10)
    growth = max(100, math.ceil(max(changes) * 0.15) * 10)
    return {**({"drop_max": f"{drop}%"} if drop < 100 else {}), "grow_max": f"{growth}%"}


def _rounded_up(percent: float) -> Decimal:
    """Round a share up to two digits that matter."""
    value = Decimal(repr(percent))
    step = Decimal(10) ** (value.adjusted() - 1)
    return (value / step).to_integral_value(ROUND_CEILING) * step
