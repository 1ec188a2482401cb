"""Asks AWS whether a call would be allowed, by making it about something that does not exist.

AWS checks permission first: "does not exist" means that the call is allowed. Nothing
can be changed this way, and no permission beyond the run's own is needed. Must not be imported
while DAG files are parsed.

Source: the API references of Step Functions, DataBrew, SageMaker and Service Quotas; IAM User
Guide, "Policy evaluation logic".
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from brewtrain.domain.errors import TransientError
from brewtrain.hooks.aws_errors import ACCESS_DENIED_CODES, CREDENTIAL_CODES, aws_errors, error_code, translate
from brewtrain.hooks.connection import AwsClientHook


class PermissionProbeHook(AwsClientHook):
    """Probes one service.

    :param service: boto3's name of the client, e.g. ``stepfunctions``.
    :param aws_conn_id: Airflow connection of type ``aws``.
    """

    def __init__(self, service: str, aws_conn_id: str) -> None:
        self.service = service
        super().__init__(aws_conn_id)

    def denied(self, method: str, **request: Any) -> str | None:
        """Return why a call is denied; ``None`` if it is allowed, even if it fails otherwise.

        :param method: boto3's name of the call, e.g. ``describe_execution``.
        :param request: About something that does not exist.
        :raises TransientError: If AWS was not available.
        :raises DeploymentError: If the credentials are not accepted.
        """
        try:
            getattr(self.conn, method)(**request)
        except ClientError as error:
            translated = translate(error, service=self.service, subject=f"{self.service}.{method}")
            if error_code(error) in ACCESS_DENIED_CODES:
                return str(translated)
            # Throttled, or not known to AWS at all: that says nothing about the permission.
            if isinstance(translated, TransientError) or error_code(error) in CREDENTIAL_CODES:
                raise translated from error
        except BotoCoreError as error:
            raise translate(error, service=self.service, subject=f"{self.service}.{method}") from error
        return None

    def quotas(self, service_code: str) -> dict[str, float]:
        """Return the account's quotas of a service by their names.

        :param service_code: As Service Quotas calls it, e.g. ``sagemaker``.
        """
        with aws_errors(self.service, f"quotas of {service_code}"):
            pages = self.conn.get_paginator("list_service_quotas").paginate(ServiceCode=service_code)
            return {quota["QuotaName"]: quota["Value"] for page in pages for quota in page["Quotas"]}


class PassRoleProbeHook(AwsClientHook):
    """Asks IAM whether the connection's own role may pass another."""

    service = "iam"

    def may_pass(self, role_arn: str, service: str) -> bool:
        """Return whether the caller may pass a role to a service (SimulatePrincipalPolicy).

        :param role_arn: The role that is passed.
        :param service: Service principal without domain, e.g. ``glue``.
        :raises DeploymentError: If the caller may not ask.
        """
        sts = PermissionProbeHook("sts", self.aws_conn_id or "")
        with sts.errors("the caller"):
            caller: str = sts.conn.get_caller_identity()["Arn"]
        if ":assumed-role/" in caller:
            prefix, _, rest = caller.partition(":assumed-role/")
            caller = f"{prefix.replace(':sts:', ':iam:')}:role/{rest.split('/')[0]}"
        with self.errors(f"iam:PassRole of {role_arn}"):
            answer = self.conn.simulate_principal_policy(
                PolicySourceArn=caller,
                ActionNames=["iam:PassRole"],
                ResourceArns=[role_arn],
                ContextEntries=[
                    {
                        "ContextKeyName": "iam:PassedToService",
                        "ContextKeyValues": [f"{service}.amazonaws.com"],
                        "ContextKeyType": "string",
                    }
                ],
            )
        return all(result["EvalDecision"] == "allowed" for result in answer["EvaluationResults"])
