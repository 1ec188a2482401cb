"""The model registry's part of a record: a run's version, and what became of it."""

from __future__ import annotations

import logging

from brewtrain.domain import names
from brewtrain.domain.serving.model_package import Candidate, Decision, Registration
from brewtrain.hooks.connection import AwsClientHook
from brewtrain.hooks.model_registry import ModelRegistryHook

log = logging.getLogger(__name__)


def register(
    candidate: Candidate | None, decision: Decision, *, known_arn: str | None, beside: AwsClientHook
) -> Registration | None:
    """Register a run's model as a version of its group, or update the version that it has.

    :param candidate: The model; ``None`` if the execution names none, and nothing is registered.
    :param decision: What became of it.
    :param known_arn: The version that the run's result document names, if it has one.
    :param beside: A hook of the same task.
    :returns: The version.
    """
    if candidate is None:
        log.info("the run has no training job or no image: nothing to register")
        return None
    group = names.model_package_group(candidate.pipeline)
    registry = ModelRegistryHook(str(beside.aws_conn_id), beside=beside)
    registered = registry.register(group, candidate, decision, known_arn=known_arn)
    log.info(
        "model registry: version %s of %s is %s%s",
        registered.version,
        group,
        registered.status,
        " (new)" if registered.created else "",
    )
    return registered


def note_decision(package_arn: str | None, decision: Decision, *, aws_conn_id: str) -> None:
    """Write into the registry what became of a version that an earlier run registered.

    :param package_arn: The version; ``None`` if the run never registered one.
    :param decision: What became of it.
    :param aws_conn_id: Airflow connection of type ``aws``.
    """
    if not package_arn:
        log.info("the run was never registered as a model package: no approval status to change")
        return
    registry = ModelRegistryHook(aws_conn_id)
    if registry.describe_package(package_arn) is None:
        log.warning("model package %s does not exist any more: no approval status to change", package_arn)
        return
    registry.decide(package_arn, decision)
    log.info("model package %s is %s", package_arn, decision.status)
