"""JSONPath as Step Functions understands it (the Jayway dialect).

A *definite* path names one node and fails when it is missing; an *indefinite* one (wildcard,
filter, slice, union, deep scan) selects a list, empty when nothing matches. See
https://states-language.net/spec.html#path and
https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from local_aws.states.asl.errors import PathNotFoundError, PathSyntaxError

_MISSING = object()
_NAME = re.compile(r"[^\s.\[\]()'\"?@,&|=!<>~+*/$]+")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class _Segment:
    """One step of a path: ``select`` yields the children of a node that it selects."""

    select: Callable[[Any, Any], Iterator[Any]]
    definite: bool
    token: str | int | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path.

    :param text: the path as it was written.
    :param root: ``$``, ``$$`` (context object), ``@`` (node of a filter) or the name of a variable.
    :param segments: its steps.
    """

    text: str
    root: str
    segments: tuple[_Segment, ...]

    @property
    def definite(self) -> bool:
        """Whether the path names exactly one node."""
        return all(segment.definite for segment in self.segments)

    @property
    def is_reference(self) -> bool:
        """Whether the path may be written to: it has only names and non-negative indices.

        See https://states-language.net/spec.html#ref-paths.
        """
        return all(segment.token is not None for segment in self.segments)

    def tokens(self) -> list[str | int]:
        """Return the names and indices of a reference path."""
        return [segment.token for segment in self.segments if segment.token is not None]

    def find(self, node: Any, root: Any) -> Any:
        """Select the value of a definite path, or the values of an indefinite one.

        :param node: where the path begins.
        :param root: what ``$`` means in filters.
        :raises PathNotFoundError: a definite path selects nothing.
        """
        nodes = [node]
        for segment in self.segments:
            nodes = [child for parent in nodes for child in segment.select(parent, root)]
        if self.definite:
            if not nodes:
                raise PathNotFoundError(self.text)
            return nodes[0]
        return nodes


class _Parser:
    def __init__(self, text: str, start: int = 0) -> None:
        self.text = text
        self.position = start

    def fail(self, what: str) -> PathSyntaxError:
        return PathSyntaxError(f"{what} at position {self.position} of '{self.text}'")

    def peek(self, size: int = 1) -> str:
        return self.text[self.position : self.position + size]

    def skip(self) -> None:
        while self.position < len(self.text) and self.text[self.position].isspace():
            self.position += 1

    def accept(self, literal: str) -> bool:
        self.skip()
        if self.text.startswith(literal, self.position):
            self.position += len(literal)
            return True
        return False

    def expect(self, literal: str) -> None:
        if not self.accept(literal):
            raise self.fail(f"Expected '{literal}'")

    def match(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self.text, self.position)
        if found is None:
            return None
        self.position = found.end()
        return found.group()

    def string(self) -> str:
        quote = self.peek()
        self.position += 1
        parts: list[str] = []
        while True:
            char = self.peek()
            if not char:
                raise self.fail("Unterminated string")
            self.position += 1
            if char == quote:
                return "".join(parts)
            if char == "\\" and self.peek():
                following = self.peek()
                self.position += 1
                parts.append({"n": "\n", "t": "\t", "r": "\r"}.get(following, following))
            else:
                parts.append(char)

    def path(self) -> Path:
        start = self.position
        if self.peek() == "@":
            self.position += 1
            root = "@"
        elif self.peek(2) == "$$":
            self.position += 2
            root = "$$"
        elif self.peek() == "$":
            self.position += 1
            root = self.match(re.compile(r"[A-Za-z_][A-Za-z0-9_]*")) or "$"
        else:
            raise self.fail("A path must begin with '$'")
        segments: list[_Segment] = []
        while True:
            if self.peek(2) == "..":
                self.position += 2
                segments.append(_deep())
                if self.peek() == "*":
                    self.position += 1
                    segments.append(_wildcard())
                elif self.peek() != "[":
                    segments.append(_name(self.name()))
            elif self.peek() == ".":
                self.position += 1
                if self.peek() == "*":
                    self.position += 1
                    segments.append(_wildcard())
                else:
                    segments.append(_name(self.name()))
            elif self.peek() == "[":
                self.position += 1
                segments.append(self.bracket())
            else:
                break
        return Path(self.text[start : self.position], root, tuple(segments))

    def name(self) -> str:
        found = self.match(_NAME)
        if found is None:
            raise self.fail("Expected a field name")
        return found

    def bracket(self) -> _Segment:
        self.skip()
        if self.accept("*"):
            self.expect("]")
            return _wildcard()
        if self.peek() == "?":
            self.position += 1
            self.expect("(")
            predicate = self.disjunction()
            self.expect(")")
            self.expect("]")
            return _filter(predicate)
        if self.peek() in "'\"":
            names = [self.string()]
            while self.accept(","):
                self.skip()
                if self.peek() not in ("'", '"'):
                    raise self.fail("Expected a quoted field name")
                names.append(self.string())
            self.expect("]")
            return _name(names[0]) if len(names) == 1 else _names(tuple(names))
        bounds: list[int | None] = [self.integer()]
        if self.accept(":"):
            bounds.append(self.integer())
            if self.accept(":"):
                bounds.append(self.integer())
            self.expect("]")
            return _slice(slice(*bounds))
        if bounds[0] is None:
            raise self.fail("Expected an index, a quoted name, '*' or a filter")
        indices = [bounds[0]]
        while self.accept(","):
            following = self.integer()
            if following is None:
                raise self.fail("Expected an index")
            indices.append(following)
        self.expect("]")
        return _index(indices[0]) if len(indices) == 1 else _indices(tuple(indices))

    def integer(self) -> int | None:
        self.skip()
        found = self.match(re.compile(r"-?\d+"))
        return None if found is None else int(found)

    def disjunction(self) -> Callable[[Any, Any], bool]:
        parts = [self.conjunction()]
        while self.accept("||"):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else lambda node, root: any(part(node, root) for part in parts)

    def conjunction(self) -> Callable[[Any, Any], bool]:
        parts = [self.comparison()]
        while self.accept("&&"):
            parts.append(self.comparison())
        return parts[0] if len(parts) == 1 else lambda node, root: all(part(node, root) for part in parts)

    def comparison(self) -> Callable[[Any, Any], bool]:
        if self.accept("!"):
            inner = self.comparison()
            return lambda node, root: not inner(node, root)
        if self.accept("("):
            inner = self.disjunction()
            self.expect(")")
            return inner
        left = self.operand()
        self.skip()
        for symbol in ("==", "!=", "<=", ">=", "=~", "<", ">"):
            if self.accept(symbol):
                self.skip()
                if symbol == "=~":
                    return _matches(left, self.regular_expression())
                return _compare(symbol, left, self.operand())
        word = self.match(re.compile(r"(?:nin|in)\b"))
        if word:
            self.skip()
            right = self.operand()
            wanted = word == "in"
            return lambda node, root: (left(node, root) in (right(node, root) or ())) == wanted
        return lambda node, root: left(node, root) is not _MISSING

    def regular_expression(self) -> re.Pattern[str]:
        self.expect("/")
        parts: list[str] = []
        while self.peek() != "/":
            if not self.peek():
                raise self.fail("Unterminated regular expression")
            step = 2 if self.peek() == "\\" else 1
            parts.append(self.peek(step))
            self.position += step
        self.position += 1
        flags = re.IGNORECASE if self.accept("i") else 0
        try:
            return re.compile("".join(parts), flags)
        except re.error as error:
            raise self.fail(f"Invalid regular expression ({error})") from error

    def operand(self) -> Callable[[Any, Any], Any]:
        self.skip()
        char = self.peek()
        if char in ("'", '"'):
            literal: Any = self.string()
            return lambda node, root: literal
        if char == "[":
            end = self.text.find("]", self.position)
            try:
                items = json.loads(self.text[self.position : end + 1].replace("'", '"'))
            except ValueError as error:
                raise self.fail("Invalid list in filter") from error
            self.position = end + 1
            return lambda node, root: items
        if char in ("@", "$"):
            path = self.path()

            def follow(node: Any, root: Any) -> Any:
                try:
                    return path.find(node if path.root == "@" else root, root)
                except PathNotFoundError:
                    return _MISSING

            return follow
        number = self.match(_NUMBER)
        if number is not None:
            value: Any = json.loads(number)
            return lambda node, root: value
        word = self.match(re.compile(r"true|false|null"))
        if word is not None:
            constant = json.loads(word)
            return lambda node, root: constant
        raise self.fail("Expected a value in filter")


def _name(name: str) -> _Segment:
    def select(node: Any, root: Any) -> Iterator[Any]:
        if isinstance(node, dict) and name in node:
            yield node[name]

    return _Segment(select, True, name)


def _names(names: tuple[str, ...]) -> _Segment:
    def select(node: Any, root: Any) -> Iterator[Any]:
        if isinstance(node, dict):
            yield {name: node[name] for name in names if name in node}

    return _Segment(select, True)


def _index(index: int) -> _Segment:
    def select(node: Any, root: Any) -> Iterator[Any]:
        if isinstance(node, list) and -len(node) <= index < len(node):
            yield node[index]

    return _Segment(select, True, index if index >= 0 else None)


def _indices(indices: tuple[int, ...]) -> _Segment:
    def select(node: Any, root: Any) -> Iterator[Any]:
        if isinstance(node, list):
            yield from (node[index] for index in indices if -len(node) <= index < len(node))

    return _Segment(select, False)


def _slice(bounds: slice) -> _Segment:
    def select(node: Any, root: Any) -> Iterator[Any]:
        if isinstance(node, list):
            yield from node[bounds]

    return _Segment(select, False)


def _wildcard() -> _Segment:
    def select(node: Any, root: Any) -> Iterator[Any]:
        if isinstance(node, dict):
            yield from node.values()
        elif isinstance(node, list):
            yield from node

    return _Segment(select, False)


def _deep() -> _Segment:
    def select(node: Any, root: Any) -> Iterator[Any]:
        yield node
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        for child in children:
            yield from select(child, root)

    return _Segment(select, False)


def _filter(predicate: Callable[[Any, Any], bool]) -> _Segment:
    def select(node: Any, root: Any) -> Iterator[Any]:
        if isinstance(node, list):
            yield from (item for item in node if predicate(item, root))
        elif isinstance(node, dict) and predicate(node, root):
            yield node

    return _Segment(select, False)


def _matches(left: Callable[[Any, Any], Any], pattern: re.Pattern[str]) -> Callable[[Any, Any], bool]:
    def test(node: Any, root: Any) -> bool:
        value = left(node, root)
        return isinstance(value, str) and pattern.fullmatch(value) is not None

    return test


def _compare(
    symbol: str, left: Callable[[Any, Any], Any], right: Callable[[Any, Any], Any]
) -> Callable[[Any, Any], bool]:
    def test(node: Any, root: Any) -> bool:
        one, other = left(node, root), right(node, root)
        if symbol in ("==", "!="):
            same = one is not _MISSING and other is not _MISSING and equal(one, other)
            return same if symbol == "==" else not same
        numbers = is_number(one) and is_number(other)
        if not numbers and not (isinstance(one, str) and isinstance(other, str)):
            return False
        return bool({"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[symbol])

    return test


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: ``true`` is not ``1``, and ``1`` is ``1.0``."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    return bool(one == other)


@lru_cache(maxsize=4096)
def parse(text: str) -> Path:
    """Parse a whole path.

    :raises PathSyntaxError: the text is not a path.
    """
    parser = _Parser(text)
    path = parser.path()
    if parser.position != len(text):
        raise parser.fail("Unexpected text")
    return path


def parse_prefix(text: str, start: int) -> tuple[Path, int]:
    """Parse the path that begins at a position of a text.

    :param text: the text around it.
    :param start: position of its first character.
    :returns: the path and the position after it.
    :raises PathSyntaxError: no path begins there.
    """
    parser = _Parser(text, start)
    return parser.path(), parser.position


def evaluate(path: Path, document: Any, context: Any, variables: dict[str, Any]) -> Any:
    """Evaluate a path against the state's input, the context object or a variable.

    :param path: the parsed path.
    :param document: what ``$`` means.
    :param context: what ``$$`` means.
    :param variables: name → value.
    :raises PathNotFoundError: the node or variable is missing.
    """
    if path.root == "$":
        return path.find(document, document)
    if path.root == "$$":
        return path.find(context, context)
    if path.root not in variables:
        raise PathNotFoundError(path.text)
    value = variables[path.root]
    return path.find(value, value)


def assign(path: Path, document: Any, value: Any) -> Any:
    """Return a copy of a document with a value written at a reference path (``ResultPath``).

    :param path: a reference path.
    :param document: the document, which stays as it is.
    :param value: the value.
    :raises PathNotFoundError: the path crosses something that is neither object nor list, or an
        index that is out of range.
    """

    def write(node: Any, tokens: list[str | int]) -> Any:
        if not tokens:
            return value
        token, rest = tokens[0], tokens[1:]
        if isinstance(token, int):
            if not isinstance(node, list) or token >= len(node):
                raise PathNotFoundError(path.text)
            return [write(item, rest) if index == token else item for index, item in enumerate(node)]
        if node is None:
            node = {}
        if not isinstance(node, dict):
            raise PathNotFoundError(path.text)
        return {**node, token: write(node.get(token), rest)}

    return write(document, path.tokens())
