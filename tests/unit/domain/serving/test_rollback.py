"""Which endpoint config a rollback goes to: never one that did not serve."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brewtrain.domain.errors import DeploymentError, InputError
from brewtrain.domain.serving.rollback import PREVIOUS, Target, body, choose, read_target, subject
from brewtrain.domain.serving.serving_history import Serving

START = datetime(2024, 5, 1, tzinfo=UTC)


def history(served: str) -> list[Serving]:
    return [Serving(config, START + timedelta(hours=number)) for number, config in enumerate(served)]


def chosen(served: str, serving: str, *, there: str = "ABCDEX", broken: str = "", target: str = PREVIOUS) -> Target:
    def look(name: str) -> Target | None:
        if name not in there:
            return None
        return Target(name, "p", models=("m",), missing=("its model m was deleted",) if name in broken else ())

    found, _ = choose(target, pipeline="p", endpoint="e", serving=serving, serving_history=history(served), look=look)
    return found


@pytest.mark.parametrize(
    ("served", "serving", "there", "broken", "expected"),
    [
        ("ABC", "C", "ABC", "", "B"),
        ("ABCB", "B", "ABC", "", "A"),
        ("ABC", "C", "AC", "", "A"),
        ("ABC", "C", "ABC", "B", "A"),
        # D and E were made and never deployed.
        ("ABC", "C", "ABCDE", "", "B"),
        ("AB", "X", "ABX", "", "B"),
    ],
)
def test_previous(served: str, serving: str, there: str, broken: str, expected: str) -> None:
    assert chosen(served, serving, there=there, broken=broken).name == expected


@pytest.mark.parametrize(
    ("served", "serving", "there", "target", "message"),
    [
        ("A", "A", "A", PREVIOUS, "no endpoint config is known to have served endpoint 'e' before A"),
        ("", "A", "AB", PREVIOUS, "no endpoint config is known to have served"),
        ("AB", "B", "B", PREVIOUS, r"before B \(endpoint config A does not exist, so it is skipped\)"),
        ("AB", "A", "AB", PREVIOUS, "configs that served later can be named as target: B"),
        ("AB", "B", "AB", "B", "already serves B"),
        ("AB", "B", "AB", "Z", "endpoint config Z does not exist"),
    ],
)
def test_what_will_not_do_is_named(served: str, serving: str, there: str, target: str, message: str) -> None:
    with pytest.raises(DeploymentError, match=message):
        chosen(served, serving, there=there, target=target)


def test_another_pipelines_config_is_refused() -> None:
    with pytest.raises(DeploymentError, match="endpoint config B belongs to pipeline q, not to p"):
        choose("B", pipeline="p", endpoint="e", serving="A", serving_history=[], look=lambda name: Target(name, "q"))


def test_one_that_never_served_may_be_named_and_the_question_says_so() -> None:
    found, notes = choose(
        "D",
        pipeline="p",
        endpoint="e",
        serving="C",
        serving_history=history("ABC"),
        look=lambda name: Target(name, "p"),
    )
    assert notes == ["endpoint config D is not known to have served before"]
    text = body(found, serving="C", serving_date="2024-01-03", metrics={"validation:auc": 0.8}, notes=notes)
    assert "**endpoint config D is not known to have served before.**" in text
    assert "validation:auc 0.8000" in text
    headline = subject(found, pipeline="p", endpoint="e", serving="C", serving_date="2024-01-03")
    assert headline == "p: roll endpoint e back from C (data up to 2024-01-03) to D (data up to unknown)?"


@settings(max_examples=100)
@given(st.text("ABCD", max_size=7), st.sampled_from("ABCDX"), st.sets(st.sampled_from("ABCD")))
def test_previous_is_never_what_serves_nor_what_never_served(served: str, serving: str, there: set[str]) -> None:
    try:
        found = chosen(served, serving, there="".join(there))
    except DeploymentError:
        return
    assert found.name != serving
    assert found.name in served
    assert found.name in there


@settings(max_examples=100)
@given(st.text() | st.integers() | st.none() | st.lists(st.text()))
def test_any_target_is_a_name_or_refused(value: object) -> None:
    try:
        name = read_target({"target": value})
    except InputError:
        return
    assert name
    assert len(name) <= 63
    assert name.replace("-", "").isalnum()
    assert name.isascii()
