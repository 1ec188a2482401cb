"""The gate: every rule, each side of its bound, and what the rules say together."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brewtrain.domain.evaluation.gate import (
    ALL_NULL,
    CHAMPION_COMPARED,
    CHAMPION_NOT_COMPARABLE,
    FEATURE_CHANGES,
    METRICS,
    ChampionRule,
    Check,
    Difference,
    Evidence,
    FeatureFinding,
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


CHAMPION_SENTENCE = "candidate − champion = -0.0050 (interval -0.0200 to +0.0100)"
SENTENCES: dict[str, tuple[dict[str, Any], Evidence, Check]] = {
    "enough rows": (
        {"minimum_rows": 1000},
        GOOD,
        Check("minimum_rows", None, "pass", "1000 validation rows are at least the 1000 that the gate asks for"),
    ),
    "too few rows": (
        {"minimum_rows": 1001},
        GOOD,
        Check("minimum_rows", None, "refuse", "1000 validation rows are fewer than the 1001 that the gate asks for"),
    ),
    "enough positives": (
        {"minimum_positives": 100},
        GOOD,
        Check(
            "minimum_positives",
            None,
            "pass",
            "100 validation rows of the rarer class are at least the 100 that the gate asks for",
        ),
    ),
    "too few negatives": (
        {"minimum_positives": 101},
        dataclasses.replace(GOOD, positives=900),
        Check(
            "minimum_positives",
            None,
            "refuse",
            "100 validation rows of the rarer class are fewer than the 101 that the gate asks for",
        ),
    ),
    "on the floor": (
        {"floors": {"auc": 0.8}},
        GOOD,
        Check("floor", "auc", "pass", "auc 0.8000 is not below its floor of 0.8000"),
    ),
    "below the floor": (
        {"floors": {"auc": 0.8001}},
        GOOD,
        Check("floor", "auc", "refuse", "auc 0.8000 is below its floor of 0.8001"),
    ),
    "at the ceiling": (
        {"ceilings": {"logloss": 0.3}},
        GOOD,
        Check("ceiling", "logloss", "pass", "logloss 0.3000 is not above its ceiling of 0.3000"),
    ),
    "above the ceiling": (
        {"ceilings": {"logloss": 0.2999}},
        GOOD,
        Check("ceiling", "logloss", "refuse", "logloss 0.3000 is above its ceiling of 0.2999"),
    ),
    "a floor that was not measured": (
        {"floors": {"lift_top_decile": 1.0}},
        GOOD,
        Check(
            "floor",
            "lift_top_decile",
            "refuse",
            "lift_top_decile was not measured, so its floor of 1.0000 is not met",
        ),
    ),
    "a ceiling measured as nan": (
        {"ceilings": {"ece": 0.1}},
        dataclasses.replace(GOOD, metrics={"ece": math.nan}),
        Check("ceiling", "ece", "refuse", "ece was not measured, so its ceiling of 0.1000 is not met"),
    ),
    "better than the majority class": (
        {"better_than_majority": True},
        GOOD,
        Check(
            "better_than_majority",
            "error",
            "pass",
            "error 0.0900 is below 0.1000, the error of always predicting the more common class",
        ),
    ),
    "as good as the majority class": (
        {"better_than_majority": True},
        dataclasses.replace(GOOD, majority_class_error=0.09),
        Check(
            "better_than_majority",
            "error",
            "refuse",
            "error 0.0900 is not below 0.0900, the error of always predicting the more common class",
        ),
    ),
    "an error that was not measured": (
        {"better_than_majority": True},
        dataclasses.replace(GOOD, metrics={}),
        Check(
            "better_than_majority",
            "error",
            "refuse",
            "error was not measured, so it is not known to beat the majority class",
        ),
    ),
    "an error measured as nan": (
        {"better_than_majority": True},
        dataclasses.replace(GOOD, metrics={"error": math.nan}),
        Check(
            "better_than_majority",
            "error",
            "refuse",
            "error was not measured, so it is not known to beat the majority class",
        ),
    ),
    "a first run that a person decides": (
        {"first_run": "refuse"},
        GOOD,
        Check(
            "first_run", None, "refuse", "no champion serves and the pipeline wants a person to promote its first model"
        ),
    ),
    "a first run that may pass": (
        {},
        GOOD,
        Check(
            "first_run",
            None,
            "skipped",
            "no champion serves, so the candidate was held against the absolute rules only",
        ),
    ),
    "a champion that is not comparable": (
        auc(0.5),
        LOST,
        Check(
            "champion_comparable",
            None,
            "refuse",
            "the champion is not comparable (its archive is a pickle); promote the candidate by hand or set "
            "champion_not_comparable: ignore",
        ),
    ),
    "such a champion ignored": (
        {**auc(0.5), "champion_not_comparable": "ignore"},
        LOST,
        Check(
            "champion_comparable",
            None,
            "skipped",
            "the champion is not comparable (its archive is a pickle), so it was not compared",
        ),
    ),
    "such a champion without rules": (
        {},
        LOST,
        Check(
            "champion_comparable",
            None,
            "skipped",
            "the champion is not comparable (its archive is a pickle), and no rule compares with it",
        ),
    ),
    "not worse than the champion": (
        auc(0.02),
        COMPARED,
        Check(
            "not_worse_than_champion",
            "auc",
            "pass",
            f"auc is not worse than the champion's by more than 0.0200: {CHAMPION_SENTENCE}",
        ),
    ),
    "perhaps worse than the champion": (
        auc(0.005),
        COMPARED,
        Check(
            "not_worse_than_champion",
            "auc",
            "refuse",
            f"auc may be worse than the champion's by more than 0.0050: {CHAMPION_SENTENCE}",
        ),
    ),
    "worse than the champion": (
        auc(0.004),
        COMPARED,
        Check(
            "not_worse_than_champion",
            "auc",
            "refuse",
            f"auc is worse than the champion's by more than 0.0040: {CHAMPION_SENTENCE}",
        ),
    ),
    "perhaps higher than the champion": (
        {"champion": (ChampionRule("logloss", 0.02),)},
        COMPARED,
        Check(
            "not_worse_than_champion",
            "logloss",
            "refuse",
            "logloss may be worse than the champion's by more than 0.0200: candidate − champion = +0.0100 (interval "
            "+0.0020 to +0.0300)",
        ),
    ),
    "a difference that was not measured": (
        {"champion": (ChampionRule("brier", 1.0),)},
        COMPARED,
        Check(
            "not_worse_than_champion",
            "brier",
            "refuse",
            "the difference in brier to the champion was not measured",
        ),
    ),
}


@pytest.mark.parametrize(("asked", "found", "check"), SENTENCES.values(), ids=SENTENCES)
def test_each_check_says_what_was_found(asked: dict[str, Any], found: Evidence, check: Check) -> None:
    decision = decide(rules(**asked), found)
    assert [one for one in decision.checks if one.rule == check.rule] == [check]
    assert check.as_dict() == {
        "rule": check.rule,
        "metric": check.metric,
        "outcome": check.outcome,
        "sentence": check.sentence,
    }


NOT_MEASURED = {
    "the difference": Difference(math.nan, 0.0, 0.0),
    "its lower end": Difference(0.0, math.nan, 0.0),
    "its upper end": Difference(0.0, 0.0, math.nan),
}


@pytest.mark.parametrize("difference", NOT_MEASURED.values(), ids=NOT_MEASURED)
def test_a_difference_that_is_no_number_was_not_measured(difference: Difference) -> None:
    found = dataclasses.replace(COMPARED, differences={"auc": difference})
    assert decide(rules(**auc(1.0, "point")), found).reasons == [
        "the difference in auc to the champion was not measured"
    ]


def test_a_pass_is_told_with_the_rules_that_were_skipped() -> None:
    decision = decide(rules(minimum_rows=1), GOOD)
    assert (decision.outcome, decision.red, decision.below_bounds) == ("pass", False, False)
    assert decision.reasons == ["no champion serves, so the candidate was held against the absolute rules only"]


def test_checks_are_in_the_order_of_counts_bounds_majority_and_champion() -> None:
    asked = GateRules(
        floors={"aucpr": 0.1, "auc": 0.1},
        ceilings={"logloss": 1.0, "error": 1.0},
        minimum_rows=1,
        minimum_positives=1,
        champion=(ChampionRule("auc", 1.0), ChampionRule("logloss", 1.0)),
    )
    assert [(check.rule, check.metric) for check in decide(asked, COMPARED).checks] == [
        ("minimum_rows", None),
        ("minimum_positives", None),
        ("floor", "auc"),
        ("floor", "aucpr"),
        ("ceiling", "error"),
        ("ceiling", "logloss"),
        ("better_than_majority", "error"),
        ("not_worse_than_champion", "auc"),
        ("not_worse_than_champion", "logloss"),
    ]


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


FOUND = {change: FeatureFinding(change, True, f"f {change}", "look") for change in FEATURE_CHANGES}
WITH_FEATURES = {change: dataclasses.replace(COMPARED, features=(finding,)) for change, finding in FOUND.items()}
FEATURES: dict[str, tuple[str, set[str]]] = {
    "refuse": ("refuse", set(FEATURE_CHANGES)),
    "refuse all null": ("refuse_all_null", {ALL_NULL}),
    "warn": ("warn", set()),
}


@pytest.mark.parametrize("change", FEATURE_CHANGES)
@pytest.mark.parametrize(("asked", "refused"), FEATURES.values(), ids=FEATURES)
def test_a_feature_that_died_or_changed_is_refused_or_warned_of(asked: str, refused: set[str], change: str) -> None:
    decision = decide(rules(features=asked), WITH_FEATURES[change])
    assert decision.outcome == ("refuse" if change in refused else "pass")
    assert decision.below_bounds is False
    check = next(check for check in decision.checks if check.rule == f"feature_{change}")
    assert check.outcome == ("refuse" if change in refused else "warn")
    by_hand = ", or promote the candidate by hand" if change in refused else ""
    assert check.sentence == f"f {change}; look{by_hand}"
    assert decision.reasons == [check.sentence]


def test_every_way_a_feature_changes_has_its_own_check() -> None:
    assert len(FEATURE_CHANGES) == len(set(FEATURE_CHANGES)) == 5
    found = dataclasses.replace(COMPARED, features=tuple(FOUND.values()))
    decision = decide(rules(features="refuse", floors={"auc": 0.9}), found)
    assert [check.rule for check in decision.checks] == ["floor", *(f"feature_{change}" for change in FEATURE_CHANGES)]
    assert len(decision.reasons) == 6


def test_a_refusal_is_told_with_what_was_warned_of_after_it() -> None:
    found = dataclasses.replace(COMPARED, features=(FOUND["constant"],))
    decision = decide(rules(floors={"auc": 0.9}), found)
    assert decision.outcome == "refuse"
    assert decision.reasons == ["auc 0.8000 is below its floor of 0.9000", "f constant; look"]


def test_features_without_a_finding_pass() -> None:
    found = dataclasses.replace(COMPARED, features=(FeatureFinding(ALL_NULL, False, "no feature lost all its values"),))
    decision = decide(rules(features="refuse"), found)
    assert decision.outcome == "pass"
    assert decision.checks[-1] == Check("feature_all_null", None, "pass", "no feature lost all its values")
    assert decision.reasons == []


def test_a_window_that_is_not_known_is_said_and_no_reason_to_refuse() -> None:
    found = dataclasses.replace(COMPARED, champion_window_unknown="its run has no profile")
    decision = decide(rules(features="refuse"), found)
    assert decision.outcome == "pass"
    assert decision.reasons == ["features were not compared with the champion's window: its run has no profile"]


METRIC_NAMES = "auc, aucpr, lift_top_decile, error, logloss, brier, ece"
SENSELESS: dict[str, tuple[Callable[[], object], str]] = {
    "an unknown floor": (
        lambda: GateRules(floors={"auroc": 0.5}),
        f"metric 'auroc' is not known; write one of {METRIC_NAMES}",
    ),
    "an unknown ceiling": (
        lambda: GateRules(ceilings={"auroc": 0.5}),
        f"metric 'auroc' is not known; write one of {METRIC_NAMES}",
    ),
    "an unknown comparison": (
        lambda: ChampionRule("auroc", 0.5),
        f"metric 'auroc' is not known; write one of {METRIC_NAMES}",
    ),
    "a floor on the wrong side": (
        lambda: GateRules(floors={"logloss": 0.5}),
        "floor on logloss: less of it is better; write a ceiling",
    ),
    "a ceiling on the wrong side": (
        lambda: GateRules(ceilings={"auc": 0.5}),
        "ceiling on auc: more of it is better; write a floor",
    ),
    "a floor that is no number": (
        lambda: GateRules(floors={"auc": math.nan}),
        "floor on auc: the bound is nan; write a finite number",
    ),
    "a ceiling without end": (
        lambda: GateRules(ceilings={"error": math.inf}),
        "ceiling on error: the bound is inf; write a finite number",
    ),
    "a floor that is true": (
        lambda: GateRules(floors={"auc": True}),
        "floor on auc: the bound is True; write a finite number",
    ),
    "a floor that is text": (
        lambda: GateRules(floors={"auc": "0.5"}),  # type: ignore[dict-item]
        "floor on auc: the bound is '0.5'; write a finite number",
    ),
    "fewer rows than none": (
        lambda: GateRules(minimum_rows=-1),
        "minimum_rows is -1; write a whole number >= 0",
    ),
    "a count that is true": (
        lambda: GateRules(minimum_positives=True),
        "minimum_positives is True; write a whole number >= 0",
    ),
    "a count that is a fraction": (
        lambda: GateRules(minimum_positives=1.5),  # type: ignore[arg-type]
        "minimum_positives is 1.5; write a whole number >= 0",
    ),
    "an unknown first run": (
        lambda: GateRules(first_run="maybe"),
        "first_run is 'maybe'; write one of pass, refuse",
    ),
    "an unknown way with a lost champion": (
        lambda: GateRules(champion_not_comparable="skip"),
        "champion_not_comparable is 'skip'; write one of refuse, ignore",
    ),
    "an unknown end": (
        lambda: GateRules(on_reject="stop"),
        "on_reject is 'stop'; write one of skip, fail, fail_below_bounds",
    ),
    "an unknown way with dead features": (
        lambda: GateRules(features="ignore"),
        "features is 'ignore'; write one of refuse, refuse_all_null, warn",
    ),
    "an index of nothing": (
        lambda: GateRules(max_psi=0),
        "max_psi is 0; write a number above 0, such as 0.25",
    ),
    "an index that is no number": (
        lambda: GateRules(max_psi=math.nan),
        "max_psi is nan; write a number above 0, such as 0.25",
    ),
    "an index that is true": (
        lambda: GateRules(max_psi=True),
        "max_psi is True; write a number above 0, such as 0.25",
    ),
    "an index argument that is no number": (
        lambda: from_arguments(["max_psi=some"]),
        "rule 'max_psi=some': 'some' is not a number",
    ),
    "a metric compared twice": (
        lambda: GateRules(champion=(ChampionRule("auc", 0.1), ChampionRule("auc", 0.2))),
        "champion rules: a metric is named twice; keep one rule a metric",
    ),
    "a negative drop": (
        lambda: ChampionRule("auc", -0.1),
        "champion rule on auc: max_drop is -0.1; write a number >= 0",
    ),
    "a drop without end": (
        lambda: ChampionRule("auc", math.inf),
        "champion rule on auc: max_drop is inf; write a number >= 0",
    ),
    "a drop that is text": (
        lambda: ChampionRule("auc", "0.1"),  # type: ignore[arg-type]
        "champion rule on auc: max_drop is '0.1'; write a number >= 0",
    ),
    "unknown evidence": (
        lambda: ChampionRule("auc", 0.1, "luck"),
        "champion rule on auc: evidence is 'luck'; write 'interval' or 'point'",
    ),
    "an argument without a value": (
        lambda: from_arguments(["auc"]),
        "rule 'auc' is not 'name=value', or is written twice",
    ),
    "an argument written twice": (
        lambda: from_arguments(["floor.auc=0.5", "floor.auc=0.6"]),
        "rule 'floor.auc=0.6' is not 'name=value', or is written twice",
    ),
    "a floor argument that is no number": (
        lambda: from_arguments(["floor.auc=high"]),
        "rule 'floor.auc=high': 'high' is not a number",
    ),
    "a ceiling argument that is no number": (
        lambda: from_arguments(["ceiling.ece=low"]),
        "rule 'ceiling.ece=low': 'low' is not a number",
    ),
    "a drop argument that is no number": (
        lambda: from_arguments(["champion.auc=some,point"]),
        "rule 'champion.auc=some,point': 'some' is not a number",
    ),
    "a count argument that is no number": (
        lambda: from_arguments(["minimum_rows=many"]),
        "rule 'minimum_rows=many': write a whole number >= 0",
    ),
    "a negative count argument": (
        lambda: from_arguments(["minimum_positives=-1"]),
        "rule 'minimum_positives=-1': write a whole number >= 0",
    ),
    "an argument that is neither true nor false": (
        lambda: from_arguments(["better_than_majority=yes"]),
        "rule 'better_than_majority=yes': write true or false",
    ),
    "an unknown argument": (
        lambda: from_arguments(["patience=3"]),
        "rule 'patience=3' is not known",
    ),
    "a floor argument without a metric": (
        lambda: from_arguments(["floor=3"]),
        "rule 'floor=3' is not known",
    ),
    "a ceiling argument without a metric": (
        lambda: from_arguments(["ceiling=3"]),
        "rule 'ceiling=3' is not known",
    ),
    "a champion argument without a metric": (
        lambda: from_arguments(["champion=3"]),
        "rule 'champion=3' is not known",
    ),
}


@pytest.mark.parametrize(("make", "sentence"), SENSELESS.values(), ids=SENSELESS)
def test_rules_that_make_no_sense_are_refused_with_what_to_write(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(GateRulesError) as caught:
        make()
    assert str(caught.value) == sentence


def test_without_a_word_of_the_pipelines_a_gate_asks_for_little() -> None:
    asked = GateRules()
    assert (asked.floors, asked.ceilings, asked.champion) == ({}, {}, ())
    assert asked.better_than_majority is True
    assert (asked.minimum_rows, asked.minimum_positives) == (0, 0)
    assert (asked.first_run, asked.champion_not_comparable, asked.on_reject) == ("pass", "refuse", "skip")
    assert (asked.features, asked.max_psi) == ("refuse_all_null", 0.25)
    assert ChampionRule("auc", 0).evidence == "interval"
    assert from_arguments([]) == asked


def test_rules_travel_as_pairs_of_arguments() -> None:
    asked = GateRules(
        floors={"auc": 0.7, "aucpr": 1},
        ceilings={"logloss": 0.5, "error": 0.1},
        champion=(ChampionRule("auc", 0.02, "point"), ChampionRule("ece", 0)),
        better_than_majority=False,
        minimum_rows=5,
        minimum_positives=6,
        first_run="refuse",
        champion_not_comparable="ignore",
        features="warn",
        max_psi=1,
        on_reject="fail",
    )
    arguments = to_arguments(asked)
    assert arguments[::2] == ["--rule"] * 14
    assert arguments[1::2] == [
        "floor.auc=0.7",
        "floor.aucpr=1.0",
        "ceiling.error=0.1",
        "ceiling.logloss=0.5",
        "champion.auc=0.02,point",
        "champion.ece=0.0,interval",
        "better_than_majority=false",
        "max_psi=1.0",
        "minimum_rows=5",
        "minimum_positives=6",
        "first_run=refuse",
        "champion_not_comparable=ignore",
        "features=warn",
        "on_reject=fail",
    ]
    assert "better_than_majority=true" in to_arguments(GateRules())


def test_a_drop_without_evidence_means_the_interval() -> None:
    assert from_arguments(["champion.auc=0.1", "champion.ece=0.2,"]).champion == (
        ChampionRule("auc", 0.1, "interval"),
        ChampionRule("ece", 0.2, "interval"),
    )


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
    features=st.sampled_from(["refuse", "refuse_all_null", "warn"]),
    max_psi=st.floats(1e-6, 999),
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
