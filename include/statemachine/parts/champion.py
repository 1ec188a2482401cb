"""Finding the champion: endpoint → endpoint config → model → archive, or why there is none.

``$.champion`` gets ``uri`` (null without one), ``argument`` (what the evaluation's container is
told) and ``reason``. A champion that cannot be found although the endpoint exists is *unknown*,
never absent: to the gate it is not comparable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parts.endpoint_conditions import TRANSIENT
from parts.retries import SAGEMAKER_CALL_RETRY, SAGEMAKER_LOOKUP_RETRY
from parts.sdk import ChoiceRule, all_of, call, catch_all, choice, steps, text_has

NO_CHAMPION = "none"
UNKNOWN_CHAMPION = "unknown"
# SageMaker refuses empty arguments of a container; whether it takes empty values of its environment
# is not documented.
NO_REASON = "none"

# About nine events a round, and an execution ends with its 25,000th.
LOOKUP_PAUSE_SECONDS = 20

CONFIG = "$.serving.EndpointConfigName"
MODEL = "$.champion_config.models[0]"

Unknown = Callable[[str, str], Any]


def find_champion(evaluate: Any) -> Any:
    """Build the states that fill in ``$.champion``.

    :param evaluate: State that follows, whether there is a champion or not.
    :returns: The first state.
    """

    def unknown(name: str, reason: str) -> Any:
        state = steps.Pass(
            name,
            parameters={"uri": None, "argument": UNKNOWN_CHAMPION, "reason.$": reason},
            result_path="$.champion",
        )
        state.next(evaluate)
        return state

    no_champion = steps.Pass(
        "No Champion",
        result={"uri": None, "argument": NO_CHAMPION, "reason": NO_REASON},
        result_path="$.champion",
        comment="No endpoint: this is the first run, or somebody deleted it.",
    )
    no_champion.next(evaluate)
    return _lookup(
        "Query Champion Endpoint",
        "aws-sdk:sagemaker:describeEndpoint",
        {"EndpointName.$": "$.endpoint.name"},
        found=_endpoint_config(unknown, _model(unknown, _archive(unknown, evaluate))),
        absent=no_champion,
        text="Could not find endpoint",
        result_path="$.serving",
        comment="The whole answer is kept, as in Query Endpoint, which asks again before anything is written.",
    )


def _endpoint_config(unknown: Unknown, model: Any) -> Any:
    """Look up the config that the endpoint serves.

    :param unknown: Makes the state for a champion that cannot be found.
    :param model: First state of the next lookup, where the config serves one model.
    """
    one_model = choice(
        "One Champion Model",
        [
            (
                all_of(
                    ChoiceRule.NumericEquals("$.champion_config.variants", 1),
                    ChoiceRule.IsPresent(MODEL, True),
                ),
                model,
            )
        ],
        unknown(
            "Champion Is Not One Model",
            f"States.Format('endpoint config {{}} serves {{}} variants, not one model', {CONFIG},"
            " $.champion_config.variants)",
        ),
        comment="An A/B test or inference components: nothing here tells which of the models is the champion.",
    )
    look_up = _lookup(
        "Look Up Champion Config",
        "aws-sdk:sagemaker:describeEndpointConfig",
        {"EndpointConfigName.$": CONFIG},
        found=one_model,
        absent=unknown(
            "Champion Config Deleted",
            f"States.Format('the serving endpoint config {{}} was deleted by hand', {CONFIG})",
        ),
        text="Could not find endpoint configuration",
        selector={
            "models.$": "$.ProductionVariants[*].ModelName",
            "variants.$": "States.ArrayLength($.ProductionVariants)",
        },
        result_path="$.champion_config",
    )
    return choice(
        "Champion Endpoint Has Config",
        [(ChoiceRule.IsPresent(CONFIG, True), look_up)],
        unknown(
            "Champion Endpoint Without Config",
            "States.Format('endpoint {} is {} and names no endpoint config', $.endpoint.name,"
            " $.serving.EndpointStatus)",
        ),
    )


def _model(unknown: Unknown, archive: Any) -> Any:
    """Look up the model that the config serves.

    :param unknown: Makes the state for a champion that cannot be found.
    :param archive: State that follows where the model exists.
    """
    return _lookup(
        "Look Up Champion Model",
        "aws-sdk:sagemaker:describeModel",
        {"ModelName.$": MODEL},
        found=archive,
        absent=unknown(
            "Champion Model Deleted", f"States.Format('the serving model {{}} was deleted by hand', {MODEL})"
        ),
        text="Could not find model",
        # Of the primary container, or of each of several: a path to a member that may be absent
        # would fail.
        selector={"archives.$": "$..ModelDataUrl"},
        result_path="$.champion_model",
    )


def _archive(unknown: Unknown, evaluate: Any) -> Any:
    """Take the archive of the model, if it has exactly one.

    :param unknown: Makes the state for a champion that cannot be found.
    :param evaluate: State that follows.
    """
    take = steps.Pass(
        "Take Champion",
        parameters={
            "uri.$": "$.champion_model.archives[0]",
            "argument.$": "$.champion_model.archives[0]",
            "reason": NO_REASON,
        },
        result_path="$.champion",
    )
    take.next(evaluate)
    return choice(
        "One Champion Archive",
        [
            (
                all_of(
                    ChoiceRule.IsPresent("$.champion_model.archives[0]", True),
                    ChoiceRule.IsPresent("$.champion_model.archives[1]", False),
                ),
                take,
            )
        ],
        unknown(
            "Champion Has No Archive",
            f"States.Format('the serving model {{}} does not have exactly one archive (ModelDataUrl)', {MODEL})",
        ),
    )


def _lookup(
    name: str, action: str, parameters: dict[str, Any], found: Any, absent: Any, text: str, **fields: Any
) -> Any:
    """Build an aws-sdk call to SageMaker for which "could not find" is a valid answer.

    SageMaker uses one error name for what does not exist, what is throttled and what is denied, so
    a Catch recognises the first by its text. What may pass leads back to the same question, since
    its answer may be "could not find" next time; the stage's limit bounds that. Everything else
    leads to a second Task with the same call and no Catch: it fails by itself, with AWS's own
    words, and a redrive asks once more.

    :param found: Next state if it exists.
    :param absent: Next state if it does not exist.
    :param text: Part of SageMaker's message if it does not exist.
    """
    first = call(name, action, parameters, retry=SAGEMAKER_LOOKUP_RETRY, **fields)
    again = call(f"{name} Again", action, parameters, retry=SAGEMAKER_CALL_RETRY, **fields)
    later = steps.Wait(f"{name} Later", seconds=LOOKUP_PAUSE_SECONDS)
    later.next(first)
    failed = choice(f"{name} Failed", [(text_has("$.failure.Cause", text), absent), (TRANSIENT, later)], again)
    catch_all(first, failed)
    for task in (first, again):
        task.next(found)
    return first
