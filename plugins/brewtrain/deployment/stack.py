"""All resources of a pipeline, in the order of their references.

The alias, which makes them live, comes last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from brewtrain.deployment.bucket import Bucket
from brewtrain.deployment.evaluation_code import EvaluationCode
from brewtrain.deployment.model_package_group import ModelPackageGroup
from brewtrain.deployment.quality_rules import QualityRules
from brewtrain.deployment.recipe import Recipe
from brewtrain.deployment.resource import DeployedResource
from brewtrain.deployment.script import SplitScript
from brewtrain.deployment.split_job import SplitJob
from brewtrain.deployment.state_machine import LiveAlias, StateMachine
from brewtrain.domain import names
from brewtrain.domain.deployment.plan import Action, Change
from brewtrain.domain.errors import TransientError
from brewtrain.domain.evaluation.job import Code
from brewtrain.domain.pipeline.file import Pipeline

if TYPE_CHECKING:
    from brewtrain.hooks.databrew_recipe import DataBrewRecipeHook
    from brewtrain.hooks.glue_job import GlueJobHook
    from brewtrain.hooks.model_registry import ModelRegistryHook
    from brewtrain.hooks.s3_deployment import S3DeploymentHook
    from brewtrain.hooks.stepfunctions_state_machine import StepFunctionsStateMachineHook

# DescribeStateMachine is eventually consistent (API reference): what was just written may not be
# read at once.
_SETTLE_LOOKS = 5
_SETTLE_SECONDS = 2.0


@dataclass(frozen=True)
class Content:
    """What the repository says should be deployed for one pipeline.

    :param recipe_steps: Steps as CreateRecipe takes them.
    :param split_script: The Glue script.
    :param evaluation_code: The files that run in the evaluation's container.
    :param definition: Amazon States Language, JSON.
    """

    recipe_steps: list[dict[str, Any]]
    split_script: str
    evaluation_code: Code
    definition: str


@dataclass(frozen=True)
class Hooks:
    """The services that a deployment writes to."""

    s3: S3DeploymentHook
    databrew: DataBrewRecipeHook
    glue: GlueJobHook
    states: StepFunctionsStateMachineHook
    registry: ModelRegistryHook


class Stack:
    """Everything that is deployed for one pipeline.

    :param pipeline: The pipeline file.
    :param content: What is to be deployed.
    :param account: Where.
    """

    def __init__(self, pipeline: Pipeline, content: Content, account: names.Account, hooks: Hooks) -> None:
        bucket = pipeline.bucket_name(account)
        source_bucket = pipeline.source.bucket(bucket)
        is_default = bucket == names.default_bucket(account.account_id, account.region)
        script = SplitScript(pipeline.name, bucket, content.split_script.encode(), hooks.s3)
        machine = StateMachine(pipeline.name, content.definition, account, hooks.states)
        self.resources: list[DeployedResource] = [
            Bucket.of_pipeline(bucket, hooks.s3, is_default=is_default),
            *([Bucket.of_source(source_bucket, hooks.s3)] if source_bucket != bucket else []),
            script,
            EvaluationCode(pipeline.name, bucket, content.evaluation_code, hooks.s3),
            QualityRules(pipeline, bucket, hooks.s3),
            Recipe(pipeline.name, content.recipe_steps, account, hooks.databrew),
            SplitJob(pipeline, account, script.uri, hooks.glue),
            ModelPackageGroup(pipeline, hooks.registry),
            machine,
            LiveAlias(pipeline.name, account, machine, hooks.states),
        ]

    def plan(self) -> list[Change]:
        """Say what :meth:`apply` would do, resource by resource, and change nothing."""
        return [resource.plan() for resource in self.resources]

    def apply(self, report: Callable[[Change], None], *, sleep: Callable[[float], None] = time.sleep) -> list[Change]:
        """Bring every resource to what it should be, and look again whether it is.

        :param report: Called with each resource's change once it has been made.
        :param sleep: Waits between two looks.
        :returns: The changes made.
        :raises TransientError: If a resource is not what it should be afterwards: somebody else is
            deploying.
        """
        changes = []
        for resource in self.resources:
            change = resource.plan()
            if change.action is not Action.UNCHANGED:
                resource.apply()
            report(change)
            changes.append(change)
        if any(change.action is not Action.UNCHANGED for change in changes):
            self._wait_until_settled(sleep)
        return changes

    def _wait_until_settled(self, sleep: Callable[[float], None]) -> None:
        for look in range(_SETTLE_LOOKS):
            left = [change for change in self.plan() if change.action is not Action.UNCHANGED]
            if not left:
                return
            if look < _SETTLE_LOOKS - 1:
                sleep(_SETTLE_SECONDS)
        raise TransientError(
            f"{left[0].resource} {left[0].name} is not what was just deployed ({'; '.join(left[0].differences)}); "
            "somebody else may be deploying: deploy again"
        )
