"""The pipeline's group in the model registry, of which every evaluated candidate becomes a version.

SageMaker has no call that changes a group's description, so only its tags are put back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from brewtrain.domain import names
from brewtrain.domain.deployment.plan import Change, change
from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.pipeline.file import Pipeline

if TYPE_CHECKING:
    from brewtrain.hooks.model_registry import ModelRegistryHook

_RESOURCE = "Model package group"
_DESCRIPTION_LENGTH = 1024


class ModelPackageGroup:
    """The model package group of a pipeline.

    :param pipeline: The pipeline file.
    """

    def __init__(self, pipeline: Pipeline, registry: ModelRegistryHook) -> None:
        self._name = names.model_package_group(pipeline.name)
        self._tags = {names.PIPELINE_TAG: pipeline.name}
        # Control characters, such as the line breaks of a YAML block, are refused
        # (CreateModelPackageGroup).
        text = f"Candidates of brewtrain's pipeline {pipeline.name}. {pipeline.description}"
        self._description = " ".join(text.split())[:_DESCRIPTION_LENGTH]
        self._registry = registry

    def plan(self) -> Change:
        """Say whether the group exists and has its tags.

        :raises DeploymentError: If SageMaker could not make, or is deleting, a group of this name.
        """
        group = self._registry.describe_group(self._name)
        if group is None:
            return change(_RESOURCE, self._name, exists=False)
        if group["ModelPackageGroupStatus"] in ("Failed", "Deleting", "DeleteFailed"):
            raise DeploymentError(
                f"model package group {self._name!r} is {group['ModelPackageGroupStatus']}; delete it in SageMaker and "
                "deploy again"
            )
        tags = self._registry.tags(group["ModelPackageGroupArn"])
        differences = [
            f"tag {key}: {tags.get(key, 'none')} → {value}"
            for key, value in self._tags.items()
            if tags.get(key) != value
        ]
        return change(_RESOURCE, self._name, exists=True, differences=differences)

    def apply(self) -> None:
        """Make the group unless it exists, and put its tags back."""
        group = self._registry.describe_group(self._name)
        if group is None:
            if self._registry.create_group(self._name, description=self._description, tags=self._tags):
                return
            group = self._registry.describe_group(self._name) or {}
        arn = group.get("ModelPackageGroupArn")
        if arn is not None and not self._tags.items() <= self._registry.tags(arn).items():
            self._registry.add_tags(arn, self._tags)
