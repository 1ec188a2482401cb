"""A run's dataset and job: made once, brought back after a teardown, bounded by the window."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.names import RunIdentity
from brewtrain.hooks.databrew_run import DataBrewRunHook
from tests.fixtures.switched_execution import SwitchedExecution
from tests.fixtures.waiting import wait_until
from tests.functional.retrain.conftest import make_pipeline


def identity(account: SwitchedExecution) -> RunIdentity:
    return RunIdentity(account.pipeline.name, datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 2, 2, tzinfo=UTC), "0")


@pytest.fixture(autouse=True)
def _released(account: SwitchedExecution) -> Iterator[None]:
    yield
    DataBrewRunHook("brewtrain_aws").release(identity(account))


def prepare(account: SwitchedExecution, version: str = "1.0") -> list[str]:
    return DataBrewRunHook("brewtrain_aws").prepare(
        account.pipeline, identity(account), bucket=account.bucket, recipe_version=version
    )


def test_made_once_and_brought_back(account: SwitchedExecution) -> None:
    name = identity(account).job_name_prefix
    assert prepare(account) == [f"+ dataset {name}", f"+ job {name}"]
    assert prepare(account) == [f"= dataset {name}", f"= job {name}"]
    hook = DataBrewRunHook("brewtrain_aws")
    assert hook.release(identity(account)) == [f"- job {name}", f"- dataset {name}"]
    assert hook.release(identity(account)) == [f"= job {name} is gone already", f"= dataset {name} is gone already"]
    assert prepare(account) == [f"+ dataset {name}", f"+ job {name}"]


def test_the_job_is_what_the_pipeline_file_says(account: SwitchedExecution) -> None:
    prepare(account)
    job = account.client("databrew").describe_job(Name=identity(account).job_name_prefix)
    assert job["RecipeReference"]["RecipeVersion"] == "1.0"
    assert job["MaxRetries"] == 0
    assert job["Timeout"] == account.pipeline.limits.transform_minutes
    (output,) = job["Outputs"]
    assert output["Overwrite"] is True
    assert output["Location"]["Key"].endswith(f"/runs/{identity(account).run_id}/transform/")
    assert job["EncryptionMode"] == "SSE-S3"
    assert job["Tags"]["brewtrain:run-id"] == identity(account).run_id


def test_the_job_encrypts_with_the_pipelines_key(account: SwitchedExecution) -> None:
    """Without this the job would say SSE-S3, which beats the bucket's default key."""
    key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    prepare(account)
    encrypted = make_pipeline(account.pipeline.name, kms_key=key)
    name = identity(account).job_name_prefix
    lines = DataBrewRunHook("brewtrain_aws").prepare(
        encrypted, identity(account), bucket=account.bucket, recipe_version="1.0"
    )
    assert lines == [f"= dataset {name}", f"~ job {name}"]
    job = account.client("databrew").describe_job(Name=name)
    assert (job["EncryptionMode"], job["EncryptionKeyArn"]) == ("SSE-KMS", key)


def test_the_dataset_is_the_days_of_the_window(account: SwitchedExecution) -> None:
    """30 January to 1 February, and no other day."""
    prepare(account)
    dataset = account.client("databrew").describe_dataset(Name=identity(account).job_name_prefix)
    assert dataset["FormatOptions"]["Csv"] == {"Delimiter": ";", "HeaderRow": True}
    key = dataset["Input"]["S3InputDefinition"]["Key"]
    days = r"(?:2024\-01\-(?:3[0-1])/|2024\-02\-01/)"
    below = "(?:(?:[^_./][^/]*|_[^/=]*=[^/]*)/)*(?:[^_./][^/]*|_[^/=]*=[^/]*)"
    assert key == f"data/{account.pipeline.name}/dt=<{days}{below}>"
    assert "PathOptions" not in dataset


def transformed(account: SwitchedExecution) -> set[str]:
    """Ages of the rows that the run's job reads now."""
    databrew, s3 = account.client("databrew"), account.client("s3")
    name = identity(account).job_name_prefix
    run_id = databrew.start_job_run(Name=name)["RunId"]

    def ended() -> dict[str, Any] | None:
        run: dict[str, Any] = databrew.describe_job_run(Name=name, RunId=run_id)
        return run if run["State"] in ("SUCCEEDED", "FAILED") else None

    run = wait_until(ended, seconds=60, what=f"the run {run_id} ends")
    assert run["State"] == "SUCCEEDED", run
    prefix = f"brewtrain/{account.pipeline.name}/runs/{identity(account).run_id}/transform/"
    files = s3.list_objects_v2(Bucket=account.bucket, Prefix=prefix)["Contents"]
    bodies = [s3.get_object(Bucket=account.bucket, Key=file["Key"])["Body"].read().decode() for file in files]
    return {line.partition(",")[0] for body in bodies for line in body.splitlines()[1:]}


def test_a_partition_that_comes_late_is_used_and_others_are_not(account: SwitchedExecution) -> None:
    for day, age in ((29, 29), (31, 31)):
        account.deliver(date(2024, 1, day), body=f"age;job;y\n{age};admin;no\n".encode())
    account.deliver(date(2024, 2, 2), body=b"age;job;y\n99;admin;no\n")
    prepare(account)
    assert transformed(account) == {"31"}
    account.deliver(date(2024, 2, 1), body=b"age;job;y\n1;admin;no\n")
    account.deliver(date(2024, 1, 30), body=b"age;job;y\n30;admin;no\n")
    assert prepare(account)[0].startswith("= dataset"), "the dataset stands for days and not for files"
    assert transformed(account) == {"1", "30", "31"}


def test_a_job_with_another_recipe_is_made_anew(account: SwitchedExecution) -> None:
    prepare(account)
    databrew = account.client("databrew")
    steps: list[dict[str, Any]] = [{"Action": {"Operation": "LOWER_CASE", "Parameters": {"sourceColumn": "job"}}}]
    databrew.update_recipe(Name=f"brewtrain-{account.pipeline.name.replace('_', '-')}", Steps=steps)
    databrew.publish_recipe(Name=f"brewtrain-{account.pipeline.name.replace('_', '-')}")
    hook = DataBrewRunHook("brewtrain_aws")
    assert hook.newest_recipe_version(account.pipeline) == "2.0"
    name = identity(account).job_name_prefix
    assert prepare(account, "2.0") == [f"= dataset {name}", f"-/+ job {name}"]
    assert databrew.describe_job(Name=name)["RecipeReference"]["RecipeVersion"] == "2.0"


def test_what_somebody_edited_is_put_back(account: SwitchedExecution) -> None:
    prepare(account)
    name = identity(account).job_name_prefix
    job = account.client("databrew").describe_job(Name=name)
    account.client("databrew").update_recipe_job(
        Name=name, RoleArn=job["RoleArn"], Outputs=job["Outputs"], Timeout=9, MaxCapacity=2
    )
    assert prepare(account) == [f"= dataset {name}", f"~ job {name}"]
    assert account.client("databrew").describe_job(Name=name)["Timeout"] == account.pipeline.limits.transform_minutes


def test_a_recipe_that_was_never_published_is_one_sentence(account: SwitchedExecution) -> None:
    with pytest.raises(DeploymentError, match=r"has no published version; run DAG never_seen__deploy"):
        DataBrewRunHook("brewtrain_aws").newest_recipe_version(make_pipeline("never_seen"))
