"""The comparison of served and evaluated scores."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.serving.smoke_test import SmokeTest, parse, parse_scores, skew

DOCUMENT: dict[str, Any] = {"layout": 1, "content_type": "text/csv", "rows": ["1,2", ",3"], "scores": [0.25, 0.75]}
TEST = SmokeTest("text/csv", ("1,2", ",3"), (0.25, 0.75))


def test_what_the_evaluation_writes_is_read() -> None:
    assert parse(json.dumps(DOCUMENT), source="s") == TEST


@pytest.mark.parametrize(
    "change",
    [
        {"layout": 2},
        {"rows": []},
        {"rows": ["1,2"]},
        {"rows": [1, 2]},
        {"rows": ["1,2\n3,4", "5,6"]},
        {"scores": [0.25, "x"]},
        {"scores": [0.25, math.nan]},
        {"scores": None},
        {"content_type": None, "rows": None},
    ],
)
def test_anything_else_is_refused(change: dict[str, Any]) -> None:
    for text in (json.dumps({**DOCUMENT, **change}), "[]", "nothing"):
        with pytest.raises(DeploymentError) as caught:
            parse(text, source="s3://b/smoke.json")
        assert str(caught.value) == (
            "s3://b/smoke.json is not a smoke test of layout 1, so it is not known whether the endpoint serves what "
            "was evaluated; deploy the pipeline again so that script and DAGs match, then clear start_execution with "
            "everything downstream"
        )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("0.25\n0.75\n", id="lines"),
        pytest.param("0.25,0.75", id="commas"),
        pytest.param(" 0.25, 0.75 ", id="commas and spaces"),
    ],
)
def test_every_version_of_the_container_is_understood(body: str) -> None:
    assert parse_scores(body) == [0.25, 0.75]


def test_what_is_no_score_is_none() -> None:
    assert parse_scores('{"predictions": []}') is None
    assert parse_scores("") == []


@pytest.mark.parametrize(
    ("served", "problem"),
    [
        ([0.25, 0.75], None),
        ([0.25009, 0.74991], None),
        (
            [0.25, 0.7502],
            "1 of 2 rows score differently; the largest difference is in row 2: 0.750000 evaluated, 0.750200 served",
        ),
        (
            [math.nan, 0.75],
            "1 of 2 rows score differently; the largest difference is in row 1: 0.250000 evaluated, nan served",
        ),
        (
            [0.75, 0.25],
            "2 of 2 rows score differently; the largest difference is in row 1: 0.250000 evaluated, 0.750000 served",
        ),
        ([0.25], "it answered 1 scores for 2 rows"),
        ([], "it answered 0 scores for 2 rows"),
        (None, "its answer is not a list of scores"),
    ],
)
def test_skew(served: list[float] | None, problem: str | None) -> None:
    assert skew(TEST, served) == problem


def test_a_difference_of_the_tolerance_is_none() -> None:
    test = SmokeTest("text/csv", ("1",), (0.5,))
    assert skew(test, [0.75], tolerance=0.25) is None
    assert skew(test, [0.25], tolerance=0.25) is None
    assert skew(test, [0.75], tolerance=0.2) is not None


def test_rows_are_asked_in_bodies_that_fit() -> None:
    test = SmokeTest("text/csv", ("1234", "5678", "90"), (0.0, 0.0, 0.0))
    assert list(test.bodies()) == [b"1234\n5678\n90\n"]
    assert list(test.bodies(largest=8)) == [b"1234\n", b"5678\n90\n"]
    assert list(test.bodies(largest=1)) == [b"1234\n", b"5678\n", b"90\n"]
