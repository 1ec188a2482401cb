"""The roles allow what the state machine, the hooks and the Glue script call, and are scoped."""

from __future__ import annotations

import ast
import fnmatch
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cfnlint
import pytest

from brewtrain.domain.names import ARRIVALS_QUEUE
from tests.contract import asl
from tools.cloudformation import load, resolve, statements
from tools.permissions.actions import CLIENTS, FREE, calls, declared_clients, iam_action, state_actions

REPOSITORY = Path(__file__).resolve().parents[2]
TEMPLATE = REPOSITORY / "include" / "cloudformation" / "roles.yaml"
ROLES = {"AirflowRole", "StatesRole", "DataBrewRole", "GlueRole", "SageMakerRole"}

# Resources that have no narrower form, with the actions that may name them so.
UNSCOPED = {
    "databrew:CreateDataset",
    "databrew:CreateProfileJob",
    "databrew:CreateRecipe",
    "databrew:CreateRecipeJob",
    "databrew:CreateRuleset",
    "databrew:ListDatasets",
    "databrew:ListJobs",
    "databrew:ListRecipes",
    "databrew:ListRulesets",
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


@pytest.fixture(scope="module")
def roles() -> dict[str, Any]:
    return {name: item for name, item in resolve(load(TEMPLATE)).items() if item["Type"] == "AWS::IAM::Role"}


def allowed(role: dict[str, Any]) -> set[str]:
    return {action for statement in statements(role) for action in statement["Action"]}


def definition_actions(definition: dict[str, Any]) -> set[str]:
    return set().union(*(state_actions(state) for state in asl.all_states(definition).values()))


def test_the_template_makes_five_roles(roles: dict[str, Any]) -> None:
    assert set(roles) == ROLES
    assert {item["Properties"]["RoleName"] for item in roles.values()} == {
        f"brewtrain-{name}" for name in ("airflow", "states", "databrew", "glue", "sagemaker")
    }


def test_the_state_machine_may_do_what_it_does_and_no_more(roles: dict[str, Any], definition: dict[str, Any]) -> None:
    wanted = definition_actions(definition)
    granted = allowed(roles["StatesRole"])
    assert wanted <= granted, f"not allowed: {wanted - granted}"
    # AWS's list for the integration has ListTags; DescribeAlarms is what SageMaker needs for the
    # alarms of an update.
    assert granted - wanted <= {"sagemaker:ListTags", "cloudwatch:DescribeAlarms"}


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
    """SageMaker downloads inputs, the script reads the champion, and the outputs are uploaded."""
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


def calls_of(path: Path) -> Iterator[dict[str, str]]:
    text = path.read_text("utf-8")
    return calls(ast.parse(text), text)


def test_hooks_may_do_what_they_do(roles: dict[str, Any]) -> None:
    granted = allowed(roles["AirflowRole"]) | FREE
    seen = 0
    missing = []
    for path in sorted((REPOSITORY / "plugins" / "brewtrain" / "hooks").glob("*.py")):
        for candidates in calls_of(path):
            seen += 1
            if not any(iam_action(service, operation) in granted for service, operation in candidates.items()):
                missing.append((path.name, candidates))
    assert missing == [], "add the actions to AirflowRole in include/cloudformation/roles.yaml"
    assert seen > 20, "the reader of hooks finds no calls any more"


def test_every_client_of_a_hook_is_known_to_the_reader() -> None:
    """Calls of a client that the reader does not know would not be found at all."""
    unknown = {
        (path.name, client)
        for path in sorted((REPOSITORY / "plugins" / "brewtrain" / "hooks").glob("*.py"))
        for client in declared_clients(path.read_text("utf-8")) - set(CLIENTS)
    }
    assert unknown == set(), "add the client to CLIENTS in tools/permissions/actions.py"


def test_the_split_script_may_do_what_it_does(roles: dict[str, Any]) -> None:
    script = REPOSITORY / "include" / "glue" / "split.py"
    wanted = {iam_action("s3", candidates["s3"]) for candidates in calls_of(script)}
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
        pytest.param({}, "arn:aws:s3:::brewtrain-123456789012-us-east-1/brewtrain/*", id="default name"),
        pytest.param({"BucketName": "mine"}, "arn:aws:s3:::mine/brewtrain/*", id="own name"),
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
    denials = resources["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert [statement["Condition"] for statement in denials] == [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"NumericLessThan": {"s3:TlsVersion": 1.2}},
    ]
    for statement in denials:
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
        assert statement["Resource"] == ["<Bucket.Arn>", "<Bucket.Arn>/*"]
    rules = bucket["LifecycleConfiguration"]["Rules"]
    kept = {rule.get("Prefix"): rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
            for rule in rules if "NoncurrentVersionExpiration" in rule}  # fmt: skip
    assert kept == {"brewtrain/": "30", "data/": "90"}
    expiring = [rule for rule in bucket["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in rule]
    assert expiring == [], "an object that an endpoint needs must not go by age"


def test_the_bucket_alone_may_tell_the_queue_of_new_source_data() -> None:
    resources = resolve(load(TEMPLATE.with_name("storage.yaml")), BucketName="mine", SourcePrefix="in/")
    queue = resources["ArrivalsQueue"]["Properties"]
    assert queue["QueueName"] == ARRIVALS_QUEUE
    assert queue["SqsManagedSseEnabled"] is True
    assert queue["MessageRetentionPeriod"] <= 3600, "an old event hastens nothing"
    tells, tls = resources["ArrivalsQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (tells["Effect"], tells["Principal"], tells["Action"]) == (
        "Allow",
        {"Service": "s3.amazonaws.com"},
        "sqs:SendMessage",
    )
    assert tells["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::mine"},
    }
    assert (tls["Effect"], tls["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    (told,) = resources["Bucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    assert told["Event"] == "s3:ObjectCreated:*"
    assert told["Filter"]["S3Key"]["Rules"] == [{"Name": "prefix", "Value": "in/"}]
    assert resources["Bucket"]["DependsOn"] == "ArrivalsQueuePolicy", "S3 asks the policy first"


def test_airflow_may_read_that_queue_and_no_other(roles: dict[str, Any]) -> None:
    of_queues = [
        statement
        for statement in statements(roles["AirflowRole"])
        if any(action.startswith("sqs:") for action in statement["Action"])
    ]
    assert [set(statement["Action"]) for statement in of_queues] == [
        {"sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:DeleteMessage"}
    ]
    assert of_queues[0]["Resource"] == [f"arn:aws:sqs:us-east-1:123456789012:{ARRIVALS_QUEUE}*"]


@pytest.mark.parametrize("key", [pytest.param("", id="key of S3"), pytest.param("arn:key", id="own key")])
def test_the_bucket_is_encrypted_with_the_key_that_is_asked_for(key: str) -> None:
    bucket = resolve(load(TEMPLATE.with_name("storage.yaml")), KmsKeyArn=key)["Bucket"]["Properties"]
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    wanted = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key} if key else {"SSEAlgorithm": "AES256"}
    assert rule["ServerSideEncryptionByDefault"] == wanted


@pytest.mark.slow
@pytest.mark.parametrize("name", ["roles.yaml", "storage.yaml"])
def test_templates_pass_cfn_lint(name: str) -> None:
    api = pytest.importorskip("cfnlint.api")
    text = TEMPLATE.with_name(name).read_text("utf-8")
    assert [str(match) for match in api.lint(text, api.ManualArgs(regions=["us-east-1"]))] == []
