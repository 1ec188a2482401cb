"""Which AWS call an HTTP request is: service, operation, region, principal and resource.

Exists because the call log, the fault rules and IAM all need the same answer, and moto only knows
it deep inside each service. Reads botocore's models, so that every service moto serves is covered.
Must not import any service of local_aws.
"""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from local_aws import DEFAULT_ACCOUNT_ID, DEFAULT_REGION

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

#: IAM action prefixes that are not the botocore service name.
_ACTION_PREFIX = {
    "stepfunctions": "states",
    "sagemaker-runtime": "sagemaker",
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
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
    ("s3", "GetBucketNotificationConfiguration"): "GetBucketNotification",
    ("s3", "PutBucketNotificationConfiguration"): "PutBucketNotification",
}

#: How the ARN of the touched resource is built: the first member present in the request decides.
_RESOURCES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "glue": (("JobName", "job/{}"), ("Name", "job/{}")),
    "sagemaker": (
        ("TrainingJobName", "training-job/{}"),
        ("ProcessingJobName", "processing-job/{}"),
        ("TransformJobName", "transform-job/{}"),
        ("EndpointName", "endpoint/{}"),
        ("EndpointConfigName", "endpoint-config/{}"),
        ("ModelPackageGroupName", "model-package-group/{}"),
        ("ModelPackageName", "model-package/{}"),
        ("ModelName", "model/{}"),
    ),
    "sagemaker-runtime": (("EndpointName", "endpoint/{}"),),
    "lambda": (("FunctionName", "function:{}"),),
    "logs": (("logGroupName", "log-group:{}:*"), ("logGroupIdentifier", "log-group:{}:*")),
    "cloudformation": (("StackName", "stack/{}/*"),),
    "stepfunctions": (("name", "stateMachine:{}"),),
    "sns": (("Name", "{}"),),
    "sqs": (("QueueName", "{}"),),
    "cloudwatch": (("AlarmName", "alarm:{}"), ("AlarmNames", "alarm:{}")),
    "events": (("RuleName", "rule/{}"), ("Name", "rule/{}"), ("Rule", "rule/{}")),
    "iam": (
        ("RoleName", "role/{}"),
        ("PolicyName", "policy/{}"),
        ("UserName", "user/{}"),
        ("InstanceProfileName", "instance-profile/{}"),
    ),
    "kms": (("KeyId", "key/{}"),),
}

#: Operations of Lambda whose JSON names a role; the bodies of the others are code or payload.
_FUNCTION_OPERATIONS = frozenset({"CreateFunction", "UpdateFunctionConfiguration"})

_ACCESS_KEY = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: ``arn`` of a user, of an assumed-role session, or of the account's root.

    ``role_arn`` is the ARN of the assumed role, ``None`` for users and root. ``access_key_id`` is
    what signed the request.
    """

    arn: str
    account_id: str
    access_key_id: str | None = None
    role_arn: str | None = None


@dataclass(slots=True)
class Call:
    """One AWS call, as far as the request tells."""

    service: str
    operation: str
    action: str
    region: str
    principal: Principal
    resource: str
    protocol: str
    params: dict[str, Any] = field(default_factory=dict)
    #: Request headers, names in lower case.
    headers: Mapping[str, str] = field(default_factory=dict)
    source_ip: str = "127.0.0.1"


def _session() -> Any:
    import botocore.session

    return botocore.session.get_session()


_model_lock = threading.Lock()


@lru_cache(maxsize=64)
def _service_model(service: str) -> Any:
    with _model_lock:
        from botocore.exceptions import UnknownServiceError

        try:
            return _session().get_service_model(service)
        except UnknownServiceError:
            return None


@dataclass(frozen=True, slots=True)
class _Route:
    operation: str
    pattern: re.Pattern[str]
    query: tuple[tuple[str, str], ...]
    required_query: frozenset[str]
    required_headers: frozenset[str]
    literals: int

    def rank(self) -> tuple[int, int, int]:
        return len(self.query), len(self.required_query) + len(self.required_headers), self.literals


@lru_cache(maxsize=32)
def _rest_routes(service: str) -> dict[str, list[_Route]]:
    """Operations of a REST service by HTTP method, most specific first."""
    model = _service_model(service)
    routes: dict[str, list[_Route]] = {}
    for name in model.operation_names:
        operation = model.operation_model(name)
        uri = operation.http["requestUri"]
        path, _, query = uri.partition("?")
        expression = "".join(
            f"(?P<{re.sub(r'[^A-Za-z0-9_]', '_', part[1:-1].rstrip('+'))}>{'.+' if part.endswith('+}') else '[^/]+'})"
            if part.startswith("{")
            else re.escape(part)
            for part in re.split(r"(\{[^}]+\})", path)
            if part
        )
        shape = operation.input_shape
        required_query, required_headers = set(), set()
        for member in shape.required_members if shape else ():
            serialization = shape.members[member].serialization
            where = serialization.get("location")
            if where == "querystring":
                required_query.add(serialization.get("name", member))
            elif where == "header":
                required_headers.add(serialization.get("name", member).lower())
        routes.setdefault(operation.http["method"], []).append(
            _Route(
                operation=name,
                pattern=re.compile(f"^{expression.rstrip('/') or '/'}/?$"),
                query=tuple(urllib.parse.parse_qsl(query, keep_blank_values=True)),
                required_query=frozenset(required_query),
                required_headers=frozenset(required_headers),
                literals=len(re.sub(r"\{[^}]+\}", "", path)),
            )
        )
    for method_routes in routes.values():
        method_routes.sort(key=_Route.rank, reverse=True)
    return routes


def _match_rest(
    service: str, method: str, path: str, query: Mapping[str, str], headers: frozenset[str]
) -> tuple[str, dict[str, Any]]:
    for route in _rest_routes(service).get(method, ()):
        if any(query.get(key) is None or (value and query[key] != value) for key, value in route.query):
            continue
        if not route.required_query <= query.keys() or not route.required_headers <= headers:
            continue
        match = route.pattern.match(path)
        if match:
            return route.operation, {key: urllib.parse.unquote(value) for key, value in match.groupdict().items()}
    return "Unknown", {}


def _read_body(environ: dict[str, Any], limit_bytes: int = _BODY_LIMIT_BYTES) -> bytes:
    """The request body, put back into ``environ`` for whoever serves the request."""
    import io

    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return b""
    if not 0 < length <= limit_bytes:
        return b""
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def principal_of(access_key_id: str | None) -> Principal:
    """The principal behind an access key: an assumed role, an IAM user, or (unknown keys) the account's root."""
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


def identify(environ: dict[str, Any]) -> Call:
    """Identify the AWS call in a WSGI request; the body stays readable.

    Follows the protocols of AWS: ``X-Amz-Target`` (JSON), the smithy RPC path (CBOR), ``Action``
    (query), method and path (REST). Requests without a signature are taken for S3, as moto does.
    """
    query = dict(urllib.parse.parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if not authorization and "X-Amz-Credential" in query:
        authorization = f"Credential={query['X-Amz-Credential']}/"
    match = _ACCESS_KEY.search(authorization)
    access_key, region, signing = match.groups() if match else (None, DEFAULT_REGION, "s3")
    if match is None:
        # Signature version 2, in the header or presigned.
        old = re.match(r"AWS ([^:\s]+):", authorization)
        access_key = old[1] if old else query.get("AWSAccessKeyId")
    path = environ.get("PATH_INFO", "/").encode("latin-1", "replace").decode("utf-8", "replace")
    headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    content_type = environ.get("CONTENT_TYPE", "")
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if match is None and target:
        signing = target.split(".", 1)[0].lower()
    service = _SIGNING_TO_SERVICE.get(signing, signing)
    if service == "sagemaker" and path.endswith(("/invocations", "/async-invocations", "/invocations-response-stream")):
        service = "sagemaker-runtime"
    operation, params, protocol = "Unknown", {}, "json"
    rpc = re.match(r"^/service/[^/]+/operation/(?P<operation>[^/]+)$", path)
    if target:
        operation = target.rsplit(".", 1)[-1]
        params = _json_object(_read_body(environ))
    elif rpc:
        operation, protocol = rpc["operation"], "cbor"
    elif content_type.startswith("application/x-www-form-urlencoded") or "Action" in query:
        form = dict(urllib.parse.parse_qsl(_read_body(environ).decode("utf-8", "replace"), keep_blank_values=True))
        params = {**query, **form}
        operation, protocol = str(params.pop("Action", "Unknown")), "query"
    else:
        model = _service_model(service)
        if model is not None:
            protocol = model.metadata.get("protocol", "rest-json")
            if protocol.startswith("rest"):
                # As it was sent: a "/" inside an ARN in the path is no separator.
                path = environ.get("REQUEST_URI", "").partition("?")[0] or path
                if service == "s3" and (bucket := _bucket_of_host(headers.get("host", ""))):
                    path = f"/{bucket}{path}"
                method = environ.get("REQUEST_METHOD", "GET")
                operation, params = _match_rest(service, method, path, query, frozenset(headers))
        if service == "lambda" and operation in _FUNCTION_OPERATIONS:
            params = {**query, **_json_object(_read_body(environ, _FUNCTION_LIMIT_BYTES)), **params}
        elif protocol == "rest-json":
            body = b"" if service in ("lambda", "sagemaker-runtime") else _read_body(environ)
            params = {**query, **_json_object(body), **params}
        elif protocol == "rest-xml":
            params = {**params, **{key: value for key, value in query.items() if not key.startswith("X-Amz-")}}
            if operation == "DeleteObjects":
                params["Objects"] = _objects_to_delete(_read_body(environ))
    principal = principal_of(access_key)
    prefix = _ACTION_PREFIX.get(service, service)
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


def _bucket_of_host(host: str) -> str | None:
    """The bucket of a virtual-hosted request such as ``mine.localhost:4566`` or ``mine.s3.amazonaws.com``."""
    match = re.match(r"^(?P<bucket>[^:]+?)(?:\.s3[.-][^:]*)?\.(?:localhost|amazonaws\.com)(?::\d+)?$", host)
    bucket = match["bucket"] if match else None
    return None if bucket is None or re.match(r"^s3([.-]|$)", bucket) else bucket


def _objects_to_delete(body: bytes) -> list[dict[str, str]]:
    """Keys and version ids of a DeleteObjects request; entities and prefixes of its XML do not matter."""
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


def resource_arn(service: str, operation: str, params: Mapping[str, Any], region: str, account: str) -> str:
    """The ARN of the resource that a call touches, ``*`` where it names none.

    :param service: botocore service name.
    :param operation: API operation name.
    :param params: the request's members.
    :param region: region the request was signed for.
    :param account: twelve digits.
    """
    if service == "s3":
        bucket, key = params.get("Bucket"), params.get("Key")
        if not bucket:
            return "*"
        return f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    if service == "sts":
        return str(params.get("RoleArn") or "*")
    if service == "databrew":
        return _databrew_arn(operation, params, region, account)
    for key, value in params.items():
        if isinstance(value, str) and value.startswith("arn:") and "role" not in key.lower():
            return value
    for member, template in _RESOURCES.get(service, ()):
        value = params.get(member)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str) and value:
            where = (
                f"arn:aws:iam::{account}" if service == "iam" else f"arn:aws:{_arn_service(service)}:{region}:{account}"
            )
            return f"{where}:{template.format(value)}"
    return "*"


def _arn_service(service: str) -> str:
    return _ACTION_PREFIX.get(service, service)


def _databrew_arn(operation: str, params: Mapping[str, Any], region: str, account: str) -> str:
    kinds = (
        ("Job", "job"),
        ("Recipe", "recipe"),
        ("Dataset", "dataset"),
        ("Ruleset", "ruleset"),
        ("Schedule", "schedule"),
    )
    if isinstance(params.get("ResourceArn"), str):
        return str(params["ResourceArn"])
    name = params.get("name") or params.get("Name") or params.get("JobName")
    # Creating calls have no resource type (Service Authorization Reference): only a policy on
    # everything allows them.
    if not isinstance(name, str) or operation.startswith("Create"):
        return "*"
    kind = next((noun for word, noun in kinds if word in operation), "project")
    return f"arn:aws:databrew:{region}:{account}:{kind}/{name}"
