"""What SageMaker answers about something that does not exist, and what it answers otherwise."""

from __future__ import annotations

import pytest

from brewtrain.domain.serving.absence import is_absent

ARN = "arn:aws:sagemaker:us-east-1:123456789012"
ABSENT = {
    "DescribeEndpoint": ("ValidationException", f'Could not find endpoint "{ARN}:endpoint/x".'),
    "UpdateEndpoint, its config": (
        "ValidationException",
        f'Could not find endpoint configuration "{ARN}:endpoint-config/x".',
    ),
    "DescribeModel": ("ValidationException", f'Could not find model "{ARN}:model/x".'),
    "DescribeModelPackageGroup": (
        "ValidationException",
        f"ModelPackageGroup {ARN}:model-package-group/x does not exist.",
    ),
    "DescribeModelPackage": ("ValidationException", f"ModelPackage {ARN}:model-package/x/1 does not exist."),
    "DescribeTrainingJob": ("ValidationException", "Requested resource not found."),
    "DescribeProcessingJob": ("ResourceNotFound", "RecordNotFound"),
    "AddTags": ("ResourceNotFound", "The specified resource is missing."),
    "InvokeEndpoint": ("ValidationError", "Endpoint x of account 123456789012 not found."),
}
OTHERWISE = {
    "busy": ("ValidationException", f'Cannot update in-progress endpoint "{ARN}:endpoint/x".'),
    "there already": ("ValidationException", f'Cannot create already existing endpoint "{ARN}:endpoint/x".'),
    "malformed": (
        "ValidationException",
        "1 validation error detected: Value 'a_b' at 'endpointName' failed to satisfy constraint: Member must satisfy "
        "regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9])*",
    ),
    "throttled": ("ThrottlingException", "Rate exceeded"),
    "denied": (
        "AccessDeniedException",
        f"User: {ARN} is not authorized to perform: sagemaker:DescribeEndpoint because no identity-based policy was "
        "not found",
    ),
    "quota": ("ResourceLimitExceeded", "The account-level service limit does not exist for ml.m5.large"),
    "in use": ("ResourceInUse", "Model package group could not find a free version"),
}


@pytest.mark.parametrize(("code", "message"), ABSENT.values(), ids=ABSENT)
def test_what_does_not_exist_is_absent(code: str, message: str) -> None:
    assert is_absent(code, message)


@pytest.mark.parametrize(("code", "message"), OTHERWISE.values(), ids=OTHERWISE)
def test_any_other_refusal_is_not_taken_for_absence(code: str, message: str) -> None:
    assert not is_absent(code, message)
