"""Profiles survive JSON, and the stability index is what its definition says."""

from __future__ import annotations

import json
import math
from typing import Any

import drift
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

RANDOM = np.random.default_rng(11)
_counts = st.lists(st.integers(0, 1000), min_size=2, max_size=12).filter(any)


def profile(column: np.ndarray) -> dict[str, Any]:
    made = drift.profile_rows(["x"], column[:, None].astype(np.float32), np.arange(column.size) % 4 == 0)
    return json.loads(json.dumps(made, allow_nan=False))  # type: ignore[no-any-return]


def compared(reference: Any, names: list[str], features: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    return drift.drift(reference, drift.count_over_bins_of(reference, names, features), labels)


def psi(before: np.ndarray, now: np.ndarray) -> float:
    labels = np.arange(now.size) % 4 == 0
    found = compared(profile(before), ["x"], now[:, None].astype(np.float32), labels)
    return found["features"][0]["psi"]  # type: ignore[no-any-return]


def test_the_index_is_what_a_calculation_by_hand_gives() -> None:
    expected = (0.3 - 0.5) * math.log(0.3 / 0.5) + (0.7 - 0.5) * math.log(0.7 / 0.5)
    assert drift.population_stability_index(np.array([50, 50]), np.array([300, 700])) == pytest.approx(expected)


@given(_counts, st.data())
def test_the_index_is_symmetric_finite_and_not_negative(before: list[int], data: st.DataObject) -> None:
    now = data.draw(st.lists(st.integers(0, 1000), min_size=len(before), max_size=len(before)).filter(any))
    index = drift.population_stability_index
    assert index(before, before) == pytest.approx(0, abs=1e-12)
    assert index(before, now) >= 0
    assert math.isfinite(index(before, now))
    assert index(before, now) == pytest.approx(index(now, before))
    assert index([10 * n for n in before], now) == pytest.approx(index(before, now))


def test_without_rows_there_is_no_index() -> None:
    with pytest.raises(ValueError, match="without rows"):
        drift.population_stability_index([0, 0], [1, 2])


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(RANDOM.normal(size=500), id="continuous"),
        pytest.param(RANDOM.integers(0, 3, 500).astype(float), id="three values"),
        pytest.param(np.zeros(500), id="constant"),
        pytest.param(np.full(500, np.nan), id="all missing"),
        pytest.param(np.where(RANDOM.random(500) < 0.5, np.nan, RANDOM.normal(size=500)), id="half missing"),
        pytest.param(np.where(RANDOM.random(500) < 0.95, 999.0, RANDOM.integers(0, 30, 500)), id="one value mostly"),
        pytest.param(np.float32(4.856) + 0 * RANDOM.random(500), id="constant that float32 rounds"),
    ],
)
def test_a_window_does_not_drift_from_itself(column: np.ndarray) -> None:
    assert psi(column, column) == pytest.approx(0, abs=1e-9)
    made = profile(column)["features"][0]
    assert sum(made["counts"]) + made["missing"] == column.size
    assert len(made["counts"]) == len(made["bins"]) + 1


def test_a_shift_of_the_mean_shows_and_noise_does_not() -> None:
    before = RANDOM.normal(size=4000)
    assert psi(before, RANDOM.normal(size=4000)) < 0.02
    # Two normal distributions a standard deviation apart: PSI is 1 without bins.
    assert psi(before, RANDOM.normal(1, 1, size=4000)) == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("appeared", [pytest.param(7.0, id="new value"), pytest.param(np.nan, id="missing")])
def test_a_value_that_was_not_there_shows(appeared: float) -> None:
    before = np.repeat([0.0, 1.0], 100)
    now = np.where(np.arange(200) % 10 == 0, appeared, before)
    assert psi(before, now) > drift.SHIFTED_ABOVE


@pytest.mark.parametrize(
    "rows",
    [pytest.param((40, 60), id="few"), pytest.param((300, 200), id="some"), pytest.param((5000, 20000), id="many")],
)
@pytest.mark.parametrize("bins", [2, 5, 20])
def test_two_samples_of_one_distribution_are_chance(rows: tuple[int, int], bins: int) -> None:
    shares = np.arange(1, bins + 1) / np.arange(1, bins + 1).sum()
    pairs = [[RANDOM.multinomial(count, shares).tolist() for count in rows] for _ in range(1000)]
    assert sum(drift.beyond_chance(*pair) for pair in pairs) <= 3


def test_a_real_shift_is_beyond_chance_once_there_are_rows_enough() -> None:
    assert not drift.beyond_chance([18, 2], [14, 6])
    assert drift.beyond_chance([180, 20], [140, 60])
    assert drift.beyond_chance([20, 0], [0, 20])
    assert not drift.beyond_chance([20], [5]), "one bin cannot move"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"counts": [1, 1, 1, 1]}, id="fewer counts than bins"),
        pytest.param({"counts": [1, 1, 1, 1, -1]}, id="a negative count"),
        pytest.param({"counts": [0, 0, 0, 0, 0]}, id="no rows"),
        pytest.param({"bins": [0.0, 1.0, 2.0, math.nan]}, id="a bin that is no number"),
        pytest.param({"mean": math.inf}, id="an endless mean"),
        pytest.param({"kind": "words"}, id="another kind"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    made = profile(np.arange(4.0))
    made["features"][0].update(changes)
    with pytest.raises(ValueError, match="its entry of x makes no sense"):
        drift.count_over_bins_of(made, ["x"], np.ones((2, 1)))


def test_more_positives_than_rows_are_refused() -> None:
    made = profile(np.arange(4.0))
    made["positives"] = 5
    with pytest.raises(ValueError, match="it has 5 positives of 4 rows"):
        drift.drift(made, [], np.array([True, False]))


def test_features_are_matched_by_name_and_the_most_shifted_comes_first() -> None:
    labels = np.arange(300) % 3 == 0
    before = np.stack((RANDOM.normal(size=300), np.ones(300)), axis=1)
    made = json.loads(json.dumps(drift.profile_rows(["a", "b"], before, labels)))
    now = np.stack((np.ones(300), np.ones(300) * 2, before[:, 0] + 3), axis=1)
    found = compared(made, ["b", "new", "a"], now, ~labels)
    assert [entry["name"] for entry in found["features"]] == ["a", "b"]
    assert found["features"][1]["psi"] == pytest.approx(0, abs=1e-9)
    assert found["label"]["level"] == "shifted"
    assert found["reference_rows"] == 300


def test_an_index_has_a_level() -> None:
    assert [drift.level(value) for value in (0, 0.0999, 0.1, 0.25, 0.2501, math.nan)] == [
        "stable",
        "stable",
        "moderate",
        "moderate",
        "shifted",
        "shifted",
    ]


@pytest.mark.parametrize(
    "reference", [pytest.param({}, id="empty"), pytest.param({"layout": 2}, id="layout 2"), pytest.param([], id="list")]
)
def test_a_profile_of_another_layout_is_refused(reference: Any) -> None:
    with pytest.raises(ValueError, match="not of layout 1"):
        compared(reference, ["x"], np.ones((2, 1)), np.array([True, False]))
