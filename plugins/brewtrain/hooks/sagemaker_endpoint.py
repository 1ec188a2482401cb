"""SageMaker endpoints: what serves, whose it is, and what it answers.

Source: DescribeEndpoint and ListTags in the Amazon SageMaker API Reference; InvokeEndpoint in that
of Amazon SageMaker Runtime.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from brewtrain.domain.errors import TransientError
from brewtrain.hooks.aws_errors import error_code, is_not_found
from brewtrain.hooks.connection import AwsClientHook


class SageMakerEndpointHook(AwsClientHook):
    """SageMaker endpoints."""

    service = "sagemaker"

    def describe(self, name: str) -> dict[str, Any] | None:
        """Return an endpoint as DescribeEndpoint does; ``None`` if it does not exist."""
        with self.errors(f"SageMaker endpoint {name!r}"):
            try:
                endpoint: dict[str, Any] = self.conn.describe_endpoint(EndpointName=name)
            except ClientError as error:
                if is_not_found(error):
                    return None
                raise
        return endpoint

    def endpoint_tags(self, name: str) -> dict[str, str] | None:
        """Return an endpoint's tags, or ``None`` if there is no endpoint of this name."""
        endpoint = self.describe(name)
        if endpoint is None:
            return None
        with self.errors(f"SageMaker endpoint {name!r}"):
            pages = self.conn.get_paginator("list_tags").paginate(ResourceArn=endpoint["EndpointArn"])
            return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}


@dataclass(frozen=True)
class Answer:
    """What an endpoint's container answered.

    :param body: The answer; empty if it refused.
    :param refusal: Why it refused the request; ``None`` if it did not.
    """

    body: str = ""
    refusal: str | None = None


class SageMakerRuntimeHook(AwsClientHook):
    """Invocations of SageMaker endpoints."""

    service = "sagemaker-runtime"

    def invoke(self, endpoint: str, body: bytes, *, content_type: str, accept: str = "text/csv") -> Answer:
        """Ask an endpoint that is in service.

        :param body: At most 6 MiB.
        :raises TransientError: If the endpoint, its container or AWS gave no answer; trying again
            may help.
        :raises DeploymentError: If AWS refuses the call.
        """
        subject = f"SageMaker endpoint {endpoint!r}"
        with self.errors(subject):
            try:
                answer = self.conn.invoke_endpoint(
                    EndpointName=endpoint, Body=body, ContentType=content_type, Accept=accept
                )
                return Answer(body=answer["Body"].read().decode("utf-8", errors="replace"))
            except ClientError as error:
                code = error_code(error)
                if code == "ModelError":
                    status = int(error.response.get("OriginalStatusCode", 500))
                    said = " ".join(str(error.response.get("OriginalMessage", "no message")).split())[:500]
                    if status < 500:
                        return Answer(refusal=f"{status}: {said}")
                    raise TransientError(
                        f"{subject}: its container failed ({status}: {said}); trying again may help; its log is "
                        f"/aws/sagemaker/Endpoints/{endpoint}"
                    ) from error
                # The runtime learns of an endpoint some moments after DescribeEndpoint shows it in
                # service.
                if is_not_found(error):
                    raise TransientError(f"{subject}: not known to the runtime yet; trying again may help") from error
                raise
