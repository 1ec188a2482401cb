"""Routes of the Lambda API to its handlers."""

from __future__ import annotations

from typing import ClassVar

from moto.awslambda import urls
from moto.awslambda.responses import LambdaResponse

from local_aws.jobs.modelled import Handler, ModelledResponse

from . import invocation


class LambdaJobsResponse(ModelledResponse, LambdaResponse):  # type: ignore[misc]
    """moto's Lambda with real invocations in front."""

    handlers: ClassVar[dict[str, Handler]] = {"Invoke": invocation.invoke}


def register_urls() -> None:
    """Route the API here; called before moto builds its routes."""
    for path in urls.url_paths:
        urls.url_paths[path] = LambdaJobsResponse.dispatch
