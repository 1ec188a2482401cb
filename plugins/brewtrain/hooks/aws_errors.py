"""The one place where botocore's exceptions become this package's.

Every hook wraps its calls in :func:`aws_errors`, so that what reaches an operator is a
:class:`~brewtrain.domain.errors.TransientError` (trying again may help) or a
:class:`~brewtrain.domain.errors.DeploymentError` (somebody has to change something), each saying in
one sentence what failed, where, and what to do. A hook for which an error is an answer ("does not
exist") catches it *inside* the ``with`` block, by :func:`error_code` or :func:`is_not_found`.

Must not import Airflow.

Sources: "Common Errors" of the API references of DataBrew, Glue, Step Functions, SageMaker, S3, IAM
and STS; "Standard retry mode" in the AWS SDKs and Tools Reference Guide.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    CapacityNotAvailableError,
    ChecksumError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    LoginError,
    MetadataRetrievalError,
    NoAuthTokenError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ResponseStreamingError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)

from brewtrain.domain.errors import BrewtrainError, DeploymentError, TransientError
from brewtrain.domain.names import CONNECTION_ID
from brewtrain.domain.serving.absence import is_absent

THROTTLING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "KmsThrottlingException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
UNAVAILABLE_CODES = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServerException",
        "InternalServiceException",
        "InternalServiceFault",
        "OperationTimeoutException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)
# Two writers of one resource: the loser comes back and finds the work done. A hook for which a
# conflict means something else catches it itself.
CONCURRENT_WRITE_CODES = frozenset({"ConcurrentModificationException", "ConflictException", "OperationAborted"})
ACCESS_DENIED_CODES = frozenset(
    {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "Forbidden", "UnauthorizedOperation"}
)
CREDENTIAL_CODES = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
QUOTA_CODES = frozenset(
    {
        "LimitExceeded",
        "LimitExceededException",
        "ResourceLimitExceeded",
        "ResourceNumberLimitExceededException",
        "ServiceQuotaExceededException",
        "StateMachineLimitExceeded",
    }
)

_CREDENTIAL_ERRORS = (
    CredentialRetrievalError,
    LoginError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
_NETWORK_ERRORS = (
    CapacityNotAvailableError,
    ChecksumError,
    ConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    ResponseStreamingError,
)

# IAM's action where its name is not the operation's (Service Authorization Reference, Amazon
# S3 and Amazon SQS).
_ACTION_OF_OPERATION = {
    "DeleteMessageBatch": "DeleteMessage",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
}
# IAM's service prefix where it is not the name of boto3's client.
_ACTION_PREFIX_OF_CLIENT = {
    "sagemaker-runtime": "sagemaker",
    "service-quotas": "servicequotas",
    "stepfunctions": "states",
}


def error_code(error: ClientError) -> str:
    """Return AWS's error code, e.g. ``ResourceNotFoundException``; ``404`` for a HEAD request."""
    code: str = error.response.get("Error", {}).get("Code", "")
    return code


def error_message(error: ClientError) -> str:
    """Return AWS's text of the error in one line."""
    detail = error.response.get("Error", {})
    return " ".join(str(detail.get("Message") or detail.get("message") or "no message").split())


def is_not_found(error: ClientError) -> bool:
    """Whether SageMaker says that what was asked for does not exist."""
    return is_absent(error_code(error), error_message(error))


def iam_action(service: str, operation: str) -> str:
    """Return the IAM action that a call needs, e.g. ``states:DescribeExecution``.

    :param service: boto3's name of the client, e.g. ``stepfunctions``.
    :param operation: Name of the API operation, e.g. ``DescribeExecution``.
    """
    prefix = _ACTION_PREFIX_OF_CLIENT.get(service, service)
    return f"{prefix}:{_ACTION_OF_OPERATION.get(operation, operation)}"


@contextmanager
def aws_errors(service: str, subject: str) -> Iterator[None]:
    """Translate what botocore raises inside the block.

    :param service: boto3's name of the client, e.g. ``stepfunctions``.
    :param subject: What the call is about, as a reader of the log knows it, e.g. ``"Glue job
        'brewtrain-x-split'"``.
    :raises TransientError: Throttled, 5xx, timed out, out of reach, or two writers at once.
    :raises DeploymentError: Everything else AWS or botocore refuses.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise translate(error, service=service, subject=subject) from error


def translate(error: BotoCoreError | ClientError, *, service: str, subject: str) -> BrewtrainError:
    """Return the package's exception for one of botocore's.

    :param error: What botocore raised.
    :param service: See :func:`aws_errors`.
    :param subject: See :func:`aws_errors`.
    """
    if isinstance(error, ClientError):
        return _translate_answer(error, service=service, subject=subject)
    if isinstance(error, _CREDENTIAL_ERRORS):
        return DeploymentError(
            f"{subject}: no usable AWS credentials ({_plain(error)}); "
            f"set credentials or role_arn in the Airflow connection {CONNECTION_ID}"
        )
    if isinstance(error, NoRegionError):
        return DeploymentError(
            f"{subject}: no AWS region; set region_name in the extra of the Airflow connection {CONNECTION_ID}"
        )
    # A subclass of the network errors, but no retry helps.
    if isinstance(error, SSLError):
        return DeploymentError(
            f"{subject}: the certificate of {service} cannot be verified ({_plain(error)}); "
            f"check endpoint_url and verify in the Airflow connection {CONNECTION_ID}"
        )
    if isinstance(error, _NETWORK_ERRORS):
        return TransientError(
            f"{subject}: {service} could not be reached ({_plain(error)}); trying again may help, otherwise check the "
            f"network and endpoint_url in the Airflow connection {CONNECTION_ID}"
        )
    return DeploymentError(f"{subject}: the {service} request could not be made: {_plain(error)}")


def _translate_answer(error: ClientError, *, service: str, subject: str) -> BrewtrainError:
    code = error_code(error)
    message = error_message(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    action = iam_action(service, error.operation_name)
    if code in THROTTLING_CODES or status == 429:
        return TransientError(f"{subject}: AWS throttled {action} ({code}: {message}); trying again may help")
    if code in CREDENTIAL_CODES:
        return DeploymentError(
            f"{subject}: AWS does not accept the credentials for {action} ({code}: {message}); "
            f"renew them in the Airflow connection {CONNECTION_ID}"
        )
    if code in ACCESS_DENIED_CODES:
        return DeploymentError(
            f"{subject}: AWS denied {action} ({code}: {message}); allow it in include/cloudformation/roles.yaml "
            f"for the role of the Airflow connection {CONNECTION_ID} and deploy that stack again"
        )
    if code in QUOTA_CODES:
        return DeploymentError(
            f"{subject}: {action} hit a quota of the account ({code}: {message}); delete what is not needed or ask for "
            "more in Service Quotas"
        )
    if code in CONCURRENT_WRITE_CODES:
        return TransientError(
            f"{subject}: something else was changing it during {action} ({code}: {message}); trying again may help"
        )
    if code in UNAVAILABLE_CODES or status >= 500:
        return TransientError(f"{subject}: AWS failed in {action} ({code}: {message}); trying again may help")
    return DeploymentError(f"{subject}: AWS refused {action}: {code}: {message}")


def _plain(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
