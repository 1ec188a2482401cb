"""Which AWS call an HTTP request is: service, operation, region, principal and resource.

Exists because the call log, the fault rules and IAM all need the same answer, and moto only knows
it deep inside each service. Reads botocore's models, so that every service moto serves is covered.
Must not import any service of local_aws.
"""

from __future__ import annotations

import io
import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local_aws import DEFAULT_ACCOUNT_ID, DEFAULT_REGION
from local_aws.core import rest_routes
from local_aws.core.call_resources import ACTION_PREFIX, resource_arn

_BODY_LIMIT_BYTES = 8 * 1024 * 1024
#: CreateFunction carries the function's archive (50 MB zipped) in its JSON.
_FUNCTION_LIMIT_BYTES = 75 * 1024 * 1024

#: Signing names that are not the botocore service name.
_SIGNING_TO_SERVICE = {
    "states": "stepfunctions",
    "monitoring": "cloudwatch",
    "email": "ses",
    "tagging": "resourcegroupstaggingapi",
    "elasticloadbalancing": "elbv2",
    "aws-marketplace": "marketplace-entitlement",
    "execute-api": "apigatewaymanagementapi",
}

#: Operations whose IAM action is named differently (service authorization reference of each
#: service).
_ACTION_NAMES = {
    ("lambda", "Invoke"): "InvokeFunction",
    ("s3", "HeadObject"): "GetObject",
    ("s3", "HeadBucket"): "ListBucket",
    ("s3", "ListObjects"): "ListBucket",
    ("s3", "ListObjectsV2"): "ListBucket",
    ("s3", "ListObjectVersions"): "ListBucketVersions",
    ("s3", "ListBuckets"): "ListAllMyBuckets",
    ("s3", "CopyObject"): "PutObject",
    ("s3", "CreateMultipartUpload"): "PutObject",
    ("s3", "UploadPart"): "PutObject",
    ("s3", "UploadPartCopy"): "PutObject",
    ("s3", "CompleteMultipartUpload"): "PutObject",
    ("s3", "DeleteObjects"): "DeleteObject",
    ("s3", "ListMultipartUploads"): "ListBucketMultipartUploads",
    ("s3", "ListParts"): "ListMultipartUploadParts",
    ("s3", "GetBucketEncryption"): "GetEncryptionConfiguration",
    ("s3", "PutBucketEncryption"): "PutEncryptionConfiguration",
    ("s3", "GetBucketLifecycleConfiguration"): "GetLifecycleConfiguration",
    ("s3", "PutBucketLifecycleConfiguration"): "PutLifecycleConfiguration",
    ("s3", "GetPublicAccessBlock"): "GetBucketPublicAccessBlock",
    ("s3", "PutPublicAccessBlock"): "PutBucketPublicAccessBlock",
    ("sqs", "DeleteMessageBatch"): "DeleteMessage",
    ("s3", "GetBucketNotificationConfiguration"): "GetBucketNotification",
    ("s3", "PutBucketNotificationConfiguration"): "PutBucketNotification",
}

#: Operations of Lambda whose JSON names a role; the bodies of the others are code or payload.
_FUNCTION_OPERATIONS = frozenset({"CreateFunction", "UpdateFunctionConfiguration"})

#: Services whose bodies are payloads of any kind, not members.
_PAYLOAD_SERVICES = frozenset({"lambda", "sagemaker-runtime"})
_INVOCATION_PATHS = ("/invocations", "/async-invocations", "/invocations-response-stream")

_ACCESS_KEY = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/")
_RPC_PATH = re.compile(r"^/service/[^/]+/operation/(?P<operation>[^/]+)$")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a call.

    :param arn: of a user, of an assumed-role session, or of the account's root.
    :param account_id: twelve digits.
    :param access_key_id: what signed the request.
    :param role_arn: ARN of the assumed role, ``None`` for users and root.
    """

    arn: str
    account_id: str
    access_key_id: str | None = None
    role_arn: str | None = None


@dataclass(slots=True)
class Call:
    """One AWS call, as far as its HTTP request tells.

    :param service: botocore service name.
    :param operation: API operation name, ``Unknown`` if it cannot be told.
    :param action: IAM action, for example ``s3:ListBucket``.
    :param resource: ARN of the resource, ``*`` if the call names none.
    :param protocol: botocore protocol name.
    :param params: the request's members.
    :param headers: request headers, names in lower case.
    """

    service: str
    operation: str
    action: str
    region: str
    principal: Principal
    resource: str
    protocol: str
    params: dict[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    source_ip: str = "127.0.0.1"


def identify(environ: dict[str, Any]) -> Call:
    """Identify the AWS call in a WSGI request; the body stays readable.

    Requests without a signature are taken for S3, as moto does.
    """
    query = dict(urllib.parse.parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    access_key, region, signing_name = _signature(headers, query)
    service = _service(signing_name, _decoded_path(environ))
    operation, protocol, params = _operation(environ, service, query, headers)
    principal = principal_of(access_key)
    prefix = ACTION_PREFIX.get(service, service)
    return Call(
        service=service,
        operation=operation,
        action=f"{prefix}:{_ACTION_NAMES.get((service, operation), operation)}",
        region=region,
        principal=principal,
        resource=resource_arn(service, operation, params, region, principal.account_id),
        protocol=protocol,
        params=params,
        headers=headers,
        source_ip=environ.get("REMOTE_ADDR") or "127.0.0.1",
    )


def principal_of(access_key_id: str | None) -> Principal:
    """Return who an access key belongs to: a role's session, an IAM user, or the account's root."""
    if access_key_id:
        from moto.iam.models import iam_backends
        from moto.sts.models import sts_backends

        for account in list(sts_backends):
            for backend in list(sts_backends[account].values()):
                role = _assumed_role(backend, access_key_id)
                if role is not None:
                    return Principal(role.arn, role.account_id, access_key_id, role.role_arn)
        for account in list(iam_backends):
            for backend in list(iam_backends[account].values()):
                user = backend.get_user_from_access_key_id(access_key_id)
                if user:
                    return Principal(user.arn, user.account_id, access_key_id)
        if re.fullmatch(r"\d{12}", access_key_id):
            return Principal(f"arn:aws:iam::{access_key_id}:root", access_key_id, access_key_id)
    return Principal(f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:root", DEFAULT_ACCOUNT_ID, access_key_id)


def _assumed_role(backend: Any, access_key_id: str) -> Any:
    # Newest first: thousands of sessions may exist and nearly every call is made with a recent one.
    for role in reversed(backend.assumed_roles):
        if role.access_key_id == access_key_id:
            return role
    return None


def _signature(headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[str | None, str, str]:
    """Access key, region and signing name of a request, signed in its header or its query."""
    authorization = headers.get("authorization", "")
    if not authorization and "X-Amz-Credential" in query:
        authorization = f"Credential={query['X-Amz-Credential']}/"
    found = _ACCESS_KEY.search(authorization)
    if found:
        access_key, region, signing_name = found.groups()
        return access_key, region, signing_name
    # Signature version 2, in the header or presigned.
    old = re.match(r"AWS ([^:\s]+):", authorization)
    access_key = old[1] if old else query.get("AWSAccessKeyId")
    target = headers.get("x-amz-target", "")
    return access_key, DEFAULT_REGION, target.split(".", 1)[0].lower() if target else "s3"


def _service(signing_name: str, path: str) -> str:
    service = _SIGNING_TO_SERVICE.get(signing_name, signing_name)
    return "sagemaker-runtime" if service == "sagemaker" and path.endswith(_INVOCATION_PATHS) else service


def _operation(
    environ: dict[str, Any], service: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> tuple[str, str, dict[str, Any]]:
    """Operation, protocol and members of a request.

    By AWS's protocols: ``X-Amz-Target`` (JSON), the smithy RPC path (CBOR), ``Action`` (query),
    method and path (REST).
    """
    target = headers.get("x-amz-target", "")
    if target:
        return target.rsplit(".", 1)[-1], "json", _json_object(_read_body(environ))
    rpc = _RPC_PATH.match(_decoded_path(environ))
    if rpc:
        return rpc["operation"], "cbor", {}
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded") or "Action" in query:
        form = dict(urllib.parse.parse_qsl(_read_body(environ).decode("utf-8", "replace"), keep_blank_values=True))
        params: dict[str, Any] = {**query, **form}
        return str(params.pop("Action", "Unknown")), "query", params
    return _rest_operation(environ, service, query, headers)


def _rest_operation(
    environ: dict[str, Any], service: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> tuple[str, str, dict[str, Any]]:
    model = rest_routes.service_model(service)
    protocol = "json" if model is None else model.metadata.get("protocol", "rest-json")
    operation = "Unknown"
    params: dict[str, Any] = {}
    if protocol.startswith("rest"):
        # As it was sent: a "/" inside an ARN is not a separator.
        path = environ.get("REQUEST_URI", "").partition("?")[0] or _decoded_path(environ)
        if service == "s3" and (bucket := _bucket_of_host(headers.get("host", ""))):
            path = f"/{bucket}{path}"
        method = environ.get("REQUEST_METHOD", "GET")
        operation, params = rest_routes.match(service, method, path, query, frozenset(headers))
    if service == "lambda" and operation in _FUNCTION_OPERATIONS:
        params = {**query, **_json_object(_read_body(environ, _FUNCTION_LIMIT_BYTES)), **params}
    elif protocol == "rest-json":
        body = b"" if service in _PAYLOAD_SERVICES else _read_body(environ)
        params = {**query, **_json_object(body), **params}
    elif protocol == "rest-xml":
        params = {**params, **{key: value for key, value in query.items() if not key.startswith("X-Amz-")}}
        if operation == "DeleteObjects":
            params["Objects"] = _objects_to_delete(_read_body(environ))
    return operation, protocol, params


def _decoded_path(environ: dict[str, Any]) -> str:
    return str(environ.get("PATH_INFO", "/")).encode("latin-1", "replace").decode("utf-8", "replace")


def _read_body(environ: dict[str, Any], limit_bytes: int = _BODY_LIMIT_BYTES) -> bytes:
    """Read the request body and put it back into ``environ`` for whoever serves the request."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return b""
    if not 0 < length <= limit_bytes:
        return b""
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _bucket_of_host(host: str) -> str | None:
    """Return the bucket that ``mine.localhost:4566`` or ``mine.s3.amazonaws.com`` names."""
    match = re.match(r"^(?P<bucket>[^:]+?)(?:\.s3[.-][^:]*)?\.(?:localhost|amazonaws\.com)(?::\d+)?$", host)
    bucket = match["bucket"] if match else None
    return None if bucket is None or re.match(r"^s3([.-]|$)", bucket) else bucket


def _objects_to_delete(body: bytes) -> list[dict[str, str]]:
    """Keys and version ids of a DeleteObjects request."""
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - expat of Python 3.11 bounds entity expansion
    except ElementTree.ParseError:
        return []
    return [
        {part.tag.rsplit("}", 1)[-1]: part.text or "" for part in entry}
        for entry in root
        if entry.tag.rsplit("}", 1)[-1] == "Object"
    ]


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
