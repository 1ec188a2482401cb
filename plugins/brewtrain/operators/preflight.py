"""The preflight: looks at everything that a run needs, without running one.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from brewtrain import resources
from brewtrain.domain import names
from brewtrain.domain.errors import BrewtrainError, DeploymentError, TransientError
from brewtrain.domain.quality.validation_job import has_job
from brewtrain.operators.base import BrewtrainOperator

if TYPE_CHECKING:
    from typing import Any

    from airflow.sdk import Context

    from brewtrain.domain.names import Account

    Check = tuple[str, Callable[[], str]]

# Looks like a run id, so that a policy which allows the pipeline's own names alone lets it be asked
# for; no interval ends then.
NEVER = "00000000T0000-never"
SERVICES = ("states", "databrew", "glue", "sagemaker")
# Airflow passes these; SageMaker's is passed by the state machine.
PASSED_ROLES = ("states", "databrew", "glue")


class NotCheckedError(BrewtrainError):
    """A check that the connection has no permission to make; what it would check may be fine."""


class CheckAccountOperator(BrewtrainOperator):
    """Checks account, permissions and deployment; fails if the line of any check says FAIL."""

    def execute(self, context: Context) -> list[str]:
        """Make every check, and log a line for each.

        :returns: The lines.
        :raises DeploymentError: If a check failed; all others have been made and logged as well.
        :raises TransientError: If AWS was not available.
        """
        from brewtrain.hooks.connection import AwsClientHook

        account = AwsClientHook(self.aws_conn_id).account
        lines = [f"ok    credentials: account {account.account_id}, {account.region}"]
        self.log.info("%s", lines[0])
        for subject, check in self._checks(account):
            line = self._line(subject, check)
            self.log.info("%s", line)
            lines.append(line)
        failed = [line for line in lines if line.startswith("FAIL")]
        if failed:
            raise DeploymentError(
                f"{len(failed)} of {len(lines)} checks failed; fix what each line names, then clear this task:\n"
                + "\n".join(failed)
            )
        return lines

    @staticmethod
    def _line(subject: str, check: Callable[[], str]) -> str:
        try:
            return f"ok    {subject}: {check()}"
        except TransientError:
            raise
        except NotCheckedError as error:
            return f"?     {subject}: not checked, {error}"
        except BrewtrainError as error:
            return f"FAIL  {subject}: {error}"

    def _checks(self, account: Account) -> Iterator[Check]:
        yield "bucket", partial(self._bucket, account)
        for service in SERVICES:
            yield f"role {names.role(service)}", partial(self._role, service)
        yield "pass roles", partial(self._pass_roles, account)
        yield "training image", partial(self._image, account)
        yield "recipe", self._recipe
        yield "evaluation code", partial(self._evaluation_code, account)
        yield "state machine", partial(self._alias, account)
        for operation, request in self._execution_calls(account).items():
            yield f"states {operation}", partial(self._probe, "stepfunctions", operation, request)
        for operation in ("describe_job", "delete_job", "describe_dataset", "delete_dataset", "list_job_runs"):
            name = {"Name": f"{names.PREFIX}-{self._never()}"}
            yield f"databrew {operation}", partial(self._probe, "databrew", operation, name)
        if has_job(self.pipeline):
            for operation in ("start_job_run", "describe_ruleset", "delete_ruleset"):
                name = {"Name": f"{names.PREFIX}-{self._never()}"}
                yield f"databrew {operation}", partial(self._probe, "databrew", operation, name)
        yield "model package group", self._registry
        for operation, request in self._registry_calls(account).items():
            yield f"sagemaker {operation}", partial(self._probe, "sagemaker", operation, request)
        yield "training quota", partial(self._quota, f"{self.pipeline.training.instance_type} for training job usage")
        evaluation = self.pipeline.evaluation.instance_type
        yield "evaluation quota", partial(self._quota, f"{evaluation} for processing job usage")
        yield "endpoint quota", partial(self._quota, f"{self.pipeline.endpoint.instance_type} for endpoint usage")

    def _execution_calls(self, account: Account) -> dict[str, dict[str, Any]]:
        arn = {"executionArn": account.execution_arn(self.pipeline.name, self._never())}
        return {
            "describe_execution": arn,
            "get_execution_history": arn,
            "redrive_execution": arn,
            "stop_execution": arn,
            "list_executions": {"stateMachineArn": account.state_machine_arn(self.pipeline.name)},
            # AWS refuses every such name, so that nothing can start.
            "start_execution": {"stateMachineArn": account.alias_arn(self.pipeline.name), "name": "not*a*name"},
        }

    def _registry_calls(self, account: Account) -> dict[str, dict[str, Any]]:
        group = names.model_package_group(self.pipeline.name)
        # Version numbers have at most nine digits and begin with 1: none is called 0.
        package = account.model_package_group_arn(self.pipeline.name).replace("model-package-group", "model-package")
        return {
            "list_model_packages": {"ModelPackageGroupName": group, "MaxResults": 1},
            "describe_model_package": {"ModelPackageName": f"{package}/0"},
            "update_model_package": {"ModelPackageArn": f"{package}/0", "ApprovalDescription": "preflight"},
        }

    def _registry(self) -> str:
        from brewtrain.hooks.model_registry import ModelRegistryHook

        group = names.model_package_group(self.pipeline.name)
        if ModelRegistryHook(self.aws_conn_id).describe_group(group) is None:
            raise DeploymentError(f"{group} does not exist; run the pipeline's deploy DAG")
        return group

    def _never(self) -> str:
        return f"{names.slug(self.pipeline.name)}-{NEVER}"

    def _probe(self, service: str, operation: str, request: dict[str, Any]) -> str:
        from brewtrain.hooks.permission_probe import PermissionProbeHook

        denied = PermissionProbeHook(service, self.aws_conn_id).denied(operation, **request)
        if denied is not None:
            raise DeploymentError(denied)
        return "allowed"

    def _bucket(self, account: Account) -> str:
        from brewtrain.hooks.s3_run import S3RunHook

        own = self.pipeline.bucket_name(account)
        hook = S3RunHook(self.aws_conn_id)
        for bucket in {own, self.pipeline.source.bucket(own)}:
            hook.check_bucket(bucket)
        return own

    def _role(self, service: str) -> str:
        from brewtrain.domain.deployment.trust_policy import allows_service
        from brewtrain.hooks.iam_role import IamRoleHook

        role = names.role(service)
        policy = IamRoleHook(self.aws_conn_id).trust_policy(role)
        if policy is None:
            raise DeploymentError("does not exist; deploy include/cloudformation/roles.yaml")
        principal = f"{service}.amazonaws.com"
        if not allows_service(policy, service):
            raise DeploymentError(f"may not be assumed by {principal}; deploy include/cloudformation/roles.yaml again")
        return f"exists, {principal} may assume it"

    def _pass_roles(self, account: Account) -> str:
        from brewtrain.hooks.permission_probe import PassRoleProbeHook

        probe = PassRoleProbeHook(self.aws_conn_id)
        for service in PASSED_ROLES:
            try:
                allowed = probe.may_pass(account.role_arn(service), service)
            except BrewtrainError as error:
                raise NotCheckedError(f"iam:SimulatePrincipalPolicy is not allowed: {error}") from error
            if not allowed:
                raise DeploymentError(
                    f"role {names.role(service)} may not be passed to {service}.amazonaws.com; allow iam:PassRole in "
                    "include/cloudformation/roles.yaml for the role of the connection"
                )
        return f"{', '.join(names.role(service) for service in PASSED_ROLES)} may be passed"

    def _evaluation_code(self, account: Account) -> str:
        from brewtrain.hooks.s3_run import S3RunHook

        code = resources.evaluation_code()
        S3RunHook(self.aws_conn_id).check_evaluation_code(
            self.pipeline, code, bucket=self.pipeline.bucket_name(account)
        )
        return f"{code.sha256[:12]} is deployed"

    def _image(self, account: Account) -> str:
        return resources.images().xgboost(account.region, self.pipeline.training.image_version)

    def _recipe(self) -> str:
        from brewtrain.hooks.databrew_run import DataBrewRunHook

        return f"version {DataBrewRunHook(self.aws_conn_id).newest_recipe_version(self.pipeline)}"

    def _alias(self, account: Account) -> str:
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        return StepFunctionsHook(self.aws_conn_id).version_of_alias(account.alias_arn(self.pipeline.name))

    def _quota(self, name: str) -> str:
        from brewtrain.hooks.permission_probe import PermissionProbeHook

        try:
            quotas = PermissionProbeHook("service-quotas", self.aws_conn_id).quotas("sagemaker")
        except BrewtrainError as error:
            raise NotCheckedError(f"the quota cannot be read: {error}") from error
        value = quotas.get(name)
        if value is None:
            raise NotCheckedError(f"Service Quotas has no quota {name!r}")
        if value < 1:
            raise DeploymentError(f"the account's quota {name!r} is {value:g}; ask for more in Service Quotas")
        return f"{name}: {value:g}"
