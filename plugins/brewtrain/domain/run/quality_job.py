"""The DataBrew ruleset and profile job by which a run's data is validated, as DataBrew's requests.

Must not import Airflow or boto3.

Source: CreateRuleset, CreateProfileJob, ValidationConfiguration in the AWS Glue DataBrew API
Reference; "Validating data quality" in its Developer Guide.
"""

from __future__ import annotations

from typing import Any

from brewtrain.domain import names
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.quality.rules import ruleset
from brewtrain.domain.quality.validation_job import JOB_SAMPLE, PROFILE_CONFIGURATION
from brewtrain.domain.run.limits import quality_limits, whole_minutes
from brewtrain.domain.run.transform_job import encryption


def rules(pipeline: Pipeline) -> list[dict[str, Any]]:
    """Return the rules as CreateRuleset and UpdateRuleset take them; empty if there are none.

    :param pipeline: The pipeline file.
    """
    return ruleset(pipeline.quality.databrew_rules) if pipeline.quality else []


def job(
    pipeline: Pipeline, identity: names.RunIdentity, account: names.Account, *, name: str, bucket: str
) -> dict[str, Any]:
    """Return the job as CreateProfileJob and UpdateProfileJob take it, without its name and tags.

    :param pipeline: The pipeline file.
    :param identity: Whose run it is.
    :param account: Where it runs.
    :param name: Name of its dataset and of its ruleset.
    :param bucket: The pipeline's bucket.
    """
    validation = [{"RulesetArn": account.ruleset_arn(name), "ValidationMode": "CHECK_ALL"}]
    return {
        "DatasetName": name,
        "RoleArn": account.role_arn("databrew"),
        "OutputLocation": {"Bucket": bucket, "Key": names.quality_reports_prefix(identity)},
        "Configuration": PROFILE_CONFIGURATION,
        "JobSample": JOB_SAMPLE,
        **({"ValidationConfigurations": validation} if rules(pipeline) else {}),
        **encryption(pipeline),
        "LogSubscription": "ENABLE",
        "MaxCapacity": pipeline.transform.max_capacity,
        # A person decides whether the data is looked at again; a retry of DataBrew's own would run
        # under the same job run unseen.
        "MaxRetries": 0,
        "Timeout": whole_minutes(quality_limits(pipeline).job),
    }


def described(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return a job as DescribeJob shows it, which has other members than CreateProfileJob.

    :param wanted: From :func:`job`.
    """
    same = {key: value for key, value in wanted.items() if key not in ("OutputLocation", "Configuration")}
    return {
        **same,
        "Outputs": [{"Location": wanted["OutputLocation"]}],
        "ProfileConfiguration": wanted["Configuration"],
        "ValidationConfigurations": wanted.get("ValidationConfigurations"),
    }
