"""Regular expressions mean what Java's mean."""

from __future__ import annotations

import polars as pl
import pytest

from recipe_runner.errors import RecipeError
from recipe_runner.language.java_patterns import from_java
from recipe_runner.language.patterns import Pattern, is_native

# Pattern, texts in which it is found, texts in which it is not.
FOUND = [
    (r"^\w+$", ["abc_1"], ["é", "ab c", "Ж"]),
    (r"\W", ["é", " "], ["a_1"]),
    (r"^\d+$", ["09"], ["٣", "x"]),
    (r"\D", ["٣"], ["09"]),
    (r"^\s$", [" ", "\t", "\x0b"], ["\u00a0", "\u2003"]),
    (r"\S", ["\u2003"], [" \t"]),
    (r"^[\w.-]+$", ["a.b-c"], ["é.b"]),
    (r"^[^\W_]+$", ["abc"], ["a_c", "é"]),
    (r"^[\D]+$", ["abc"], ["a1"]),
    (r"(?<=\d)x", ["1x"], ["٣x", "x"]),
    (r"(?=[^\W\d])[a-z1]", ["a"], ["1"]),
    (r"^\x{41}$", ["A"], ["x{41}"]),
    (r"^\x41$", ["A"], ["x"]),
    (r"^[\x{61}-\x{63}]$", ["b"], ["d", "-"]),
    (r"^\x{1F600}$", ["😀"], ["x"]),
    (r"^\0101\07$", ["A\x07"], ["0101"]),
    (r"^\x{2e}$", ["."], ["a"]),
    (r"^\Q\w\E$", [r"\w"], ["a"]),
    (r"^\\w$", [r"\w"], ["a"]),
    (r"a++a", [], ["aaa"]),
    (r"^x{1,2}+x$", ["xxx"], ["xx", "x"]),
    (r"^[*+]+\++\p{L}+$", ["*++a"], ["a", "+a"]),
    (r"^\p{Alpha}\P{Digit}$", ["aé"], ["éa", "a1"]),
]


@pytest.mark.parametrize(("pattern", "found", "missing"), FOUND, ids=[case[0] for case in FOUND])
def test_a_pattern_finds_what_java_finds(pattern: str, found: list[str], missing: list[str]) -> None:
    frame = pl.DataFrame({"a": found + missing})
    result = frame.select(Pattern(pattern).contains(pl.col("a"))).to_series().to_list()
    assert result == [True] * len(found) + [False] * len(missing)


@pytest.mark.parametrize("pattern", [case[0] for case in FOUND])
def test_translating_a_pattern_twice_changes_nothing(pattern: str) -> None:
    assert from_java(from_java(pattern)) == from_java(pattern)


@pytest.mark.parametrize("pattern", [r"\x{110000}", r"\x{D800}"])
def test_a_number_without_a_character_does_not_compile(pattern: str) -> None:
    with pytest.raises(RecipeError, match="does not compile"):
        Pattern(pattern)


@pytest.mark.parametrize("pattern", [r"\p{L}+", r"\++", "[*+]+", "a{2}", "a+?"])
def test_the_fast_engine_takes_other_quantifiers(pattern: str) -> None:
    assert is_native(pattern)


@pytest.mark.parametrize("pattern", ["a++", "a{2}+"])
def test_the_fast_engine_does_not_take_possessive_quantifiers(pattern: str) -> None:
    assert not is_native(pattern)
