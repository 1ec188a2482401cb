"""The quality gate: whether a candidate may replace what serves, decided from named metrics.

One source of truth for the decision: the deploy DAG ships this very file beside
include/evaluation/evaluate.py, which runs in SageMaker's XGBoost image. Hence stdlib only, no
import of brewtrain, and no syntax newer than Python 3.7. Must not import Airflow, boto3, pydantic
or numpy.

The comparison with the champion is a non-inferiority test: the candidate passes when the lower
bound of the interval of the paired difference is not below ``-max_drop`` (Piaggio et al., CONSORT
for non-inferiority trials, JAMA 2012).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

HIGHER_IS_BETTER = ("auc", "aucpr", "lift_top_decile")
LOWER_IS_BETTER = ("error", "logloss", "brier", "ece")
METRICS = HIGHER_IS_BETTER + LOWER_IS_BETTER

PASS = "pass"  # noqa: S105 - the outcome, not a password
REFUSE = "refuse"
WARN = "warn"
SKIPPED = "skipped"

ALL_NULL = "all_null"
CONSTANT = "constant"
GONE = "gone"
MORE_NULLS = "more_nulls"
OTHER_CATEGORIES = "other_categories"
#: Ways in which a feature dies or changes, the gravest first.
FEATURE_CHANGES = (ALL_NULL, GONE, CONSTANT, MORE_NULLS, OTHER_CATEGORIES)
REFUSE_ALL_NULL = "refuse_all_null"

CHAMPION_ABSENT = "absent"
CHAMPION_COMPARED = "compared"
CHAMPION_NOT_COMPARABLE = "not_comparable"


class GateRulesError(ValueError):
    """A rule contradicts another or names something unknown; the text says what to write."""


@dataclass(frozen=True)
class ChampionRule:
    """How much worse than the champion a candidate may be.

    :param metric: One of :data:`METRICS`.
    :param max_drop: Largest loss that is still accepted, in the metric's unit, at least 0. For
        metrics of which less is better it is the largest rise.
    :param evidence: ``interval``: the whole interval of the paired difference must stay above
        ``-max_drop``, so doubt counts against the candidate; ``point``: only the difference itself
        must.
    """

    metric: str
    max_drop: float
    evidence: str = "interval"

    def __post_init__(self) -> None:
        _check_metric(self.metric)
        if not (isinstance(self.max_drop, (int, float)) and math.isfinite(self.max_drop) and self.max_drop >= 0):
            raise GateRulesError(f"champion rule on {self.metric}: max_drop is {self.max_drop!r}; write a number >= 0")
        if self.evidence not in ("interval", "point"):
            raise GateRulesError(
                f"champion rule on {self.metric}: evidence is {self.evidence!r}; write 'interval' or 'point'"
            )


@dataclass(frozen=True)
class GateRules:
    """Everything that a pipeline asks of a candidate.

    :param floors: Metric → smallest value that passes (metrics of which more is better).
    :param ceilings: Metric → largest value that passes (metrics of which less is better).
    :param better_than_majority: Whether ``error`` must be below that of always predicting the more
        common class.
    :param champion: Rules against the model that serves; all must hold.
    :param minimum_rows: Fewest validation rows on which a candidate may be judged.
    :param minimum_positives: Fewest validation rows of each class on which a candidate may be
        judged.
    :param first_run: Without a champion: ``pass`` leaves it to the other rules; ``refuse`` waits
        for a person.
    :param champion_not_comparable: A champion that cannot be scored on the same rows (its features
        differ, its archive does not load): ``refuse``, or ``ignore`` the rules against the
        champion.
    :param features: A feature died or changed: ``refuse``, ``warn``, or ``refuse_all_null``, which
        refuses where it has no value in any row and else warns.
    :param max_psi: Population stability index up to which a feature's nulls or categories are as in
        the champion's window.
    :param on_reject: ``skip``: a refusal leaves the run green; ``fail``: red;
        ``fail_below_bounds``: red only if an absolute rule was broken (floor, ceiling, majority
        class), green if merely the champion is better.
    :raises GateRulesError: If a rule names an unknown metric, bounds it on the wrong side, or has
        no sense.
    """

    floors: Mapping[str, float] = field(default_factory=dict)
    ceilings: Mapping[str, float] = field(default_factory=dict)
    better_than_majority: bool = True
    champion: tuple[ChampionRule, ...] = ()
    minimum_rows: int = 0
    minimum_positives: int = 0
    first_run: str = "pass"
    champion_not_comparable: str = "refuse"
    features: str = REFUSE_ALL_NULL
    max_psi: float = 0.25
    on_reject: str = "skip"

    def __post_init__(self) -> None:
        for metric, bound in self.floors.items():
            _check_metric(metric)
            _check_bound("floor", metric, bound)
            if metric in LOWER_IS_BETTER:
                raise GateRulesError(f"floor on {metric}: less of it is better; write a ceiling")
        for metric, bound in self.ceilings.items():
            _check_metric(metric)
            _check_bound("ceiling", metric, bound)
            if metric in HIGHER_IS_BETTER:
                raise GateRulesError(f"ceiling on {metric}: more of it is better; write a floor")
        compared = [rule.metric for rule in self.champion]
        if len(set(compared)) != len(compared):
            raise GateRulesError("champion rules: a metric is named twice; keep one rule a metric")
        for name in ("minimum_rows", "minimum_positives"):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise GateRulesError(f"{name} is {count!r}; write a whole number >= 0")
        _check_choice("first_run", self.first_run, ("pass", "refuse"))
        _check_choice("champion_not_comparable", self.champion_not_comparable, ("refuse", "ignore"))
        _check_choice("features", self.features, (REFUSE, REFUSE_ALL_NULL, WARN))
        if isinstance(self.max_psi, bool) or not isinstance(self.max_psi, (int, float)) or not 0 < self.max_psi < 1000:
            raise GateRulesError(f"max_psi is {self.max_psi!r}; write a number above 0, such as 0.25")
        _check_choice("on_reject", self.on_reject, ("skip", "fail", "fail_below_bounds"))


@dataclass(frozen=True)
class Difference:
    """Paired difference candidate − champion of one metric; positive: the candidate has more.

    :param value: Difference on all rows.
    :param low: Lower end of its interval.
    :param high: Upper end of its interval.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class FeatureFinding:
    """Whether the window has features that died or changed in one way.

    :param change: One of :data:`FEATURE_CHANGES`.
    :param found: Whether it has; a feature that was dead in the champion's window too does not
        count.
    :param sentence: What was found, without full stop.
    :param advice: What to do; empty if nothing was found.
    """

    change: str
    found: bool
    sentence: str
    advice: str = ""


@dataclass(frozen=True)
class Evidence:
    """What was measured.

    :param rows: Validation rows.
    :param positives: Validation rows whose label is 1.
    :param metrics: Metric → the candidate's value.
    :param majority_class_error: Error of always predicting the more common class.
    :param champion_status: :data:`CHAMPION_ABSENT`, :data:`CHAMPION_COMPARED` or
        :data:`CHAMPION_NOT_COMPARABLE`.
    :param champion_reason: Why it is not comparable; one sentence without full stop.
    :param differences: Metric → paired difference to the champion; empty unless compared.
    :param features: What was found of the window's features, one a way to change.
    :param champion_window_unknown: Why they were not compared with the champion's window; empty if
        they were, and without a champion.
    """

    rows: int
    positives: int
    metrics: Mapping[str, float]
    majority_class_error: float
    champion_status: str = CHAMPION_ABSENT
    champion_reason: str = ""
    differences: Mapping[str, Difference] = field(default_factory=dict)
    features: tuple[FeatureFinding, ...] = ()
    champion_window_unknown: str = ""


@dataclass(frozen=True)
class Check:
    """One rule, looked at.

    :param rule: ``minimum_rows``, ``minimum_positives``, ``floor``, ``ceiling``,
        ``better_than_majority``, ``not_worse_than_champion``, ``champion_comparable``,
        ``first_run``, ``features_compared``, or ``feature_`` and one of :data:`FEATURE_CHANGES`.
    :param metric: The metric that the rule is about, if it is about one.
    :param outcome: ``pass``, ``warn``, ``refuse`` or ``skipped``.
    :param sentence: What was found, for people.
    """

    rule: str
    metric: str | None
    outcome: str
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """Return the check as evaluation.json holds it."""
        return {"rule": self.rule, "metric": self.metric, "outcome": self.outcome, "sentence": self.sentence}


_ABSOLUTE_RULES = ("floor", "ceiling", "better_than_majority")


@dataclass(frozen=True)
class Decision:
    """The gate's answer.

    :param outcome: :data:`PASS` or :data:`REFUSE`.
    :param red: Whether the run should be red for it; never so when it passed.
    :param below_bounds: Whether an absolute rule (floor, ceiling, majority class) was broken.
    :param checks: Every rule that was looked at, in order.
    """

    outcome: str
    red: bool
    below_bounds: bool
    checks: tuple[Check, ...]

    @property
    def reasons(self) -> list[str]:
        """Sentences of the rules that refused, then of warnings; of a pass, skipped rules first."""
        first = REFUSE if self.outcome == REFUSE else SKIPPED
        return [check.sentence for wanted in (first, WARN) for check in self.checks if check.outcome == wanted]


def decide(rules: GateRules, evidence: Evidence) -> Decision:
    """Apply every rule; a candidate passes when none refuses.

    All rules are looked at even after one has refused, so that a person sees everything at once.

    :param rules: What the pipeline asks.
    :param evidence: What was measured.
    """
    checks: list[Check] = []
    checks += _check_counts(rules, evidence)
    checks += [_check_absolute("floor", metric, bound, evidence) for metric, bound in sorted(rules.floors.items())]
    checks += [_check_absolute("ceiling", metric, bound, evidence) for metric, bound in sorted(rules.ceilings.items())]
    if rules.better_than_majority:
        checks.append(_check_majority(evidence))
    checks += _check_champion(rules, evidence)
    checks += _check_features(rules, evidence)
    refused = [check for check in checks if check.outcome == REFUSE]
    below_bounds = any(check.rule in _ABSOLUTE_RULES for check in refused)
    red = bool(refused) and (rules.on_reject == "fail" or (rules.on_reject == "fail_below_bounds" and below_bounds))
    return Decision(REFUSE if refused else PASS, red, below_bounds, tuple(checks))


def _check_counts(rules: GateRules, evidence: Evidence) -> list[Check]:
    checks = []
    if rules.minimum_rows:
        enough = evidence.rows >= rules.minimum_rows
        relation = "at least" if enough else "fewer than"
        sentence = f"{evidence.rows} validation rows are {relation} the {rules.minimum_rows} that the gate asks for"
        checks.append(Check("minimum_rows", None, _outcome(enough), sentence))
    if rules.minimum_positives:
        # Too few negatives make the metrics as uncertain as too few positives.
        rarer = min(evidence.positives, evidence.rows - evidence.positives)
        enough = rarer >= rules.minimum_positives
        relation = "at least" if enough else "fewer than"
        sentence = (
            f"{rarer} validation rows of the rarer class are {relation} the {rules.minimum_positives} "
            "that the gate asks for"
        )
        checks.append(Check("minimum_positives", None, _outcome(enough), sentence))
    return checks


def _check_absolute(rule: str, metric: str, bound: float, evidence: Evidence) -> Check:
    value = evidence.metrics.get(metric)
    if value is None or math.isnan(value):
        return Check(rule, metric, REFUSE, f"{metric} was not measured, so its {rule} of {_text(bound)} is not met")
    if rule == "floor":
        kept = value >= bound
        relation = "not below" if kept else "below"
    else:
        kept = value <= bound
        relation = "not above" if kept else "above"
    return Check(rule, metric, _outcome(kept), f"{metric} {_text(value)} is {relation} its {rule} of {_text(bound)}")


def _check_majority(evidence: Evidence) -> Check:
    rule = "better_than_majority"
    error = evidence.metrics.get("error")
    baseline = evidence.majority_class_error
    if error is None or math.isnan(error):
        return Check(rule, "error", REFUSE, "error was not measured, so it is not known to beat the majority class")
    better = error < baseline
    relation = "below" if better else "not below"
    sentence = (
        f"error {_text(error)} is {relation} {_text(baseline)}, the error of always predicting the more common class"
    )
    return Check(rule, "error", _outcome(better), sentence)


def _check_champion(rules: GateRules, evidence: Evidence) -> list[Check]:
    if evidence.champion_status == CHAMPION_ABSENT:
        if rules.first_run == "refuse":
            sentence = "no champion serves and the pipeline wants a person to promote its first model"
            return [Check("first_run", None, REFUSE, sentence)]
        sentence = "no champion serves, so the candidate was held against the absolute rules only"
        return [Check("first_run", None, SKIPPED, sentence)]
    if evidence.champion_status == CHAMPION_NOT_COMPARABLE:
        if not rules.champion:
            sentence = f"the champion is not comparable ({evidence.champion_reason}), and no rule compares with it"
            return [Check("champion_comparable", None, SKIPPED, sentence)]
        if rules.champion_not_comparable == "refuse":
            sentence = (
                f"the champion is not comparable ({evidence.champion_reason}); promote the candidate by hand or set "
                "champion_not_comparable: ignore"
            )
            return [Check("champion_comparable", None, REFUSE, sentence)]
        sentence = f"the champion is not comparable ({evidence.champion_reason}), so it was not compared"
        return [Check("champion_comparable", None, SKIPPED, sentence)]
    return [_check_difference(rule, evidence) for rule in rules.champion]


def _check_difference(rule: ChampionRule, evidence: Evidence) -> Check:
    name = "not_worse_than_champion"
    difference = evidence.differences.get(rule.metric)
    if difference is None or math.isnan(difference.value) or math.isnan(difference.low) or math.isnan(difference.high):
        sentence = f"the difference in {rule.metric} to the champion was not measured"
        return Check(name, rule.metric, REFUSE, sentence)
    higher_is_better = rule.metric in HIGHER_IS_BETTER
    point = difference.value if higher_is_better else -difference.value
    low = difference.low if higher_is_better else -difference.high
    kept = (low if rule.evidence == "interval" else point) >= -rule.max_drop
    relation = "is not worse" if kept else "may be worse" if point >= -rule.max_drop else "is worse"
    sentence = (
        f"{rule.metric} {relation} than the champion's by more than {_text(rule.max_drop)}: "
        f"candidate − champion = {_signed(difference.value)} "
        f"(interval {_signed(difference.low)} to {_signed(difference.high)})"
    )
    return Check(name, rule.metric, _outcome(kept), sentence)


def _check_features(rules: GateRules, evidence: Evidence) -> list[Check]:
    checks = []
    for finding in evidence.features:
        name = f"feature_{finding.change}"
        if not finding.found:
            checks.append(Check(name, None, PASS, finding.sentence))
        elif rules.features == REFUSE or (rules.features == REFUSE_ALL_NULL and finding.change == ALL_NULL):
            sentence = f"{finding.sentence}; {finding.advice}, or promote the candidate by hand"
            checks.append(Check(name, None, REFUSE, sentence))
        else:
            checks.append(Check(name, None, WARN, f"{finding.sentence}; {finding.advice}"))
    if evidence.champion_window_unknown:
        sentence = f"features were not compared with the champion's window: {evidence.champion_window_unknown}"
        checks.append(Check("features_compared", None, SKIPPED, sentence))
    return checks


def _outcome(kept: bool) -> str:
    return PASS if kept else REFUSE


def _text(value: float) -> str:
    return f"{value:.4f}"


def _signed(value: float) -> str:
    return f"{value:+.4f}"


def _check_metric(metric: str) -> None:
    if metric not in METRICS:
        raise GateRulesError(f"metric {metric!r} is not known; write one of {', '.join(METRICS)}")


def _check_bound(kind: str, metric: str, bound: float) -> None:
    if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not math.isfinite(bound):
        raise GateRulesError(f"{kind} on {metric}: the bound is {bound!r}; write a finite number")


def _check_choice(name: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise GateRulesError(f"{name} is {given!r}; write one of {', '.join(known)}")


# How rules travel: as arguments of the processing container, each at most 256 characters
# (CreateProcessingJob).


_CHOICES = ("first_run", "champion_not_comparable", "features", "on_reject")


def to_arguments(rules: GateRules) -> list[str]:
    """Return the rules as ``--rule name=value`` arguments, for :func:`from_arguments`."""
    pairs = [f"floor.{metric}={float(bound)!r}" for metric, bound in sorted(rules.floors.items())]
    pairs += [f"ceiling.{metric}={float(bound)!r}" for metric, bound in sorted(rules.ceilings.items())]
    pairs += [f"champion.{rule.metric}={float(rule.max_drop)!r},{rule.evidence}" for rule in rules.champion]
    pairs.append(f"better_than_majority={'true' if rules.better_than_majority else 'false'}")
    pairs.append(f"max_psi={float(rules.max_psi)!r}")
    for name in ("minimum_rows", "minimum_positives", *_CHOICES):
        pairs.append(f"{name}={getattr(rules, name)}")
    arguments: list[str] = []
    for pair in pairs:
        arguments += ["--rule", pair]
    return arguments


def from_arguments(pairs: list[str]) -> GateRules:
    """Read rules back.

    :param pairs: The values of ``--rule``, ``name=value`` each.
    :raises GateRulesError: If one is not known, not well formed or written twice.
    """
    floors: dict[str, float] = {}
    ceilings: dict[str, float] = {}
    champion: list[ChampionRule] = []
    settings: dict[str, Any] = {}
    seen = set()
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or name in seen:
            raise GateRulesError(f"rule {pair!r} is not 'name=value', or is written twice")
        seen.add(name)
        kind, dot, metric = name.partition(".")
        if kind == "floor" and dot:
            floors[metric] = _number(pair, value)
        elif kind == "ceiling" and dot:
            ceilings[metric] = _number(pair, value)
        elif kind == "champion" and dot:
            drop, _, evidence = value.partition(",")
            champion.append(ChampionRule(metric, _number(pair, drop), evidence or "interval"))
        elif name in ("minimum_rows", "minimum_positives"):
            if not value.isdigit():
                raise GateRulesError(f"rule {pair!r}: write a whole number >= 0")
            settings[name] = int(value)
        elif name == "better_than_majority":
            if value not in ("true", "false"):
                raise GateRulesError(f"rule {pair!r}: write true or false")
            settings[name] = value == "true"
        elif name == "max_psi":
            settings[name] = _number(pair, value)
        elif name in _CHOICES:
            settings[name] = value
        else:
            raise GateRulesError(f"rule {pair!r} is not known")
    return GateRules(floors=floors, ceilings=ceilings, champion=tuple(champion), **settings)


def _number(pair: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise GateRulesError(f"rule {pair!r}: {value!r} is not a number") from None
