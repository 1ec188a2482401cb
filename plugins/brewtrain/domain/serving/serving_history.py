"""What served when: one small record for every deployment, and what they say of earlier ones.

Exists because SageMaker does not say it: an endpoint config's time of creation is not when it
served, and a config may have been made and never deployed (``older_than_serving``, a failed
update). Why records in S3 and not tags: docs/adr/0050-serving-history.md. Must not import Airflow
or boto3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from brewtrain.domain.run.outcome import Outcome

LAYOUT = 1
Kind = Literal["retrain", "promote", "rollback"]
KINDS: tuple[Kind, ...] = ("retrain", "promote", "rollback")


@dataclass(frozen=True)
class Serving:
    """An endpoint config began to serve.

    :param endpoint_config: Its name.
    :param since: When, aware.
    :param kind: What brought it there.
    :param run_id: Run that trained the model.
    :param data_date: Newest day that the model has seen, ``YYYY-MM-DD``.
    :param recipe_version: Version of the recipe that made its data; empty if not known.
    """

    endpoint_config: str
    since: datetime
    kind: str = "retrain"
    run_id: str = ""
    data_date: str = ""
    recipe_version: str = ""


def deployment_record(
    outcome: Outcome,
    *,
    kind: Kind,
    pipeline: str,
    run_id: str,
    data_date: str,
    execution_arn: str,
    ended_at: datetime,
    dag_run_id: str,
    **more: Any,
) -> dict[str, Any]:
    """Build the record of one deployment, whatever came of it; only ``promoted`` ones are history.

    :param outcome: What the execution reports.
    :param kind: What asked for it.
    :param run_id: Run that trained the model.
    :param data_date: Newest day that the model has seen.
    :param ended_at: When the execution ended, which is when the endpoint served at the latest;
        aware.
    :param more: Further fields, such as who approved.
    """
    return {
        "layout": LAYOUT,
        "kind": kind,
        "pipeline": pipeline,
        "outcome": outcome.outcome,
        "reason": outcome.reason,
        "message": outcome.message,
        "run_id": run_id,
        "data_date": data_date,
        "run": dict(outcome.run),
        "metrics": dict(outcome.metrics),
        "endpoint_name": outcome.endpoint_name,
        "endpoint_config_name": outcome.endpoint_config_name,
        "model_name": outcome.model_name,
        "model_artifacts": outcome.model_artifacts,
        "training_job_name": outcome.training_job_name,
        "execution_arn": execution_arn,
        "ended_at": ended_at.astimezone(UTC).isoformat(),
        "dag_run_id": dag_run_id,
        **more,
    }


def read_serving_history(documents: Iterable[Mapping[str, Any]], *, endpoint: str) -> list[Serving]:
    """Read deployment records and result documents into the history of an endpoint, oldest first.

    A record that is not readable is left out: the history of a pipeline must not end with one bad
    document.

    :param documents: Records of :func:`deployment_record`, and result documents of runs from before
        there were records.
    :param endpoint: Name of the endpoint; a pipeline may have been given another one meanwhile.
    """
    found: dict[tuple[str, datetime], Serving] = {}
    for document in documents:
        config, since = document.get("endpoint_config_name"), _time(document)
        if document.get("outcome") != "promoted" or not isinstance(config, str) or since is None:
            continue
        if document.get("endpoint_name") != endpoint:
            continue
        found.setdefault(
            (config, since),
            Serving(
                endpoint_config=config,
                since=since,
                kind=str(document.get("kind") or "retrain"),
                run_id=str(document.get("run_id") or ""),
                data_date=str(document.get("data_date") or ""),
                recipe_version=_recipe_version(document),
            ),
        )
    return sorted(found.values(), key=lambda serving: (serving.since, serving.endpoint_config))


def _time(document: Mapping[str, Any]) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(document.get("ended_at") or document.get("stopped_at")))
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _recipe_version(document: Mapping[str, Any]) -> str:
    run = document.get("run")
    return str(run.get("recipe_version") or "") if isinstance(run, Mapping) else ""


def served_before(serving_history: Iterable[Serving], serving: str | None) -> list[str]:
    """Return the endpoint configs that served before the present one, the latest first.

    What counts is when the present config *first* served: after a rollback from C to B, "the
    previous" is A and not C, which somebody rolled back from.

    :param serving_history: Oldest first.
    :param serving: The config that serves; ``None`` or one that the history does not know:
        everything came before it.
    """
    entries = sorted(serving_history, key=lambda entry: (entry.since, entry.endpoint_config))
    first = min((entry.since for entry in entries if entry.endpoint_config == serving), default=None)
    names = [
        entry.endpoint_config
        for entry in reversed(entries)
        if entry.endpoint_config != serving and (first is None or entry.since < first)
    ]
    return list(dict.fromkeys(names))


def last_served(serving_history: Iterable[Serving]) -> dict[str, datetime]:
    """Return every config that ever served → when it last began to."""
    latest: dict[str, datetime] = {}
    for entry in serving_history:
        latest[entry.endpoint_config] = max(entry.since, latest.get(entry.endpoint_config, entry.since))
    return latest
