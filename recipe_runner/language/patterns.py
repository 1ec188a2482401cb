"""Regular expressions over columns, in bounded time.

The service uses Java's dialect. Polars' engine (Rust) runs in linear time but has no look-around
and no back-references; a pattern that it does not support goes to the `regex` package, value by
value, with a time limit for each. Knows no action.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import regex

from recipe_runner.errors import RecipeError
from recipe_runner.language.java_patterns import from_java, is_possessive

SECONDS_PER_VALUE = 1.0
# Many values just below the limit would still take forever.
SECONDS_PER_BATCH = 20.0
SLOW_AVERAGE = 0.005


def is_native(source: str) -> bool:
    """Whether polars' own engine accepts the pattern and means the same by it."""
    if is_possessive(source):
        return False
    try:
        pl.select(pl.lit("").str.contains(pl.lit(source), strict=True))
    except pl.exceptions.PolarsError:
        return False
    return True


def compiled(source: str, *, ignore_case: bool = False) -> regex.Pattern[str]:
    """Compile a pattern for Python code that works value by value.

    Version 1 of `regex` knows sets within sets, as Java and polars' engine do.
    """
    return regex.compile(from_java(source), regex.VERSION1 | (regex.IGNORECASE if ignore_case else 0))


class Pattern:
    """A compiled regular expression that makes polars expressions.

    :param source: the pattern.
    :raises RecipeError: it does not compile.
    """

    def __init__(self, source: str, *, ignore_case: bool = False) -> None:
        source = from_java(source)
        self.source = f"(?i){source}" if ignore_case else source
        try:
            self._compiled = compiled(self.source)
        except regex.error as problem:
            raise RecipeError(f"the regular expression {source!r} does not compile: {problem}") from problem
        self.groups = self._compiled.groups
        self._native = is_native(self.source)

    def contains(self, text: pl.Expr) -> pl.Expr:
        """Return where the pattern is found anywhere in the text; null stays null."""
        if self._native:
            return text.str.contains(pl.lit(self.source))
        return self._per_value(
            text, lambda value, limit: self._compiled.search(value, timeout=limit) is not None, pl.Boolean()
        )

    def matches(self, text: pl.Expr) -> pl.Expr:
        """Return where the pattern matches the whole text; null stays null."""
        whole = rf"\A(?:{self.source})\z"
        if self._native and is_native(whole):
            return text.str.contains(pl.lit(whole))
        return self._per_value(
            text, lambda value, limit: self._compiled.fullmatch(value, timeout=limit) is not None, pl.Boolean()
        )

    def replace_all(self, text: pl.Expr, replacement: str) -> pl.Expr:
        """Replace every match; `$1` and `${name}` insert groups, a lone `$` is itself."""
        parts = replacement_parts(replacement, self.groups, self._compiled.groupindex)
        if self._native:
            native = "".join(part.replace("$", "$$") if isinstance(part, str) else f"${{{part}}}" for part in parts)
            # For a pattern without special signs polars does a plain search, which keeps `$$`.
            source = f"(?:{self.source})" if "$" in native else self.source
            return text.str.replace_all(pl.lit(source), pl.lit(native))

        def expand(match: regex.Match[str]) -> str:
            return "".join(part if isinstance(part, str) else (match.group(part) or "") for part in parts)

        return self._per_value(text, lambda value, limit: self._compiled.sub(expand, value, timeout=limit), pl.String())

    def extract(self, text: pl.Expr, *, group: int = 0) -> pl.Expr:
        """Return the first match or one of its groups; null if there is none."""
        if self._native:
            return text.str.extract(pl.lit(self.source), group)

        def first(value: str, limit: float) -> str | None:
            found = self._compiled.search(value, timeout=limit)
            return None if found is None else found.group(group)

        return self._per_value(text, first, pl.String())

    def split(self, text: pl.Expr, limit: int) -> pl.Expr:
        """Return a list of the parts between matches, at most `limit` + 1 of them."""
        return self._per_value(
            text,
            lambda value, seconds: self._compiled.split(value, maxsplit=limit, timeout=seconds),
            pl.List(pl.String()),
        )

    def _per_value(self, text: pl.Expr, function: Callable[[str, float], Any], dtype: pl.DataType) -> pl.Expr:
        def batch(values: pl.Series) -> pl.Series:
            result: list[Any] = []
            start = time.monotonic()
            try:
                for number, value in enumerate(values, 1):
                    result.append(None if value is None else function(value, SECONDS_PER_VALUE))
                    elapsed = time.monotonic() - start
                    if elapsed > SECONDS_PER_BATCH and elapsed / number > SLOW_AVERAGE:
                        raise TimeoutError
            except TimeoutError as problem:
                raise RecipeError(
                    f"the regular expression {self.source!r} takes too long to match the column's values; simplify it"
                ) from problem
            return pl.Series(values.name, result, dtype=dtype)

        return text.map_batches(batch, return_dtype=dtype, is_elementwise=True)


def replacement_parts(replacement: str, groups: int, names: Mapping[str, int]) -> list[str | int]:
    """Split a Java replacement text into literals and group numbers.

    The rules are those of java.util.regex.Matcher.replaceAll.

    :param replacement: the text.
    :param groups: how many groups the pattern has.
    :param names: numbers of its named groups.
    """
    parts: list[str | int] = []
    at = 0
    while at < len(replacement):
        character = replacement[at]
        if character == "\\" and at + 1 < len(replacement):
            parts.append(replacement[at + 1])
            at += 2
            continue
        if character == "$":
            found = re.match(r"\d+", replacement[at + 1 :])
            if found and int(found.group(0)) <= groups:
                parts.append(int(found.group(0)))
                at += 1 + found.end()
                continue
            found = re.match(r"\{(\w+)\}", replacement[at + 1 :])
            if found and found.group(1) in names:
                parts.append(names[found.group(1)])
                at += 1 + found.end()
                continue
        parts.append(character)
        at += 1
    return parts


def literal(text: str) -> str:
    """Return a pattern that finds exactly this text, in both engines."""
    return re.escape(text)
