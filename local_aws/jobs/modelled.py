"""Serves an API's operations from handlers, in front of moto's response class of the service.

A handler is a function of a `Request`; operations without one go to moto. moto routes, parses and
serialises, `request_validation` checks each request against botocore's model.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import get_service_model
from moto.utilities.utils import get_partition

from local_aws.core import clients

from .errors import AwsError
from .request_validation import refuse_unknown_members, validate

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """One request, parsed and validated.

    :param operation: API operation name.
    :param params: members of the operation's input shape.
    :param account_id: the caller's account, twelve digits.
    :param region: region that the request was signed for.
    :param partition: partition of the region, for example ``aws``.
    :param endpoint_url: address of this server as a worker on this machine reaches it.
    :param headers: as received.
    :param body: as received, for operations whose payload is not JSON.
    """

    operation: str
    params: dict[str, Any]
    account_id: str
    region: str
    partition: str
    endpoint_url: str
    headers: Mapping[str, str]
    body: bytes

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource in this request's account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"


@dataclass(frozen=True)
class RawAnswer:
    """An answer whose body is not described by JSON members."""

    status: int
    headers: dict[str, str]
    body: bytes


Handler = Callable[[Request], Any]


class ModelledResponse(BaseResponse):  # type: ignore[misc]
    """Mixin in front of moto's response class of a service.

    ``handlers`` maps operation names to handlers, ``validation_code`` is the service's error code
    for a request that breaks the model.
    """

    handlers: ClassVar[dict[str, Handler]] = {}
    validation_code: ClassVar[str] = "ValidationException"

    def call_action(self) -> Any:
        """Answer from the operation's handler, or let moto answer where it has none."""
        operation = self._get_action()
        handler = self.handlers.get(operation)
        if handler is None:
            return super().call_action()
        return self.respond(operation, handler)

    def respond(self, operation: str, handler: Handler) -> Any:
        """Parse, validate, handle and serialise one request."""
        self.response_headers["x-amzn-requestid"] = secrets.token_hex(16)
        try:
            request = self.parsed_request(operation)
            refuse_unknown_members(
                self.boto3_service_name, operation, _json_of(request.body), code=self.validation_code
            )
            validate(self.boto3_service_name, operation, request.params, self.validation_code)
            answer = handler(request)
        except AwsError as error:
            return self._error(error)
        except Exception as error:
            logger.exception("%s failed", operation)
            return self._error(AwsError("InternalFailure", f"{operation}: {type(error).__name__}: {error}", 500))
        if isinstance(answer, RawAnswer):
            return answer.status, {**self.response_headers, **answer.headers}, answer.body
        return self.serialized(ActionResult(answer if answer is not None else {}))

    def parsed_request(self, operation: str) -> Request:
        """Return the current request as handlers take it.

        :raises AwsError: the body cannot be parsed.
        """
        if not self.automated_parameter_parsing:
            try:
                self.parse_parameters(self.normalized_request)
            except (ValueError, TypeError) as error:
                raise AwsError(
                    "SerializationException", f"{operation}: the request cannot be parsed: {error}"
                ) from error
        raw = self.raw_body
        return Request(
            operation=operation,
            params=_plain(self.params),
            account_id=self.current_account,
            region=self.region,
            partition=get_partition(self.region),
            endpoint_url=self._endpoint_url(),
            headers=self.headers,
            body=raw if isinstance(raw, bytes) else str(raw or "").encode(),
        )

    def _endpoint_url(self) -> str:
        # Several servers may run in one process: the Host header tells which one was asked.
        host = str(self.headers.get("Host", ""))
        if re.fullmatch(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", host):
            return f"http://{host}"
        return clients.endpoint_url()

    def _error(self, error: AwsError) -> tuple[int, dict[str, str], bytes]:
        protocol = get_service_model(self.boto3_service_name).metadata["protocol"]
        headers = {**self.response_headers, "Content-Type": "application/x-amz-json-1.1"}
        content: dict[str, Any] = {"message": error.message, **error.members}
        if protocol == "rest-json":
            headers["Content-Type"] = "application/json"
            headers["x-amzn-errortype"] = error.code
        else:
            content = {"__type": error.code, **content}
        headers["status"] = str(error.status)
        return error.status, headers, json.dumps(content).encode()


def paginate(items: list[Any], params: Mapping[str, Any], *, default_limit: int = 100) -> tuple[list[Any], str | None]:
    """Cut the page of a listing that ``MaxResults`` and ``NextToken`` of a request ask for.

    :param items: the whole listing, in a stable order.
    :param params: the request's members.
    :param default_limit: page size where the request gives none.
    :returns: the page, and the token of the next one or ``None``.
    :raises AwsError: the token was not made here.
    """
    token = params.get("NextToken")
    start = 0
    if token:
        if not re.fullmatch(r"p-\d+", token):
            raise AwsError("ValidationException", "Invalid pagination token.")
        start = int(token[2:])
    following = start + (params.get("MaxResults") or default_limit)
    return items[start:following], f"p-{following}" if following < len(items) else None


def page(key: str, items: list[Any], params: Mapping[str, Any], *, default_limit: int = 100) -> dict[str, Any]:
    """Return the answer of a List operation: a page under ``key``, ``NextToken`` if more follows.

    :param key: member of the answer that holds the items.
    :param items: the whole listing, in a stable order.
    :param params: the request's members.
    :param default_limit: page size where the request gives none.
    """
    found, token = paginate(items, params, default_limit=default_limit)
    return {key: found, "NextToken": token} if token else {key: found}


def refuse_unsupported(request: Request, members: tuple[str, ...], code: str = "ValidationException") -> None:
    """Refuse members that AWS takes and local AWS cannot act on, instead of ignoring them.

    :param request: the request.
    :param members: names of such members.
    :param code: error code with which the service refuses a request.
    :raises AwsError: the request has one of them.
    """
    for member in members:
        if request.params.get(member):
            raise AwsError(code, f"{request.operation}: local AWS does not support {member}; leave it out.")


def _json_of(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value
