"""The event history: order, compression, and attempts that have ended."""

from __future__ import annotations

import pickle

import pytest

from local_aws.states.cancellation import Cancelled
from local_aws.states.history import History, Trail


def test_events_are_numbered_and_chained_by_trail() -> None:
    history, main, branch = History(), Trail(), Trail(1)
    writer = history.writer()
    assert writer.append(main, "ExecutionStarted", "executionStartedEventDetails", input="{}", roleArn=None) == 1
    assert writer.append(branch, "PassStateEntered") == 2
    assert writer.append(main, "WaitStateEntered") == 3
    events = history.read()
    assert [(event["id"], event["previousEventId"]) for event in events] == [(1, 0), (2, 1), (3, 1)]
    assert events[0]["executionStartedEventDetails"] == {"input": "{}"}


def test_a_frozen_history_can_be_read_and_added_to() -> None:
    history, trail = History(), Trail()
    history.append(trail, "ExecutionStarted")
    before = history.read()
    history.freeze()
    assert history.read() == before
    restored: History = pickle.loads(pickle.dumps(history))
    assert restored.read() == before
    assert restored.append(trail, "ExecutionRedriven") == len(restored) == 2


def test_an_attempt_that_has_ended_writes_nothing() -> None:
    history = History()
    stale = history.writer()
    history.end_attempt()
    fresh = history.writer()
    with pytest.raises(Cancelled):
        stale.append(Trail(), "TaskSucceeded")
    fresh.append(Trail(), "ExecutionRedriven")
    assert [event["type"] for event in history.read()] == ["ExecutionRedriven"]
