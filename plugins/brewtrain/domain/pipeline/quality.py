"""The ``quality`` section: what the data must be like before a model is trained on it.

docs/quality.md explains the rules. Must not import Airflow or boto3.

Sources: AWS Glue DataBrew Developer Guide, "Validating data quality", "Available checks"; API
Reference, "Rule", "Threshold", "ColumnSelector" (lengths).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from brewtrain.domain.pipeline.section import OneLine, Section, check_once_each
from brewtrain.domain.quality.check_expression import MAX_EXPRESSION, MAX_VALUE, Check, parse_check
from brewtrain.domain.quality.rules import (
    MAX_NAME,
    MAX_RULES,
    Between,
    CheckRule,
    Matches,
    NotNull,
    OneOf,
    OnFail,
    Rule,
    Unique,
)

_EXPONENT = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+")
_PERCENT = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*%")


def _percent(value: object) -> object:
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        given = "" if isinstance(value, str) else f" (it says {value!r})"
        raise ValueError(f"is not a share in percent; write one such as '1%'{given}")
    return Decimal(match[1])


def _row_threshold(value: object) -> object:
    """Return the fields of a threshold that is written as the share that may fail."""
    if isinstance(value, dict):
        return value
    allowed = _percent(value)
    assert isinstance(allowed, Decimal)
    if allowed >= 100:
        raise ValueError("lets every row fail; write less than 100%")
    return {"value": float(100 - allowed)}


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _text_value(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("is true or false; YAML reads yes, no, on and off so too: put the word in quotes")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}"
    if not isinstance(value, str):
        raise ValueError("is neither a text nor a number; put it in quotes")
    return value


def _check_listed(value: str) -> str:
    if len(json.dumps([value], ensure_ascii=False)) > MAX_VALUE:
        raise ValueError(f"has {len(value)} characters; a list of DataBrew's has at most {MAX_VALUE}, as JSON")
    return value


def _decimal(value: object) -> object:
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        raise ValueError(
            f"is text to YAML; write all digits, or a point and the exponent's sign, as 1.0e+5 (it says {value!r})"
        )
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"is not a number; write it without quotes (it says {value!r})")
    return Decimal(repr(value))


def _pair(value: object) -> object:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("is not a range; write the smallest and the largest value, as [17, 98]")
    return value


def _check_range(value: tuple[Decimal, Decimal]) -> tuple[Decimal, Decimal]:
    if value[0] > value[1]:
        raise ValueError(f"is the range [{value[0]}, {value[1]}], which is empty; write the smallest value first")
    return value


def _check_column(value: str) -> str:
    if "`" in value:
        raise ValueError(f"names the column {value!r}; DataBrew's rules cannot name a column with a back-tick")
    return value


def _check_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is not a regular expression ({error})") from None
    if "(?P" in value:
        raise ValueError("has a named group in Python's form, which DataBrew does not know; write a plain group")
    return value


ColumnName = Annotated[OneLine, Field(min_length=1, max_length=255), AfterValidator(_check_column)]
ColumnNames = Annotated[
    tuple[ColumnName, ...],
    Field(strict=False, min_length=1),
    BeforeValidator(_one_or_more),
    AfterValidator(check_once_each),
]
Number = Annotated[Decimal, BeforeValidator(_decimal)]
Range = Annotated[tuple[Number, Number], Field(strict=False), BeforeValidator(_pair), AfterValidator(_check_range)]
TextValue = Annotated[OneLine, BeforeValidator(_text_value), Field(min_length=1), AfterValidator(_check_listed)]
TextValues = Annotated[
    tuple[TextValue, ...], Field(strict=False, min_length=1, max_length=1000), AfterValidator(check_once_each)
]
Pattern = Annotated[OneLine, Field(min_length=1, max_length=1000), AfterValidator(_check_pattern)]
Percent = Annotated[Decimal, BeforeValidator(_percent)]
Share = Annotated[Percent, Field(gt=0, lt=100)]


class RowThreshold(Section):
    """How many rows must satisfy a rule, as DataBrew's Threshold.

    :param value: Percent of the rows, or their number.
    :param type: How the rows that satisfy the rule are compared with ``value``.
    :param unit: Unit of ``value``.
    """

    value: float = Field(ge=0)
    type: Literal["GREATER_THAN_OR_EQUAL", "LESS_THAN_OR_EQUAL", "GREATER_THAN", "LESS_THAN"] = "GREATER_THAN_OR_EQUAL"
    unit: Literal["PERCENTAGE", "COUNT"] = "PERCENTAGE"

    @model_validator(mode="after")
    def _can_decide(self) -> RowThreshold:
        most = 100 if self.unit == "PERCENTAGE" else float("inf")
        if self.value > most:
            raise ValueError(f"demands {self.value:g}% of the rows; write at most 100")
        if (self.type, self.value) in (("LESS_THAN", 0), ("GREATER_THAN", most)):
            raise ValueError(f"can never hold: no number of rows is {self.type} {self.value:g}; correct type or value")
        if (self.type, self.value) in (("GREATER_THAN_OR_EQUAL", 0), ("LESS_THAN_OR_EQUAL", most)):
            raise ValueError(f"always holds: any number of rows is {self.type} {self.value:g}; correct type or value")
        return self

    @property
    def allowed_percent(self) -> Decimal | None:
        """Share of the rows that may fail, in percent; ``None`` where it is another comparison."""
        if (self.type, self.unit) != ("GREATER_THAN_OR_EQUAL", "PERCENTAGE"):
            return None
        return (100 - Decimal(repr(self.value))).normalize()


class _FilledSection(Section):
    """A section in which no field is empty: what somebody meant to check would not be checked."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_empty(cls, fields: object) -> object:
        empty = [name for name, value in fields.items() if value is None] if isinstance(fields, dict) else []
        if empty:
            raise ValueError(f"has nothing for {empty[0]!r}; indent what it says below it, or remove it")
        return fields


class QualityRule(_FilledSection):
    """One rule: either a check in DataBrew's own language, or one of the short forms.

    :param check: A check as DataBrew's "Available checks" has them; values may stand in it.
    :param values: What the variables of ``check`` stand for, as in SubstitutionMap.
    :param columns: Columns to apply ``check`` to, where it names none.
    :param columns_matching: Regular expression of columns to apply ``check`` to.
    :param not_null: Columns without missing values.
    :param unique: Columns, each without a value that occurs twice.
    :param in_: By column, the values that are allowed.
    :param between: By column, the smallest and the largest value.
    :param at_least: By column, the smallest value.
    :param at_most: By column, the largest value.
    :param matches: By column, a regular expression that each value must match as a whole.
    :param on_fail: ``block``: the run stops; ``warn``: it says so and goes on.
    :param threshold: Share of the rows that may fail, such as ``1%``; for ``check`` also a
        Threshold of DataBrew's.
    :param name: Unique name; default: what the rule says.
    """

    check: Annotated[OneLine, Field(min_length=1, max_length=MAX_EXPRESSION)] | None = None
    values: dict[str, Annotated[OneLine, BeforeValidator(_text_value), Field(max_length=MAX_VALUE)]] = Field(default={})
    columns: ColumnNames = ()
    columns_matching: Annotated[Pattern, Field(max_length=255)] | None = None
    not_null: ColumnNames = ()
    unique: ColumnNames = ()
    in_: dict[ColumnName, TextValues] | None = Field(default=None, alias="in", min_length=1)
    between: dict[ColumnName, Range] | None = Field(default=None, min_length=1)
    at_least: dict[ColumnName, Number] | None = Field(default=None, min_length=1)
    at_most: dict[ColumnName, Number] | None = Field(default=None, min_length=1)
    matches: dict[ColumnName, Pattern] | None = Field(default=None, min_length=1)
    on_fail: OnFail = "block"
    threshold: Annotated[RowThreshold, BeforeValidator(_row_threshold)] | None = None
    name: Annotated[OneLine, Field(min_length=1, max_length=MAX_NAME)] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> QualityRule:
        forms = [name for name, given in self._forms().items() if given]
        if not forms:
            raise ValueError(f"checks nothing; write one of {', '.join(self._forms())}")
        if len(forms) > 1:
            raise ValueError(f"has both {forms[0]} and {forms[1]}; make them two rules")
        if self.check is None:
            self._check_short_form(forms[0])
        else:
            self._check_own_language()
        return self

    def _forms(self) -> dict[str, Collection[str]]:
        """Return what the rule says in each form; empty for all but one."""
        return {
            "check": self.check or "",
            "not_null": self.not_null,
            "unique": self.unique,
            "in": self.in_ or {},
            "between": self.between or {},
            "at_least": self.at_least or {},
            "at_most": self.at_most or {},
            "matches": self.matches or {},
        }

    def _check_short_form(self, form: str) -> None:
        for field, given in (
            ("values", self.values), ("columns", self.columns), ("columns_matching", self.columns_matching)
        ):  # fmt: skip
            if given:
                raise ValueError(f"has {field}, which belongs to check; {form} names its columns itself")
        if self.threshold is not None and self.threshold.allowed_percent is None:
            raise ValueError(f"has a threshold of DataBrew's with {form}; write the share that may fail, such as '1%'")

    def _check_own_language(self) -> None:
        check = self.parsed_check
        selected = bool(self.columns or self.columns_matching)
        if check.per_column and not selected:
            raise ValueError(f"names no column; add 'columns', or name one in the check (it says {self.check!r})")
        if selected and not check.per_column:
            raise ValueError(f"has columns that its check does not use; remove them (it says {self.check!r})")
        if check.aggregate and self.threshold is not None:
            raise ValueError(
                "has a threshold, which DataBrew takes only with checks of rows; put the bound in the check"
            )

    @property
    def parsed_check(self) -> Check:
        """The check in DataBrew's own language, for a rule that has one."""
        assert self.check is not None
        try:
            return parse_check(self.check, self.values)
        except ValueError as error:
            raise ValueError(f"has a check that DataBrew would refuse: it {error} (it says {self.check!r})") from None

    def short_forms(self) -> Iterator[tuple[str, str]]:
        """Iterate over form and column of what the rule says in short form."""
        for form, says in self._forms().items():
            if form != "check":
                yield from ((form, column) for column in says)

    def rules(self) -> Iterator[Rule]:
        """Iterate over the rules of DataBrew's that this one is: in short form, one a column."""
        if self.check is not None:
            yield self._check_rule(self.check)
            return
        allowed = self.threshold.allowed_percent if self.threshold is not None else None
        about = partial(self._about, allowed_percent=allowed or Decimal(0))
        yield from (NotNull(**about(column, "not_null")) for column in self.not_null)
        yield from (Unique(**about(column, "unique")) for column in self.unique)
        for column, values in (self.in_ or {}).items():
            yield OneOf(**about(column, "in"), values=values)
        for column, (low, high) in (self.between or {}).items():
            yield Between(**about(column, "between"), low=low, high=high)
        for column, low in (self.at_least or {}).items():
            yield Between(**about(column, "at_least"), low=low)
        for column, high in (self.at_most or {}).items():
            yield Between(**about(column, "at_most"), high=high)
        for column, pattern in (self.matches or {}).items():
            yield Matches(**about(column, "matches"), pattern=pattern)

    def _about(self, column: str, form: str, *, allowed_percent: Decimal) -> dict[str, Any]:
        """Return what every rule in short form has."""
        name = self.name
        if name is None:
            name = f"{column} {form}"
        elif len(self._forms()[form]) > 1:
            name = f"{name} ({column})"
        return {"name": _short(name), "on_fail": self.on_fail, "column": column, "allowed_percent": allowed_percent}

    def _check_rule(self, check: str) -> CheckRule:
        where = ", ".join([*self.columns, *([self.columns_matching] if self.columns_matching else [])])
        threshold = self.threshold
        return CheckRule(
            name=self.name or _short(f"{check} ({where})" if where else check),
            on_fail=self.on_fail,
            check=self.parsed_check,
            names=self.columns,
            matching=self.columns_matching,
            threshold={} if threshold is None else {
                "Type": threshold.type, "Unit": threshold.unit, "Value": threshold.value
            },
        )  # fmt: skip


class RowCount(_FilledSection):
    """How many rows a day must have, compared with the days before.

    :param drop_max: Largest share by which a day may fall below the usual number of rows.
    :param grow_max: Largest share by which it may exceed it.
    :param min: Fewest rows of a day.
    :param on_fail: ``block``: the run stops; ``warn``: it says so and goes on.
    """

    drop_max: Share | None = None
    grow_max: Annotated[Percent, Field(gt=0)] | None = None
    min: int | None = Field(default=None, ge=1)
    on_fail: OnFail = "block"

    @model_validator(mode="after")
    def _one_bound(self) -> RowCount:
        if self.drop_max is None and self.grow_max is None and self.min is None:
            raise ValueError("has no bound; write drop_max, grow_max or min")
        return self


class Freshness(_FilledSection):
    """Whether the newest day is new.

    :param max_age_hours: Hours before the run was due in which the newest day's last file must
        have been written; later is always fresh. None: its age does not matter.
    :param same_as_earlier: Whether the newest day may have the very files of an earlier day.
    :param on_fail: ``block``: the run stops; ``warn``: it says so and goes on.
    """

    max_age_hours: int | None = Field(default=None, ge=1, le=8784)
    same_as_earlier: Literal["refuse", "allow"] = "refuse"
    on_fail: OnFail = "block"

    @model_validator(mode="after")
    def _checks_something(self) -> Freshness:
        if self.max_age_hours is None and self.same_as_earlier == "allow":
            raise ValueError("checks nothing; write max_age_hours, or remove it")
        return self


class Quality(_FilledSection):
    """What the data must be like.

    :param rules: Rules that DataBrew checks on every row.
    :param of: ``new_days``: the days of the window that no earlier run has validated; ``window``:
        all of them.
    :param row_count: Rows of a day against the days before.
    :param freshness: Whether the newest day is new.
    :param learn: Whether the data is profiled without rules, so that ``make learn`` can propose
        some. ``quality: learn`` says the same.
    """

    rules: Annotated[tuple[QualityRule, ...], Field(strict=False)] = ()
    of: Literal["new_days", "window"] = "new_days"
    row_count: RowCount | None = None
    freshness: Freshness | None = None
    learn: bool = False

    @field_validator("rules", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if value == []:
            raise ValueError("is an empty list; write a rule, or remove it")
        return value

    @model_validator(mode="after")
    def _names_once(self) -> Quality:
        if not (self.rules or self.row_count or self.freshness or self.learn):
            raise ValueError("checks nothing; write rules, row_count or freshness, or 'quality: learn'")
        if len(self.databrew_rules) > MAX_RULES:
            raise ValueError(
                f"has {len(self.databrew_rules)} rules, one for each column, and DataBrew takes {MAX_RULES} in a "
                "ruleset; leave out those that matter least"
            )
        seen: set[str] = set()
        for rule in self.databrew_rules:
            if rule.name in seen:
                raise ValueError(f"has two rules named {rule.name!r}; remove one, or give it another name")
            seen.add(rule.name)
        return self

    @property
    def databrew_rules(self) -> tuple[Rule, ...]:
        """The rules as DataBrew checks them, in their order."""
        return tuple(one for rule in self.rules for one in rule.rules())


def learn_alone(value: object) -> object:
    """Return the section that ``quality: learn`` stands for.

    :raises ValueError: If the section is empty: nothing would be checked.
    """
    if value is None:
        raise ValueError("is empty; indent what it says below it, write 'quality: learn', or remove it")
    return {"learn": True} if value == "learn" else value


def _short(name: str) -> str:
    if len(name) <= MAX_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: MAX_NAME - 9]} {digest}"
