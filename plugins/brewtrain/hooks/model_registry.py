"""SageMaker's model registry: the pipeline's group, and the versions in it.

Must not be imported while DAG files are parsed.

Source: CreateModelPackageGroup, CreateModelPackage, ListModelPackages and UpdateModelPackage in the
Amazon SageMaker API Reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.serving.model_package import Candidate, Decision, Registration, Update, update_of, version_of
from brewtrain.hooks.aws_errors import error_code, error_message, is_not_found
from brewtrain.hooks.connection import AwsClientHook

# ListModelPackages sends whole seconds, and the clocks of two services may differ.
_CLOCK_TOLERANCE = timedelta(minutes=5)
_PAGE = 100


class ModelRegistryHook(AwsClientHook):
    """Model package groups and their versions."""

    service = "sagemaker"

    def describe_group(self, name: str) -> dict[str, Any] | None:
        """Return a group as DescribeModelPackageGroup does; ``None`` if it does not exist."""
        with self.errors(f"model package group {name!r}"):
            try:
                group: dict[str, Any] = self.conn.describe_model_package_group(ModelPackageGroupName=name)
            except ClientError as error:
                if is_not_found(error):
                    return None
                raise
        return group

    def create_group(self, name: str, *, description: str, tags: Mapping[str, str]) -> bool:
        """Make a group.

        :returns: Whether it was made; ``False`` if one of this name has just appeared.
        """
        with self.errors(f"model package group {name!r}"):
            try:
                self.conn.create_model_package_group(
                    ModelPackageGroupName=name, ModelPackageGroupDescription=description, Tags=_tag_list(tags)
                )
            except ClientError as error:
                # SageMaker has no error code of its own for it.
                if error_code(error) == "ValidationException" and "already exists" in error_message(error).lower():
                    return False
                raise
        return True

    def tags(self, arn: str) -> dict[str, str]:
        """Return a resource's tags."""
        with self.errors(arn):
            pages = self.conn.get_paginator("list_tags").paginate(ResourceArn=arn)
            return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}

    def add_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags to a resource, or change them; others stay."""
        with self.errors(arn):
            self.conn.add_tags(ResourceArn=arn, Tags=_tag_list(tags))

    def describe_package(self, arn: str) -> dict[str, Any] | None:
        """Return a version as DescribeModelPackage does; ``None`` if it does not exist."""
        with self.errors(f"model package {arn}"):
            try:
                package: dict[str, Any] = self.conn.describe_model_package(ModelPackageName=arn)
            except ClientError as error:
                if is_not_found(error):
                    return None
                raise
        return package

    def list_packages(self, group: str, *, created_after: datetime | None = None) -> Iterator[dict[str, Any]]:
        """Return the versions of a group as ListModelPackages does, newest first.

        :param created_after: Only those made since then.
        :returns: Nothing if the group does not exist.
        """
        request: dict[str, Any] = {"ModelPackageGroupName": group, "SortBy": "CreationTime", "SortOrder": "Descending"}
        if created_after is not None:
            request["CreationTimeAfter"] = created_after
        with self.errors(f"model package group {group!r}"):
            try:
                pages = self.conn.get_paginator("list_model_packages").paginate(
                    **request, PaginationConfig={"PageSize": _PAGE}
                )
                for page in pages:
                    yield from page["ModelPackageSummaryList"]
            except ClientError as error:
                if not is_not_found(error):
                    raise

    def find(self, group: str, candidate: Candidate) -> dict[str, Any] | None:
        """Return a candidate's version as DescribeModelPackage does; ``None`` if it has none."""
        for listed in self.list_packages(group, created_after=candidate.started_at - _CLOCK_TOLERANCE):
            if not candidate.is_described_by(listed.get("ModelPackageDescription", "")):
                continue
            package = self.describe_package(listed["ModelPackageArn"])
            if package is not None and candidate.is_package(package):
                return package
        return None

    def register(
        self, group: str, candidate: Candidate, decision: Decision, *, known_arn: str | None = None
    ) -> Registration:
        """Make a candidate a version of its group unless it is one, and record the decision.

        Repeating it after any failure ends in the same one version.

        :param group: Name of the group.
        :param known_arn: Version that an earlier attempt noted for the run, if it did.
        :raises DeploymentError: If there is no such group, or AWS refuses.
        """
        package = None if known_arn is None else self.describe_package(known_arn)
        if package is None or not candidate.is_package(package):
            package = self.find(group, candidate)
        created = package is None
        if package is None:
            arn = self._create(group, candidate, decision)
            package = {
                "ModelPackageArn": arn,
                "ModelApprovalStatus": decision.status,
                "CustomerMetadataProperties": decision.metadata,
            }
        arn = package["ModelPackageArn"]
        status = package.get("ModelApprovalStatus", "")
        update = update_of(package, decision)
        if update is not None:
            self.update(arn, update)
            status = update.status
        return Registration(arn=arn, version=version_of(arn), status=status, created=created)

    def update(self, arn: str, update: Update) -> None:
        """Change a version's approval, and the metadata that say who decided."""
        request: dict[str, Any] = {
            "ModelPackageArn": arn,
            "ModelApprovalStatus": update.status,
            "ApprovalDescription": update.description,
        }
        if update.metadata:
            request["CustomerMetadataProperties"] = dict(update.metadata)
        with self.errors(f"model package {arn}"):
            self.conn.update_model_package(**request)

    def decide(self, arn: str, decision: Decision) -> None:
        """Write a decision into a version, in place of any later execution's or person's."""
        self.update(arn, Update(decision.status, decision.description, decision.metadata))

    def _create(self, group: str, candidate: Candidate, decision: Decision) -> str:
        with self.errors(f"model package of run {candidate.run_id}"):
            try:
                arn: str = self.conn.create_model_package(ModelPackageGroupName=group, **candidate.request(decision))[
                    "ModelPackageArn"
                ]
            except ClientError as error:
                if is_not_found(error) and "group" in error_message(error).lower():
                    raise DeploymentError(
                        f"model package group {group!r} does not exist, so run {candidate.run_id} cannot be "
                        "registered; run the pipeline's deploy DAG, then clear record_result"
                    ) from error
                raise
        return arn


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
