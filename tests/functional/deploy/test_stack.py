"""Deploying: what is made, nothing a second time, and nothing that a failure leaves behind."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from brewtrain.domain.errors import DeploymentError, TransientError
from brewtrain.domain.evaluation.job import SCRIPT_FILES
from tests.functional.deploy.conftest import STEPS, Faults, InjectedError, Workshop

RESOURCES = [
    "S3 bucket",
    "Glue script",
    "evaluation code",
    "quality rules",
    "DataBrew recipe",
    "Glue job",
    "Model package group",
    "state machine",
    "state machine alias",
]
NEW_STEPS = [*STEPS, {"Action": {"Operation": "DELETE", "Parameters": {"sourceColumns": '["pdays"]'}}}]
EVALUATION_FILES = len(SCRIPT_FILES) + 1
# Writes of a first deployment: PutObject for the script and for each file of the evaluation,
# CreateRecipe, PublishRecipe, TagResource, CreateJob, CreateModelPackageGroup, CreateStateMachine,
# PublishStateMachineVersion, CreateStateMachineAlias.
FIRST_WRITES = 9 + EVALUATION_FILES
# Writes of a changed one: PutObject as before, UpdateRecipe, PublishRecipe, TagResource, UpdateJob,
# UpdateStateMachine, PublishStateMachineVersion, UpdateStateMachineAlias.
CHANGE_WRITES = 8 + EVALUATION_FILES
# Of the evaluation's files only the first and the last.
_LEFT_OUT = set(range(3, 1 + EVALUATION_FILES))
FIRST_FAILURES = sorted(set(range(1, FIRST_WRITES + 1)) - _LEFT_OUT)
CHANGE_FAILURES = sorted(set(range(1, CHANGE_WRITES + 1)) - _LEFT_OUT)


def _change_everything(workshop: Workshop) -> None:
    workshop.write_recipe(NEW_STEPS)
    workshop.edit("glue/split.py", '"""', '# changed\n"""')
    workshop.edit("evaluation/drift.py", '"""', '# changed\n"""')
    workshop.edit(f"pipelines/{workshop.name}.yaml", "label:", "limits: {split_minutes: 30}\nlabel:")
    file = workshop.include / "statemachine" / "retraining.asl.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"Comment": "changed"}))


def test_a_first_deployment_makes_everything(workshop: Workshop) -> None:
    plan = workshop.plan()
    assert list(plan) == RESOURCES
    assert set(plan.values()) == {"create", "unchanged"}
    assert plan["S3 bucket"] == "unchanged"
    workshop.apply()
    deployed = workshop.deployed()
    assert deployed["recipe versions"] == {"1.0": STEPS}
    assert deployed["recipe tags"]["brewtrain:pipeline"] == "NAME"
    assert len(deployed["recipe tags"]["brewtrain:content-hash"]) == 64
    assert deployed["job"]["Command"]["ScriptLocation"].endswith(deployed["objects"][-1])
    assert deployed["alias"] == [{"stateMachineVersionArn": deployed["machine versions"][0], "weight": 100}]
    assert deployed["registry"] == "Candidates of brewtrain's pipeline NAME."
    assert deployed["registry tags"] == [{"Key": "brewtrain:pipeline", "Value": "NAME"}]


def test_a_second_deployment_changes_nothing_and_says_so(workshop: Workshop) -> None:
    workshop.apply()
    before = workshop.deployed()
    faults = Faults()
    lines = workshop.apply(faults)
    assert faults.writes == 0
    assert [line.split()[:2] for line in lines] == [["=", "unchanged"]] * len(RESOURCES)
    assert workshop.deployed() == before


def test_a_change_is_planned_and_made(workshop: Workshop) -> None:
    workshop.apply()
    _change_everything(workshop)
    changes = {change.resource: change for change in workshop.stack().plan()}
    assert {kind: change.action.value for kind, change in changes.items()} == {
        "S3 bucket": "unchanged",
        "Glue script": "create",
        "evaluation code": "create",
        "quality rules": "unchanged",
        "DataBrew recipe": "update",
        "Glue job": "update",
        "Model package group": "unchanged",
        "state machine": "update",
        "state machine alias": "update",
    }
    assert changes["DataBrew recipe"].differences == ("step 3 added (DELETE)",)
    assert "Timeout: 60 → 30" in changes["Glue job"].differences
    assert changes["state machine"].differences[0].startswith("Comment: ")
    workshop.apply()
    deployed = workshop.deployed()
    assert deployed["recipe versions"] == {"1.0": STEPS, "2.0": NEW_STEPS}
    assert len(deployed["machine versions"]) == 2
    assert deployed["alias"][0]["stateMachineVersionArn"].endswith(":2")
    assert set(workshop.plan().values()) == {"unchanged"}


def test_the_writes_are_those_that_the_failures_are_injected_into(workshop: Workshop) -> None:
    first, change = Faults(), Faults()
    workshop.apply(first)
    _change_everything(workshop)
    workshop.apply(change)
    assert (first.writes, change.writes) == (FIRST_WRITES, CHANGE_WRITES)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["refused", "answer-lost"])
@pytest.mark.parametrize("at", FIRST_FAILURES)
def test_whatever_a_failed_first_deployment_leaves_is_mended(workshop: Workshop, at: int, after: bool) -> None:
    with pytest.raises(InjectedError):
        workshop.apply(Faults(at=at, after=after))
    workshop.apply()
    deployed = workshop.deployed()
    assert deployed["recipe versions"] == {"1.0": STEPS}
    assert deployed["recipe"] == STEPS
    assert len(deployed["machine versions"]) == 1
    assert deployed["alias"] == [{"stateMachineVersionArn": deployed["machine versions"][0], "weight": 100}]
    assert len(deployed["objects"]) == 1 + EVALUATION_FILES
    assert set(workshop.plan().values()) == {"unchanged"}


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["refused", "answer-lost"])
@pytest.mark.parametrize("at", CHANGE_FAILURES)
def test_whatever_a_failed_change_leaves_is_mended(workshop: Workshop, at: int, after: bool) -> None:
    workshop.apply()
    _change_everything(workshop)
    with pytest.raises(InjectedError):
        workshop.apply(Faults(at=at, after=after))
    workshop.apply()
    deployed = workshop.deployed()
    assert deployed["recipe versions"] == {"1.0": STEPS, "2.0": NEW_STEPS}
    assert deployed["recipe"] == NEW_STEPS
    assert len(deployed["machine versions"]) == 2
    assert deployed["alias"][0]["stateMachineVersionArn"].endswith(":2")
    assert deployed["machine"]["Comment"] == "changed"
    assert deployed["job"]["Timeout"] == 30
    assert set(workshop.plan().values()) == {"unchanged"}


def _edit_job(workshop: Workshop) -> None:
    glue = workshop.client("glue")
    job = glue.get_job(JobName=f"{workshop.slug}-split")["Job"]
    kept = {key: job[key] for key in ("Role", "Command", "DefaultArguments", "GlueVersion", "WorkerType")}
    glue.update_job(JobName=f"{workshop.slug}-split", JobUpdate={**kept, "NumberOfWorkers": 7, "Timeout": 5})


def _edit_recipe(workshop: Workshop) -> None:
    workshop.client("databrew").update_recipe(Name=workshop.slug, Steps=STEPS[:1])


def _publish_other_recipe(workshop: Workshop) -> None:
    _edit_recipe(workshop)
    workshop.client("databrew").publish_recipe(Name=workshop.slug)


def _untag_recipe(workshop: Workshop) -> None:
    databrew = workshop.client("databrew")
    arn = f"arn:aws:databrew:us-east-1:{workshop.account}:recipe/{workshop.slug}"
    databrew.untag_resource(ResourceArn=arn, TagKeys=["brewtrain:content-hash"])


def _edit_machine(workshop: Workshop) -> None:
    workshop.client("stepfunctions").update_state_machine(
        stateMachineArn=workshop.machine_arn,
        definition=json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}),
    )


def _publish_other_machine(workshop: Workshop) -> None:
    _edit_machine(workshop)
    states = workshop.client("stepfunctions")
    version = states.publish_state_machine_version(stateMachineArn=workshop.machine_arn)["stateMachineVersionArn"]
    states.update_state_machine_alias(
        stateMachineAliasArn=f"{workshop.machine_arn}:live",
        routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}],
    )


def _delete_alias(workshop: Workshop) -> None:
    workshop.client("stepfunctions").delete_state_machine_alias(stateMachineAliasArn=f"{workshop.machine_arn}:live")


def _change_role(workshop: Workshop) -> None:
    workshop.client("stepfunctions").update_state_machine(
        stateMachineArn=workshop.machine_arn, roleArn=f"arn:aws:iam::{workshop.account}:role/brewtrain-glue"
    )


def _overwrite_script(workshop: Workshop) -> None:
    s3 = workshop.client("s3")
    prefix = f"brewtrain/{workshop.name}/code/split-"
    [item] = s3.list_objects_v2(Bucket=workshop.bucket, Prefix=prefix)["Contents"]
    s3.put_object(Bucket=workshop.bucket, Key=item["Key"], Body=b"print('mine')")


def _retag_registry(workshop: Workshop) -> None:
    arn = f"arn:aws:sagemaker:us-east-1:{workshop.account}:model-package-group/{workshop.slug}"
    tags = [{"Key": "brewtrain:pipeline", "Value": "mine"}]
    workshop.client("sagemaker").add_tags(ResourceArn=arn, Tags=tags)


def _edit_evaluation(workshop: Workshop) -> None:
    s3 = workshop.client("s3")
    prefix = f"brewtrain/{workshop.name}/code/evaluation-"
    items = s3.list_objects_v2(Bucket=workshop.bucket, Prefix=prefix)["Contents"]
    keys = {item["Key"].rsplit("/", 1)[1]: item["Key"] for item in items}
    s3.put_object(Bucket=workshop.bucket, Key=keys["gate.py"], Body=b"PASS = REFUSE = 'pass'")
    s3.delete_object(Bucket=workshop.bucket, Key=keys["drift.py"])


HAND_EDITS: list[tuple[Any, dict[str, str]]] = [
    (_edit_job, {"Glue job": "NumberOfWorkers: 7 → 2"}),
    (_edit_recipe, {"DataBrew recipe": "the working version was edited by hand (step 2 added (DELETE)) and is reset"}),
    (_publish_other_recipe, {"DataBrew recipe": "step 2 added (DELETE)"}),
    (_untag_recipe, {"DataBrew recipe": "tag brewtrain:content-hash is missing"}),
    (_edit_machine, {"state machine": "state 'Apply Transformation' added"}),
    (_publish_other_machine, {"state machine": "state '", "state machine alias": "version 2 100 % → version of this"}),
    (_delete_alias, {"state machine alias": ""}),
    (_change_role, {"state machine": "role: "}),
    (_overwrite_script, {"Glue script": "content does not match its key"}),
    (_retag_registry, {"Model package group": "tag brewtrain:pipeline: mine → "}),
    (_edit_evaluation, {"evaluation code": "drift.py is missing; the content of gate.py does not match its prefix"}),
]


@pytest.mark.parametrize(("edit", "named"), HAND_EDITS, ids=[edit.__name__ for edit, _ in HAND_EDITS])
def test_what_somebody_changed_by_hand_is_named_and_put_back(
    workshop: Workshop, edit: Any, named: dict[str, str]
) -> None:
    workshop.apply()
    before = workshop.deployed()
    edit(workshop)
    planned = {change.resource: change.line for change in workshop.stack().plan() if change.line[0] != "="}
    assert set(planned) == set(named)
    for resource, words in named.items():
        assert words in planned[resource]
    workshop.apply()
    after = workshop.deployed()
    for key in ("recipe", "recipe tags", "job", "machine", "role", "objects", "registry tags"):
        assert after[key] == before[key]
    assert set(workshop.plan().values()) == {"unchanged"}


def test_an_edited_working_version_is_put_back_without_a_new_version(workshop: Workshop) -> None:
    workshop.apply()
    _edit_recipe(workshop)
    workshop.apply()
    assert workshop.deployed()["recipe versions"] == {"1.0": STEPS}


def test_a_missing_bucket_is_one_sentence_with_a_command(workshop: Workshop) -> None:
    workshop.edit(f"pipelines/{workshop.name}.yaml", "recipe:", "bucket: nobody-made-this-one\nrecipe:")
    with pytest.raises(DeploymentError) as caught:
        workshop.plan()
    assert str(caught.value) == (
        "S3 bucket 'nobody-made-this-one' does not exist; create it: aws cloudformation deploy --stack-name "
        "brewtrain-storage-nobody-made-this-one --template-file include/cloudformation/storage.yaml "
        "--parameter-overrides BucketName=nobody-made-this-one"
    )


def test_a_missing_source_bucket_is_found_before_anything_is_made(workshop: Workshop) -> None:
    workshop.edit(f"pipelines/{workshop.name}.yaml", "s3://{bucket}/", "s3://no-such-source/")
    with pytest.raises(DeploymentError, match=r"S3 bucket 'no-such-source' does not exist; correct source\.path"):
        workshop.apply()
    with pytest.raises(workshop.client("glue").exceptions.EntityNotFoundException):
        workshop.client("glue").get_job(JobName=f"{workshop.slug}-split")


def test_two_deployments_at_once_end_in_one_state(workshop: Workshop) -> None:
    def deploy() -> str:
        try:
            workshop.apply()
        except TransientError as error:
            # The loser of a race: Airflow tries again, and so does this test below.
            return str(error)
        return ""

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda _: deploy(), range(2)))
    if any(outcomes):
        workshop.apply()
    deployed = workshop.deployed()
    assert set(deployed["recipe versions"]) in ({"1.0"}, {"1.0", "2.0"})
    assert all(steps == STEPS for steps in deployed["recipe versions"].values())
    assert set(workshop.plan().values()) == {"unchanged"}


def test_old_versions_are_deleted_but_never_the_live_one(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brewtrain.deployment.state_machine.KEPT_VERSIONS", 2)
    states = workshop.client("stepfunctions")
    file = workshop.include / "statemachine" / "retraining.asl.json"
    for number in range(4):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"Comment": f"layout {number}"}))
        workshop.apply()
        if number == 0:
            states.create_state_machine_alias(
                name="audited",
                routingConfiguration=[{"stateMachineVersionArn": f"{workshop.machine_arn}:1", "weight": 100}],
            )
    deployed = workshop.deployed()
    assert [arn.rsplit(":", 1)[1] for arn in deployed["machine versions"]] == ["1", "3", "4"]
    assert deployed["alias"][0]["stateMachineVersionArn"].endswith(":4")
