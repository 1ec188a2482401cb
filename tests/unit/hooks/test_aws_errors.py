"""Every exception of botocore becomes one of ours, and the right one."""

from __future__ import annotations

import inspect

import botocore.exceptions
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from brewtrain.domain.errors import BrewtrainError, DeploymentError, TransientError
from brewtrain.hooks.aws_errors import (
    THROTTLING_CODES,
    UNAVAILABLE_CODES,
    aws_errors,
    error_code,
    iam_action,
    translate,
)

TRANSIENT = {
    "CapacityNotAvailableError",
    "ChecksumError",
    "ConnectTimeoutError",
    "ConnectionClosedError",
    "ConnectionError",
    "EndpointConnectionError",
    "FlexibleChecksumError",
    "HTTPClientError",
    "IncompleteReadError",
    "MetadataRetrievalError",
    "ProxyConnectionError",
    "ReadTimeoutError",
    "ResponseStreamingError",
}
CREDENTIALS = {
    "CredentialRetrievalError",
    "LoginAuthorizationCodeError",
    "LoginError",
    "LoginInsufficientPermissions",
    "LoginRefreshRequired",
    "LoginTokenLoadError",
    "NoAuthTokenError",
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProfileNotFound",
    "SSOError",
    "SSOTokenLoadError",
    "TokenRetrievalError",
    "UnauthorizedSSOTokenError",
}


def _botocore_errors() -> dict[str, type[BotoCoreError]]:
    return {
        name: kind
        for name, kind in vars(botocore.exceptions).items()
        if inspect.isclass(kind) and issubclass(kind, BotoCoreError)
    }


def _instance(kind: type[BotoCoreError]) -> BotoCoreError:
    error = kind.__new__(kind)
    Exception.__init__(error, "what happened.")
    return error


def _answer(code: str, status: int = 400, message: str = "why") -> ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetJob")


def test_every_exception_of_botocore_is_sorted() -> None:
    errors = _botocore_errors()
    # A botocore that brings a new exception makes this fail: sort it into one of the sets, or leave
    # it permanent.
    assert len(errors) >= 80
    assert set(errors) >= TRANSIENT | CREDENTIALS
    for name, kind in errors.items():
        translated = translate(_instance(kind), service="glue", subject="Glue job 'j'")
        assert isinstance(translated, TransientError if name in TRANSIENT else DeploymentError), name
        assert str(translated).startswith("Glue job 'j': "), name
        assert ("credentials" in str(translated)) == (name in CREDENTIALS), name


def test_new_exceptions_of_botocore_are_looked_at() -> None:
    looks_transient = {
        name for name in _botocore_errors() if any(word in name for word in ("Timeout", "Connect", "Closed", "Throttl"))
    }
    assert looks_transient <= TRANSIENT


def test_what_botocore_retries_is_transient() -> None:
    # IAM and CloudWatch Logs say LimitExceededException of quotas, which no waiting mends.
    assert set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) <= THROTTLING_CODES | {"LimitExceededException"}
    assert set(TransientRetryableChecker._TRANSIENT_ERROR_CODES) <= UNAVAILABLE_CODES | THROTTLING_CODES


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (_answer("ThrottlingException"), TransientError, "AWS throttled glue:GetJob"),
        (_answer("WhoKnows", 429), TransientError, "AWS throttled"),
        (_answer("InternalServiceException", 500), TransientError, "AWS failed in glue:GetJob"),
        (_answer("WhoKnows", 503), TransientError, "AWS failed in"),
        (_answer("ConcurrentModificationException"), TransientError, "something else was changing it"),
        (_answer("AccessDeniedException", message="User: u is not authorized"), DeploymentError, "denied glue:GetJob"),
        (_answer("403", 403), DeploymentError, "roles.yaml"),
        (_answer("ExpiredToken"), DeploymentError, "renew them in the Airflow connection brewtrain_aws"),
        (_answer("ResourceNumberLimitExceededException"), DeploymentError, "Service Quotas"),
        (_answer("ValidationException"), DeploymentError, "AWS refused glue:GetJob: ValidationException: why"),
    ],
)
def test_answers_of_aws(error: ClientError, kind: type[BrewtrainError], words: str) -> None:
    translated = translate(error, service="glue", subject="Glue job 'j'")
    assert type(translated) is kind
    assert words in str(translated)
    assert "\n" not in str(translated)


def test_a_block_raises_ours_from_botocores() -> None:
    with pytest.raises(DeploymentError) as caught, aws_errors("glue", "Glue job 'j'"):
        raise _answer("ValidationException", message="two\nlines")
    assert isinstance(caught.value.__cause__, ClientError)
    assert "two lines" in str(caught.value)


def test_what_is_ours_already_passes_through() -> None:
    with pytest.raises(TransientError) as caught, aws_errors("glue", "x"):
        raise TransientError("mine")
    assert str(caught.value) == "mine"


def test_a_bug_is_not_dressed_up() -> None:
    with pytest.raises(KeyError), aws_errors("glue", "x"):
        raise KeyError("bug")


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("stepfunctions", "DescribeExecution", "states:DescribeExecution"),
        ("s3", "HeadBucket", "s3:ListBucket"),
        ("s3", "PutObject", "s3:PutObject"),
        ("databrew", "CreateRecipe", "databrew:CreateRecipe"),
        ("service-quotas", "ListServiceQuotas", "servicequotas:ListServiceQuotas"),
    ],
)
def test_actions_are_called_as_iam_calls_them(service: str, operation: str, action: str) -> None:
    assert iam_action(service, operation) == action


def test_the_code_of_an_answer() -> None:
    assert error_code(_answer("X")) == "X"
    assert error_code(ClientError({}, "Op")) == ""
