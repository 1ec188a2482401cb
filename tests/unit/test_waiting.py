"""How tests wait: for a condition, with a limit and a message that says what did not happen."""

from __future__ import annotations

import pytest

from tests.fixtures.waiting import wait_until


def test_what_the_condition_returns_is_returned() -> None:
    looks = iter([None, 0, "found"])
    assert wait_until(lambda: next(looks), seconds=10, what="it is found", pause=0) == "found"


def test_a_condition_that_does_not_hold_is_named() -> None:
    with pytest.raises(AssertionError, match=r"^not within 0 s: the endpoint is in service$"):
        wait_until(lambda: False, seconds=0, what="the endpoint is in service")


def test_the_message_may_say_how_things_stand_at_the_end() -> None:
    states = ["Creating"]
    with pytest.raises(AssertionError, match=r"in service; it is Creating$"):
        wait_until(lambda: False, seconds=0, what=lambda: f"in service; it is {states[-1]}")
