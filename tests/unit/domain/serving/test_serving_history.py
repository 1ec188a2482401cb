"""What served before, read from records of which some are unreadable or never served."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from brewtrain.domain.run.outcome import Outcome
from brewtrain.domain.serving.serving_history import (
    Serving,
    deployment_record,
    last_served,
    read_serving_history,
    served_before,
)
from tests.fixtures.time_zones import machine_in

START = datetime(2024, 5, 1, tzinfo=UTC)


def history(*configs: str) -> list[Serving]:
    return [Serving(config, START + timedelta(hours=number)) for number, config in enumerate(configs)]


@pytest.mark.parametrize(
    ("served", "now", "before"),
    [
        ("A", "A", []),
        ("AB", "B", ["A"]),
        ("ABC", "C", ["B", "A"]),
        # Rolled back from C to B: C is what somebody rolled back from.
        ("ABCB", "B", ["A"]),
        ("ABCBA", "A", []),
        # And then a new model: what served last before it is B, and C is no rollback target.
        ("ABCBD", "D", ["B", "C", "A"]),
        # Not known to the history: deployed by hand, or its record was not written.
        ("AB", "X", ["B", "A"]),
        ("AB", None, ["B", "A"]),
        ("", None, []),
    ],
)
def test_what_served_before(served: str, now: str | None, before: list[str]) -> None:
    assert served_before(history(*served), now) == before
    assert served_before(reversed(history(*served)), now) == before, "the order of the records does not matter"


def test_when_it_served_last() -> None:
    assert last_served(history(*"ABA")) == {"A": START + timedelta(hours=2), "B": START + timedelta(hours=1)}


def record(**more: Any) -> dict[str, Any]:
    outcome = Outcome.model_validate(
        {
            "outcome": "promoted",
            "reason": "promoted",
            "endpoint_name": "e",
            "endpoint_config_name": "c",
            "model_name": "m",
            "run": {"recipe_version": "3.0"},
        }
    )
    return {
        **deployment_record(
            outcome,
            kind="promote",
            pipeline="p",
            run_id="p-20240502T0000-g0",
            data_date="2024-05-01",
            execution_arn="arn",
            ended_at=START,
            dag_run_id="manual",
        ),
        **more,
    }


def test_a_record_is_read_back() -> None:
    [found] = read_serving_history([record()], endpoint="e")
    assert found == Serving("c", START, "promote", "p-20240502T0000-g0", "2024-05-01", "3.0")


def test_a_record_says_what_was_deployed_from_what_and_by_what() -> None:
    outcome = Outcome(
        outcome="promoted",
        reason="promoted",
        message="It serves.",
        run={"id": "r", "recipe_version": "3.0"},
        metrics={"validation:auc": 0.8},
        endpoint_name="e",
        endpoint_config_name="c",
        model_name="m",
        model_artifacts="s3://b/model.tar.gz",
        training_job_name="t",
    )
    with machine_in("Asia/Tokyo"):
        made = deployment_record(
            outcome,
            kind="rollback",
            pipeline="p",
            run_id="p-20240502T0000-g0",
            data_date="2024-05-01",
            execution_arn="arn",
            ended_at=datetime(2024, 5, 2, 1, 30, tzinfo=timezone(timedelta(hours=2))),
            dag_run_id="manual",
            approved_by="ada",
        )
    assert made == {
        "layout": 1,
        "kind": "rollback",
        "pipeline": "p",
        "outcome": "promoted",
        "reason": "promoted",
        "message": "It serves.",
        "run_id": "p-20240502T0000-g0",
        "data_date": "2024-05-01",
        "run": {"id": "r", "recipe_version": "3.0"},
        "metrics": {"validation:auc": 0.8},
        "endpoint_name": "e",
        "endpoint_config_name": "c",
        "model_name": "m",
        "model_artifacts": "s3://b/model.tar.gz",
        "training_job_name": "t",
        "execution_arn": "arn",
        "ended_at": "2024-05-01T23:30:00+00:00",
        "dag_run_id": "manual",
        "approved_by": "ada",
    }


def test_a_result_document_from_before_there_were_records_counts() -> None:
    old = {"outcome": "promoted", "endpoint_name": "e", "endpoint_config_name": "c", "stopped_at": START.isoformat()}
    assert read_serving_history([old], endpoint="e") == [Serving("c", START, "retrain", "", "", "")]
    assert len(read_serving_history([old, record()], endpoint="e")) == 1, (
        "the record of the same deployment is no second one"
    )


@pytest.mark.parametrize(
    "broken",
    [
        {"outcome": "rejected", "reason": "older_than_serving"},
        {"outcome": "pending"},
        {"endpoint_config_name": None},
        {"endpoint_config_name": 7},
        {"endpoint_name": "another"},
        {"ended_at": None},
        {"ended_at": "yesterday"},
    ],
)
def test_what_did_not_serve_is_no_history(broken: dict[str, Any]) -> None:
    assert read_serving_history([record(**broken)], endpoint="e") == []
    assert len(read_serving_history([record(**broken), record()], endpoint="e")) == 1, "the next record counts"


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(None, id="no run"),
        pytest.param("r", id="a run that is text"),
        pytest.param({}, id="a run without a recipe version"),
        pytest.param({"recipe_version": None}, id="a recipe version left empty"),
    ],
)
def test_a_record_without_a_recipe_version_is_history_all_the_same(run: object) -> None:
    [found] = read_serving_history([record(run=run)], endpoint="e")
    assert found.recipe_version == ""


def test_a_time_without_a_zone_is_utc_and_one_with_a_zone_keeps_it() -> None:
    [naive] = read_serving_history([record(ended_at="2024-05-01T00:00:00")], endpoint="e")
    assert (naive.since, naive.since.tzinfo) == (START, UTC)
    [elsewhere] = read_serving_history([record(ended_at="2024-05-01T02:00:00+02:00")], endpoint="e")
    assert elsewhere.since == START


def test_the_history_is_in_order_of_time_and_then_of_name() -> None:
    later = (START + timedelta(hours=1)).isoformat()
    found = read_serving_history(
        [
            record(endpoint_config_name="a", ended_at=later),
            record(endpoint_config_name="c"),
            record(endpoint_config_name="b"),
        ],
        endpoint="e",
    )
    assert [one.endpoint_config for one in found] == ["b", "c", "a"]


def test_what_came_before_is_told_apart_by_name_where_the_times_are_equal() -> None:
    same = [Serving("b", START), Serving("a", START), Serving("c", START + timedelta(hours=1))]
    assert served_before(same, "c") == served_before(same[::-1], "c") == ["b", "a"]
