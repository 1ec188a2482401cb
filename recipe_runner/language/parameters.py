"""Types of an action's parameters, and the parsing of their values in recipes.

In the API a parameter is a string, and lists and objects are JSON inside the string
(https://docs.aws.amazon.com/databrew/latest/dg/API_RecipeAction.html); AWS's examples also show
real lists, booleans and numbers. Both are accepted. Must not import polars: `check` runs without
data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from recipe_runner.language.java_patterns import from_java

# Keys of console exports that the guide does not document; they do not change the result.
IGNORED_PARAMETERS = frozenset({"mappingOption", "functionStepType", "isText", "targetIndex"})


class Kind(Enum):
    """What a parameter holds after parsing."""

    TEXT = "text"
    COLUMN = "name of an existing column"
    NEW_COLUMN = "name of a new column"
    COLUMNS = "list of existing columns"
    INTEGER = "whole number"
    NUMBER = "number"
    BOOLEAN = "true or false"
    CHOICE = "one of a list"
    STRINGS = "list of strings"
    NUMBERS = "list of numbers"
    JSON_LIST = "list"
    JSON_MAP = "object"
    PATTERN = "regular expression"
    SCALAR = "number or text"


@dataclass(frozen=True)
class Parameter:
    """Declaration of one parameter of an action.

    :param name: name in the API.
    :param kind: what it holds.
    :param required: whether the action needs it.
    :param default: typed value if it is absent.
    :param choices: for CHOICE, the values as the guide spells them.
    :param aliases: further names that occur in the guide or in exports.
    :param minimum: lower bound for INTEGER and NUMBER.
    :param maximum: upper bound for INTEGER and NUMBER.
    :param words: for JSON_LIST, words allowed in place of the list; each becomes a list of itself.
    """

    name: str
    kind: Kind
    required: bool = True
    default: Any = None
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    words: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return what the parameter takes, in words."""
        return f"one of {', '.join(self.choices)}" if self.kind is Kind.CHOICE else self.kind.value

    def parse(self, raw: Any) -> Any:
        """Return the typed value of what the recipe has.

        :raises ValueError: the value does not fit; the message says what is expected.
        """
        return _PARSERS[self.kind](self, raw)


def _text(parameter: Parameter, raw: Any) -> str:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, str):
        return raw
    if isinstance(raw, int | float):
        return str(raw)
    if isinstance(raw, list | dict):
        return json.dumps(raw)
    raise ValueError(f"{parameter.name} must be text")


def _column(parameter: Parameter, raw: Any) -> str:
    if not isinstance(raw, str) or raw == "":
        raise ValueError(f"{parameter.name} must be the {parameter.kind.value}")
    return raw


def _json(parameter: Parameter, raw: Any, what: str) -> Any:
    if isinstance(raw, str):
        try:
            return json.loads(raw)
        except json.JSONDecodeError as problem:
            raise ValueError(
                f"{parameter.name} must be JSON ({what}); it is malformed at character {problem.pos + 1}: {problem.msg}"
            ) from None
    return raw


def _list(parameter: Parameter, raw: Any) -> list[Any]:
    if isinstance(raw, str) and raw.strip().strip('"') in parameter.words:
        return [raw.strip().strip('"')]
    value = _json(parameter, raw, "a list")
    if parameter.kind is Kind.JSON_LIST:
        # One entry without its list, or entries that are JSON texts: the meaning is clear.
        value = [value] if isinstance(value, dict) else value
        if isinstance(value, list) and all(isinstance(item, str) and item.startswith("{") for item in value):
            value = [_json(parameter, item, "an object") for item in value]
    if not isinstance(value, list):
        raise ValueError(f"{parameter.name} must be a JSON list")
    return value


def _columns(parameter: Parameter, raw: Any) -> list[str]:
    if isinstance(raw, str) and raw and not raw.lstrip().startswith(("[", "{", '"')):
        raw = [raw]
    value = _list(parameter, raw)
    if not value or not all(isinstance(item, str) and item for item in value):
        raise ValueError(f"{parameter.name} must be a JSON list of at least one column name")
    seen: set[str] = set()
    for item in value:
        if item in seen:
            raise ValueError(f"{parameter.name} names the column {item!r} twice")
        seen.add(item)
    return value


def _strings(parameter: Parameter, raw: Any) -> list[str]:
    value = _list(parameter, raw)
    return ["true" if v is True else "false" if v is False else "" if v is None else str(v) for v in value]


def to_number(raw: Any) -> float | int:
    """Return the number of a JSON number or a text; infinities are allowed, NaN is not.

    :raises ValueError: it is not a number.
    """
    if isinstance(raw, bool):
        raise ValueError("not a number")
    if isinstance(raw, int | float):
        return raw
    text = str(raw).strip()
    try:
        return int(text)
    except ValueError:
        value = float(text)
    if math.isnan(value):
        raise ValueError("not a number")
    return value


def _bounded(parameter: Parameter, value: float | int) -> float | int:
    if parameter.minimum is not None and value < parameter.minimum:
        raise ValueError(f"{parameter.name} must be at least {parameter.minimum:g}; it is {value}")
    if parameter.maximum is not None and value > parameter.maximum:
        raise ValueError(f"{parameter.name} must be at most {parameter.maximum:g}; it is {value}")
    return value


def _number(parameter: Parameter, raw: Any) -> float | int:
    try:
        return _bounded(parameter, to_number(raw))
    except (ValueError, OverflowError) as problem:
        if str(problem).startswith(parameter.name):
            raise
        raise ValueError(f"{parameter.name} must be a number; it is {raw!r}") from None


def _integer(parameter: Parameter, raw: Any) -> int:
    value = _number(parameter, raw)
    if math.isinf(value) or value != int(value):
        raise ValueError(f"{parameter.name} must be a whole number; it is {raw!r}")
    if abs(value) > 2**63 - 1:
        raise ValueError(f"{parameter.name} is beyond a 64-bit whole number")
    return int(value)


def _boolean(parameter: Parameter, raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    text = str(raw).strip().lower()
    if text in ("true", "false"):
        return text == "true"
    raise ValueError(f"{parameter.name} must be true or false; it is {raw!r}")


def _choice(parameter: Parameter, raw: Any) -> str:
    text = str(raw).strip()
    for choice in parameter.choices:
        if text.lower().replace(" ", "_") == choice.lower().replace(" ", "_"):
            return choice
    raise ValueError(f"{parameter.name} must be one of {', '.join(parameter.choices)}; it is {raw!r}")


def _numbers(parameter: Parameter, raw: Any) -> list[float | int]:
    try:
        return [to_number(item) for item in _list(parameter, raw)]
    except ValueError as problem:
        if str(problem).startswith(parameter.name):
            raise
        raise ValueError(f"{parameter.name} must be a JSON list of numbers") from None


def _map(parameter: Parameter, raw: Any) -> dict[str, Any]:
    value = _json(parameter, raw, "an object")
    if not isinstance(value, dict):
        raise ValueError(f"{parameter.name} must be a JSON object")
    return value


def _pattern(parameter: Parameter, raw: Any) -> str:
    import regex  # a dialect with look-around, like Java's that the service uses, and with a time limit

    from recipe_runner.language.patterns import compiled

    text = from_java(_text(parameter, raw))
    try:
        compiled(text)
    except regex.error as problem:
        raise ValueError(f"{parameter.name} is not a valid regular expression: {problem}") from None
    return text


def _scalar(parameter: Parameter, raw: Any) -> Any:
    if isinstance(raw, str | int | float | bool):
        return raw
    raise ValueError(f"{parameter.name} must be one value, number or text")


_PARSERS = {
    Kind.TEXT: _text,
    Kind.COLUMN: _column,
    Kind.NEW_COLUMN: _column,
    Kind.COLUMNS: _columns,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.BOOLEAN: _boolean,
    Kind.CHOICE: _choice,
    Kind.STRINGS: _strings,
    Kind.NUMBERS: _numbers,
    Kind.JSON_LIST: _list,
    Kind.JSON_MAP: _map,
    Kind.PATTERN: _pattern,
    Kind.SCALAR: _scalar,
}


@dataclass(frozen=True)
class Declarations:
    """The parameters of one action, and groups of which at least one must be given."""

    parameters: Sequence[Parameter]
    one_of: Sequence[tuple[str, ...]] = field(default_factory=tuple)

    def find(self, name: str) -> Parameter | None:
        """Return the parameter with a name in camelCase or PascalCase; None if there is none."""
        for spelling in (name, name[:1].lower() + name[1:]):
            for parameter in self.parameters:
                if spelling == parameter.name or spelling in parameter.aliases:
                    return parameter
        return None

    def names(self) -> list[str]:
        """Return the names of all parameters."""
        return [parameter.name for parameter in self.parameters]


def text(name: str, *, required: bool = True, default: str | None = None, aliases: tuple[str, ...] = ()) -> Parameter:
    """Declare a parameter that holds text."""
    return Parameter(name, Kind.TEXT, required and default is None, default, aliases=aliases)


def column(name: str = "sourceColumn", *, required: bool = True, aliases: tuple[str, ...] = ()) -> Parameter:
    """Declare a parameter that names an existing column."""
    return Parameter(name, Kind.COLUMN, required, aliases=aliases)


def new_column(name: str = "targetColumn", *, required: bool = True, aliases: tuple[str, ...] = ()) -> Parameter:
    """Declare a parameter that names a new column."""
    return Parameter(name, Kind.NEW_COLUMN, required, aliases=aliases)


def columns(name: str = "sourceColumns", *, required: bool = True, aliases: tuple[str, ...] = ()) -> Parameter:
    """Declare a parameter that lists existing columns."""
    return Parameter(name, Kind.COLUMNS, required, aliases=aliases)


def integer(
    name: str,
    *,
    required: bool = True,
    default: int | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    aliases: tuple[str, ...] = (),
) -> Parameter:
    """Declare a parameter that holds a whole number."""
    return Parameter(name, Kind.INTEGER, required and default is None, default, (), aliases, minimum, maximum)


def number(
    name: str,
    *,
    required: bool = True,
    default: float | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    aliases: tuple[str, ...] = (),
) -> Parameter:
    """Declare a parameter that holds a number."""
    return Parameter(name, Kind.NUMBER, required and default is None, default, (), aliases, minimum, maximum)


def boolean(name: str, *, default: bool | None = False, aliases: tuple[str, ...] = ()) -> Parameter:
    """Declare a parameter that holds true or false."""
    return Parameter(name, Kind.BOOLEAN, False, default, aliases=aliases)


def choice(
    name: str, *choices: str, required: bool = True, default: str | None = None, aliases: tuple[str, ...] = ()
) -> Parameter:
    """Declare a parameter that holds one of a list of words."""
    return Parameter(name, Kind.CHOICE, required and default is None, default, choices, aliases)


def strings(name: str, *, required: bool = True, aliases: tuple[str, ...] = ()) -> Parameter:
    """Declare a parameter that holds a list of strings."""
    return Parameter(name, Kind.STRINGS, required, aliases=aliases)


def numbers(name: str, *, required: bool = True, aliases: tuple[str, ...] = ()) -> Parameter:
    """Declare a parameter that holds a list of numbers."""
    return Parameter(name, Kind.NUMBERS, required, aliases=aliases)


def json_list(
    name: str, *, required: bool = True, aliases: tuple[str, ...] = (), words: tuple[str, ...] = ()
) -> Parameter:
    """Declare a parameter that holds a list, which may be JSON in a string."""
    return Parameter(name, Kind.JSON_LIST, required, aliases=aliases, words=words)


def json_map(name: str, *, required: bool = True, aliases: tuple[str, ...] = ()) -> Parameter:
    """Declare a parameter that holds an object, which may be JSON in a string."""
    return Parameter(name, Kind.JSON_MAP, required, aliases=aliases)


def pattern(name: str = "pattern", *, required: bool = True, aliases: tuple[str, ...] = ()) -> Parameter:
    """Declare a parameter that holds a regular expression."""
    return Parameter(name, Kind.PATTERN, required, aliases=aliases)


def scalar(name: str, *, required: bool = True, aliases: tuple[str, ...] = ()) -> Parameter:
    """Declare a parameter that holds one value: a number, a text or a boolean."""
    return Parameter(name, Kind.SCALAR, required, aliases=aliases)
