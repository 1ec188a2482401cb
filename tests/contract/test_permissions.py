"""The roles allow what the state machine, the hooks and the Glue script call, and are scoped."""

from __future__ import annotations

import ast
import fnmatch
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import cfnlint
import pytest
from botocore import xform_name

from tests.contract import asl
from tests.contract.cloudformation import load, resolve, statements

REPOSITORY = Path(__file__).resolve().parents[2]
TEMPLATE = REPOSITORY / "include" / "cloudformation" / "roles.yaml"
ROLES = {"AirflowRole", "StatesRole", "DataBrewRole", "GlueRole", "SageMakerRole"}

# What an integration needs beyond the call that its resource names; the "IAM policies" sections of
# https://docs.aws.amazon.com/step-functions/latest/dg/connect-databrew.html, connect-glue.html, connect-sagemaker.html.
SYNC_ACTIONS = {
    "databrew:startJobRun": {"databrew:ListJobRuns", "databrew:StopJobRun"},
    "glue:startJobRun": {"glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"},
    "sagemaker:createTrainingJob": {
        "sagemaker:DescribeTrainingJob",
        "sagemaker:StopTrainingJob",
        "sagemaker:AddTags",
        "events:PutTargets",
        "events:PutRule",
        "events:DescribeRule",
    },
    "sagemaker:createProcessingJob": {
        "sagemaker:DescribeProcessingJob",
        "sagemaker:StopProcessingJob",
        "sagemaker:AddTags",
        "events:PutTargets",
        "events:PutRule",
        "events:DescribeRule",
    },
}
# Resources that have no narrower form, with the actions that may name them so.
UNSCOPED = {
    "databrew:CreateDataset",
    "databrew:CreateRecipe",
    "databrew:CreateRecipeJob",
    "databrew:ListDatasets",
    "databrew:ListJobs",
    "databrew:ListRecipes",
    "sagemaker:ListEndpointConfigs",
    "sagemaker:ListEndpoints",
    "sagemaker:ListModels",
    "states:ValidateStateMachineDefinition",
    "ecr:GetAuthorizationToken",
    "cloudwatch:PutMetricData",
    "servicequotas:ListServiceQuotas",
}
SCOPED = re.compile(
    r"brewtrain|data/|endpoint/|endpoint-config/|:model/|:alarm:|log-group:/aws|repository/|rule/"
)  # fmt: skip
PREFIXES = {"stepfunctions": "states"}
S3_ACTIONS = {"HeadBucket": "ListBucket", "ListObjectsV2": "ListBucket", "HeadObject": "GetObject",
              "CopyObject": "PutObject", "DeleteObjects": "DeleteObject"}  # fmt: skip
CLIENTS = ("databrew", "glue", "stepfunctions", "sagemaker", "sagemaker-runtime", "s3", "logs", "iam", "sts", "sns",
           "cloudwatch", "cloudformation")  # fmt: skip
# Allowed to everybody.
FREE = {"sts:GetCallerIdentity"}


@pytest.fixture(scope="module")
def roles() -> dict[str, Any]:
    return {name: item for name, item in resolve(load(TEMPLATE)).items() if item["Type"] == "AWS::IAM::Role"}


def allowed(role: dict[str, Any]) -> set[str]:
    return {action for statement in statements(role) for action in statement["Action"]}


def iam_action(service: str, operation: str) -> str:
    operation = S3_ACTIONS.get(operation, operation) if service == "s3" else operation
    return f"{PREFIXES.get(service, service).removesuffix('-runtime')}:{operation}"


def definition_actions(definition: dict[str, Any]) -> set[str]:
    wanted = set()
    for state in asl.all_states(definition).values():
        if state["Type"] != "Task":
            continue
        integration = state["Resource"].removeprefix("arn:aws:states:::").removeprefix("aws-sdk:")
        call, _, pattern = integration.partition(".")
        service, action = call.split(":")
        wanted.add(iam_action(service, action[0].upper() + action[1:]))
        if pattern == "sync":
            wanted |= SYNC_ACTIONS[call]
        parameters = state.get("Parameters", {})
        if "Tags.$" in parameters:
            wanted.add(f"{service}:AddTags")
        if any(key in parameters for key in ("RoleArn.$", "ExecutionRoleArn.$")):
            wanted.add("iam:PassRole")
    return wanted


def test_the_five_roles(roles: dict[str, Any]) -> None:
    assert set(roles) == ROLES
    assert {item["Properties"]["RoleName"] for item in roles.values()} == {
        f"brewtrain-{name}" for name in ("airflow", "states", "databrew", "glue", "sagemaker")
    }


def test_the_state_machine_may_do_what_it_does_and_no_more(roles: dict[str, Any], definition: dict[str, Any]) -> None:
    wanted = definition_actions(definition)
    granted = allowed(roles["StatesRole"])
    assert wanted <= granted, f"not allowed: {wanted - granted}"
    # DescribeJobRun and ListTags of a job are not in AWS's lists for the integrations but are what the pollers call;
    # DescribeAlarms is what SageMaker needs for the alarms of an update.
    assert granted - wanted <= {"databrew:DescribeJobRun", "sagemaker:ListTags", "cloudwatch:DescribeAlarms"}


def test_the_managed_rules_of_both_kinds_of_jobs_are_allowed(roles: dict[str, Any]) -> None:
    rules = {
        resource.rsplit("/", 1)[1]
        for statement in statements(roles["StatesRole"])
        if "events:PutRule" in statement["Action"]
        for resource in statement["Resource"]
    }
    assert rules == {
        f"StepFunctionsGetEventsForSageMaker{kind}JobsRule" for kind in ("Training", "Processing")
    }  # "IAM policies for calling Amazon SageMaker AI" in the Step Functions Developer Guide


def test_the_evaluation_may_do_what_it_does(roles: dict[str, Any]) -> None:
    """Inputs that SageMaker downloads for the job, what the script reads itself, and what is uploaded at its end."""
    run = "arn:aws:s3:::brewtrain-123456789012-us-east-1/brewtrain/churn/runs/churn-20240102T0000-g0"
    code = "arn:aws:s3:::brewtrain-123456789012-us-east-1/brewtrain/churn/code"
    reads = [f"{run}/{key}" for key in ("train/part-0.csv", "validation/part-0.csv", "split.json",
                                        "model/job/output/model.tar.gz", "evaluation/profile.json")]  # fmt: skip
    granted = {
        action: [
            resource
            for statement in statements(roles["SageMakerRole"])
            if action in statement["Action"]
            for resource in statement["Resource"]
        ]
        for action in ("s3:GetObject", "s3:PutObject")
    }

    def may(action: str, resource: str) -> bool:
        return any(fnmatch.fnmatchcase(resource, pattern) for pattern in granted[action])

    assert all(may("s3:GetObject", resource) for resource in [*reads, f"{code}/evaluation-0123456789ab/gate.py"])
    assert may("s3:PutObject", f"{run}/evaluation/verdict.json")
    for forbidden in (f"{code}/evaluation-0123456789ab/gate.py", f"{run}/result.json", f"{run}/split.json"):
        assert not may("s3:PutObject", forbidden), forbidden
    assert not may("s3:GetObject", f"{run}/result.json")


def operations() -> dict[str, dict[str, str]]:
    session = botocore.session.get_session()
    found: dict[str, dict[str, str]] = {}
    for service in CLIENTS:
        for operation in session.get_service_model(service).operation_names:
            found.setdefault(xform_name(operation), {})[service] = operation
    return found


def calls(path: Path, known: dict[str, dict[str, str]]) -> Iterator[dict[str, str]]:
    """Operations that a file calls, each as client name → operation for every client it may be meant for."""
    text = path.read_text("utf-8")
    declared = set(re.findall(r"""(?:service\b[^=\n]*=\s*|client\(\s*|client_type\s*=\s*)["']([a-z-]+)["']""", text))
    for node in ast.walk(ast.parse(text)):
        name = None
        if isinstance(node, ast.Attribute) and node.attr in known:
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            name = node.attr if owner in ("conn", "client", "s3") else None
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("get_paginator", "get_waiter")
            and isinstance(node.args[0], ast.Constant)
        ):
            name = str(node.args[0].value)
        if name in known:
            candidates = known[str(name)]
            narrowed = {service: operation for service, operation in candidates.items() if service in declared}
            yield narrowed or candidates


def test_hooks_may_do_what_they_do(roles: dict[str, Any]) -> None:
    granted = allowed(roles["AirflowRole"]) | FREE
    known = operations()
    seen = 0
    missing = []
    for path in sorted((REPOSITORY / "plugins" / "brewtrain" / "hooks").glob("*.py")):
        for candidates in calls(path, known):
            seen += 1
            if not any(iam_action(service, operation) in granted for service, operation in candidates.items()):
                missing.append((path.name, candidates))
    assert missing == [], "add the actions to AirflowRole in include/cloudformation/roles.yaml"
    assert seen > 20, "the reader of hooks finds no calls any more"


def test_the_split_script_may_do_what_it_does(roles: dict[str, Any]) -> None:
    known = operations()
    script = REPOSITORY / "include" / "glue" / "split.py"
    wanted = {iam_action("s3", candidates["s3"]) for candidates in calls(script, known)}
    assert wanted == {"s3:ListBucket", "s3:GetObject", "s3:PutObject"}
    assert wanted <= allowed(roles["GlueRole"])


def test_no_action_is_a_wildcard(roles: dict[str, Any]) -> None:
    for name, role in roles.items():
        assert not [action for action in allowed(role) if "*" in action], name


def test_every_resource_is_scoped(roles: dict[str, Any]) -> None:
    for name, role in roles.items():
        for statement in statements(role):
            for resource in statement["Resource"]:
                if resource == "*":
                    assert set(statement["Action"]) <= UNSCOPED, (name, statement["Sid"])
                else:
                    assert SCOPED.search(resource), (name, resource)


def test_an_action_without_a_resource_type_stands_on_everything(roles: dict[str, Any]) -> None:
    """As AWS's Service Authorization Reference has it, in the copy that cfn-lint ships."""
    reference = json.loads((Path(cfnlint.__file__).parent / "data/AdditionalSpecs/Policies.json").read_text("utf-8"))
    checked = 0
    for name, role in roles.items():
        for statement in statements(role):
            for action in statement["Action"]:
                service, _, operation = action.partition(":")
                known = reference[service]["Actions"].get(operation.lower())
                assert known is not None, f"{name}: AWS knows no action {action}"
                checked += 1
                if not known.get("Resources"):
                    assert statement["Resource"] == ["*"], f"{name}: {action} has no resource type: it never matches"
    assert checked > 100


def test_a_role_is_passed_to_its_service_only(roles: dict[str, Any]) -> None:
    seen = 0
    for role in roles.values():
        for statement in statements(role):
            if "iam:PassRole" not in statement["Action"]:
                continue
            seen += 1
            (resource,) = statement["Resource"]
            service = statement["Condition"]["StringEquals"]["iam:PassedToService"]
            assert resource == f"arn:aws:iam::123456789012:role/brewtrain-{service.split('.')[0]}"
    assert seen == 4


def test_services_assume_for_this_account_only(roles: dict[str, Any]) -> None:
    for name, role in roles.items():
        for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
            if "Service" in statement["Principal"]:
                assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == "123456789012", name


def test_policies_fit_into_a_role(roles: dict[str, Any]) -> None:
    for name, role in roles.items():
        size = len(re.sub(r"\s", "", str(role["Properties"]["Policies"])))
        # Quota of IAM: 10,240 characters of inline policies in a role, white space not counted.
        assert size < 10_240, name


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "arn:aws:s3:::brewtrain-123456789012-us-east-1/brewtrain/*"),
        ({"BucketName": "mine"}, "arn:aws:s3:::mine/brewtrain/*"),
    ],
)
def test_the_bucket_can_be_named(parameters: dict[str, str], expected: str) -> None:
    role = resolve(load(TEMPLATE), **parameters)["AirflowRole"]
    assert expected in {resource for statement in statements(role) for resource in statement["Resource"]}


def test_boundary_and_key_reach_every_role() -> None:
    roles = resolve(load(TEMPLATE), PermissionsBoundaryArn="arn:boundary", KmsKeyArn="arn:key")
    for name, role in roles.items():
        assert role["Properties"]["PermissionsBoundary"] == "arn:boundary", name
        assert any("arn:key" in statement["Resource"] for statement in statements(role)), name


def test_the_bucket_is_private_encrypted_versioned_and_tls_only() -> None:
    resources = resolve(load(TEMPLATE.with_name("storage.yaml")))
    bucket = resources["Bucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"]["Status"] == "Enabled"
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    (statement,) = resources["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    expiring = [rule for rule in bucket["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in rule]
    assert expiring == [], "an object that an endpoint needs must not go by age"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["roles.yaml", "storage.yaml"])
def test_templates_pass_cfn_lint(name: str) -> None:
    api = pytest.importorskip("cfnlint.api")
    text = TEMPLATE.with_name(name).read_text("utf-8")
    assert [str(match) for match in api.lint(text, api.ManualArgs(regions=["us-east-1"]))] == []
