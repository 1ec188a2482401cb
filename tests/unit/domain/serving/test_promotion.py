"""Which model a promotion takes: the best by the metric's own direction, of the right backfill."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brewtrain.domain.errors import InputError
from brewtrain.domain.evaluation.metrics import higher_is_better
from brewtrain.domain.serving.promotion import Request, best_of, body, of_backfill, read_request, refusal, subject


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


def test_the_message_names_the_backfill_that_was_looked_for() -> None:
    with pytest.raises(InputError) as caught:
        best([])
    assert str(caught.value) == (
        "no backfilled run of p from the first to the last data date has been recorded; run a backfill of p__retrain, "
        "or name a run as candidate"
    )
    with pytest.raises(InputError) as caught:
        best([result(1)], backfill="x", from_date="2024-01-02", to_date="2024-01-03")
    assert str(caught.value) == (
        "no backfilled run of p labelled 'x' from 2024-01-02 to 2024-01-03 data date has been recorded; run a backfill "
        "of p__retrain, or name a run as candidate"
    )
    with pytest.raises(InputError) as caught:
        best([result(1, None), result(2, reason="serving_skew")])
    assert str(caught.value) == (
        "none of the 2 backfilled runs of p passed the gate with a validation:auc; name a run as candidate, choose "
        "another metric, or set even_if_refused"
    )


def test_the_day_of_a_bound_counts() -> None:
    results = [result(1, 0.9), result(2, 0.8), result(3, 0.7)]
    request = read_request({"from_date": "2024-01-02", "to_date": "2024-01-02"}, pipeline="p")
    assert [one["data_date"] for one in of_backfill(results, request)] == ["2024-01-02"]


def test_a_day_out_of_bounds_does_not_end_the_search() -> None:
    late = result(9, 0.99, recorded_at="2024-02-01")
    request = read_request({"to_date": "2024-01-02"}, pipeline="p")
    assert [one["data_date"] for one in of_backfill([late, result(1), result(2)], request)] == [
        "2024-01-01",
        "2024-01-02",
    ]


def test_a_result_without_its_time_of_record_is_as_new_as_its_end() -> None:
    first = result(1, run_id="a", recorded_at=None, stopped_at="2024-03-01")
    again = result(1, run_id="b", recorded_at=None, stopped_at="2024-03-02")
    oldest = result(1, run_id="c", recorded_at=None)
    for results in ([first, again, oldest], [again, oldest, first]):
        [found] = of_backfill(results, Request())
        assert found["run_id"] == "b"


def test_the_time_of_record_beats_the_end() -> None:
    first = result(1, run_id="a", recorded_at="2024-03-01", stopped_at="2024-03-09")
    again = result(1, run_id="b", recorded_at="2024-03-02", stopped_at="2024-03-01")
    assert [one["run_id"] for one in of_backfill([again, first], Request())] == ["b"]


def test_of_two_recorded_at_once_the_later_id_counts() -> None:
    one, other = (result(1, run_id=name, recorded_at="2024-03-01") for name in ("a-g0", "a-g1"))
    assert [found["run_id"] for found in of_backfill([other, one], Request())] == ["a-g1"]


def test_of_equals_by_a_metric_of_which_less_is_better_the_newest_data_wins() -> None:
    equal = [
        result(1, metrics={"validation:error": 0.1}, recorded_at="2024-03-02"),
        result(2, metrics={"validation:error": 0.1}, recorded_at="2024-03-01"),
    ]
    assert best(equal, metric="validation:error") == "p-20240102T0000-g0"


def test_of_two_results_that_are_equal_in_all_that_counts_the_first_is_taken() -> None:
    one, other = result(1), {**result(1), "run_id": "p-20240101T0000-g1"}
    assert best_of([one, other], Request(), pipeline="p") is one


READ: dict[str, tuple[dict[str, Any], Request]] = {
    "nothing": ({}, Request()),
    "the best of a backfill": ({"candidate": "best_of_backfill"}, Request()),
    "a run": ({"candidate": "p-20240131T0000-g0"}, Request(run_id="p-20240131T0000-g0")),
    "a fresh run": ({"candidate": "p-20240131T0000-g12fa0b1"}, Request(run_id="p-20240131T0000-g12fa0b1")),
    "a version": ({"candidate": 7}, Request(version=7)),
    "a version as text": ({"candidate": "999999999"}, Request(version=999999999)),
    "a label": ({"backfill": "may.2024_a-b"}, Request(backfill="may.2024_a-b")),
    "the longest label": ({"backfill": "a" * 64}, Request(backfill="a" * 64)),
    "dates": (
        {"from_date": "2024-01-01", "to_date": "2024-01-31"},
        Request(from_date=date(2024, 1, 1), to_date=date(2024, 1, 31)),
    ),
    "one day": (
        {"from_date": "2024-01-01", "to_date": "2024-01-01"},
        Request(from_date=date(2024, 1, 1), to_date=date(2024, 1, 1)),
    ),
    "a metric": ({"metric": "validation:ece"}, Request(metric="validation:ece")),
    "a policy": ({"deploy_policy": "always"}, Request(deploy_policy="always")),
    "even if refused": ({"even_if_refused": True}, Request(even_if_refused=True)),
}


@pytest.mark.parametrize(("params", "request_"), READ.values(), ids=READ)
def test_a_request_is_read(params: dict[str, Any], request_: Request) -> None:
    read = read_request(params, pipeline="p")
    assert read == request_
    assert read.best_of_backfill is (request_.run_id is None and request_.version is None)


def test_without_params_a_request_is_for_the_newest_best_of_a_backfill() -> None:
    assert Request() == Request(
        run_id=None,
        version=None,
        backfill=None,
        from_date=None,
        to_date=None,
        metric="validation:auc",
        deploy_policy="newest",
        even_if_refused=False,
    )


CANDIDATES = "write a run's id such as a-b-20240131T0000-g0, the number of a model package version, or best_of_backfill"
UNREADABLE: dict[str, tuple[dict[str, Any], str]] = {
    "another pipeline's run": (
        {"candidate": "c-20240131T0000-g0"},
        f"param candidate is 'c-20240131T0000-g0'; {CANDIDATES}",
    ),
    "no version": ({"candidate": 0}, f"param candidate is '0'; {CANDIDATES}"),
    "a version that is true": ({"candidate": True}, f"param candidate is True; {CANDIDATES}"),
    "a version that is too long": ({"candidate": "1" * 10}, f"param candidate is '1111111111'; {CANDIDATES}"),
    "a line break": ({"candidate": "7\n"}, f"param candidate is '7\\n'; {CANDIDATES}"),
    "a label with a space": (
        {"backfill": "a b"},
        "param backfill is 'a b'; write the label that the backfill's runs were given, or leave it empty",
    ),
    "a label that is too long": (
        {"backfill": "a" * 65},
        f"param backfill is {'a' * 65!r}; write the label that the backfill's runs were given, or leave it empty",
    ),
    "a label that is a number": (
        {"backfill": 7},
        "param backfill is 7; write the label that the backfill's runs were given, or leave it empty",
    ),
    "a date with a time": (
        {"from_date": "2024-01-01T00:00"},
        "param from_date is '2024-01-01T00:00'; write a day such as 2024-01-31, or leave it empty",
    ),
    "a day that there is not": (
        {"to_date": "2024-02-30"},
        "param to_date is '2024-02-30', which is not a day; write one such as 2024-01-31",
    ),
    "dates the wrong way round": (
        {"from_date": "2024-01-02", "to_date": "2024-01-01"},
        "param from_date (2024-01-02) is after to_date (2024-01-01); swap them",
    ),
    "an unknown metric": (
        {"metric": "auc"},
        "param metric is 'auc'; write one of validation:auc, validation:aucpr, validation:error, validation:logloss, "
        "validation:brier, validation:ece, validation:lift_top_decile",
    ),
    "an unknown policy": ({"deploy_policy": "never"}, "param deploy_policy is 'never'; write one of newest, always"),
    "a flag that is text": ({"even_if_refused": "true"}, "param even_if_refused is 'true'; write true or false"),
}


@pytest.mark.parametrize(("params", "sentence"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_param_that_cannot_be_read_is_refused_with_what_to_write(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        read_request(params, pipeline="a_b")
    assert str(caught.value) == sentence


def test_what_was_refused_is_told_by_its_reason() -> None:
    assert refusal(result(1, reason="quality_gate")) == "the gate refused it"
    assert refusal(result(1, reason="serving_skew")) == "it served other scores than the evaluation measured"
    assert refusal(result(1, reason="older_than_serving")) is None
    assert refusal({}) is None


def test_the_question_is_whole() -> None:
    found = result(2, 0.85, message="fine\nso far", evaluation={"champion_metrics": {"auc": 0.8, "error": True},
                   "reasons": ["auc 0.85\nkeeps 0.7", "and more"]})  # fmt: skip
    text = body(found, serving="`c1`", report=None, deploy_policy="always", note="Mind this.")
    assert text.splitlines() == [
        "**Mind this.**",
        "",
        "- run: `p-20240102T0000-g0`, data up to **2024-01-02**",
        "- serving now: `c1`",
        "- outcome of its run: rejected (older_than_serving): fine so far",
        "- deploy_policy: always (even if a newer model serves)",
        "- evaluation: none",
        "",
        "| metric | candidate | champion then | better is |",
        "|---|---:|---:|---|",
        "| validation:auc | 0.8500 | 0.8000 | higher |",
        "| validation:error | 0.1500 | – | lower |",
        "",
        "- gate: auc 0.85 keeps 0.7",
        "",
        "- gate: and more",
    ]
    assert subject(pipeline="p", endpoint="e", run_id="r", data_date="2024-01-02") == (
        "p: deploy the model of 2024-01-02 (run r) to endpoint e?"
    )


@pytest.mark.parametrize(
    "evaluation",
    [
        pytest.param(None, id="no evaluation"),
        pytest.param("s3://b/e/", id="an evaluation that is text"),
        pytest.param({"champion_metrics": None, "reasons": None}, id="nothing compared"),
    ],
)
def test_the_question_about_a_candidate_without_an_evaluation_shows_its_metrics_alone(evaluation: object) -> None:
    found = result(2, 0.85, evaluation=evaluation)
    lines = body(found, serving="c", report="s3://b/r.html", deploy_policy="newest").splitlines()
    assert lines == [
        "- run: `p-20240102T0000-g0`, data up to **2024-01-02**",
        "- serving now: c",
        "- outcome of its run: rejected (older_than_serving): ",
        "- deploy_policy: newest (not deployed if something newer serves by then)",
        "- evaluation: s3://b/r.html",
        "",
        "| metric | candidate | champion then | better is |",
        "|---|---:|---:|---|",
        "| validation:auc | 0.8500 | – | higher |",
        "| validation:error | 0.1500 | – | lower |",
    ]


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
