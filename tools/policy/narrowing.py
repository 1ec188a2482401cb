"""Narrow the policies of include/cloudformation/roles.yaml to what one pipeline needs.

The template's roles serve all pipelines of an account, so its resources are ``brewtrain-*``. This
module replaces each such pattern by the names that :mod:`brewtrain.domain.names` makes for one
pipeline. Must not import boto3, Airflow or local_aws.

Sources: "Actions, resources, and condition keys for AWS services" in the Service Authorization
Reference; quotas from "IAM and AWS STS quotas" in the IAM User Guide.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from brewtrain.domain import names
from brewtrain.domain.names import Account
from brewtrain.domain.pipeline.file import Pipeline
from tools import cloudformation

TEMPLATE = Path(__file__).resolve().parents[2] / "include" / "cloudformation" / "roles.yaml"
# Characters without white space: of all inline policies of a role together, and of one managed
# policy.
INLINE_LIMIT = 10_240
MANAGED_LIMIT = 6_144

# YYYYMMDDTHHMM of a run id, and the same after the p or r of a deployment's. One sign for each
# character, because `bank-*` would also match the names of a pipeline `bank_marketing`; and no T,
# because SageMaker's ARNs are in lower case.
_RUN = "?" * len("YYYYMMDDTHHMM")
_DEPLOYMENT = "?" * len("pYYYYMMDDTHHMM")
_ON_CALL_TOPIC = "brewtrain-on-call"
# What is made for a run and for nothing else.
_OF_RUNS = frozenset(
    {"databrew:dataset", "databrew:ruleset", "databrew:job", "sagemaker:training-job", "sagemaker:processing-job"}
)


class UnknownResourceError(Exception):
    """The template has a resource that no rule here narrows."""


def policies(
    pipeline: Pipeline, account: Account, *, template: Path = TEMPLATE, kms_key_arn: str = ""
) -> dict[str, dict[str, Any]]:
    """Return the policy document of each role, narrowed to one pipeline.

    :param account: Where the pipeline is deployed.
    :param kms_key_arn: Key that encrypts the bucket; empty for the pipeline's own key, if any.
    :returns: The policies of ``airflow``, ``states``, ``databrew``, ``glue`` and ``sagemaker``.
    :raises UnknownResourceError: The template has a resource that no rule narrows.
    """
    own = pipeline.bucket_name(account)
    source = pipeline.source.bucket(own)
    resources = cloudformation.resolve(
        _load(template),
        account_id=account.account_id,
        region=account.region,
        partition=names.partition(account.region),
        BucketName=own,
        SourceBucketName=source,
        SourcePrefix=source_prefix(pipeline),
        # SageMaker's ARNs are in lower case, however the endpoint's name is written.
        EndpointNamePattern=pipeline.endpoint_name.lower(),
        KmsKeyArn=kms_key_arn or pipeline.kms_key or "",
    )
    found = {}
    for item in resources.values():
        if item["Type"] != "AWS::IAM::Role":
            continue
        found[item["Properties"]["RoleName"].removeprefix(f"{names.PREFIX}-")] = {
            "Version": "2012-10-17",
            # A pipeline without alarms, for example, would leave a statement without resources,
            # which IAM refuses.
            "Statement": [
                statement
                for one in cloudformation.statements(item)
                if (statement := _statement(one, pipeline))["Resource"]
            ],
        }
    return found


@cache
def _load(template: Path) -> dict[str, Any]:
    return cloudformation.load(template)


def source_prefix(pipeline: Pipeline) -> str:
    """Return the pattern of the key prefixes of a pipeline's partitions.

    It has no slash at its end: Spark asks for the prefix itself before it lists what is below it.
    """
    return pipeline.source.layout.wildcard.rstrip("/")


def size(document: dict[str, Any]) -> int:
    """Return the number of characters of a policy as IAM counts them, without white space."""
    return len(re.sub(r"\s", "", json.dumps(document, separators=(",", ":"))))


def _statement(statement: dict[str, Any], pipeline: Pipeline) -> dict[str, Any]:
    resources = sorted({narrow for one in statement["Resource"] for narrow in narrowed(one, pipeline)})
    result = {**statement, "Action": sorted(statement["Action"]), "Resource": resources}
    if "Condition" in statement:
        result["Condition"] = _condition(statement["Condition"], pipeline)
    return result


def _condition(condition: dict[str, Any], pipeline: Pipeline) -> dict[str, Any]:
    """Require the pipeline's own tag where the template requires any value of the tag."""
    result: dict[str, dict[str, Any]] = {}
    for operator, keys in condition.items():
        for key, value in keys.items():
            own_tag = operator == "Null" and value == "false" and key.endswith(f"Tag/{names.PIPELINE_TAG}")
            target = result.setdefault("StringEquals" if own_tag else operator, {})
            target[key] = pipeline.name if own_tag else value
    return result


def narrowed(resource: str, pipeline: Pipeline) -> list[str]:
    """Narrow a resource pattern of the template to one pipeline.

    :param resource: ARN or pattern of the template, its parameters filled in.
    :returns: Patterns; none if the pipeline has no such resource.
    :raises UnknownResourceError: The pattern covers every pipeline and no rule narrows it.
    """
    if (alarms := resource.partition(":alarm:"))[1] and alarms[2] == "*":
        update = pipeline.endpoint.update
        return [f"{alarms[0]}:alarm:{name}" for name in (update.alarms if update is not None else ())]
    if not re.search(rf"{names.PREFIX}[-/]\*", resource):
        return [resource]
    arn, partition, service, region, account_id, rest = resource.split(":", 5)
    assert arn == "arn"
    own = f"{names.PREFIX}-{names.slug(pipeline.name)}"

    def named(*patterns: str) -> list[str]:
        return [":".join((arn, partition, service, region, account_id, pattern)) for pattern in patterns]

    if service == "s3":
        bucket, _, below = rest.partition(f"/{names.PREFIX}/*")
        # `brewtrain/*` covers everything below it; in `brewtrain/*/runs/…` the star is the
        # pipeline's folder.
        return named(f"{bucket}/{names.PREFIX}/{pipeline.name}{below or '/*'}")
    if service == "sns" and rest == f"{names.PREFIX}-*":
        return named(_ON_CALL_TOPIC)
    kind, separator, name = (*re.split(r"([/:])", rest, maxsplit=1), "", "")[:3]
    what = f"{service}:{kind}"
    if name == f"{names.PREFIX}-*":
        if what in _OF_RUNS:
            return named(f"{kind}{separator}{own}-{_RUN}-*")
        if what in ("sagemaker:model", "sagemaker:endpoint-config"):
            return named(f"{kind}{separator}{own}-{_RUN}-*", f"{kind}{separator}{own}-{_DEPLOYMENT}-*")
        if what in ("databrew:recipe", "sagemaker:model-package-group"):
            return named(f"{kind}{separator}{own}")
        if what == "sagemaker:model-package":
            # A version's name is its group's name, a slash and a number.
            return named(f"{kind}{separator}{own}", f"{kind}{separator}{own}/*")
        if what == "glue:job":
            return named(f"{kind}{separator}{names.split_job(pipeline.name)}")
        if what == "states:stateMachine":
            # Versions and aliases have the state machine's ARN with a suffix.
            return named(f"{kind}{separator}{own}", f"{kind}{separator}{own}:*")
        if what == "iam:role":
            # The five roles belong to the account; all pipelines use the same ones.
            return [resource]
    if what == "states:execution" and name == f"{names.PREFIX}-*:*":
        return named(f"{kind}{separator}{own}:*")
    if what == "sagemaker:model-package" and name == f"{names.PREFIX}-*/*":
        return named(f"{kind}{separator}{own}/*")
    raise UnknownResourceError(
        f"{TEMPLATE.name} allows {resource}, and tools/policy/narrowing.py has no rule that narrows it to one "
        "pipeline; add one"
    )
