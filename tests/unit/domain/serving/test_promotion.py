"""Which model a promotion takes: the best by the metric's own direction, of the right backfill."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brewtrain.domain.errors import InputError
from brewtrain.domain.evaluation.metrics import higher_is_better
from brewtrain.domain.serving.promotion import Request, best_of, body, of_backfill, read_request


def result(day: int, auc: float | None = 0.8, **more: Any) -> dict[str, Any]:
    return {
        "run_id": f"p-202401{day:02d}T0000-g0",
        "data_date": f"2024-01-{day:02d}",
        "run_type": "backfill",
        "reason": "older_than_serving",
        "outcome": "rejected",
        "metrics": {"validation:auc": auc, "validation:error": 1 - (auc or 0)},
        "recorded_at": f"2024-03-01T00:00:{day:02d}+00:00",
        **more,
    }


def best(results: list[dict[str, Any]], **more: Any) -> str:
    request = read_request(more, pipeline="p")
    return str(best_of(of_backfill(results, request), request, pipeline="p")["run_id"])


@pytest.mark.parametrize(
    ("results", "params", "day"),
    [
        ([result(1, 0.7), result(2, 0.9), result(3, 0.8)], {}, 2),
        ([result(1, 0.7), result(2, 0.9), result(3, 0.8)], {"metric": "validation:error"}, 2),
        ([result(1, 0.9), result(2, 0.9)], {}, 2),
        ([result(1, 0.9), result(2, 0.95, reason="quality_gate")], {}, 1),
        ([result(1, 0.9), result(2, 0.95, reason="quality_gate")], {"even_if_refused": True}, 2),
        ([result(1, 0.9), result(2, 0.95, run_type="scheduled"), result(3, 0.99, run_type="manual")], {}, 1),
        ([result(1, 0.9), result(2, 0.95), result(3, 0.8)], {"from_date": "2024-01-03"}, 3),
        ([result(1, 0.7), result(2, 0.95), result(3, 0.99)], {"to_date": "2024-01-02"}, 2),
        # The newest run tells which backfill is meant where no label is given.
        ([result(1, 0.99), result(2, 0.8, backfill="b"), result(3, 0.7, backfill="b")], {}, 2),
        ([result(1, 0.7, backfill="a"), result(2, 0.8, backfill="a"), result(3, 0.6)], {}, 3),
        ([result(1, 0.7, backfill="a"), result(2, 0.8, backfill="b")], {"backfill": "a"}, 1),
        # A metric that was not measured, or is no number, is no best.
        ([result(1, 0.7), result(2, None), result(3, float("nan")), result(4, True)], {}, 1),
    ],
)
def test_the_best(results: list[dict[str, Any]], params: dict[str, Any], day: int) -> None:
    assert best(results, **params) == f"p-202401{day:02d}T0000-g0"
    assert best(results[::-1], **params) == f"p-202401{day:02d}T0000-g0", "the order does not matter"


def test_of_several_runs_of_a_day_the_newest_counts() -> None:
    first = result(1, 0.99, run_id="p-20240101T0000-g0", recorded_at="2024-03-01")
    again = result(1, 0.5, run_id="p-20240101T0000-g1", recorded_at="2024-03-02")
    assert best([again, first]) == "p-20240101T0000-g1"


def test_nothing_to_choose_from_says_what_to_do() -> None:
    with pytest.raises(InputError, match=r"no backfilled run of p labelled 'x'.*run a backfill of p__retrain"):
        best([result(1)], backfill="x")
    with pytest.raises(InputError, match=r"none of the 1 backfilled runs of p passed the gate with a validation:auc"):
        best([result(1, reason="quality_gate")])
    with pytest.raises(InputError, match="no backfilled run"):
        best([{"run_type": "backfill"}, {"run_type": "backfill", "data_date": 7, "metrics": {}}])


def test_directions() -> None:
    assert higher_is_better("validation:auc")
    assert higher_is_better("validation:lift_top_decile")
    assert not higher_is_better("validation:logloss")


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(["candidate", "metric", "deploy_policy", "from_date", "to_date", "backfill",
                                        "even_if_refused"]),
                       st.text() | st.integers() | st.none() | st.booleans() | st.lists(st.text(), max_size=2)
                       | st.floats()))  # fmt: skip
def test_any_params_are_read_or_refused_in_one_sentence(params: dict[str, Any]) -> None:
    try:
        request = read_request(params, pipeline="p")
    except InputError:
        return
    assert isinstance(request, Request)
    assert request.run_id is None or request.run_id.startswith("p-2")
    assert request.version is None or request.version > 0


def test_the_question_shows_what_a_person_needs() -> None:
    found = result(2, 0.85, message="fine\nso far", evaluation={"uri": "s3://b/e/", "champion_metrics": {"auc": 0.8},
                   "reasons": ["auc 0.85 keeps 0.7"]})  # fmt: skip
    text = body(found, serving="`c1`, data up to 2024-01-01", report="s3://b/e/report.html", deploy_policy="newest")
    for part in ("p-20240102T0000-g0", "2024-01-02", "`c1`", "s3://b/e/report.html", "fine so far",
                 "| validation:auc | 0.8500 | 0.8000 | higher |", "| validation:error | 0.1500 | – | lower |",
                 "auc 0.85 keeps 0.7", "not deployed if something newer"):  # fmt: skip
        assert part in text
