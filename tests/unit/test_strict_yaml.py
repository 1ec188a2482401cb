"""YAML as a configuration file's author expects it."""

from __future__ import annotations

from datetime import date

import pytest

from brewtrain import strict_yaml


def test_plain_yaml_is_read() -> None:
    assert strict_yaml.load("a: 1\nb: [x, 2024-01-31]\nc: {d: null}") == {
        "a": 1,
        "b": ["x", date(2024, 1, 31)],
        "c": {"d": None},
    }


def test_a_merge_key_is_no_duplicate() -> None:
    assert strict_yaml.load("x: &x {a: 1}\ny: {<<: *x, a: 2}")["y"] == {"a": 2}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: 2\na: 3", "says 'a' twice, at line 1 and line 3; keep one"),
        ("x:\n  a: 1\n  a: 1", "says 'a' twice, at line 2 and line 3"),
        ("x:\n\ta: 1", "has a tab at line 2, column 1; indent with spaces"),
        ("a: @daily", "a value cannot start with @; put it in quotes"),
        ("a: 2024-02-31", "has '2024-02-31' at line 1, which looks like a date but is not one"),
        ("---\na: 1\n---\nb: 2", "holds more than one document"),
        ("a: !!python/name:os.system x", "has a YAML tag"),
        ("a: [1", "is not YAML at line 1"),
        ("a: b: c", "is not YAML at line 1, column 5"),
        ("? [1]\n: 2", "has a list or mapping as a key at line 1"),
        ("\x00", "holds control characters"),
    ],
)
def test_what_cannot_be_read_without_guessing_is_named(text: str, sentence: str) -> None:
    with pytest.raises(strict_yaml.YamlError) as caught:
        strict_yaml.load(text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
