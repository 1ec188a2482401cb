"""The gate: every rule, each side of its bound, and what the rules say together."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brewtrain.domain.evaluation.gate import (
    CHAMPION_COMPARED,
    CHAMPION_NOT_COMPARABLE,
    METRICS,
    ChampionRule,
    Difference,
    Evidence,
    GateRules,
    GateRulesError,
    decide,
    from_arguments,
    to_arguments,
)

GOOD = Evidence(
    rows=1000,
    positives=100,
    metrics={"auc": 0.8, "aucpr": 0.4, "error": 0.09, "logloss": 0.3},
    majority_class_error=0.1,
)
COMPARED = dataclasses.replace(
    GOOD,
    champion_status=CHAMPION_COMPARED,
    differences={"auc": Difference(-0.005, -0.02, 0.01), "logloss": Difference(0.01, 0.002, 0.03)},
)
LOST = dataclasses.replace(GOOD, champion_status=CHAMPION_NOT_COMPARABLE, champion_reason="its archive is a pickle")
NO_RULES = {"better_than_majority": False}


def rules(**settings: Any) -> GateRules:
    return GateRules(**{**NO_RULES, **settings})


def auc(drop: float, evidence: str = "interval") -> dict[str, Any]:
    return {"champion": (ChampionRule("auc", drop, evidence),)}


# What is asked, what was found, outcome, the rule that refused (or was skipped).
TABLE: dict[str, tuple[dict[str, Any], Evidence, str, str | None]] = {
    "no rules": ({}, GOOD, "pass", None),
    "on the floor": ({"floors": {"auc": 0.8}}, GOOD, "pass", None),
    "below the floor": ({"floors": {"auc": 0.8001}}, GOOD, "refuse", "floor"),
    "at the ceiling": ({"ceilings": {"logloss": 0.3}}, GOOD, "pass", None),
    "above the ceiling": ({"ceilings": {"logloss": 0.2999}}, GOOD, "refuse", "ceiling"),
    "a floor that was not measured": ({"floors": {"lift_top_decile": 1.0}}, GOOD, "refuse", "floor"),
    "a floor measured as nan": (
        {"floors": {"auc": 0.1}},
        dataclasses.replace(GOOD, metrics={"auc": math.nan}),
        "refuse",
        "floor",
    ),
    "better than the majority class": ({"better_than_majority": True}, GOOD, "pass", None),
    "as good as the majority class": (
        {"better_than_majority": True},
        dataclasses.replace(GOOD, majority_class_error=0.09),
        "refuse",
        "better_than_majority",
    ),
    "an error that was not measured": (
        {"better_than_majority": True},
        dataclasses.replace(GOOD, metrics={}),
        "refuse",
        "better_than_majority",
    ),
    "just enough rows": ({"minimum_rows": 1000}, GOOD, "pass", None),
    "a row too few": ({"minimum_rows": 1001}, GOOD, "refuse", "minimum_rows"),
    "just enough positives": ({"minimum_positives": 100}, GOOD, "pass", None),
    "a positive too few": ({"minimum_positives": 101}, GOOD, "refuse", "minimum_positives"),
    "a negative too few": (
        {"minimum_positives": 101},
        dataclasses.replace(GOOD, positives=900),
        "refuse",
        "minimum_positives",
    ),
    "a first run that may pass": ({"first_run": "pass"}, GOOD, "pass", "first_run"),
    "a first run that a person decides": ({"first_run": "refuse"}, GOOD, "refuse", "first_run"),
    "no first run": ({"first_run": "refuse"}, COMPARED, "pass", None),
    "the interval touches the margin": (auc(0.02), COMPARED, "pass", None),
    "the interval crosses the margin": (auc(0.0199), COMPARED, "refuse", "not_worse_than_champion"),
    "the point touches the margin": (auc(0.005, "point"), COMPARED, "pass", None),
    "the point crosses the margin": (auc(0.004, "point"), COMPARED, "refuse", "not_worse_than_champion"),
    "a rise within the margin": ({"champion": (ChampionRule("logloss", 0.03),)}, COMPARED, "pass", None),
    "a rise beyond the margin": (
        {"champion": (ChampionRule("logloss", 0.02),)},
        COMPARED,
        "refuse",
        "not_worse_than_champion",
    ),
    "a rise of the point within the margin": (
        {"champion": (ChampionRule("logloss", 0.01, "point"),)},
        COMPARED,
        "pass",
        None,
    ),
    "a difference that was not measured": (
        {"champion": (ChampionRule("brier", 1.0),)},
        COMPARED,
        "refuse",
        "not_worse_than_champion",
    ),
    "a champion that is not comparable": (auc(0.5), LOST, "refuse", "champion_comparable"),
    "such a champion ignored": (
        {**auc(0.5), "champion_not_comparable": "ignore"},
        LOST,
        "pass",
        "champion_comparable",
    ),
    "such a champion without rules": ({}, LOST, "pass", "champion_comparable"),
}


@pytest.mark.parametrize(("asked", "found", "outcome", "rule"), TABLE.values(), ids=TABLE)
def test_each_rule_refuses_what_breaks_it(
    asked: dict[str, Any], found: Evidence, outcome: str, rule: str | None
) -> None:
    decision = decide(rules(**asked), found)
    assert decision.outcome == outcome
    telling = [check for check in decision.checks if check.outcome == ("refuse" if outcome == "refuse" else "skipped")]
    if rule is not None and outcome == "refuse":
        assert [check.rule for check in telling] == [rule]
        assert decision.reasons == [telling[0].sentence]
    elif rule is not None:
        assert rule in [check.rule for check in telling]
    else:
        assert [check.rule for check in telling if check.rule != "first_run"] == []


def test_table_covers_every_rule() -> None:
    assert {rule for *_, rule in TABLE.values() if rule} == {
        "floor",
        "ceiling",
        "better_than_majority",
        "minimum_rows",
        "minimum_positives",
        "first_run",
        "not_worse_than_champion",
        "champion_comparable",
    }


def test_every_broken_rule_is_told() -> None:
    asked = GateRules(
        floors={"auc": 0.9}, ceilings={"error": 0.01}, minimum_rows=5000, champion=(ChampionRule("auc", 0.0),)
    )
    decision = decide(asked, COMPARED)
    assert len(decision.reasons) == 4
    assert "1000 validation rows are fewer than the 5000 that the gate asks for" in decision.reasons
    assert "auc 0.8000 is below its floor of 0.9000" in decision.reasons
    assert "error 0.0900 is above its ceiling of 0.0100" in decision.reasons
    assert decision.reasons[-1] == (
        "auc is worse than the champion's by more than 0.0000: "
        "candidate − champion = -0.0050 (interval -0.0200 to +0.0100)"
    )


BROKEN_FLOOR: dict[str, Any] = {"floors": {"auc": 0.9}}
RED = {
    "skip, a broken floor": ("skip", BROKEN_FLOOR, False),
    "fail, a broken floor": ("fail", BROKEN_FLOOR, True),
    "fail, a better champion": ("fail", auc(0.0), True),
    "fail, nothing broken": ("fail", {}, False),
    "below bounds, a broken floor": ("fail_below_bounds", BROKEN_FLOOR, True),
    "below bounds, a broken ceiling": (
        "fail_below_bounds",
        {"better_than_majority": True, "ceilings": {"error": 0.01}},
        True,
    ),
    "below bounds, a better champion": ("fail_below_bounds", auc(0.0), False),
    "below bounds, too few rows": ("fail_below_bounds", {"minimum_rows": 9999}, False),
}


@pytest.mark.parametrize(("on_reject", "asked", "red"), RED.values(), ids=RED)
def test_red_only_when_asked(on_reject: str, asked: dict[str, Any], red: bool) -> None:
    assert decide(rules(on_reject=on_reject, **asked), COMPARED).red is red


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: GateRules(floors={"auroc": 0.5}), "metric 'auroc' is not known"),
        (lambda: GateRules(floors={"logloss": 0.5}), "less of it is better; write a ceiling"),
        (lambda: GateRules(ceilings={"auc": 0.5}), "more of it is better; write a floor"),
        (lambda: GateRules(floors={"auc": math.nan}), "write a finite number"),
        (lambda: GateRules(minimum_rows=-1), "minimum_rows is -1"),
        (lambda: GateRules(minimum_positives=True), "minimum_positives is True"),
        (lambda: GateRules(first_run="maybe"), "first_run is 'maybe'; write one of pass, refuse"),
        (lambda: GateRules(on_reject="stop"), "on_reject is 'stop'"),
        (lambda: GateRules(champion=(ChampionRule("auc", 0.1), ChampionRule("auc", 0.2))), "named twice"),
        (lambda: ChampionRule("auc", -0.1), "max_drop is -0.1"),
        (lambda: ChampionRule("auc", 0.1, "luck"), "evidence is 'luck'"),
        (lambda: from_arguments(["auc"]), "is not 'name=value'"),
        (lambda: from_arguments(["floor.auc=0.5", "floor.auc=0.6"]), "written twice"),
        (lambda: from_arguments(["floor.auc=high"]), "'high' is not a number"),
        (lambda: from_arguments(["minimum_rows=many"]), "write a whole number"),
        (lambda: from_arguments(["better_than_majority=yes"]), "write true or false"),
        (lambda: from_arguments(["patience=3"]), "is not known"),
    ],
)
def test_rules_that_make_no_sense(make: Any, says: str) -> None:
    with pytest.raises(GateRulesError, match=None) as caught:
        make()
    assert says in str(caught.value)


_bounds = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
_champions = st.lists(
    st.builds(
        ChampionRule,
        st.sampled_from(METRICS),
        st.floats(min_value=0, max_value=1e3),
        st.sampled_from(["interval", "point"]),
    ),
    unique_by=lambda rule: rule.metric,
).map(tuple)


@given(
    floors=st.dictionaries(st.sampled_from(["auc", "aucpr", "lift_top_decile"]), _bounds),
    ceilings=st.dictionaries(st.sampled_from(["error", "logloss", "brier", "ece"]), _bounds),
    champion=_champions,
    better_than_majority=st.booleans(),
    minimum_rows=st.integers(0, 10**9),
    minimum_positives=st.integers(0, 10**9),
    first_run=st.sampled_from(["pass", "refuse"]),
    champion_not_comparable=st.sampled_from(["refuse", "ignore"]),
    on_reject=st.sampled_from(["skip", "fail", "fail_below_bounds"]),
)
def test_rules_survive_the_way_through_arguments(**settings: Any) -> None:
    asked = GateRules(**settings)
    arguments = to_arguments(asked)
    assert set(arguments[::2]) == {"--rule"}
    assert max(map(len, arguments)) <= 256
    assert from_arguments(arguments[1::2]) == asked


@given(drop=st.floats(0, 1), value=st.floats(-1, 1), spread=st.floats(0, 1))
def test_interval_is_never_more_lenient_than_the_point(drop: float, value: float, spread: float) -> None:
    found = dataclasses.replace(COMPARED, differences={"auc": Difference(value, value - spread, value + spread)})
    if decide(rules(**auc(drop)), found).outcome == "pass":
        assert decide(rules(**auc(drop, "point")), found).outcome == "pass"
