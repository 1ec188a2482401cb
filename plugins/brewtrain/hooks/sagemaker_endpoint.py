"""SageMaker endpoints, read only: does one of this name exist, and whose is it.

Source: Amazon SageMaker API reference.
"""

from __future__ import annotations

from botocore.exceptions import ClientError

from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.connection import AwsClientHook


class SageMakerEndpointHook(AwsClientHook):
    """SageMaker endpoints."""

    service = "sagemaker"

    def endpoint_tags(self, name: str) -> dict[str, str] | None:
        """Return an endpoint's tags, or ``None`` if there is no endpoint of this name."""
        with self.errors(f"SageMaker endpoint {name!r}"):
            try:
                arn = self.conn.describe_endpoint(EndpointName=name)["EndpointArn"]
            except ClientError as error:
                # SageMaker has no error code of its own for "not found" (DescribeEndpoint).
                if error_code(error) == "ValidationException" and "could not find" in str(error).lower():
                    return None
                raise
            pages = self.conn.get_paginator("list_tags").paginate(ResourceArn=arn)
            return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
