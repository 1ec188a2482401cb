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
        pytest.param(
            *("AB", "B", "B", PREVIOUS),
            r"before B \(endpoint config A does not exist, so it is skipped\)",
            id="the one before is gone",
        ),
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


FOUND = Target("B", "p", run_id="p-20240501T0000-g0", data_date="2024-04-30", models=("m1", "m2"))


def choose_named(name: str, found: Target | None) -> tuple[Target, list[str]]:
    return choose(
        name, pipeline="p", endpoint="e", serving="C", serving_history=history("ABC"), look=lambda name: found
    )


UNUSABLE: dict[str, tuple[Target | None, str]] = {
    "gone": (None, "endpoint config B does not exist"),
    "another pipeline's": (Target("B", "q"), "endpoint config B belongs to pipeline q, not to p"),
    "without a tag": (
        Target("B", None),
        "endpoint config B has no tag brewtrain:pipeline, so it is not known to be p's",
    ),
    "without its model": (
        Target("B", "p", missing=("its model m was deleted", "its archive is gone")),
        "endpoint config B cannot serve: its model m was deleted, its archive is gone",
    ),
}


@pytest.mark.parametrize(("found", "problem"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_named_config_that_cannot_serve_is_refused_with_a_way_out(found: Target | None, problem: str) -> None:
    with pytest.raises(DeploymentError) as caught:
        choose_named("B", found)
    assert str(caught.value) == (
        f"{problem}; name another endpoint config, or deploy the run again with p__promote, which creates model and "
        "config again"
    )


@pytest.mark.parametrize(("found", "problem"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_previous_config_that_cannot_serve_is_skipped_and_the_notes_say_so(
    found: Target | None, problem: str
) -> None:
    def look(name: str) -> Target | None:
        return found if name == "B" else Target(name, "p")

    previous, notes = choose(
        PREVIOUS, pipeline="p", endpoint="e", serving="C", serving_history=history("ABC"), look=look
    )
    assert (previous.name, notes) == ("A", [f"{problem}, so it is skipped"])


def test_a_named_config_that_served_needs_no_note() -> None:
    assert choose_named("B", FOUND) == (FOUND, [])


def test_what_serves_is_no_target() -> None:
    with pytest.raises(DeploymentError) as caught:
        choose_named("C", FOUND)
    assert str(caught.value) == "endpoint 'e' already serves C: there is nothing to roll back"


def test_without_anything_to_go_back_to_every_skipped_config_and_the_way_out_are_named() -> None:
    with pytest.raises(DeploymentError) as caught:
        chosen("ABC", "C", there="AC", broken="A")
    assert str(caught.value) == (
        "no endpoint config is known to have served endpoint 'e' before C (endpoint config B does not exist, so it is "
        "skipped; endpoint config A cannot serve: its model m was deleted, so it is skipped); name an endpoint config "
        "as target, or deploy an earlier run with p__promote"
    )


def test_configs_that_served_later_are_offered_if_they_exist() -> None:
    with pytest.raises(DeploymentError) as caught:
        chosen("ABCD", "A", there="ABD")
    assert str(caught.value) == (
        "no endpoint config is known to have served endpoint 'e' before A; name an endpoint config as target, or "
        "deploy an earlier run with p__promote; configs that served later can be named as target: B, D"
    )


def test_the_question_compares_what_serves_with_what_would() -> None:
    metrics = {"validation:error": 0.1, "validation:auc": 0.8, "validation:brier": None}
    text = body(FOUND, serving="C", serving_date="2024-05-02", metrics=metrics, notes=["mind this", "and this"])
    assert text.splitlines() == [
        "**mind this.**",
        "**and this.**",
        "| | serves now | to go back to |",
        "|---|---|---|",
        "| endpoint config | `C` | `B` |",
        "| model | | `m1`, `m2` |",
        "| data up to | 2024-05-02 | 2024-04-30 |",
        "| run | | `p-20240501T0000-g0` |",
        "",
        "The next retraining with newer data deploys over it: pause the retrain DAG if that must not happen.",
        "",
        "Evaluated then: validation:auc 0.8000, validation:error 0.1000.",
    ]
    assert subject(FOUND, pipeline="p", endpoint="e", serving="C", serving_date="2024-05-02") == (
        "p: roll endpoint e back from C (data up to 2024-05-02) to B (data up to 2024-04-30)?"
    )


def test_the_question_says_what_is_not_known() -> None:
    found = Target("B", "p", models=("m",))
    lines = body(found, serving="C", serving_date=None, metrics={}, notes=[]).splitlines()
    assert "| data up to | unknown | unknown |" in lines
    assert "| run | | `unknown` |" in lines
    assert not any(line.startswith("Evaluated then") for line in lines)
    assert subject(found, pipeline="p", endpoint="e", serving="C", serving_date=None) == (
        "p: roll endpoint e back from C (data up to unknown) to B (data up to unknown)?"
    )


@pytest.mark.parametrize(
    ("params", "target"),
    [
        pytest.param({}, "previous", id="nothing"),
        pytest.param({"target": "previous"}, "previous", id="previous"),
        pytest.param({"target": "a" * 63}, "a" * 63, id="the longest name"),
        pytest.param({"target": "a-" + "b" * 61}, "a-" + "b" * 61, id="the longest name with a hyphen"),
        pytest.param({"target": "A1--b2"}, "A1--b2", id="hyphens and digits"),
    ],
)
def test_a_target_that_may_be_a_config_is_read(params: dict[str, str], target: str) -> None:
    assert read_target(params) == target


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("a" * 64, id="too long"),
        pytest.param("a-" + "b" * 62, id="too long with a hyphen"),
        pytest.param("a\n", id="a line break"),
        pytest.param("-a", id="a hyphen first"),
        pytest.param("a_b", id="an underscore"),
        pytest.param(7, id="a number"),
        pytest.param(None, id="left empty"),
    ],
)
def test_a_target_that_cannot_be_a_config_is_refused(value: object) -> None:
    with pytest.raises(InputError) as caught:
        read_target({"target": value})
    assert str(caught.value) == f"param target is {value!r}; write previous, or the name of an endpoint config"


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
