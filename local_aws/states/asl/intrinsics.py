"""Intrinsic functions (``States.Format`` and others) of the JSONPath query language.

See https://states-language.net/spec.html#intrinsic-functions and
https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from local_aws.states.asl import jsonpath
from local_aws.states.asl.errors import PathSyntaxError, StateError
from local_aws.states.asl.texts import json_text, random_id

_CALL = re.compile(r"\s*(States\.[A-Za-z0-9]+)\s*\(")
_MAX_TEXT = 10_000
_MAX_ITEMS = 1000

Resolve = Callable[[jsonpath.Path], Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A parsed call.

    :param name: for example ``States.Format``.
    :param arguments: calls, paths and literals.
    """

    name: str
    arguments: tuple[Call | jsonpath.Path | Constant, ...]

    def evaluate(self, resolve: Resolve) -> Any:
        """Evaluate the call.

        :param resolve: returns the value of a path.
        :raises StateError: ``States.IntrinsicFailure``.
        """
        values = [
            argument.evaluate(resolve)
            if isinstance(argument, Call)
            else argument.value
            if isinstance(argument, Constant)
            else resolve(argument)
            for argument in self.arguments
        ]
        function, least, most = FUNCTIONS[self.name]
        if not least <= len(values) <= most:
            raise _failure(self.name, f"takes {least} to {most} arguments, got {len(values)}")
        return function(*values)


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal argument."""

    value: Any


def is_call(text: str) -> bool:
    """Whether the value of a ``.$`` field is a function call and not a path."""
    return text.lstrip().startswith("States.")


@lru_cache(maxsize=4096)
def parse(text: str) -> Call:
    """Parse a call.

    :raises PathSyntaxError: the text is not a well-formed call of a known function.
    """
    call, end = _parse_call(text, 0)
    if text[end:].strip():
        raise PathSyntaxError(f"Unexpected text at position {end} of '{text}'")
    return call


def _parse_call(text: str, start: int) -> tuple[Call, int]:
    match = _CALL.match(text, start)
    if match is None:
        raise PathSyntaxError(f"'{text}' is not a call of an intrinsic function")
    name = match.group(1)
    if name not in FUNCTIONS:
        raise PathSyntaxError(f"Unknown intrinsic function '{name}' in '{text}'")
    position = match.end()
    arguments: list[Call | jsonpath.Path | Constant] = []
    while True:
        position = _skip(text, position)
        if text[position : position + 1] == ")" and not arguments:
            return Call(name, ()), position + 1
        argument, position = _parse_argument(text, position)
        arguments.append(argument)
        position = _skip(text, position)
        if text[position : position + 1] == ")":
            return Call(name, tuple(arguments)), position + 1
        if text[position : position + 1] != ",":
            raise PathSyntaxError(f"Expected ',' or ')' at position {position} of '{text}'")
        position += 1


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _parse_argument(text: str, position: int) -> tuple[Call | jsonpath.Path | Constant, int]:
    char = text[position : position + 1]
    if char == "'":
        return _parse_text(text, position)
    if char == "$":
        return jsonpath.parse_prefix(text, position)
    if text.startswith("States.", position):
        return _parse_call(text, position)
    match = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null").match(text, position)
    if match is None:
        raise PathSyntaxError(f"Invalid argument at position {position} of '{text}'")
    return Constant(json.loads(match.group())), match.end()


def _parse_text(text: str, start: int) -> tuple[Constant, int]:
    # States.Format needs to tell an escaped brace from a placeholder, so those two keep their
    # backslash.
    position = start + 1
    parts: list[str] = []
    while position < len(text):
        char = text[position]
        if char == "'":
            return Constant("".join(parts)), position + 1
        if char == "\\" and position + 1 < len(text):
            following = text[position + 1]
            parts.append(
                {
                    "'": "'",
                    "\\": "\\\\" if text[position + 2 : position + 3] in ("{", "}") else "\\",
                    "n": "\n",
                    "t": "\t",
                    "r": "\r",
                }.get(following, "\\" + following)
            )
            position += 2
        else:
            parts.append(char)
            position += 1
    raise PathSyntaxError(f"Unterminated string at position {start} of '{text}'")


def _failure(name: str, why: str) -> StateError:
    return StateError("States.IntrinsicFailure", f"The function {name} failed: {why}.")


def _need(name: str, value: Any, kind: type | tuple[type, ...], what: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _failure(name, f"{what} expected, got {json.dumps(value)[:80]}")
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value)


def _plain(text: str) -> str:
    return re.sub(r"\\([{}\\])", r"\1", text)


def _format(template: Any, *values: Any) -> str:
    _need("States.Format", template, str, "a string template")
    pieces = re.split(r"(?<!\\)\{\}", template)
    if len(pieces) - 1 != len(values):
        raise _failure("States.Format", f"{len(pieces) - 1} placeholders for {len(values)} values")
    out = [_plain(pieces[0])]
    for value, piece in zip(values, pieces[1:], strict=True):
        out += [_text(value), _plain(piece)]
    return "".join(out)


def _string_to_json(text: Any) -> Any:
    _need("States.StringToJson", text, str, "a string")
    try:
        return json.loads(text)
    except ValueError as error:
        raise _failure("States.StringToJson", f"invalid JSON ({error})") from error


def _array(*values: Any) -> list[Any]:
    return list(values)


def _array_partition(array: Any, size: Any) -> list[Any]:
    _need("States.ArrayPartition", array, list, "an array")
    _need("States.ArrayPartition", size, int, "an integer chunk size")
    if size <= 0:
        raise _failure("States.ArrayPartition", "the chunk size must be positive")
    return [array[start : start + size] for start in range(0, len(array), size)]


def _array_contains(array: Any, value: Any) -> bool:
    _need("States.ArrayContains", array, list, "an array")
    return any(jsonpath.equal(item, value) for item in array)


def _array_range(first: Any, last: Any, step: Any) -> list[int]:
    numbers = [round(_need("States.ArrayRange", item, (int, float), "an integer")) for item in (first, last, step)]
    start, end, stride = numbers
    if stride == 0:
        raise _failure("States.ArrayRange", "the step must not be 0")
    result = list(range(start, end + (1 if stride > 0 else -1), stride))
    if len(result) > _MAX_ITEMS:
        raise _failure("States.ArrayRange", f"more than {_MAX_ITEMS} items")
    return result


def _array_get_item(array: Any, index: Any) -> Any:
    _need("States.ArrayGetItem", array, list, "an array")
    _need("States.ArrayGetItem", index, int, "an integer index")
    if not 0 <= index < len(array):
        raise _failure("States.ArrayGetItem", f"index {index} is out of bounds of an array of {len(array)}")
    return array[index]


def _array_length(array: Any) -> int:
    return len(_need("States.ArrayLength", array, list, "an array"))


def _array_unique(array: Any) -> list[Any]:
    _need("States.ArrayUnique", array, list, "an array")
    seen: dict[str, Any] = {}
    for item in array:
        seen.setdefault(json.dumps(item, sort_keys=True), item)
    return list(seen.values())


def _base64_encode(text: Any) -> str:
    _need("States.Base64Encode", text, str, "a string")
    if len(text) > _MAX_TEXT:
        raise _failure("States.Base64Encode", f"more than {_MAX_TEXT} characters")
    return base64.b64encode(text.encode()).decode()


def _base64_decode(text: Any) -> str:
    _need("States.Base64Decode", text, str, "a string")
    if len(text) > _MAX_TEXT:
        raise _failure("States.Base64Decode", f"more than {_MAX_TEXT} characters")
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _failure("States.Base64Decode", f"invalid data ({error})") from error


def _hash(data: Any, algorithm: Any) -> str:
    algorithms = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
    if algorithm not in algorithms:
        raise _failure("States.Hash", f"unknown algorithm {json.dumps(algorithm)}")
    text = _text(data)
    if len(text) > _MAX_TEXT:
        raise _failure("States.Hash", f"more than {_MAX_TEXT} characters")
    return hashlib.new(algorithms[algorithm], text.encode(), usedforsecurity=False).hexdigest()


def _json_merge(one: Any, other: Any, deep: Any) -> dict[str, Any]:
    _need("States.JsonMerge", one, dict, "an object")
    _need("States.JsonMerge", other, dict, "an object")
    if deep is not False:
        raise _failure("States.JsonMerge", "only shallow merging (false) is supported")
    return {**one, **other}


def _math_random(start: Any, end: Any, seed: Any = None) -> int:
    low = round(_need("States.MathRandom", start, (int, float), "a number"))
    high = round(_need("States.MathRandom", end, (int, float), "a number"))
    if high <= low:
        raise _failure("States.MathRandom", "the end must be greater than the start")
    generator = random.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311 - seeded on request
    return generator.randrange(low, high)


def _math_add(one: Any, other: Any) -> int:
    numbers = [_need("States.MathAdd", item, (int, float), "a number") for item in (one, other)]
    return sum(round(number) for number in numbers)


def _string_split(text: Any, separators: Any) -> list[str]:
    _need("States.StringSplit", text, str, "a string")
    _need("States.StringSplit", separators, str, "a string of separators")
    if not separators:
        return [text]
    # AWS drops empty pieces between separators.
    return [piece for piece in re.split(f"[{re.escape(separators)}]", text) if piece]


#: Name → function, and how many arguments it takes at least and at most.
FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "States.Format": (_format, 1, 1000),
    "States.StringToJson": (_string_to_json, 1, 1),
    "States.JsonToString": (json_text, 1, 1),
    "States.Array": (_array, 0, 1000),
    "States.ArrayPartition": (_array_partition, 2, 2),
    "States.ArrayContains": (_array_contains, 2, 2),
    "States.ArrayRange": (_array_range, 3, 3),
    "States.ArrayGetItem": (_array_get_item, 2, 2),
    "States.ArrayLength": (_array_length, 1, 1),
    "States.ArrayUnique": (_array_unique, 1, 1),
    "States.Base64Encode": (_base64_encode, 1, 1),
    "States.Base64Decode": (_base64_decode, 1, 1),
    "States.Hash": (_hash, 2, 2),
    "States.JsonMerge": (_json_merge, 3, 3),
    "States.MathRandom": (_math_random, 2, 3),
    "States.MathAdd": (_math_add, 2, 2),
    "States.StringSplit": (_string_split, 2, 2),
    "States.UUID": (random_id, 0, 0),
}
