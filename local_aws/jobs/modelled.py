"""Answers requests of an API from handlers, with botocore's model as the law: what is required,
which values, which shape the answer has.

A handler is a function of a `Request`; operations without one go to moto. moto does the routing,
the parsing and the serialising.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import regex
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import get_service_model
from moto.utilities.utils import get_partition

from .errors import AwsError

logger = logging.getLogger(__name__)

_configured_endpoint: str | None = None


def configure(endpoint_url: str) -> None:
    """Tell the services where the server listens, for requests whose Host header does not say so."""
    global _configured_endpoint
    _configured_endpoint = endpoint_url


@dataclass(frozen=True)
class Request:
    """One request, parsed and validated.

    Attributes
    ----------
    params:
        Members of the operation's input shape.
    account_id, region, partition:
        Where it goes.
    endpoint_url:
        Address of this server as the client reached it; workers use it.
    headers, body:
        Raw, for operations whose payload is not JSON.
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
        """ARN of a resource in this request's account and region."""
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

    Class attributes
    ----------------
    handlers:
        Operation name → handler.
    nulls_are_validation_errors:
        Error code of a request that breaks the model.
    """

    handlers: ClassVar[dict[str, Handler]] = {}
    validation_code: ClassVar[str] = "ValidationException"

    def call_action(self) -> Any:
        """Answer from a handler when there is one, otherwise let moto."""
        operation = self._get_action()
        handler = self.handlers.get(operation)
        if handler is None:
            return super().call_action()
        return self.respond(operation, handler)

    def respond(self, operation: str, handler: Handler) -> Any:
        """Parse, validate, handle and serialise one request."""
        self.response_headers["x-amzn-requestid"] = secrets.token_hex(16)
        try:
            request = self._request(operation)
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

    def _request(self, operation: str) -> Request:
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
        host = str(self.headers.get("Host", ""))
        if re.fullmatch(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", host):
            return f"http://{host}"
        if _configured_endpoint is None:
            raise AwsError(
                "InternalFailure",
                f"the address of local AWS is unknown (Host header {host!r}); call it on 127.0.0.1",
                500,
            )
        return _configured_endpoint

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


def validate(service: str, operation: str, params: dict[str, Any], code: str = "ValidationException") -> None:
    """Check a request against the API's model, as AWS does before anything else.

    Raises
    ------
    AwsError
        With every violation in AWS's wording.
    """
    shape = get_service_model(service).operation_model(operation).input_shape
    if shape is None:
        return
    problems = list(_violations(shape, params, ""))
    if problems:
        count = len(problems)
        raise AwsError(code, f"{count} validation error{'s' if count > 1 else ''} detected: {'; '.join(problems)}")


def paginate(
    items: list[Any],
    params: dict[str, Any],
    *,
    limit_key: str = "MaxResults",
    token_key: str = "NextToken",  # noqa: S107
    default_limit: int = 100,
) -> tuple[list[Any], str | None]:
    """One page of a listing.

    Parameters
    ----------
    items:
        The whole listing, in a stable order.
    params:
        The request's members.
    limit_key, token_key:
        Their names for page size and token.
    default_limit:
        Page size when the request gives none.

    Returns
    -------
    The page, and the token of the next one or None.

    Raises
    ------
    AwsError
        The token was not made here.
    """
    token = params.get(token_key)
    start = 0
    if token:
        if not re.fullmatch(r"p-\d+", token):
            raise AwsError("ValidationException", "Invalid pagination token.")
        start = int(token[2:])
    limit = params.get(limit_key) or default_limit
    page = items[start : start + limit]
    following = start + limit
    return page, f"p-{following}" if following < len(items) else None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value


def _violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for name in shape.required_members:
            if value.get(name) is None:
                yield _violation("null", _join(path, name), "not be null")
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _violations(member, value[name], _join(path, name))
        return
    metadata = shape.metadata
    minimum, maximum = metadata.get("min"), metadata.get("max")
    if shape.type_name == "list":
        yield from _length(value, minimum, maximum, path)
        for number, entry in enumerate(value, start=1):
            yield from _violations(shape.member, entry, f"{path}.{number}.member")
    elif shape.type_name == "map":
        yield from _length(value, minimum, maximum, path)
        for key, entry in value.items():
            yield from _violations(shape.key, key, path)
            yield from _violations(shape.value, entry, f"{path}.{key}.member")
    elif shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield _violation(f"'{value}'", path, f"satisfy enum value set: [{', '.join(shape.enum)}]")
        yield from _length(value, minimum, maximum, path)
        pattern = _pattern(metadata.get("pattern"))
        if pattern is not None and not pattern.fullmatch(value):
            yield _violation(f"'{value}'", path, f"satisfy regular expression pattern: {metadata['pattern']}")
    elif shape.type_name in ("integer", "long", "float", "double"):
        if minimum is not None and value < minimum:
            yield _violation(f"'{value}'", path, f"have value greater than or equal to {minimum}")
        if maximum is not None and value > maximum:
            yield _violation(f"'{value}'", path, f"have value less than or equal to {maximum}")


def _length(value: Any, minimum: int | None, maximum: int | None, path: str) -> Iterator[str]:
    if minimum is not None and len(value) < minimum:
        yield _violation(f"'{value}'", path, f"have length greater than or equal to {minimum}")
    if maximum is not None and len(value) > maximum:
        yield _violation(f"'{value}'", path, f"have length less than or equal to {maximum}")


def _violation(value: str, path: str, constraint: str) -> str:
    return f"Value {value} at '{path}' failed to satisfy constraint: Member must {constraint}"


@lru_cache(maxsize=512)
def _pattern(text: str | None) -> regex.Pattern[str] | None:
    if not text:
        return None
    try:
        # The models are written for Java, whose `\p{..}` this dialect knows; what it does not know
        # is left to AWS.
        return regex.compile(text, regex.DOTALL)
    except regex.error:
        return None


def _join(path: str, name: str) -> str:
    member = name[0].lower() + name[1:]
    return f"{path}.{member}" if path else member
