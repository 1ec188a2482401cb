"""What a quality rule demands of a column, as DataBrew checks it and as a person reads it.

Must not import Airflow or boto3.

Sources: AWS Glue DataBrew Developer Guide, "Available checks" (the expressions) and "Creating a
ruleset" (thresholds count the rows that satisfy a check); API Reference, "Rule", "Threshold". A
missing value satisfies no check of a row: so in a validation report of the real service, where the
values of a nearly empty column fail LENGTH(:col) <= 250.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from brewtrain.domain.quality.check_expression import MAX_VALUE, Check

MAX_NAME = 128
# AWS's default quota "Rules per ruleset"; one rule is about one column.
MAX_RULES = 100
OnFail = Literal["block", "warn"]


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """One rule of DataBrew's, with what follows if it fails.

    :param name: Unique in the pipeline; DataBrew's report names the rule by it.
    :param on_fail: ``block`` stops the run, ``warn`` only says so.
    """

    name: str
    on_fail: OnFail = "block"

    @property
    @abstractmethod
    def expectation(self) -> str:
        """What the rule demands, for people: a sentence without its full stop."""

    @abstractmethod
    def definition(self) -> dict[str, Any]:
        """Return the rule as CreateRuleset takes it."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Columns for which the report must have a result of their own."""


@dataclass(frozen=True, kw_only=True)
class CheckRule(Rule):
    """A rule in DataBrew's own language.

    :param check: Its check.
    :param names: Columns that it is applied to, where the check names none.
    :param matching: Regular expression of further columns.
    :param threshold: Threshold of CreateRuleset; empty: every row must satisfy the check.
    """

    check: Check
    names: tuple[str, ...] = ()
    matching: str | None = None
    threshold: Mapping[str, Any] = field(default_factory=dict)

    @property
    def expectation(self) -> str:
        """What the rule demands: its check, with the values in it."""
        text = re.sub(r":[A-Za-z0-9_]+", lambda found: self.check.values[found[0]], self.check.expression)
        where = [*self.names, *([f"columns that match {self.matching}"] if self.matching else [])]
        about = f"{', '.join(where)}: {text}" if where else text
        if not self.threshold:
            return about
        comparison = str(self.threshold["Type"]).lower().replace("_", " ")
        unit = "%" if self.threshold["Unit"] == "PERCENTAGE" else ""
        return f"{about}; the rows that satisfy it must be {comparison} {self.threshold['Value']:g}{unit}"

    def definition(self) -> dict[str, Any]:
        """Return the rule as CreateRuleset takes it."""
        selectors = [{"Name": name} for name in self.names]
        if self.matching is not None:
            selectors.append({"Regex": self.matching})
        return {
            "Name": self.name,
            "CheckExpression": self.check.expression,
            **({"SubstitutionMap": dict(self.check.values)} if self.check.values else {}),
            **({"ColumnSelectors": selectors} if selectors else {}),
            **({} if self.check.aggregate else {"Threshold": dict(self.threshold) or passing_share(Decimal(0))}),
        }

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns for which the report must have a result of their own."""
        return self.names


@dataclass(frozen=True, kw_only=True)
class ColumnRule(Rule):
    """A rule in short form, about one column.

    :param column: The column.
    :param allowed_percent: Share of the rows that may fail, in percent.
    """

    column: str
    allowed_percent: Decimal = Decimal(0)

    @property
    @abstractmethod
    def demand(self) -> str:
        """What must hold of a value, to go on from the column's name."""

    @abstractmethod
    def failing(self, values: Sequence[str]) -> Iterator[int]:
        """Iterate over the places of the values that fail; a missing value is an empty text."""

    @property
    def expectation(self) -> str:
        """What the rule demands."""
        slack = f"; {self.allowed_percent:f}% of the rows may fail" if self.allowed_percent else ""
        return f"{self.column} {self.demand}{slack}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The rule's column, where DataBrew selects it by name."""
        return ()


@dataclass(frozen=True, kw_only=True)
class _StatisticRule(ColumnRule):
    """A rule that DataBrew checks by a statistic of the column, which knows no threshold."""

    def _definition(self, statistic: str) -> dict[str, Any]:
        # Without slack the count decides: a percentage of a large dataset may be rounded to 0.
        unit = "PERCENTAGE" if self.allowed_percent else "COUNT"
        return {
            "Name": self.name,
            "CheckExpression": f"AGG({statistic}_{unit}) <= :allowed",
            "SubstitutionMap": {":allowed": f"{self.allowed_percent:f}"},
            "ColumnSelectors": [{"Name": self.column}],
        }

    @property
    def columns(self) -> tuple[str, ...]:
        """The rule's column, which DataBrew selects by its name."""
        return (self.column,)


@dataclass(frozen=True, kw_only=True)
class NotNull(_StatisticRule):
    """The column has no missing values: null, or an empty text."""

    @property
    def demand(self) -> str:
        """What must hold of a value."""
        return "must not be missing"

    def definition(self) -> dict[str, Any]:
        """Return the rule as CreateRuleset takes it."""
        return self._definition("MISSING_VALUES")

    def failing(self, values: Sequence[str]) -> Iterator[int]:
        """Iterate over the places of missing values."""
        return (place for place, value in enumerate(values) if value == "")


@dataclass(frozen=True, kw_only=True)
class Unique(_StatisticRule):
    """No value of the column occurs twice. Whether DataBrew counts missing values is not said."""

    @property
    def demand(self) -> str:
        """What must hold of a value."""
        return "must not repeat a value"

    def definition(self) -> dict[str, Any]:
        """Return the rule as CreateRuleset takes it."""
        return self._definition("DUPLICATE_VALUES")

    def failing(self, values: Sequence[str]) -> Iterator[int]:
        """Iterate over the places of values that occur more than once: 1 and 1.0 are one number."""
        numbers = [_number(value) for value in values if value != ""]
        same: Sequence[Decimal | str | None] = values
        if None not in numbers:
            same = [_number(value) for value in values]
        counts = Counter(same)
        return (place for place, value in enumerate(values) if value != "" and counts[same[place]] > 1)


@dataclass(frozen=True, kw_only=True)
class _RowRule(ColumnRule):
    """A rule that DataBrew checks row by row."""

    @abstractmethod
    def holds(self, value: str) -> bool:
        """Whether a value that is not missing satisfies the rule."""

    def _definition(self, condition: str, values: Mapping[str, str]) -> dict[str, Any]:
        return {
            "Name": self.name,
            "CheckExpression": condition,
            "SubstitutionMap": {":col": f"`{self.column}`", **values},
            "Threshold": passing_share(self.allowed_percent),
        }

    def failing(self, values: Sequence[str]) -> Iterator[int]:
        """Iterate over the places of the values that fail, missing ones too."""
        return (place for place, value in enumerate(values) if value == "" or not self.holds(value))


@dataclass(frozen=True, kw_only=True)
class OneOf(_RowRule):
    """Each value is one of a list.

    :param values: The list, as texts.
    """

    values: tuple[str, ...]

    @property
    def demand(self) -> str:
        """What must hold of a value."""
        return f"must be one of {', '.join(self.values)}"

    def definition(self) -> dict[str, Any]:
        """Return the rule as CreateRuleset takes it: as many lists as their length demands."""
        lists = {f":list{number}": text for number, text in enumerate(_lists(self.values), start=1)}
        return self._definition(" or ".join(f":col IN {variable}" for variable in lists), lists)

    def holds(self, value: str) -> bool:
        """Whether a value is in the list, as a text or as a number."""
        number = _number(value)
        return value in self.values or (number is not None and number in map(_number, self.values))


@dataclass(frozen=True, kw_only=True)
class Between(_RowRule):
    """Each value is a number in a range.

    :param low: Smallest value; ``None`` for no bound.
    :param high: Largest value; ``None`` for no bound, but not for both.
    """

    low: Decimal | None = None
    high: Decimal | None = None

    @property
    def demand(self) -> str:
        """What must hold of a value."""
        if self.high is None:
            return f"must be at least {self.low}"
        if self.low is None:
            return f"must be at most {self.high}"
        return f"must be between {self.low} and {self.high}"

    def definition(self) -> dict[str, Any]:
        """Return the rule as CreateRuleset takes it."""
        if self.high is None:
            return self._definition(":col >= :val", {":val": f"{self.low:f}"})
        if self.low is None:
            return self._definition(":col <= :val", {":val": f"{self.high:f}"})
        bounds = {":val1": f"{self.low:f}", ":val2": f"{self.high:f}"}
        return self._definition(":col IS_BETWEEN :val1 and :val2", bounds)

    def holds(self, value: str) -> bool:
        """Whether a value is a number of the range."""
        number = _number(value)
        if number is None:
            return False
        return (self.low is None or self.low <= number) and (self.high is None or number <= self.high)


@dataclass(frozen=True, kw_only=True)
class Matches(_RowRule):
    """Each value matches a regular expression from its beginning to its end.

    Whether DataBrew's ``matches`` searches or matches the whole value is not said: the anchors make
    both the same.

    :param pattern: The regular expression.
    """

    pattern: str

    @property
    def demand(self) -> str:
        """What must hold of a value."""
        return f"must match {self.pattern}"

    def definition(self) -> dict[str, Any]:
        """Return the rule as CreateRuleset takes it."""
        return self._definition(":col matches :pattern", {":pattern": f"^(?:{self.pattern})$"})

    def holds(self, value: str) -> bool:
        """Whether the whole value matches."""
        return re.fullmatch(self.pattern, value) is not None


@dataclass(frozen=True)
class FailingValue:
    """A value that fails a rule.

    :param row: Number of its row among those looked at, from 1.
    :param value: The value; empty where it is missing.
    """

    row: int
    value: str


def failing_values(rule: Rule, rows: Iterable[Mapping[str, str]], limit: int = 5) -> list[FailingValue] | None:
    """Return the first values that fail a rule among some rows.

    :param rule: The rule.
    :param rows: Rows by column, as texts; what is missing is absent or an empty text.
    :param limit: Most values to return.
    :returns: ``None`` for a rule in DataBrew's own language, which only DataBrew evaluates.
    """
    if not isinstance(rule, ColumnRule):
        return None
    values = [row.get(rule.column, "") for row in rows]
    found: list[FailingValue] = []
    for place in rule.failing(values):
        found.append(FailingValue(place + 1, values[place]))
        if len(found) == limit:
            break
    return found


def passing_share(allowed_percent: Decimal) -> dict[str, Any]:
    """Return the Threshold by which all rows but a share must satisfy a check.

    :param allowed_percent: Share of the rows that may fail.
    """
    return {"Type": "GREATER_THAN_OR_EQUAL", "Unit": "PERCENTAGE", "Value": float(100 - allowed_percent)}


def ruleset(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """Return rules as CreateRuleset and UpdateRuleset take them.

    :param rules: The rules.
    """
    return [rule.definition() for rule in rules]


def _lists(values: Sequence[str]) -> Iterator[str]:
    """Divide values into JSON lists, each short enough for a variable's value."""
    part: list[str] = []
    for value in values:
        if part and len(_json([*part, value])) > MAX_VALUE:
            yield _json(part)
            part = []
        part.append(value)
    yield _json(part)


def _json(values: Sequence[str]) -> str:
    return json.dumps(list(values), ensure_ascii=False, separators=(",", ":"))


def _number(text: str) -> Decimal | None:
    if "_" in text:  # Python's own way to group digits
        return None
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
