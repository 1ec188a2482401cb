"""The events between trigger and worker survive JSON, and nothing else is read as one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from brewtrain.domain.run.ladder import Action
from brewtrain.triggers.stage_events import (
    StageEvent,
    StageFailed,
    StageOver,
    StageOverdue,
    StageSkipped,
    WaitProblem,
    deserialize,
    serialize,
)

EVENTS: list[StageEvent] = [
    StageOver({"stage": "train", "setup": 1}),
    StageSkipped("The gate said no."),
    *(StageFailed(action) for action in Action),
    StageOverdue(),
    WaitProblem("AWS denied states:DescribeExecution"),
]


@pytest.mark.parametrize("event", EVENTS, ids=str)
def test_an_event_is_read_as_it_was_written(event: StageEvent) -> None:
    assert deserialize(json.loads(json.dumps(serialize(event)))) == event


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(None, id="nothing"),
        pytest.param("success", id="a-text"),
        pytest.param({}, id="no-kind"),
        pytest.param({"kind": "late"}, id="an-unknown-kind"),
        pytest.param({"kind": "over"}, id="no-result"),
        pytest.param({"kind": "failed", "action": "explode"}, id="an-unknown-action"),
        pytest.param({"kind": "problem", "problem": None}, id="no-problem"),
    ],
)
def test_nothing_else_is_read_as_an_event(payload: Any) -> None:
    with pytest.raises(ValueError, match="is not an event of a stage"):
        deserialize(payload)
