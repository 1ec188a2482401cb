"""Data quality rulesets: parse CheckExpressions and apply them to rows or statistics.

https://docs.aws.amazon.com/databrew/latest/dg/profile.data-quality-available-checks.html and
API_Rule.html. The results have the members of a real validation report (version 1.0). That report
also shows the console's own spellings, which are accepted too: `IS BETWEEN :a AND :b`, `AGG(:col,
MAX)`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.language.patterns import Pattern
from recipe_runner.plan import from_polars
from recipe_runner.profiling.profile import duplicate_rows, measure, missing, present, selects, statistics, z_scores
from recipe_runner.tables.datatypes import as_text, parse_timestamp_text
from recipe_runner.tables.streaming import one_of
from recipe_runner.tables.table import type_name

MAX_EXPRESSION = 1024
COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
WORDS = (
    "is_between",
    "in",
    "is",
    "eq",
    "lt",
    "lte",
    "gt",
    "gte",
    "contains",
    "starts_with",
    "ends_with",
    "matches",
    "less_than",
    "less_than_equal",
    "greater_than",
    "greater_than_equal",
    "is_missing",
)
SYNONYMS = {
    "is": "==",
    "eq": "==",
    "lt": "<",
    "lte": "<=",
    "gt": ">",
    "gte": ">=",
    "less_than": "<",
    "less_than_equal": "<=",
    "greater_than": ">",
    "greater_than_equal": ">=",
    "=": "==",
}
DATASET_AGGREGATES = ("ROWS_COUNT", "COLUMNS_COUNT", "DUPLICATE_ROWS_COUNT", "DUPLICATE_ROWS_PERCENTAGE")
NAMED_STATISTICS = {
    "MIN": "min",
    "MAX": "max",
    "MEDIAN": "median",
    "MEAN": "mean",
    "MODE": "mode",
    "STANDARD_DEVIATION": "standardDeviation",
    "ENTROPY": "entropy",
    "SUM": "sum",
    "KURTOSIS": "kurtosis",
    "SKEWNESS": "skewness",
    "VARIANCE": "variance",
    "MEDIAN_ABSOLUTE_DEVIATION": "medianAbsoluteDeviation",
}
#: The guide: "one of '0.25', '0.5', '0.75'".
QUANTILES = ("0.25", "0.5", "0.75")
COUNTED = ("MISSING_VALUES", "DUPLICATE_VALUES", "VALID_VALUES", "DISTINCT_VALUES", "UNIQUE_VALUES", "Z_SCORE_OUTLIERS")
COLUMN_AGGREGATES = (
    *NAMED_STATISTICS,
    "QUANTILE",
    *(f"{name}_{unit}" for name in COUNTED for unit in ("COUNT", "PERCENTAGE")),
)
THRESHOLDS: dict[str, Callable[[float, float], bool]] = {
    "GREATER_THAN_OR_EQUAL": lambda a, b: a >= b,
    "LESS_THAN_OR_EQUAL": lambda a, b: a <= b,
    "GREATER_THAN": lambda a, b: a > b,
    "LESS_THAN": lambda a, b: a < b,
}
_TOKEN = re.compile(r"\s*(:[A-Za-z0-9_]+|[A-Za-z_][A-Za-z0-9_.]*|==|!=|<=|>=|<|>|=|\(|\)|,)")


@dataclass(frozen=True)
class Operand:
    """Left side of a check: a column, its length, or an aggregate of one or more columns."""

    variable: str | None = None
    length: bool = False
    aggregate: str | None = None
    argument: str | None = None


@dataclass(frozen=True)
class Check:
    """One comparison: left side, operator, whether negated, right-hand variables."""

    left: Operand
    operator: str
    negated: bool
    right: tuple[str, ...]


@dataclass(frozen=True)
class Combination:
    """Checks joined by `and` or `or`."""

    word: str
    parts: tuple[Check | Combination, ...]


Node = Check | Combination


class ExpressionParser:
    """Parser of one CheckExpression.

    :param source: the expression.
    :param rule: the rule's name, for errors.
    """

    def __init__(self, source: str, rule: str) -> None:
        self._rule, self._source = rule, source
        self._tokens: list[str] = []
        if len(source) > MAX_EXPRESSION:
            raise self.fault(f"it has {len(source)} characters; the limit is {MAX_EXPRESSION}")
        at = 0
        while at < len(source.rstrip()):
            found = _TOKEN.match(source, at)
            if found is None:
                raise self.fault(f"it is malformed at character {at + 1}")
            self._tokens.append(found.group(1))
            at = found.end()
        self._at = 0
        self._depth = 0

    def fault(self, message: str) -> RecipeError:
        """Return an error that names the rule and its expression."""
        return RecipeError(f"rule {self._rule!r}: CheckExpression {self._source!r}: {message}")

    def parse(self) -> Node:
        """Parse the whole expression.

        :raises RecipeError: it is malformed, or mixes aggregates with other checks.
        """
        node = self._or()
        if self._at < len(self._tokens):
            raise self.fault(f"{self._tokens[self._at]!r} is not expected")
        kinds = {check.left.aggregate is not None for check in checks_of(node)}
        if len(kinds) > 1:
            raise self.fault("aggregate and other checks cannot be combined in one rule")
        return node

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise self.fault("it ends too early")
        self._at += 1
        return token

    def _or(self) -> Node:
        parts = [self._and()]
        while self._peek().lower() == "or":
            self._at += 1
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Combination("or", tuple(parts))

    def _and(self) -> Node:
        parts = [self._check()]
        while self._peek().lower() == "and":
            self._at += 1
            parts.append(self._check())
        return parts[0] if len(parts) == 1 else Combination("and", tuple(parts))

    def _check(self) -> Node:
        if self._peek() == "(":
            self._depth += 1
            if self._depth > 50:
                raise self.fault("it is nested too deeply")
            self._at += 1
            node = self._or()
            if self._take() != ")":
                raise self.fault("')' is missing")
            self._depth -= 1
            return node
        left = self._left()
        negated = False
        word = self._word()
        if word == "not":
            negated, word = True, self._word()
        elif word == "is" and self._peek().lower() == "not":
            self._at += 1
            negated, word = True, self._continued("is")
        word = SYNONYMS.get(word, word)
        if word not in COMPARISONS and word not in WORDS:
            raise self.fault(
                f"there is no condition {word!r}; the conditions are {', '.join((*COMPARISONS, *WORDS))}, most also "
                f"with not"
            )
        if word == "is_missing":
            return Check(left, word, negated, ())
        right = [self._variable()]
        if word == "is_between":
            if self._take().lower() != "and":
                raise self.fault("is_between takes two values: is_between :val1 and :val2")
            right.append(self._variable())
        return Check(left, word, negated, tuple(right))

    def _word(self) -> str:
        return self._continued(self._take().lower())

    def _continued(self, word: str) -> str:
        """Return a condition's name, written with blanks or with underscores."""
        while any(f"{known}_".startswith(f"{word}_{self._peek().lower()}_") for known in WORDS):
            word = f"{word}_{self._take().lower()}"
        return word

    def _variable(self) -> str:
        token = self._take()
        if not token.startswith(":"):
            raise self.fault(f"a substitution variable such as :val is expected, not {token!r}")
        return token

    def _left(self) -> Operand:
        token = self._peek()
        if token.startswith(":"):
            return Operand(variable=self._take())
        if token.lower() == "length" and self._tokens[self._at + 1 : self._at + 2] == ["("]:
            self._at += 2
            variable = self._take() if self._peek().startswith(":") else None
            if self._take() != ")":
                raise self.fault("')' is missing")
            return Operand(variable=variable, length=True)
        if token.lower() == "agg":
            self._at += 1
            if self._take() != "(":
                raise self.fault("'(' is missing after AGG")
            variable = None
            if self._peek().startswith(":"):
                variable = self._take()
                if self._take() != ",":
                    raise self.fault("',' is missing after AGG's column")
            name = self._take().upper()
            argument = None
            if self._peek() == ",":
                self._at += 1
                argument = self._variable()
            if self._take() != ")":
                raise self.fault("')' is missing")
            if name not in (*DATASET_AGGREGATES, *COLUMN_AGGREGATES):
                raise self.fault(
                    f"there is no statistic {name!r}; the statistics are "
                    f"{', '.join((*DATASET_AGGREGATES, *COLUMN_AGGREGATES))}"
                )
            return Operand(variable=variable, aggregate=name, argument=argument)
        return Operand()


def checks_of(node: Node) -> list[Check]:
    """Return the checks of an expression, from left to right."""
    return [node] if isinstance(node, Check) else [check for part in node.parts for check in checks_of(part)]


class Rule:
    """One rule of a ruleset over a frame of rows.

    :param definition: Rule as in the API (Name, CheckExpression, SubstitutionMap, Threshold,
        ColumnSelectors, Disabled).
    """

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self.name = str(definition.get("Name") or "")
        self.definition = definition
        self.values: Mapping[str, str] = definition.get("SubstitutionMap") or {}
        self._parser = ExpressionParser(str(definition.get("CheckExpression") or ""), self.name)
        self.node = self._parser.parse()
        self.aggregate = any(check.left.aggregate for check in checks_of(self.node))
        if self.aggregate and definition.get("Threshold"):
            raise self._parser.fault("a Threshold goes with checks of rows, not with aggregates")
        for check in checks_of(self.node):
            for variable in (check.left.variable, check.left.argument, *check.right):
                if variable is not None and variable not in self.values:
                    raise self._parser.fault(f"SubstitutionMap has no {variable}")
        self._check_columns()

    def _check_columns(self) -> None:
        """Refuse columns named twice or not at all (API_Rule), and quantiles that do not exist."""
        selectors = self.definition.get("ColumnSelectors") or []
        for selector in selectors:
            if bool(selector.get("Name")) == bool(selector.get("Regex")):
                raise self._parser.fault("a column selector has either a Name or a Regex")
            try:
                selects(selector, "")
            except RecipeError as problem:
                raise self._parser.fault(problem.message) from None
        for check in checks_of(self.node):
            if selectors and check.left.variable is not None:
                raise self._parser.fault(f"ColumnSelectors name the columns, so that {check.left.variable} cannot")
            if not selectors and check.left.variable is None and check.left.aggregate not in DATASET_AGGREGATES:
                raise self._parser.fault(
                    "the check names no column: use :col with a column in back-ticks, or ColumnSelectors"
                )
            if check.left.aggregate == "QUANTILE" and self.values.get(check.left.argument or "") not in QUANTILES:
                raise self._parser.fault(f"a quantile is one of {', '.join(QUANTILES)}")
            if check.left.variable is not None and self._column_of(check.left.variable) is None:
                raise self._parser.fault(f"{check.left.variable} must be a column in back-ticks")

    def apply(self, frame: pl.DataFrame) -> dict[str, Any]:
        """Return the rule's status, and that of each column it is applied to.

        A rule that the rows do not allow to check (a column does not exist, a value is not of its
        type) has status ERROR and says why in `errorMessage`.
        """
        definition = {"Disabled": False, **self.definition}
        return {"name": self.name, "definition": definition, **self._guarded(partial(self._results, frame))}

    def _guarded(self, check: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return check()
        except pl.exceptions.PolarsError as problem:
            return {"status": "ERROR", "errorMessage": self._parser.fault(from_polars(problem).message).message}
        except RecipeError as problem:
            return {"status": "ERROR", "errorMessage": problem.message}

    def _results(self, frame: pl.DataFrame) -> dict[str, Any]:
        selectors = self.definition.get("ColumnSelectors")
        if not selectors:
            return self._result(frame, None)
        columns = [
            name
            for name, dtype in frame.schema.items()
            if not dtype.is_nested() and any(selects(one, name) for one in selectors)
        ]
        # A column that is named must exist: a rule that is about nothing must not pass.
        columns += [name for one in selectors if (name := one.get("Name")) and name not in columns]
        if not columns:
            raise self._parser.fault("ColumnSelectors match no column of a simple type")
        results = [{"name": name, **self._guarded(partial(self._result, frame, name))} for name in columns]
        return {"columnResults": results, "status": worst(result["status"] for result in results)}

    def _result(self, frame: pl.DataFrame, column: str | None) -> dict[str, Any]:
        if self.aggregate:
            return {"status": "SUCCEEDED" if self._holds(self.node, frame, column) else "FAILED"}
        passing = (
            int(frame.select(self._row_expression(self.node, frame, column).fill_null(False).sum()).item())
            if frame.height
            else 0
        )
        passed = self._within_threshold(passing, frame.height)
        return {"failedCount": frame.height - passing, "status": "SUCCEEDED" if passed else "FAILED"}

    def _within_threshold(self, passing: int, rows: int) -> bool:
        threshold = self.definition.get("Threshold")
        if not threshold:
            return passing == rows
        kind = threshold.get("Type") or "GREATER_THAN_OR_EQUAL"
        if kind not in THRESHOLDS:
            raise self._parser.fault(f"the threshold's Type must be one of {', '.join(THRESHOLDS)}; it is {kind!r}")
        observed = (
            float(passing)
            if (threshold.get("Unit") or "COUNT") == "COUNT"
            else (100.0 * passing / rows if rows else 100.0)
        )
        return THRESHOLDS[kind](observed, float(threshold["Value"]))

    def _column_of(self, variable: str) -> str | None:
        value = self.values[variable]
        return (
            value[1:-1].replace("``", "`") if len(value) > 2 and value.startswith("`") and value.endswith("`") else None
        )

    def _require(self, frame: pl.DataFrame, name: str) -> pl.DataType:
        if name not in frame.columns:
            raise self._parser.fault(f"there is no column {name!r}")
        if frame.schema[name].is_nested():
            raise self._parser.fault(f"the column {name!r} is nested; rules are about columns of simple types")
        return frame.schema[name]

    def _holds(self, node: Node, frame: pl.DataFrame, column: str | None) -> bool:
        if isinstance(node, Combination):
            found = [self._holds(part, frame, column) for part in node.parts]
            return any(found) if node.word == "or" else all(found)
        assert node.left.aggregate is not None
        value = self._statistic(frame, node.left, column)
        if value is None:
            return False
        bounds = [self._parse_number(variable) for variable in node.right]
        result = (
            bounds[0] <= value <= bounds[1]
            if node.operator == "is_between"
            else _compare_numbers(value, node.operator, bounds[0], self._parser)
        )
        return not result if node.negated else result

    def _parse_number(self, variable: str) -> float:
        try:
            return float(self.values[variable])
        except ValueError:
            raise self._parser.fault(f"{variable} must be a number; it is {self.values[variable]!r}") from None

    def _statistic(self, frame: pl.DataFrame, operand: Operand, column: str | None) -> float | None:
        name = operand.aggregate or ""
        if name == "ROWS_COUNT":
            return frame.height
        if name == "COLUMNS_COUNT":
            return frame.width
        if name.startswith("DUPLICATE_ROWS"):
            found = duplicate_rows(frame)
            return found if name.endswith("COUNT") else _percentage(found, frame.height)
        if operand.variable is not None:
            column = self._column_of(operand.variable)
        assert column is not None, "a statistic without a column is refused when the rule is read"
        self._require(frame, column)
        series = frame[column]
        values = present(series)
        counts = values.value_counts(sort=False)
        if name in NAMED_STATISTICS:
            facts = statistics(series, values, counts)
            if NAMED_STATISTICS[name] not in facts:
                raise self._without(name, series)
            value = facts[NAMED_STATISTICS[name]]
            return None if value is None else float(value)
        measured = series.dtype.is_numeric() or (series.dtype == pl.String and name != "QUANTILE")
        if not measured and name.startswith(("QUANTILE", "Z_SCORE")):
            raise self._without(name, series)
        if name == "QUANTILE":
            assert operand.argument is not None, "a quantile without its share is refused when the rule is read"
            value = measure(values).quantile(self._parse_number(operand.argument), "linear")
            return None if value is None else float(value)
        kind, _, unit = name.rpartition("_")
        threshold = self._parse_number(operand.argument) if operand.argument else 3.0
        found = {
            "MISSING_VALUES": lambda: len(series) - len(values),
            "DUPLICATE_VALUES": lambda: len(values) - counts.height,
            "VALID_VALUES": lambda: len(values),
            "DISTINCT_VALUES": lambda: counts.height,
            "UNIQUE_VALUES": lambda: int((counts["count"] == 1).sum()),
            "Z_SCORE_OUTLIERS": lambda: int((z_scores(measure(values)).abs() > threshold).sum()),
        }[kind]()
        return found if unit == "COUNT" else _percentage(found, len(series))

    def _without(self, statistic: str, series: pl.Series) -> RecipeError:
        kind = type_name(series.dtype)
        return self._parser.fault(f"the column {series.name!r} is {kind}, and {kind} columns have no {statistic}")

    def _row_expression(self, node: Node, frame: pl.DataFrame, column: str | None) -> pl.Expr:
        if isinstance(node, Combination):
            parts = [self._row_expression(part, frame, column) for part in node.parts]
            result = parts[0]
            for part in parts[1:]:
                result = result | part if node.word == "or" else result & part
            return result
        found = self._comparison(node, frame, column)
        return ~found if node.negated else found

    def _comparison(self, check: Check, frame: pl.DataFrame, column: str | None) -> pl.Expr:
        name = self._column_of(check.left.variable) if check.left.variable else column
        assert name is not None, "a check without a column is refused when the rule is read"
        dtype = self._require(frame, name)
        if check.operator == "is_missing":
            return missing(pl.col(name), dtype)
        text = as_text(pl.col(name), dtype)
        left = text.str.len_chars().cast(pl.Int64) if check.left.length else pl.col(name)
        left_type: pl.DataType = pl.Int64() if check.left.length else dtype
        if check.operator == "in":
            return _member(left, left_type, self._list(check.right[0]))
        if check.operator in ("contains", "starts_with", "ends_with", "matches"):
            other = self._column_of(check.right[0])
            if other is not None:
                wanted = as_text(pl.col(other), self._require(frame, other))
            else:
                wanted = pl.lit(self.values[check.right[0]])
            if check.operator == "matches":
                if other is not None:
                    raise self._parser.fault("matches takes a regular expression, not a column")
                return Pattern(self.values[check.right[0]]).contains(text)
            if check.operator == "contains":
                return text.str.contains(wanted, literal=True)
            return text.str.starts_with(wanted) if check.operator == "starts_with" else text.str.ends_with(wanted)
        exact = check.operator in ("==", "!=")
        sides = [self._right(variable, frame, left_type, exact=exact) for variable in check.right]
        if check.operator == "is_between":
            low, high = (_aligned(left, left_type, *side) for side in sides)
            return (low[0] >= low[1]) & (high[0] <= high[1])
        a, b = _aligned(left, left_type, *sides[0])
        return {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[check.operator]

    def _list(self, variable: str) -> list[Any]:
        try:
            value = json.loads(self.values[variable])
        except json.JSONDecodeError:
            value = None
        if not isinstance(value, list):
            raise self._parser.fault(f"{variable} must be a JSON list; it is {self.values[variable]!r}")
        return value

    def _right(
        self, variable: str, frame: pl.DataFrame, left_type: pl.DataType, *, exact: bool
    ) -> tuple[pl.Expr, pl.DataType]:
        """Return what the left side is compared with.

        A text column is compared as text if `exact`, else as a number where the value is one.
        """
        other = self._column_of(variable)
        if other is not None:
            return pl.col(other), self._require(frame, other)
        raw = self.values[variable]
        if left_type.is_temporal():
            moment = parse_timestamp_text(raw)
            if moment is None:
                raise self._parser.fault(f"{variable} must be a date; it is {raw!r}")
            return pl.lit(moment), pl.Datetime("us")
        if left_type == pl.Boolean and raw.strip().lower() in ("true", "false"):
            return pl.lit(raw.strip().lower()), pl.String()
        number = None if left_type == pl.String and exact else _number(raw)
        if number is None:
            if left_type.is_numeric():
                raise self._parser.fault(f"{variable} must be a number; it is {raw!r}")
            return pl.lit(raw), pl.String()
        dtype: pl.DataType = pl.Int64() if isinstance(number, int) else pl.Float64()
        return pl.lit(number, dtype=dtype), dtype


def _number(text: str) -> int | float | None:
    """Return the number of a text, whole ones exactly as far as a column can hold them."""
    if "_" in text:  # Python's own way to group digits
        return None
    try:
        whole = int(text)
        return whole if -(2**63) <= whole < 2**63 else float(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None


def _compare_numbers(value: float, operator: str, bound: float, parser: ExpressionParser) -> bool:
    results = {
        "==": value == bound,
        "!=": value != bound,
        "<": value < bound,
        "<=": value <= bound,
        ">": value > bound,
        ">=": value >= bound,
    }
    if operator not in results:
        raise parser.fault(f"{operator} does not apply to an aggregate")
    return results[operator]


def _percentage(found: int, rows: int) -> float:
    return 100.0 * found / rows if rows else 0.0


def _member(left: pl.Expr, dtype: pl.DataType, values: Sequence[Any]) -> pl.Expr:
    present_values = [value for value in values if value is not None]
    if dtype.is_numeric():
        numbers = [number for value in present_values if (number := _number(str(value))) is not None]
        if dtype.is_integer():
            whole = [int(number) for number in numbers if number == number // 1 and abs(number) < 2**63]
            return one_of(left.cast(pl.Int64, strict=False), whole, pl.Int64())
        return one_of(left.cast(pl.Float64), [float(number) for number in numbers], pl.Float64())
    texts = [("true" if value else "false") if isinstance(value, bool) else str(value) for value in present_values]
    if dtype == pl.Boolean:
        texts = [text.strip().lower() for text in texts]
    return one_of(as_text(left, dtype), texts, pl.String())


def _aligned(left: pl.Expr, left_type: pl.DataType, right: pl.Expr, right_type: pl.DataType) -> tuple[pl.Expr, pl.Expr]:
    """Return both sides in one type: dates, numbers, else texts.

    A text column is compared with a number as a number where its value is one.
    """
    if left_type.is_temporal() and right_type.is_temporal():
        return left.cast(pl.Datetime("us")), right.cast(pl.Datetime("us"))
    if left_type.is_numeric() and right_type.is_numeric():
        return left, right
    if left_type.is_numeric() or right_type.is_numeric():
        return left.cast(pl.Float64, strict=False), right.cast(pl.Float64, strict=False)
    return as_text(left, left_type), as_text(right, right_type)


def worst(statuses: Iterable[str]) -> str:
    """Return the status of a whole: ERROR before FAILED before SUCCEEDED."""
    found = set(statuses)
    return next((status for status in ("ERROR", "FAILED") if status in found), "SUCCEEDED")


def apply_ruleset(ruleset: Mapping[str, Any], frame: pl.DataFrame) -> dict[str, Any]:
    """Return the result of a ruleset over rows.

    :param ruleset: Name and Rules as in the API, and optionally Description, ResourceArn and
        LastModifiedDate (text).
    :param frame: the rows of the job's sample.
    :raises RecipeError: a rule is malformed.
    """
    rules = [Rule(definition) for definition in ruleset.get("Rules") or [] if not definition.get("Disabled")]
    results = [rule.apply(frame) for rule in rules]
    report = {"name": ruleset.get("Name")}
    for member, key in (
        ("description", "Description"),
        ("arn", "ResourceArn"),
        ("lastModifiedDate", "LastModifiedDate"),
    ):
        if ruleset.get(key) is not None:
            report[member] = ruleset[key]
    return {**report, "ruleResults": results, "status": worst(result["status"] for result in results)}
