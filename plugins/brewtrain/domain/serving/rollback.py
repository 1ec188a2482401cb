"""Which endpoint config a rollback goes to, and why others cannot be used.

Pure: described resources come in. Must not import Airflow or boto3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from brewtrain.domain.errors import DeploymentError, InputError
from brewtrain.domain.names import PIPELINE_TAG
from brewtrain.domain.serving.serving_history import Serving, last_served, served_before

PREVIOUS = "previous"
LONGEST_NAME = 63
# An endpoint config's name (CreateEndpointConfig). A plain $ would let a line break at the end
# pass.
TARGET_PATTERN = r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}(?!\n)$"


@dataclass(frozen=True)
class Target:
    """An endpoint config that might serve again.

    :param name: Its name.
    :param pipeline: Value of its tag ``brewtrain:pipeline``; ``None`` without one.
    :param run_id: Run that trained its model.
    :param data_date: Newest day that the model has seen.
    :param models: Names of its models.
    :param missing: What it needs and is gone, as phrases: a model, an archive.
    """

    name: str
    pipeline: str | None
    run_id: str | None = None
    data_date: str | None = None
    models: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def read_target(params: Mapping[str, Any]) -> str:
    """Return the param ``target``: ``previous``, or the name of an endpoint config.

    :raises InputError: If it cannot be the name of one.
    """
    value = params.get("target", PREVIOUS)
    if not isinstance(value, str) or len(value) > LONGEST_NAME or not re.fullmatch(TARGET_PATTERN, value):
        raise InputError(f"param target is {value!r}; write {PREVIOUS}, or the name of an endpoint config")
    return value


def choose(
    target: str,
    *,
    pipeline: str,
    endpoint: str,
    serving: str,
    serving_history: Iterable[Serving],
    look: Callable[[str], Target | None],
) -> tuple[Target, list[str]]:
    """Choose the endpoint config to go back to.

    ``previous`` is the last config that served before the present one first did; one that was
    deleted by hand, or whose model was, is passed over, and the notes say so: a person confirms
    what is left.

    :param target: From :func:`read_target`.
    :param serving: Config that serves.
    :param serving_history: What served when.
    :param look: Describes a config by name; ``None`` if there is none of this name.
    :returns: The target, and a sentence for each thing that a person should know before confirming.
    :raises DeploymentError: If there is none to go back to; says why, and what could be named.
    """
    entries = list(serving_history)
    if target != PREVIOUS:
        return _named(target, pipeline=pipeline, endpoint=endpoint, serving=serving, serving_history=entries, look=look)
    notes: list[str] = []
    for name in served_before(entries, serving):
        found = look(name)
        problem = _problem(name, found, pipeline=pipeline)
        if found is not None and problem is None:
            return found, notes
        notes.append(f"{problem}, so it is skipped")
    why = f" ({'; '.join(notes)})" if notes else ""
    later = [name for name in last_served(entries) if name != serving and look(name) is not None]
    others = f"; configs that served later can be named as target: {', '.join(later)}" if later and not notes else ""
    raise DeploymentError(
        f"no endpoint config is known to have served endpoint {endpoint!r} before {serving}{why}; "
        f"name an endpoint config as target, or deploy an earlier run with {pipeline}__promote{others}"
    )


def _named(
    target: str,
    *,
    pipeline: str,
    endpoint: str,
    serving: str,
    serving_history: list[Serving],
    look: Callable[[str], Target | None],
) -> tuple[Target, list[str]]:
    if target == serving:
        raise DeploymentError(f"endpoint {endpoint!r} already serves {target}: there is nothing to roll back")
    found = look(target)
    problem = _problem(target, found, pipeline=pipeline)
    if found is None or problem is not None:
        raise DeploymentError(
            f"{problem}; name another endpoint config, or deploy the run again with {pipeline}__promote, which creates "
            "model and config again"
        )
    served = target in last_served(serving_history)
    return found, [] if served else [f"endpoint config {target} is not known to have served before"]


def _problem(name: str, found: Target | None, *, pipeline: str) -> str | None:
    if found is None:
        return f"endpoint config {name} does not exist"
    if found.pipeline != pipeline:
        if not found.pipeline:
            return f"endpoint config {name} has no tag {PIPELINE_TAG}, so it is not known to be {pipeline}'s"
        return f"endpoint config {name} belongs to pipeline {found.pipeline}, not to {pipeline}"
    if found.missing:
        return f"endpoint config {name} cannot serve: {', '.join(found.missing)}"
    return None


def subject(target: Target, *, pipeline: str, endpoint: str, serving: str, serving_date: str | None) -> str:
    """Return the headline of the question whether to roll back."""
    return (
        f"{pipeline}: roll endpoint {endpoint} back from {serving} (data up to {serving_date or 'unknown'}) to "
        f"{target.name} (data up to {target.data_date or 'unknown'})?"
    )


def body(
    target: Target, *, serving: str, serving_date: str | None, metrics: Mapping[str, Any], notes: list[str]
) -> str:
    """Return what a person needs to answer that question, in Markdown.

    :param metrics: The target's metrics as its run evaluated them; empty if not known.
    :param notes: What must not be missed.
    """
    lines = [f"**{note}.**" for note in notes]
    lines += [
        "| | serves now | to go back to |",
        "|---|---|---|",
        f"| endpoint config | `{serving}` | `{target.name}` |",
        f"| model | | {', '.join(f'`{name}`' for name in target.models)} |",
        f"| data up to | {serving_date or 'unknown'} | {target.data_date or 'unknown'} |",
        f"| run | | `{target.run_id or 'unknown'}` |",
        "",
        "The next retraining with newer data deploys over it: pause the retrain DAG if that must not happen.",
    ]
    shown = [f"{name} {value:.4f}" for name, value in sorted(metrics.items()) if isinstance(value, int | float)]
    if shown:
        lines.append(f"\nEvaluated then: {', '.join(shown)}.")
    return "\n".join(lines)
