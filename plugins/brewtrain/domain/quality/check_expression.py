"""DataBrew's language of data quality checks: read before anything is sent to AWS.

A user may write values where they are meant (``AGG(MISSING_VALUES_PERCENTAGE) <= 5``,
```age` IS_BETWEEN 17 and 98``): DataBrew takes only variables there, so that each value becomes
one.
Must not import Airflow or boto3.

Sources: AWS Glue DataBrew Developer Guide, "Available checks"; API Reference, "Rule" (the pattern
and the length of CheckExpression, ColumnSelectors against columns in the expression). The words are
those of the guide's examples; what the guide names only in prose ("Doesn't start with") is written
with ``not``, which is an assumption.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_EXPRESSION = 1024
MAX_VALUE = 1024
#: Brackets inside each other: the reader recurses.
MAX_DEPTH = 50
VARIABLE = r":[A-Za-z0-9_]{1,127}"

DATASET_STATISTICS = ("ROWS_COUNT", "COLUMNS_COUNT", "DUPLICATE_ROWS_COUNT", "DUPLICATE_ROWS_PERCENTAGE")
COLUMN_STATISTICS = (
    *(
        f"{what}_{unit}"
        for what in (
            "MISSING_VALUES", "DUPLICATE_VALUES", "VALID_VALUES", "DISTINCT_VALUES", "UNIQUE_VALUES", "Z_SCORE_OUTLIERS"
        )
        for unit in ("COUNT", "PERCENTAGE")
    ),
    *("MIN", "MAX", "MEDIAN", "MEAN", "MODE", "STANDARD_DEVIATION", "ENTROPY"),
    *("SUM", "KURTOSIS", "SKEWNESS", "VARIANCE", "MEDIAN_ABSOLUTE_DEVIATION", "QUANTILE"),
)  # fmt: skip
QUANTILES = ("0.25", "0.5", "0.75")
COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
_TEXT_CONDITIONS = ("starts_with", "ends_with", "contains", "matches")
CONDITIONS = (*COMPARISONS, "is_between", "in", *_TEXT_CONDITIONS)

_TOKEN = re.compile(
    rf"\s*(?:(?P<variable>{VARIABLE})|(?P<column>`[^`]+`)|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?![A-Za-z0-9_.]))"
    r"|(?P<text>'[^']*'|\"[^\"]*\")|(?P<list>\[[^\[\]]*\])"
    r"|(?P<word>[A-Za-z][A-Za-z0-9_]*)|(?P<sign>==|!=|<=|>=|[<>(),]))"
)


class CheckError(ValueError):
    """A check is not of DataBrew's language; the text goes on from "field 'check' …"."""


@dataclass(frozen=True)
class Check:
    """A check as DataBrew takes it.

    :param expression: CheckExpression.
    :param values: SubstitutionMap: variables, with their colon, and their values.
    :param aggregate: Whether it compares statistics; otherwise it holds for a row or does not.
    :param per_column: Whether it names no column, so that it needs ColumnSelectors.
    """

    expression: str
    values: Mapping[str, str]
    aggregate: bool
    per_column: bool


def parse_check(text: str, values: Mapping[str, str]) -> Check:
    """Read a check, and give each value and column that stands in it a variable.

    :param text: The check, in DataBrew's language or with values in it.
    :param values: What the variables that it uses stand for.
    :raises CheckError: If it is not of DataBrew's language.
    """
    reader = _Reader(text, values)
    check = reader.check()
    if len(check.expression) > MAX_EXPRESSION:
        raise CheckError(f"has {len(check.expression)} characters as DataBrew takes it; write at most {MAX_EXPRESSION}")
    return check


def is_column(value: str) -> bool:
    """Whether a variable's value is the name of a column, in back-ticks.

    :param value: The value.
    """
    return len(value) > 2 and value.startswith("`") and value.endswith("`")


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    end: int


class _Reader:
    def __init__(self, text: str, values: Mapping[str, str]) -> None:
        self._given = values
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0
        self._written: list[str] = []
        self._values: dict[str, str] = {}
        self._own: dict[str, str] = {}
        self._used: set[str] = set()
        self._aggregates: set[bool] = set()
        self._columns: set[bool] = set()

    def check(self) -> Check:
        self._either()
        if self._at < len(self._tokens):
            raise CheckError(f"goes on with {self._tokens[self._at].text!r} after its end; join checks with and, or")
        if len(self._aggregates) > 1:
            raise CheckError("joins checks of statistics with checks of rows; make them two rules")
        if len(self._columns) > 1:
            raise CheckError("names a column in one place and none in another; name it in each check, or in none")
        for variable in self._given:
            if variable not in self._used:
                raise CheckError(f"does not use the variable {variable} of 'values'; remove it")
        return Check(
            expression=_spaced(self._written),
            values=self._values,
            aggregate=True in self._aggregates,
            per_column=False in self._columns,
        )

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self, wanted: str) -> _Token:
        token = self._peek()
        if token is None:
            raise CheckError(f"ends where {wanted} must stand")
        self._at += 1
        return token

    def _is(self, text: str) -> bool:
        token = self._peek()
        return token is not None and token.kind in ("word", "sign") and token.text.lower() == text

    def _sign(self, sign: str) -> None:
        token = self._next(repr(sign))
        if token.text != sign:
            raise CheckError(f"has {token.text!r} where {sign!r} must stand")
        self._written.append(sign)

    def _either(self) -> None:
        self._both()
        while self._joined("or"):
            self._both()

    def _both(self) -> None:
        self._one()
        while self._joined("and"):
            self._one()

    def _joined(self, word: str) -> bool:
        """Take a word as it is written, if it comes next."""
        token = self._peek()
        if token is None or not self._is(word):
            return False
        self._at += 1
        self._written.append(token.text)
        return True

    def _one(self) -> None:
        if self._is("("):
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise CheckError(f"has more than {MAX_DEPTH} brackets inside each other; make it simpler")
            self._sign("(")
            self._either()
            self._sign(")")
            self._depth -= 1
            return
        if self._joined("agg"):
            self._aggregates.add(True)
            self._statistic()
            self._condition(aggregate=True)
        else:
            self._aggregates.add(False)
            self._left()
            self._condition(aggregate=False)

    def _left(self) -> None:
        token = self._peek()
        if self._joined("length"):
            self._sign("(")
            named = not self._is(")")
            if named:
                self._column()
            self._sign(")")
            self._columns.add(named)
        elif token is not None and token.kind in ("column", "variable"):
            self._column()
            self._columns.add(True)
        else:
            self._columns.add(False)

    def _column(self) -> None:
        token = self._next("a column")
        variable = self._variable_of(token)
        if not is_column(self._values[variable]):
            raise CheckError(f"compares {token.text}, which is not a column; write a column in back-ticks, as `age`")

    def _statistic(self) -> None:
        self._sign("(")
        token = self._peek()
        named = token is not None and token.kind in ("column", "variable")
        if named:
            # As in reports on the console's own rules; the guide's examples use ColumnSelectors.
            self._column()
            self._sign(",")
        statistic = self._next("a statistic").text.upper()
        if statistic not in (*DATASET_STATISTICS, *COLUMN_STATISTICS):
            raise CheckError(
                f"names the statistic {statistic}, which DataBrew does not have; it has "
                f"{', '.join((*DATASET_STATISTICS, *COLUMN_STATISTICS))}"
            )
        self._written.append(statistic)
        if statistic in DATASET_STATISTICS:
            if named:
                raise CheckError(f"gives {statistic} a column; it is about the whole dataset")
        else:
            self._columns.add(named)
        if self._is(","):
            if statistic != "QUANTILE" and not statistic.startswith("Z_SCORE"):
                raise CheckError(f"gives {statistic} a parameter; only QUANTILE and Z_SCORE_OUTLIERS_… have one")
            self._sign(",")
            value = self._number()
            if statistic == "QUANTILE" and value not in QUANTILES:
                raise CheckError(f"asks for the quantile {value}; DataBrew has {', '.join(QUANTILES)}")
        elif statistic == "QUANTILE":
            raise CheckError("names no share for QUANTILE; write AGG(QUANTILE, 0.25), 0.5 or 0.75")
        self._sign(")")

    def _condition(self, *, aggregate: bool) -> None:
        negated = self._joined("not")
        token = self._next("a condition such as >=")
        word = token.text.lower()
        if negated and word in COMPARISONS:
            raise CheckError(f"has 'not' before {word}; write the opposite comparison")
        self._written.append(token.text)
        if word == "is" and self._joined("between"):
            word = "is_between"  # the console's spelling
        if word not in CONDITIONS:
            raise CheckError(f"has the condition {token.text!r}, which is none; write one of {', '.join(CONDITIONS)}")
        if aggregate and word not in (*COMPARISONS, "is_between"):
            raise CheckError(f"compares a statistic with {word}; write one of {', '.join(COMPARISONS)}, is_between")
        if word == "in":
            self._list()
        elif word == "is_between":
            self._bound(aggregate)
            if not self._joined("and"):
                raise CheckError("has is_between without its second value; write is_between 17 and 98")
            self._bound(aggregate)
        elif aggregate:
            self._number()
        else:
            self._variable_of(self._next("a value"))

    def _bound(self, aggregate: bool) -> None:
        if aggregate:
            self._number()
        else:
            self._variable_of(self._next("a value"))

    def _number(self) -> str:
        token = self._next("a number")
        value = self._values[self._variable_of(token)]
        try:
            float(value)
        except ValueError:
            raise CheckError(f"compares a statistic with {value!r}; write a number") from None
        return value

    def _list(self) -> None:
        value = self._values[self._variable_of(self._next("a list"))]
        try:
            found = json.loads(value)
        except ValueError:
            found = None
        if not isinstance(found, list) or not found:
            raise CheckError(f'needs a list after \'in\', not {value!r}; write one such as ["S", "M"]')

    def _variable_of(self, token: _Token) -> str:
        if token.kind == "variable":
            if token.text not in self._given:
                raise CheckError(f"uses the variable {token.text}, which 'values' does not have; add it there")
            self._used.add(token.text)
            self._values[token.text] = self._given[token.text]
            self._written.append(token.text)
            return token.text
        if token.kind not in ("column", "number", "text", "list"):
            raise CheckError(
                f"has {token.text!r} where a value must stand; put a text in quotes, a column in back-ticks"
            )
        value = token.text[1:-1] if token.kind == "text" else token.text
        if len(value) > MAX_VALUE:
            raise CheckError(f"has a value of {len(value)} characters; DataBrew takes at most {MAX_VALUE}")
        if token.kind == "text" and is_column(value):
            raise CheckError(f"has the text {value!r}, which DataBrew would take for a column; write it without quotes")
        variable = self._own.get(value) or self._free_variable()
        self._own[value] = variable
        self._values[variable] = value
        self._written.append(variable)
        return variable

    def _free_variable(self) -> str:
        number = 1
        while (variable := f":value{number}") in self._given or variable in self._values:
            number += 1
        return variable


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise CheckError(f"cannot be read from {text[at:].strip()[:20]!r} on")
        found.append(_Token(match.lastgroup, match[match.lastgroup], match.end()))
        at = match.end()
    if not found:
        raise CheckError("is empty; write one such as 'AGG(ROWS_COUNT) > 1000'")
    return found


def _spaced(parts: list[str]) -> str:
    """Return an expression as the guide writes it: no blank inside brackets."""
    text = " ".join(parts)
    for loose, tight in (("( ", "("), (" )", ")"), (" ,", ",")):
        text = text.replace(loose, tight)
    return re.sub(r"\b(agg|length) \(", r"\1(", text, flags=re.IGNORECASE)
