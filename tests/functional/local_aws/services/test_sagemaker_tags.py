"""Tags of SageMaker resources that do not exist: refused as AWS refuses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.job_services import error_of

ABSENT = [
    "endpoint/nothing-here",
    "endpoint-config/nothing-here",
    "model/nothing-here",
    "training-job/nothing-here",
    "notebook-instance/nothing-here",
    "no-such-kind/nothing-here",
    "nothing",
]


@pytest.mark.parametrize("resource", ABSENT)
def test_tags_of_what_does_not_exist_are_refused(resource: str, aws_client: Callable[..., Any]) -> None:
    sagemaker = aws_client("sagemaker")
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:{resource}"
    calls: list[Callable[[], Any]] = [
        lambda: sagemaker.list_tags(ResourceArn=arn),
        lambda: sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}]),
        lambda: sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a"]),
    ]
    for call in calls:
        assert error_of(call) == ("ValidationException", "Resource does not exist.")


def test_tags_of_what_moto_keeps_stay_its(aws_client: Callable[..., Any]) -> None:
    sagemaker = aws_client("sagemaker")
    arn = sagemaker.create_experiment(ExperimentName="tagged")["ExperimentArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
