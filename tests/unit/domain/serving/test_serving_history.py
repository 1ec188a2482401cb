"""What served before, read from records of which some are unreadable or never served."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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


def test_a_result_document_from_before_there_were_records_counts() -> None:
    old = {"outcome": "promoted", "endpoint_name": "e", "endpoint_config_name": "c", "stopped_at": START.isoformat()}
    assert [one.since for one in read_serving_history([old], endpoint="e")] == [START]
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
