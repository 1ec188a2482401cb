"""The Step Functions Data Science SDK, and what its classes of 2021 do not know yet.

The only module that imports the SDK. Must not know any state of the machine.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

# The SDK asks boto3 for a region to pick the ARN partition; the text must not depend on who renders
# it.
os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
os.environ["SAGEMAKER_SUPPRESS_V2_WARNING"] = "1"
with warnings.catch_warnings():
    # stepfunctions 2.3.0 imports pkg_resources and compares a string with `is`; both go with the
    # SDK itself.
    warnings.simplefilter("ignore")
    from sagemaker import image_uris
    from stepfunctions import steps
    from stepfunctions.steps.choice_rule import BaseRule, ChoiceRule
    from stepfunctions.steps.states import Graph

__all__ = [
    "BaseRule",
    "ChoiceRule",
    "Graph",
    "all_of",
    "any_of",
    "call",
    "catch_all",
    "choice",
    "image_uris",
    "one_of",
    "retry",
    "steps",
    "text_has",
    "with_fields",
]

API_CALL_TIMEOUT_SECONDS = 60


def with_fields(block: Any, **fields: Any) -> Any:
    """Add fields of the Amazon States Language that stepfunctions 2.3.0 has no keyword for.

    :param block: A step, retrier or any other block of the SDK.
    :param fields: Field name as the language spells it → value.
    :returns: The same block.
    """
    render: Callable[[], dict[str, Any]] = block.to_dict
    block.to_dict = lambda: {**render(), **fields}
    return block


def retry(errors: list[str], *, first: int, attempts: int, longest: int) -> Any:
    """Retry with exponential backoff and full jitter.

    :param errors: Error names.
    :param first: Upper bound of the first delay in seconds; doubles.
    :param attempts: Number of retries.
    :param longest: Upper bound of every delay in seconds.
    """
    return with_fields(
        steps.Retry(error_equals=errors, interval_seconds=first, max_attempts=attempts, backoff_rate=2.0),
        MaxDelaySeconds=longest,
        JitterStrategy="FULL",
    )


def call(name: str, action: str, parameters: dict[str, Any], *, retry: list[Any] | None, **fields: Any) -> Any:
    """Build a Task state that is one API call.

    :param name: State name.
    :param action: ``service:action`` of the integration, e.g. ``aws-sdk:s3:getObject``.
    :param parameters: The call's parameters.
    :param retry: Retriers, or None where the state has a Catch that leads back to it.
    :param fields: ``result_path``, ``comment``, ``selector`` (ResultSelector).
    """
    selector = fields.pop("selector", None)
    task = steps.Task(
        name,
        resource=f"arn:aws:states:::{action}",
        parameters=parameters,
        timeout_seconds=API_CALL_TIMEOUT_SECONDS,
        retry=list(retry) if retry else None,
        **fields,
    )
    return with_fields(task, ResultSelector=selector) if selector else task


def catch_all(task: Any, handler: Any) -> None:
    """Lead every error of a task to a handler.

    :param task: The task.
    :param handler: State that finds error and cause in ``$.failure``.
    """
    task.add_catch(steps.Catch(error_equals=["States.ALL"], next_step=handler, result_path="$.failure"))


def choice(name: str, rules: list[tuple[BaseRule, Any]], default: Any, comment: str | None = None) -> Any:
    """Build a Choice state.

    :param name: State name.
    :param rules: Rule and the state it leads to, the first that holds wins.
    :param default: State for everything else.
    :param comment: Comment of the state.
    """
    state = steps.Choice(name, comment=comment) if comment else steps.Choice(name)
    for rule, target in rules:
        state.add_choice(rule, target)
    state.default_choice(default)
    return state


def all_of(*rules: BaseRule) -> BaseRule:
    """Build the rule that holds if all of these hold."""
    return ChoiceRule.And(list(rules))


def any_of(*rules: BaseRule) -> BaseRule:
    """Build the rule that holds if one of these holds."""
    return ChoiceRule.Or(list(rules))


def one_of(variable: str, values: tuple[str, ...]) -> BaseRule:
    """Build the rule that holds if a text is one of several.

    :param variable: Path of the text, which must exist.
    :param values: The texts.
    """
    return any_of(*(ChoiceRule.StringEquals(variable, value) for value in values))


def text_has(variable: str, *fragments: str) -> BaseRule:
    """Build the rule that holds if a text exists and contains one of the fragments.

    :param variable: Path of the text, which may be absent.
    :param fragments: Texts without wildcards.
    """
    # A caught States.Timeout may carry no Cause, and a Choice on an absent path is a failure that
    # nothing catches.
    matches = any_of(*(ChoiceRule.StringMatches(variable, f"*{fragment}*") for fragment in fragments))
    return all_of(ChoiceRule.IsPresent(variable, True), matches)
