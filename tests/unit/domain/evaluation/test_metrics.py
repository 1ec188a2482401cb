"""A metric's two names."""

from __future__ import annotations

import pytest

from brewtrain.domain.evaluation import gate
from brewtrain.domain.evaluation.metrics import METRICS, full_name, higher_is_better, short_name


def test_a_metric_has_a_short_and_a_full_name() -> None:
    assert (short_name("validation:auc"), short_name("auc")) == ("auc", "auc")
    assert (full_name("validation:auc"), full_name("auc")) == ("validation:auc", "validation:auc")


def test_both_sides_know_the_same_metrics() -> None:
    assert {short_name(metric) for metric in METRICS} == set(gate.METRICS)


@pytest.mark.parametrize("metric", METRICS)
def test_a_direction_is_the_same_under_both_names(metric: str) -> None:
    better = short_name(metric) in ("auc", "aucpr", "lift_top_decile")
    assert higher_is_better(metric) is higher_is_better(short_name(metric)) is better
