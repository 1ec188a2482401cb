"""Select the S3 objects that a dataset's path means.

The path may have regular expressions, parameters, conditions and limits. The selection needs names
and times alone and happens before any download. Must not import boto3 or polars.

Sources: "Connecting data in multiple files in Amazon S3" in the AWS Glue DataBrew Developer Guide;
PathOptions, DatasetParameter, FilterExpression and FilesLimit in the DataBrew API Reference.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import regex

from recipe_runner.errors import RecipeError
from recipe_runner.language.date_patterns import strptime_pattern

MAX_PARAMETERS = 10
MATCH_SECONDS = 1.0
_PATTERN_PART = regex.compile(r"<(?P<expression>[^>]*)>|\{(?P<parameter>[^{}]*)\}")
_TOKEN = regex.compile(r"\s*(?:(?P<bracket>[()])|(?P<variable>:[0-9A-Za-z_]+)|(?P<word>[0-9A-Za-z_.]+|[<>=!]+))")
_RELATIVE = regex.compile(r"^(?P<sign>[+-]?)(?P<count>\d+)(?P<unit>[smhdwMy])$")
_OFFSET = regex.compile(r"^(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d{2})?$")
_DATE_FIELDS = {
    "Y": "[0-9]{4}", "y": "[0-9]{2}", "f": "[0-9]{1,6}", "p": "[AaPp][Mm]", "Z": "[A-Z]{3,4}", "%": "%",
    "z": "(?:Z|[+-][0-9]{2}:?[0-9]{2})",
} | dict.fromkeys("mdHIMS", "[0-9]{1,2}") | dict.fromkeys("aAbB", "[^/0-9]+?")  # fmt: skip
_SYNONYMS = {
    "eq": "is", "==": "is", "=": "is", "!=": "is not", "lt": "less_than", "<": "less_than", "lte": "less_than_equal",
    "<=": "less_than_equal", "gt": "greater_than", ">": "greater_than", "gte": "greater_than_equal",
    ">=": "greater_than_equal",
}  # fmt: skip

Value = str | float | datetime
Test = Callable[[Value, str, datetime], bool]


def _matches(value: Value, wanted: str, _now: datetime) -> bool:
    try:
        return regex.search(wanted, str(value), timeout=MATCH_SECONDS) is not None
    except regex.error as error:
        raise RecipeError(
            f"{wanted!r} in a path condition is not a valid regular expression ({error}); correct it"
        ) from None
    except TimeoutError:
        raise RecipeError(f"{wanted!r} in a path condition takes too long to match; simplify it") from None


STRING_TESTS: Mapping[str, Test] = {
    "is": lambda value, wanted, _: value == wanted,
    "contains": lambda value, wanted, _: wanted in str(value),
    "starts_with": lambda value, wanted, _: str(value).startswith(wanted),
    "ends_with": lambda value, wanted, _: str(value).endswith(wanted),
    "matches": _matches,
}
NUMBER_TESTS: Mapping[str, Test] = {
    "is": lambda value, wanted, _: float(value) == _number(wanted),  # type: ignore[arg-type]
    "less_than": lambda value, wanted, _: float(value) < _number(wanted),  # type: ignore[arg-type]
    "less_than_equal": lambda value, wanted, _: float(value) <= _number(wanted),  # type: ignore[arg-type]
    "greater_than": lambda value, wanted, _: float(value) > _number(wanted),  # type: ignore[arg-type]
    "greater_than_equal": lambda value, wanted, _: float(value) >= _number(wanted),  # type: ignore[arg-type]
}
DATE_TESTS: Mapping[str, Test] = {
    "after": lambda value, wanted, _: _date(value) > _instant(wanted),
    "before": lambda value, wanted, _: _date(value) < _instant(wanted),
    "relative_after": lambda value, wanted, now: _date(value) > _relative(wanted, now),
    "relative_before": lambda value, wanted, now: _date(value) < _relative(wanted, now),
}
_TESTS = {"String": STRING_TESTS, "Number": NUMBER_TESTS, "Datetime": DATE_TESTS}


@dataclass(frozen=True)
class _Parameter:
    name: str
    type: str
    pattern: str
    zone: timezone
    create_column: bool
    filter: Mapping[str, Any] | None


def select_files(
    listing: Iterable[tuple[str, datetime]], key_pattern: str, options: Mapping[str, Any] | None, *, now: datetime
) -> dict[str, dict[str, Value]]:
    """Choose the objects that a dataset's path means.

    :param listing: key and last-modified time (aware) of each object of the bucket that might
        match.
    :param key_pattern: key of the dataset's S3 location, with `<regular expression>` and
        `{parameter}`.
    :param options: the dataset's PathOptions.
    :param now: when the dataset is loaded, for relative dates; aware.
    :returns: chosen keys, in order of their name, each with the columns that its parameters make.
    :raises RecipeError: a parameter, condition or expression is not what DataBrew knows.
    """
    options = options or {}
    parameters = _parameters(options.get("Parameters") or {}, key_pattern)
    matcher, order = _matcher(key_pattern, parameters)
    modified = options.get("LastModifiedDateCondition")
    found: list[tuple[str, datetime, dict[str, Value]]] = []
    for key, last_modified in listing:
        values = _captured(matcher, order, parameters, key)
        if values is None:
            continue
        if modified and not _holds(modified, "Datetime", last_modified, now):
            continue
        if all(
            not parameter.filter or _holds(parameter.filter, parameter.type, values[name], now)
            for name, parameter in parameters.items()
        ):
            columns = {name: values[name] for name, parameter in parameters.items() if parameter.create_column}
            found.append((key, last_modified, columns))
    return {key: columns for key, _, columns in sorted(_limited(found, options.get("FilesLimit")))}


def _limited(
    found: list[tuple[str, datetime, dict[str, Value]]], limit: Mapping[str, Any] | None
) -> list[tuple[str, datetime, dict[str, Value]]]:
    found.sort(key=lambda item: item[0])
    if not limit:
        return found
    newest_first = limit.get("Order", "DESCENDING") == "DESCENDING"
    return sorted(found, key=lambda item: item[1], reverse=newest_first)[: int(limit["MaxFiles"])]


def _parameters(definitions: Mapping[str, Mapping[str, Any]], key_pattern: str) -> dict[str, _Parameter]:
    if len(definitions) > MAX_PARAMETERS:
        raise RecipeError(f"the path has {len(definitions)} parameters; DataBrew allows at most {MAX_PARAMETERS}")
    used = [match["parameter"] for match in _PATTERN_PART.finditer(key_pattern) if match["parameter"] is not None]
    parameters: dict[str, _Parameter] = {}
    for name in used:
        definition = definitions.get(name)
        if definition is None:
            raise RecipeError(f"path parameter {name!r} is not defined; define it in PathOptions.Parameters")
        kind = str(definition.get("Type"))
        if kind not in _TESTS:
            raise RecipeError(f"path parameter {name!r} has type {kind!r}; write String, Number or Datetime")
        dates = definition.get("DatetimeOptions") or {}
        if kind == "Datetime" and not dates.get("Format"):
            raise RecipeError(f"path parameter {name!r} is a Datetime without a format; add DatetimeOptions.Format")
        parameters[name] = _Parameter(
            name=name, type=kind, pattern=str(dates.get("Format", "")),
            zone=_zone(str(dates.get("TimezoneOffset", "Z"))),
            create_column=bool(definition.get("CreateColumn")), filter=definition.get("Filter"),
        )  # fmt: skip
    unused = sorted(set(definitions) - set(used))
    if unused:
        raise RecipeError(f"path parameter {unused[0]!r} is defined but not in the path; add {{{unused[0]}}} to it")
    return parameters


def _matcher(key_pattern: str, parameters: Mapping[str, _Parameter]) -> tuple[regex.Pattern[str], list[str]]:
    parts: list[str] = []
    order: list[str] = []
    position = 0
    for match in _PATTERN_PART.finditer(key_pattern):
        parts.append(regex.escape(key_pattern[position : match.start()]))
        position = match.end()
        if match["parameter"] is None:
            parts.append(f"(?:{match['expression']})")
        else:
            # An expression may have groups, so a parameter's group has a name.
            parts.append(f"(?P<parameter{len(order)}>{_shape(parameters[match['parameter']])})")
            order.append(match["parameter"])
    parts.append(regex.escape(key_pattern[position:]))
    text = "".join(parts)
    # A folder means everything below it.
    below = "(?P<below>.+)" if key_pattern.endswith("/") or not key_pattern else "(?P<below>/.+)?"
    try:
        return regex.compile(f"^{text}{below}$"), order
    except regex.error as error:
        raise RecipeError(f"the path {key_pattern!r} has an invalid regular expression ({error}); correct it") from None


def _shape(parameter: _Parameter) -> str:
    """Return a regular expression for the values of a parameter.

    A value is part of one name; only a date whose format has a slash spans folders.
    """
    if parameter.type == "String":
        return "[^/]+?"
    if parameter.type == "Number":
        return r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?"
    fields = regex.split(r"%(.)", strptime_pattern(parameter.pattern))
    return "".join(_DATE_FIELDS.get(text, "") if index % 2 else regex.escape(text) for index, text in enumerate(fields))


def _captured(
    matcher: regex.Pattern[str], order: list[str], parameters: Mapping[str, _Parameter], key: str
) -> dict[str, Value] | None:
    try:
        match = matcher.match(key, timeout=MATCH_SECONDS)
    except TimeoutError:
        raise RecipeError(f"the path's expressions take too long to match {key!r}; simplify them") from None
    if match is None:
        return None
    below = match["below"] or ""
    # Hadoop's paths, by which Spark reads, have no folder without a name.
    if "//" in below or not all(map(_is_data, [*below.split("/"), key.rpartition("/")[2]])):
        return None
    values: dict[str, Value] = {}
    for index, name in enumerate(order):
        value = _value(parameters[name], match[f"parameter{index}"])
        if value is None or values.setdefault(name, value) != value:
            return None
    return values


def _is_data(name: str) -> bool:
    """Whether a part of a key below the dataset's path is data: neither hidden nor metadata.

    Spark's rule, an assumption about DataBrew: ``_SUCCESS`` and ``_temporary`` are metadata,
    ``_a=b`` is a partition.
    """
    return not name.startswith(".") and (not name.startswith("_") or "=" in name)


def _value(parameter: _Parameter, text: str) -> Value | None:
    if parameter.type == "String":
        return text
    try:
        if parameter.type == "Number":
            return float(text) if any(sign in text for sign in ".eE") else int(text)
        moment = datetime.strptime(text, strptime_pattern(parameter.pattern))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=parameter.zone)


def _holds(condition: Mapping[str, Any], kind: str, value: Value, now: datetime) -> bool:
    expression, values = str(condition["Expression"]), condition.get("ValuesMap") or {}
    tokens = _tokens(expression)
    result, rest = _either(tokens, kind, value, values, now, expression)
    if rest:
        raise RecipeError(f"path condition {expression!r} continues after its end at {rest[0]!r}; correct its brackets")
    return result


def _tokens(expression: str) -> list[str]:
    tokens: list[str] = []
    position = 0
    while position < len(expression.rstrip()):
        match = _TOKEN.match(expression, position)
        if match is None:
            raise RecipeError(f"path condition {expression!r} cannot be read at {expression[position:]!r}; correct it")
        tokens.append(match[0].strip())
        position = match.end()
    return tokens


def _either(
    tokens: list[str], kind: str, value: Value, values: Mapping[str, str], now: datetime, whole: str
) -> tuple[bool, list[str]]:
    result, tokens = _both(tokens, kind, value, values, now, whole)
    while tokens and tokens[0].lower() == "or":
        other, tokens = _both(tokens[1:], kind, value, values, now, whole)
        result = result or other
    return result, tokens


def _both(
    tokens: list[str], kind: str, value: Value, values: Mapping[str, str], now: datetime, whole: str
) -> tuple[bool, list[str]]:
    result, tokens = _one(tokens, kind, value, values, now, whole)
    while tokens and tokens[0].lower() == "and":
        other, tokens = _one(tokens[1:], kind, value, values, now, whole)
        result = result and other
    return result, tokens


def _one(
    tokens: list[str], kind: str, value: Value, values: Mapping[str, str], now: datetime, whole: str
) -> tuple[bool, list[str]]:
    if not tokens:
        raise RecipeError(f"path condition {whole!r} ends too early; add a condition")
    if tokens[0] == "(":
        result, rest = _either(tokens[1:], kind, value, values, now, whole)
        if not rest or rest[0] != ")":
            raise RecipeError(f"path condition {whole!r} has no closing ')'; correct its brackets")
        return result, rest[1:]
    negated = tokens[0].lower() == "not"
    if negated:
        tokens = tokens[1:]
    name = _SYNONYMS.get(tokens[0], tokens[0]) if tokens else ""
    tokens = tokens[1:]
    if name == "is not":
        name, negated = "is", not negated
    elif name == "is" and tokens and tokens[0].lower() == "not":
        negated, tokens = not negated, tokens[1:]
    test = _TESTS[kind].get(name)
    if test is None:
        raise RecipeError(f"path condition {whole!r} has {name!r}; {kind} parameters can use {', '.join(_TESTS[kind])}")
    if not tokens or not tokens[0].startswith(":"):
        raise RecipeError(f"path condition {whole!r} needs a ':variable' after {name!r}; add one")
    if tokens[0] not in values:
        raise RecipeError(f"path condition {whole!r} uses {tokens[0]!r}, which is not in ValuesMap; add it")
    return test(value, str(values[tokens[0]]), now) != negated, tokens[1:]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RecipeError(f"{text!r} in a path condition is not a number; write one such as 12.5") from None


def _date(value: Value) -> datetime:
    assert isinstance(value, datetime)
    return value


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RecipeError(
            f"{text!r} in a path condition is not an ISO 8601 date; write one such as 2021-03-30T01:00:00Z"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _relative(text: str, now: datetime) -> datetime:
    match = _RELATIVE.match(text)
    if match is None:
        raise RecipeError(f"{text!r} in a path condition is not a relative date; write one such as -48h or +7d")
    count = int(match["count"]) * (-1 if match["sign"] == "-" else 1)
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
    if match["unit"] in seconds:
        return now + timedelta(seconds=count * seconds[match["unit"]])
    months = now.year * 12 + now.month - 1 + count * (12 if match["unit"] == "y" else 1)
    year, month = divmod(months, 12)
    return now.replace(year=year, month=month + 1, day=min(now.day, calendar.monthrange(year, month + 1)[1]))


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    match = _OFFSET.match(text)
    if match is None:
        raise RecipeError(f"{text!r} is not a time zone offset; write one such as +02:00")
    offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
    return timezone(-offset if match["sign"] == "-" else offset)
