"""The table that ends a run's log."""

from __future__ import annotations

from brewtrain.domain.run.result_summary import gate_warnings, metric_rows, table

EVALUATION = {
    "challenger": {"metrics": {"auc": {"value": 0.81, "low": 0.79, "high": 0.83}}},
    "champion": {"metrics": {"auc": {"value": 0.8, "low": 0.78, "high": 0.82}}},
    "comparison": {"differences": {"auc": {"value": 0.01, "low": -0.02, "high": 0.04}}},
}


def test_with_intervals() -> None:
    rows = metric_rows({"validation:auc": 0.81, "validation:ece": 0.02}, {"auc": 0.8}, EVALUATION)
    assert table(rows) == [
        "metric          candidate                champion                 difference",
        "validation:auc  0.8100 [0.7900, 0.8300]  0.8000 [0.7800, 0.8200]  +0.0100 [-0.0200, +0.0400]",
        "validation:ece  0.0200                   –                        –",
    ]


def test_without_the_evaluation_or_a_champion() -> None:
    assert table(metric_rows({"validation:auc": 0.81}, {"validation:auc": 0.8}, None))[1].split() == [
        "validation:auc",
        "0.8100",
        "0.8000",
        "+0.0100",
    ]
    assert metric_rows({"a": 1.0}, {}, {"champion": None, "comparison": "x"}) == [("a", "1.0000", "–", "–")]
    assert table([]) == []


def test_an_interval_with_one_end_is_not_shown() -> None:
    for interval in ({"low": 0.1, "high": None}, {"low": None, "high": 0.9}):
        measured = {"challenger": {"metrics": {"auc": interval}}}
        assert metric_rows({"validation:auc": 0.5}, {}, measured) == [("validation:auc", "0.5000", "–", "–")]


def test_what_the_gate_warned_of_is_told_and_nothing_else() -> None:
    checks = [{"outcome": outcome, "sentence": outcome} for outcome in ("pass", "warn", "refuse", "skipped")]
    assert gate_warnings({"gate": {"checks": checks}}) == ["warn"]
    for without in (None, {}, {"gate": None}, {"gate": {"checks": []}}):
        assert gate_warnings(without) == []
