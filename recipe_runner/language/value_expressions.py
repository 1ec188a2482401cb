"""Parse the expressions of BOOLEAN_OPERATION and CASE_OPERATION into polars expressions.

Language of https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.BOOLEAN_OPERATION.html and
CASE_OPERATION.html: columns and aggregate parameters in back-ticks, texts in quotes, comparisons,
and/or/not, the listed functions, `case when … then … else … end`. A recursive-descent parser, so
that an error has its place. Knows no action.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.language.patterns import Pattern, literal
from recipe_runner.tables.datatypes import (
    as_text,
    convert,
    divided,
    normal_type,
    parse_timestamp_text,
    remainder,
    to_double,
    to_timestamp,
)
from recipe_runner.tables.table import Table

FUNCTIONS = ("contains", "matches", "startsWith", "endsWith", "isBetween", "isMissing", "isValid")
AGGREGATES = (
    "sum", "avg", "mean_absolute_deviation", "median", "product", "stddev", "variance", "standard_error_of_mean",
    "skewness", "kurtosis", "count", "min", "max",
)  # fmt: skip
_LEXEME = re.compile(
    r"\s*(?:(?P<column>`(?:[^`]|``)*`)|(?P<text>'(?:[^'\\]|''|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<parameter>:[A-Za-z_][\w.]*)|(?P<word>[A-Za-z_]\w*)|(?P<sign><=|>=|!=|<>|==|[-+*/%<>=!(),]))",
    re.DOTALL,
)


@dataclass(frozen=True)
class Lexeme:
    """One word, sign or literal of an expression, and where it begins."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True)
class Typed:
    """An expression with its polars type; `literal` holds the value of a constant."""

    expression: pl.Expr
    dtype: pl.DataType
    literal: Any = None


def lexemes(source: str) -> list[Lexeme]:
    """Split an expression into lexemes.

    :raises RecipeError: a character belongs to nothing, or a quote or back-tick is not closed.
    """
    found: list[Lexeme] = []
    at = 0
    stripped = source.rstrip()
    while at < len(stripped):
        match = _LEXEME.match(stripped, at)
        if match is None or match.lastgroup is None:
            raise RecipeError(f"the expression is malformed at character {at + 1}: {stripped[at : at + 20]!r}")
        found.append(Lexeme(match.lastgroup, match.group(match.lastgroup), match.start(match.lastgroup)))
        at = match.end()
    return found


def column_name(lexeme: str) -> str:
    """Return the column's name without its back-ticks."""
    return lexeme[1:-1].replace("``", "`")


class Parser:
    """Parser of one expression over a table.

    :param source: the expression.
    :param table: gives the columns' types; None to check the syntax only.
    :param aggregates: values of the parameters of withExpressions, by name.
    """

    def __init__(self, source: str, table: Table | None, aggregates: Mapping[str, Any]) -> None:
        self._lexemes = lexemes(source)
        self._source = source
        self._table = table
        self._aggregates = aggregates
        self._at = 0
        self._depth = 0

    def parse(self) -> Typed:
        """Parse the whole expression.

        :raises RecipeError: the syntax or a type is wrong; the message has the place.
        """
        if not self._lexemes:
            raise RecipeError("the expression is empty")
        result = self._case() if self._is_word("case") else self._or()
        if self._at < len(self._lexemes):
            raise self._fault(f"{self._lexemes[self._at].text!r} is not expected here")
        return result

    def _fault(self, message: str) -> RecipeError:
        at = self._lexemes[self._at].at if self._at < len(self._lexemes) else len(self._source)
        return RecipeError(f"the expression {self._source!r} is malformed at character {at + 1}: {message}")

    def _peek(self) -> Lexeme | None:
        return self._lexemes[self._at] if self._at < len(self._lexemes) else None

    def _is_word(self, *words: str) -> bool:
        lexeme = self._peek()
        return lexeme is not None and lexeme.kind == "word" and lexeme.text.lower() in words

    def _is_sign(self, *signs: str) -> bool:
        lexeme = self._peek()
        return lexeme is not None and lexeme.kind == "sign" and lexeme.text in signs

    def _take(self) -> Lexeme:
        lexeme = self._peek()
        if lexeme is None:
            raise self._fault("it ends too early")
        self._at += 1
        return lexeme

    def _expect_word(self, word: str) -> None:
        if not self._is_word(word):
            raise self._fault(f"{word!r} is missing")
        self._at += 1

    def _expect_sign(self, sign: str) -> None:
        if not self._is_sign(sign):
            raise self._fault(f"{sign!r} is missing")
        self._at += 1

    def _case(self) -> Typed:
        self._expect_word("case")
        branches: list[tuple[Typed, Typed]] = []
        while self._is_word("when"):
            self._at += 1
            condition = self._or()
            self._expect_word("then")
            branches.append((condition, self._branch_value()))
        if not branches:
            raise self._fault("'when' is missing")
        otherwise = None
        if self._is_word("else"):
            self._at += 1
            otherwise = self._branch_value()
        self._expect_word("end")
        values = [value for _, value in branches] + ([otherwise] if otherwise else [])
        converted, dtype = unified(values)
        chain: Any = pl
        for (condition, _), value in zip(branches, converted, strict=False):
            chain = chain.when(truth(condition)).then(value)
        result: pl.Expr = chain.otherwise(converted[-1]) if otherwise else chain
        return Typed(result, dtype)

    def _branch_value(self) -> Typed:
        return self._case() if self._is_word("case") else self._or()

    def _or(self) -> Typed:
        left = self._and()
        while self._is_word("or"):
            self._at += 1
            left = Typed(truth(left) | truth(self._and()), pl.Boolean())
        return left

    def _and(self) -> Typed:
        left = self._not()
        while self._is_word("and"):
            self._at += 1
            left = Typed(truth(left) & truth(self._not()), pl.Boolean())
        return left

    def _not(self) -> Typed:
        if self._is_sign("!") or self._is_word("not"):
            self._depth += 1
            if self._depth > 100:
                raise self._fault("it is nested too deeply")
            self._at += 1
            result = Typed(~truth(self._not()), pl.Boolean())
            self._depth -= 1
            return result
        return self._comparison()

    def _comparison(self) -> Typed:
        left = self._sum()
        if self._is_sign("<", "<=", ">", ">=", "=", "==", "!=", "<>"):
            sign = self._take().text
            return Typed(compared(left, sign, self._sum()), pl.Boolean())
        if self._is_word("is", "not", "in", "between", "like"):
            return Typed(self._sql_test(left), pl.Boolean())
        return left

    def _sql_test(self, left: Typed) -> pl.Expr:
        """Parse SQL's own tests: is null, in, between, like.

        The guide does not list them, but public recipes use them.
        """
        if self._is_word("is"):
            self._at += 1
            negated = self._is_word("not")
            self._at += negated
            self._expect_word("null")
            return left.expression.is_not_null() if negated else left.expression.is_null()
        negated = self._is_word("not")
        self._at += negated
        word = self._take().text.lower()
        if word == "between":
            low = self._sum()
            self._expect_word("and")
            found = compared(left, ">=", low) & compared(left, "<=", self._sum())
        elif word == "in":
            self._expect_sign("(")
            found = compared(left, "=", self._sum())
            while self._is_sign(","):
                self._at += 1
                found = found | compared(left, "=", self._sum())
            self._expect_sign(")")
        elif word == "like":
            wanted = self._sum().literal
            if not isinstance(wanted, str):
                raise self._fault("the pattern of like must be a text in quotes")
            parts = (".*" if sign == "%" else "." if sign == "_" else literal(sign) for sign in wanted)
            found = Pattern(f"(?s){''.join(parts)}").matches(as_text(left.expression, left.dtype))
        else:
            self._at -= 1
            raise self._fault(f"{word!r} is not expected here")
        return ~found if negated else found

    def _sum(self) -> Typed:
        left = self._product()
        while self._is_sign("+", "-"):
            sign = self._take().text
            right = self._product()
            a, b = as_number(left), as_number(right)
            left = Typed(a + b if sign == "+" else a - b, pl.Float64())
        return left

    def _product(self) -> Typed:
        left = self._primary()
        while self._is_sign("*", "/", "%"):
            sign = self._take().text
            right = self._primary()
            a, b = as_number(left), as_number(right)
            operation = {"*": operator.mul, "/": _quotient, "%": remainder}[sign]
            left = Typed(operation(a, b), pl.Float64())
        return left

    def _primary(self) -> Typed:
        self._depth += 1
        if self._depth > 100:
            raise self._fault("it is nested too deeply")
        try:
            lexeme = self._take()
            if lexeme.kind == "column":
                name = column_name(lexeme.text)
                return self._aggregate(name[1:]) if name.startswith(":") else self._column(name)
            if lexeme.kind == "parameter":
                return self._aggregate(lexeme.text[1:])
            if lexeme.kind == "text":
                body = lexeme.text[1:-1].replace("''", "'") if lexeme.text[0] == "'" else lexeme.text[1:-1]
                return constant(re.sub(r"\\(.)", r"\1", body))
            if lexeme.kind == "number":
                return constant(float(lexeme.text) if re.search(r"[.eE]", lexeme.text) else int(lexeme.text))
            if lexeme.kind == "sign" and lexeme.text == "(":
                result = self._or()
                self._expect_sign(")")
                return result
            if lexeme.kind == "sign" and lexeme.text == "-":
                inner = self._primary()
                if isinstance(inner.literal, int | float):
                    return constant(-inner.literal)
                return Typed(-as_number(inner), pl.Float64())
            if lexeme.kind == "word":
                return self._word(lexeme.text)
            self._at -= 1
            raise self._fault(f"{lexeme.text!r} is not expected here")
        finally:
            self._depth -= 1

    def _column(self, name: str) -> Typed:
        if self._table is None:
            return Typed(pl.col(name), pl.Null())
        return Typed(pl.col(name), self._table.dtype(name))

    def _aggregate(self, name: str) -> Typed:
        if name not in self._aggregates:
            known = ", ".join(self._aggregates) or "none"
            raise RecipeError(f"the expression uses :{name}, which withExpressions does not define (it has {known})")
        value = self._aggregates[name]
        return Typed(pl.lit(value), pl.Series([value]).dtype, value)

    def _word(self, word: str) -> Typed:
        lowered = word.lower()
        if lowered in ("true", "false"):
            return constant(lowered == "true")
        if lowered == "null":
            return Typed(pl.lit(None), pl.Null())
        name = next((function for function in FUNCTIONS if function.lower() == lowered), None)
        if name is None and not self._is_sign("(") and (self._table is None or word in self._table.schema):
            # Public recipes name columns without back-ticks, as SQL allows for plain names.
            return self._column(word)
        if name is None:
            self._at -= 1
            raise self._fault(
                f"there is no function {word!r}; the functions are {', '.join(FUNCTIONS)}; write text in quotes"
            )
        self._expect_sign("(")
        if name == "isValid":
            value = self._or()
            self._expect_sign(",")
            kind = self._take()
            self._expect_sign(")")
            return self._is_valid(value, kind.text.strip("'\"`"))
        arguments = [self._or()]
        while self._is_sign(","):
            self._at += 1
            arguments.append(self._or())
        self._expect_sign(")")
        wanted = {"isMissing": 1, "isBetween": 3}.get(name, 2)
        if len(arguments) != wanted:
            raise self._fault(f"{name} takes {wanted} arguments; it has {len(arguments)}")
        return Typed(self._called(name, arguments), pl.Boolean())

    def _called(self, name: str, arguments: Sequence[Typed]) -> pl.Expr:
        first = arguments[0]
        if name == "isMissing":
            missing = first.expression.is_null()
            return missing | (first.expression == "") if first.dtype == pl.String else missing
        if name == "isBetween":
            return compared(first, ">=", arguments[1]) & compared(first, "<=", arguments[2])
        text, second = as_text(first.expression, first.dtype), arguments[1]
        if name == "matches":
            if not isinstance(second.literal, str):
                raise self._fault("the pattern of matches must be a text in quotes")
            return Pattern(second.literal).contains(text)
        wanted = as_text(second.expression, second.dtype)
        if name == "contains":
            return text.str.contains(wanted, literal=True)
        return text.str.starts_with(wanted) if name == "startsWith" else text.str.ends_with(wanted)

    def _is_valid(self, value: Typed, kind: str) -> Typed:
        to = normal_type(kind)
        if to is None:
            raise self._fault(f"{kind!r} is not a data type")
        if value.dtype == pl.Null:
            return Typed(pl.lit(False), pl.Boolean())
        return Typed(convert(value.expression, value.dtype, to).is_not_null(), pl.Boolean())


def constant(value: Any) -> Typed:
    """Return a constant as a typed expression."""
    return Typed(pl.lit(value), pl.Series([value]).dtype, value)


def truth(value: Typed) -> pl.Expr:
    """Return the value as a boolean expression; any other type is an error."""
    if value.dtype == pl.Boolean or value.dtype == pl.Null:
        return value.expression.cast(pl.Boolean)
    raise RecipeError("the expression needs a condition (such as `column` < 5) where it has a value")


def _quotient(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    return pl.when(right != 0).then(divided(left, right))


def as_number(value: Typed) -> pl.Expr:
    """Return the value as a double."""
    return to_double(value.expression, value.dtype) if value.dtype != pl.Null else value.expression.cast(pl.Float64)


def compared(left: Typed, sign: str, right: Typed) -> pl.Expr:
    """Compare two values in one type: dates, numbers, booleans, else texts."""
    if left.dtype.is_temporal() or right.dtype.is_temporal():
        a, b = _moment(left), _moment(right)
    elif left.dtype == pl.Boolean or right.dtype == pl.Boolean:
        a, b = convert(left.expression, left.dtype, "boolean"), convert(right.expression, right.dtype, "boolean")
    elif (
        left.dtype.is_numeric()
        and right.dtype.is_numeric()
        and not (left.dtype.is_decimal() or right.dtype.is_decimal())
    ):
        a, b = left.expression, right.expression
    elif left.dtype.is_numeric() or right.dtype.is_numeric():
        a, b = as_number(left), as_number(right)
    elif left.dtype == pl.Null or right.dtype == pl.Null:
        a, b = left.expression.cast(pl.String), right.expression.cast(pl.String)
    else:
        a, b = as_text(left.expression, left.dtype), as_text(right.expression, right.dtype)
    if sign == "<":
        return a < b
    if sign == "<=":
        return a <= b
    if sign == ">":
        return a > b
    if sign == ">=":
        return a >= b
    return a == b if sign in ("=", "==") else a != b


def _moment(value: Typed) -> pl.Expr:
    if isinstance(value.literal, str):
        moment = parse_timestamp_text(value.literal)
        if moment is None:
            raise RecipeError(f"the expression compares a date with {value.literal!r}, which is not a date")
        return pl.lit(moment)
    return to_timestamp(value.expression, value.dtype)


def unified(values: Sequence[Typed]) -> tuple[list[pl.Expr], pl.DataType]:
    """Return the values in one type: their own if equal, double if all are numbers, else text."""
    types = {value.dtype for value in values if value.dtype != pl.Null}
    if len(types) == 1:
        dtype = next(iter(types))
        return [value.expression.cast(dtype) if value.dtype == pl.Null else value.expression for value in values], dtype
    if types and all(dtype.is_numeric() for dtype in types):
        whole = all(dtype.is_integer() for dtype in types)
        target: pl.DataType = pl.Int64() if whole else pl.Float64()
        return [as_number(value) if not whole else value.expression.cast(target) for value in values], target
    return [
        as_text(value.expression, value.dtype) if value.dtype != pl.Null else value.expression.cast(pl.String)
        for value in values
    ], pl.String()


_AGGREGATE = re.compile(r"\s*([a-z_]+)\s*\(\s*(distinct\s+)?`((?:[^`]|``)*)`\s*\)\s*", re.IGNORECASE)


def check_with_expressions(entries: Sequence[Any] | None) -> list[str]:
    """Return what is wrong with withExpressions: its shape or a function's name."""
    problems: list[str] = []
    for entry in entries or []:
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("name"), str)
            or not isinstance(entry.get("value"), str)
        ):
            problems.append("each of withExpressions must be an object with name, value and type")
            continue
        found = _AGGREGATE.fullmatch(entry["value"])
        if found is None:
            problems.append(f"withExpressions has {entry['value']!r}; write it as function(`column`)")
        elif found.group(1).lower() not in AGGREGATES:
            problems.append(
                f"withExpressions has no function {found.group(1)!r}; the functions are {', '.join(AGGREGATES)}"
            )
        elif found.group(2) and found.group(1).lower() != "count":
            problems.append("only count takes distinct")
    return problems


def aggregate_values(entries: Sequence[Any] | None, table: Table) -> dict[str, Any]:
    """Compute the aggregate parameters in one pass over the data."""
    if not entries:
        return {}
    expressions: dict[str, pl.Expr] = {}
    for index, entry in enumerate(entries):
        found = _AGGREGATE.fullmatch(entry["value"])
        assert found is not None
        name = found.group(3).replace("``", "`")
        expressions[f"a{index}"] = _aggregate(found.group(1).lower(), bool(found.group(2)), name, table)
    row = table.collect_one(**expressions)
    return {entry["name"]: row[f"a{index}"] for index, entry in enumerate(entries)}


def _aggregate(function: str, distinct: bool, name: str, table: Table) -> pl.Expr:
    table.require(name)
    column = pl.col(name)
    if function == "count":
        return column.drop_nulls().n_unique() if distinct else column.count()
    if function in ("min", "max"):
        return column.min() if function == "min" else column.max()
    value = table.double(name)
    if function == "sum":
        return table.numeric(name).sum()
    if function == "avg":
        return value.mean()
    if function == "mean_absolute_deviation":
        return (value - value.mean()).abs().mean()
    if function == "median":
        return value.median()
    if function == "product":
        return value.product()
    if function == "stddev":
        return value.std(ddof=1)
    if function == "variance":
        return value.var(ddof=1)
    if function == "standard_error_of_mean":
        return value.std(ddof=1) / value.count().sqrt()
    return value.skew() if function == "skewness" else value.kurtosis()
