"""Metrics against brute force, closed forms, XGBoost's own figures and the laws they must obey."""

from __future__ import annotations

import math

import binary_metrics
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.fixtures.evaluation_run import Run

# Few distinct scores, so that ties are the rule.
_rows = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=60).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def split(rows: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([label for label, _ in rows]), np.array([score / 8 for _, score in rows])


def measure(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> dict[str, float]:
    scored = binary_metrics.ScoredRows(labels, scores)
    found = binary_metrics.metrics(scored, None if weights is None else weights[None, :])
    assert set(found) == set(binary_metrics.METRICS)
    return {name: float(value[0]) for name, value in found.items()}


@given(_rows)
def test_auc_is_the_share_of_pairs_in_order(rows: list[tuple[bool, int]]) -> None:
    labels, scores = split(rows)
    pairs = [
        1.0 if positive > negative else 0.5 if positive == negative else 0.0
        for positive in scores[labels]
        for negative in scores[~labels]
    ]
    assert measure(labels, scores)["auc"] == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)


@given(_rows)
def test_aucpr_is_average_precision(rows: list[tuple[bool, int]]) -> None:
    labels, scores = split(rows)
    expected, recall_before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        taken = scores >= threshold
        recall = (labels & taken).sum() / labels.sum()
        expected += (recall - recall_before) * (labels & taken).sum() / taken.sum()
        recall_before = recall
    assert measure(labels, scores)["aucpr"] == pytest.approx(expected, abs=1e-12)


@given(_rows)
def test_row_wise_metrics(rows: list[tuple[bool, int]]) -> None:
    labels, scores = split(rows)
    found = measure(labels, scores)
    assert found["error"] == pytest.approx(sum((s > 0.5) != y for y, s in zip(labels, scores, strict=True)) / len(rows))
    assert found["brier"] == pytest.approx(sum((s - y) ** 2 for y, s in zip(labels, scores, strict=True)) / len(rows))
    losses = [-math.log(max(s if y else 1 - s, 1e-16)) for y, s in zip(labels, scores, strict=True)]
    assert found["logloss"] == pytest.approx(sum(losses) / len(rows))


@given(_rows, st.sampled_from([np.sqrt, np.square, lambda s: s / 3, lambda s: np.log1p(s) / 2]))
def test_rankings_do_not_change_under_monotone_transforms(rows: list[tuple[bool, int]], transform: object) -> None:
    labels, scores = split(rows)
    before, after = measure(labels, scores), measure(labels, transform(scores))  # type: ignore[operator]
    for name in ("auc", "aucpr", "lift_top_decile"):
        assert after[name] == pytest.approx(before[name], abs=1e-12)


@given(_rows)
def test_auc_of_the_opposite_is_the_rest(rows: list[tuple[bool, int]]) -> None:
    labels, scores = split(rows)
    assert measure(labels, scores)["auc"] + measure(labels, 1 - scores)["auc"] == pytest.approx(1)


@given(_rows, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(rows: list[tuple[bool, int]], random: object) -> None:
    before = measure(*split(rows))
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert measure(*split(shuffled)) == pytest.approx(before)


@given(_rows, st.data())
def test_a_weighted_row_is_a_repeated_row(rows: list[tuple[bool, int]], data: st.DataObject) -> None:
    labels, scores = split(rows)
    counts = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows))))
    assume(counts[labels].sum() and counts[~labels].sum())
    weighted = measure(labels, scores, counts)
    repeated = measure(np.repeat(labels, counts), np.repeat(scores, counts))
    for name in set(binary_metrics.METRICS) - {"ece"}:  # bins are those of the unweighted rows
        assert weighted[name] == pytest.approx(repeated[name], abs=1e-9), name


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        pytest.param(
            [0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], {"auc": 1, "aucpr": 1, "error": 0, "brier": 0.025}, id="perfect"
        ),
        pytest.param([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9], {"auc": 0, "error": 1}, id="reversed"),
        pytest.param(
            [0, 1, 0, 1],
            [0.5] * 4,
            {"auc": 0.5, "aucpr": 0.5, "logloss": math.log(2), "ece": 0, "lift_top_decile": 1},
            id="one score for all",
        ),
        pytest.param([1] + [0] * 9, [0.9] + [0.0] * 9, {"lift_top_decile": 10, "ece": 0.01}, id="one positive first"),
        pytest.param(
            [1] * 5 + [0] * 5, [0.0] * 5 + [1.0] * 5, {"ece": 1, "logloss": -math.log(1e-16)}, id="certain and wrong"
        ),
    ],
)
def test_metrics_have_their_known_values(labels: list[int], scores: list[float], expected: dict[str, float]) -> None:
    found = measure(np.array(labels, dtype=bool), np.array(scores))
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)


def test_figures_are_those_of_xgboost(run: Run) -> None:
    import xgboost

    features, labels = run.features[run.validation], run.labels[run.validation]
    judge = run.booster.copy()
    judge.set_param([("eval_metric", name) for name in ("auc", "logloss", "error")])
    said = judge.eval(xgboost.DMatrix(features, labels), "v")
    theirs = {part.split(":")[0].removeprefix("v-"): float(part.split(":")[1]) for part in said.split("\t")[1:]}
    ours = measure(labels, run.booster.predict(xgboost.DMatrix(features)))
    assert {name: ours[name] for name in ("auc", "logloss", "error")} == pytest.approx(theirs, abs=1e-5)


@given(_rows)
def test_curves_agree_with_the_areas(rows: list[tuple[bool, int]]) -> None:
    labels, scores = split(rows)
    scored = binary_metrics.ScoredRows(labels, scores)
    grid = np.linspace(0, 1, 2001)
    found = binary_metrics.curves(scored, np.ones((1, labels.size)), grid)
    roc, pr, lift = (found[name][0] for name in ("roc", "pr", "lift"))
    assert float(((roc[1:] + roc[:-1]) / 2 * np.diff(grid)).sum()) == pytest.approx(
        measure(labels, scores)["auc"], abs=2e-3
    )
    assert float(pr[1:].mean()) == pytest.approx(measure(labels, scores)["aucpr"], abs=2e-2)
    assert roc[-1] == 1
    assert pr[-1] == pytest.approx(labels[scores >= scores[labels].min()].mean())
    assert lift.mean() == pytest.approx(1)
    assert lift[0] == pytest.approx(measure(labels, scores)["lift_top_decile"])


@given(_rows)
def test_reliability_table_holds_every_row_once(rows: list[tuple[bool, int]]) -> None:
    labels, scores = split(rows)
    table = binary_metrics.reliability(binary_metrics.ScoredRows(labels, scores))
    assert sum(line["rows"] for line in table) == labels.size
    assert sum(line["positives"] for line in table) == labels.sum()
    assert [line["mean_score"] for line in table] == sorted(line["mean_score"] for line in table)
    assert all(0 <= line["low"] <= line["observed"] + 1e-12 for line in table)
    assert all(line["observed"] - 1e-12 <= line["high"] <= 1 for line in table)
    gap = sum(line["rows"] * abs(line["observed"] - line["mean_score"]) for line in table) / labels.size
    assert measure(labels, scores)["ece"] == pytest.approx(gap, abs=1e-12)


def test_the_wilson_interval_of_a_published_case() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263.
    labels = np.array([True] * 81 + [False] * 182)
    line = binary_metrics.reliability(binary_metrics.ScoredRows(labels, np.full(263, 0.3)))[0]
    assert (line["low"], line["high"]) == pytest.approx((0.2553, 0.3662), abs=1e-4)
