"""Waiting for the endpoint, at short intervals first, until the pipeline's patience ends."""

from __future__ import annotations

from typing import Any

from parts.sdk import ChoiceRule, all_of, choice, steps

# An endpoint is checked this often at short intervals before the pipeline's own interval applies.
BRIEF_WAITS = 5
BRIEF_WAIT_SECONDS = 1


def wait_and_look_again(query: Any, stuck: Any) -> Any:
    """Build the states that count, wait and look at the endpoint again.

    :param query: State that looks at the endpoint.
    :param stuck: State that follows after ``endpoint.max_waits`` waits.
    :returns: The first state.
    """
    count = steps.Pass("Count Wait", parameters={"count.$": "States.MathAdd($.waits.count, 1)"}, result_path="$.waits")
    count.next(query)
    wait_briefly = steps.Wait("Wait For Endpoint Briefly", seconds=BRIEF_WAIT_SECONDS)
    wait = steps.Wait("Wait For Endpoint", seconds_path="$.endpoint.wait_seconds")
    for state in (wait_briefly, wait):
        state.next(count)
    brief = all_of(
        ChoiceRule.NumericLessThan("$.waits.count", BRIEF_WAITS),
        ChoiceRule.NumericGreaterThan("$.endpoint.wait_seconds", BRIEF_WAIT_SECONDS),
    )
    return choice(
        "Waited Long Enough",
        [
            (ChoiceRule.NumericGreaterThanEqualsPath("$.waits.count", "$.endpoint.max_waits"), stuck),
            (brief, wait_briefly),
        ],
        wait,
    )
