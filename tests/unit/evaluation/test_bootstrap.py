"""Resamples are what they should be, and their intervals have the width that theory gives them."""

from __future__ import annotations

import math

import binary_metrics
import bootstrap
import numpy as np
import pytest

SEED = 7


def drawn(labels: np.ndarray, count: int, seed: int = SEED) -> np.ndarray:
    return np.concatenate(list(bootstrap.resamples(labels, count, seed)))


def test_every_resample_keeps_the_size_of_both_classes() -> None:
    labels = np.arange(50) % 7 == 0
    weights = drawn(labels, 40)
    assert weights.shape == (40, 50)
    assert (weights[:, labels].sum(axis=1) == labels.sum()).all()
    assert (weights[:, ~labels].sum(axis=1) == (~labels).sum()).all()
    assert (weights >= 0).all()


def test_one_seed_gives_the_same_resamples() -> None:
    labels = np.arange(50) % 7 == 0
    assert (drawn(labels, 5) == drawn(labels, 5)).all()
    assert (drawn(labels, 5) != drawn(labels, 5, seed=SEED + 1)).any()


def test_resamples_of_large_data_come_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "CELLS_AT_ONCE", 120)
    batches = list(bootstrap.resamples(np.arange(50) % 2 == 0, 7, SEED))
    assert [len(batch) for batch in batches] == [2, 2, 2, 1]


def test_interval_of_auc_is_as_wide_as_hanley_and_mcneil_say() -> None:
    random = np.random.default_rng(SEED)
    labels = np.arange(3000) % 5 == 0
    scores = random.exponential(np.where(labels, 2.0, 1.0))  # their formula is exact for exponential scores
    scored = binary_metrics.ScoredRows(labels, scores)
    value = float(binary_metrics.metrics(scored)["auc"][0])
    low, high = bootstrap.interval(binary_metrics.metrics(scored, drawn(labels, 400))["auc"], 0.95)
    positives, negatives = labels.sum(), (~labels).sum()
    q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
    variance = value * (1 - value) + (positives - 1) * (q1 - value**2) + (negatives - 1) * (q2 - value**2)
    error = math.sqrt(variance / (positives * negatives))
    assert low < value < high
    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.15)


@pytest.mark.slow
def test_interval_of_a_mean_covers_as_often_as_it_says() -> None:
    random = np.random.default_rng(SEED)
    labels = np.arange(200) % 2 == 0
    hits = 0
    for trial in range(200):
        scores = np.clip(random.normal(0.5, 0.2, 200), 0, 1)
        # Brier's expectation for these scores, by class: E[(s − y)²]; both classes alike, since
        # scores are symmetric.
        samples = binary_metrics.metrics(binary_metrics.ScoredRows(labels, scores), drawn(labels, 200, seed=trial))
        low, high = bootstrap.interval(samples["brier"], 0.9)
        hits += low <= 0.25 + 0.2**2 - 0.0006 <= high  # clipping at 2.5 standard deviations takes 0.0006 off
    assert 0.83 <= hits / 200 <= 0.96
