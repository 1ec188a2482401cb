"""The committed state machine is valid, complete and safe to leave alone at night."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.contract import asl

# States of the AWS sample that this project grew from, under their names there.
SEED_STATES = {
    "Apply Transformation",
    "Split Train & Test DataSet",
    "Model Training",
    "Save Model",
    "Query Training Results",
    "Accuracy > 90%",
    "Create Model Endpoint Config",
    "Update Model Endpoint",
    "Model Accuracy Too Low",
}
FIELDS = {
    "Task": {"Resource", "Parameters", "ResultSelector", "ResultPath", "Retry", "Catch", "TimeoutSeconds",
             "TimeoutSecondsPath", "HeartbeatSeconds", "InputPath", "OutputPath", "Next", "End"},
    "Pass": {"Result", "Parameters", "ResultPath", "InputPath", "OutputPath", "Next", "End"},
    "Choice": {"Choices", "Default", "InputPath", "OutputPath"},
    "Wait": {"Seconds", "SecondsPath", "Timestamp", "TimestampPath", "InputPath", "OutputPath", "Next", "End"},
    "Succeed": {"InputPath", "OutputPath"},
    "Fail": {"Error", "Cause", "ErrorPath", "CausePath"},
    "Parallel": {"Branches", "Parameters", "ResultSelector", "ResultPath", "Retry", "Catch", "InputPath", "OutputPath",
                 "Next", "End"},
}  # fmt: skip
CONTEXT = {"Execution": {"Id", "Input", "Name", "RoleArn", "StartTime", "RedriveCount"}, "State": {"RetryCount"}}
PAYLOAD_LIMIT_BYTES = 262_144
# DescribeEndpoint: a few kilobytes, with fields that are absent at times.
WHOLE_ANSWERS = {"Query Endpoint", "Query Champion Endpoint", "Query Champion Endpoint Again"}


def tasks(definition: dict[str, Any]) -> dict[str, Any]:
    return {name: state for name, state in asl.all_states(definition).items() if state["Type"] == "Task"}


def test_every_state_has_only_fields_of_its_type(definition: dict[str, Any]) -> None:
    wrong = {
        name: sorted(set(state) - FIELDS[state["Type"]] - {"Type", "Comment"})
        for name, state in asl.all_states(definition).items()
    }
    assert {name: fields for name, fields in wrong.items() if fields} == {}


def test_every_way_leads_to_a_state_and_every_state_is_reached(definition: dict[str, Any]) -> None:
    for machine in asl.state_machines(definition):
        names = set(machine["States"])
        assert machine["StartAt"] in names
        reached, pending = set(), [machine["StartAt"]]
        while pending:
            name = pending.pop()
            if name in reached:
                continue
            reached.add(name)
            targets = [target for target, _ in asl.transitions(machine["States"][name])]
            assert set(targets) <= names, f"{name} leads to {set(targets) - names}, which is not in its machine"
            pending += targets
        assert reached == names, f"never reached: {names - reached}"


def test_every_state_goes_on_or_ends(definition: dict[str, Any]) -> None:
    for name, state in asl.all_states(definition).items():
        if state["Type"] in ("Fail", "Succeed"):
            assert not list(asl.transitions(state)), name
        elif state["Type"] == "Choice":
            assert "Default" in state, f"{name}: without Default an unforeseen value ends as States.NoChoiceMatched"
        else:
            assert ("Next" in state) != bool(state.get("End")), f"{name} needs either Next or End"


def test_state_names_are_short_enough(definition: dict[str, Any]) -> None:
    assert all(len(name) <= 80 for name in asl.all_states(definition))


def test_the_samples_states_keep_their_names(definition: dict[str, Any]) -> None:
    assert set(definition["States"]) >= SEED_STATES


def test_every_stage_of_the_dag_finds_its_states(definition: dict[str, Any]) -> None:
    from brewtrain.domain.run.stages import STAGE_OF_STATE

    assert set(STAGE_OF_STATE) <= set(definition["States"])


def test_every_task_has_a_timeout(definition: dict[str, Any]) -> None:
    for name, state in tasks(definition).items():
        job = state["Resource"].endswith(".sync")
        assert "TimeoutSecondsPath" in state if job else 0 < state["TimeoutSeconds"] <= 60, name


def test_the_execution_has_a_timeout(definition: dict[str, Any]) -> None:
    assert 0 < definition["TimeoutSeconds"] <= 31_536_000


def test_every_task_retries_or_catches(definition: dict[str, Any]) -> None:
    for name, state in tasks(definition).items():
        assert state.get("Retry") or state.get("Catch"), name


def test_retries_are_bounded_and_spread(definition: dict[str, Any]) -> None:
    for name, state in tasks(definition).items():
        seen: set[str] = set()
        for retrier in state.get("Retry", []):
            assert 1 <= retrier["MaxAttempts"] <= 10, name
            assert retrier["JitterStrategy"] == "FULL", name
            assert retrier["IntervalSeconds"] <= retrier["MaxDelaySeconds"] <= 600, name
            assert retrier["BackoffRate"] >= 1, name
            assert not seen & set(retrier["ErrorEquals"]), f"{name}: the second retrier of an error never fires"
            seen |= set(retrier["ErrorEquals"])
        wildcards = {"States.ALL", "States.TaskFailed"}
        assert not seen & wildcards, f"{name}: a wildcard would run a failed job again"


def test_writes_to_the_endpoint_are_never_blindly_repeated(definition: dict[str, Any]) -> None:
    for name in ("Create Model Endpoint", "Update Model Endpoint"):
        state = definition["States"][name]
        assert "Retry" not in state, f"{name}: what serves must be read again before a second try"
        assert state["Catch"][0]["ErrorEquals"] == ["States.ALL"]


def test_what_is_caught_is_kept(definition: dict[str, Any]) -> None:
    for name, state in asl.all_states(definition).items():
        for catcher in state.get("Catch", []):
            assert catcher["ResultPath"] == "$.failure", name


@pytest.mark.parametrize(("entry", "least"), [("retrain", 200), ("promote", 100), ("rollback", 70)])
def test_every_path_is_there_when_it_is_read(
    definition: dict[str, Any], sample_inputs: dict[str, Any], entry: str, least: int
) -> None:
    part = asl.entered_for(definition, entry)
    known = asl.available(part, sample_inputs[entry])
    missing = []
    read = 0
    for name, state in part["States"].items():
        for field, expression in asl.expressions(state):
            for path in asl.paths(expression):
                read += 1
                if not asl.has(known[name], path):
                    missing.append((name, field, path))
    assert missing == []
    assert read > least, "the reader of paths reads nothing any more"


def test_the_reader_of_paths_finds_a_wrong_path(definition: dict[str, Any], sample_input: dict[str, Any]) -> None:
    broken = json.loads(json.dumps(definition).replace("$.training.role_arn", "$.training.role"))
    broken = asl.entered_for(broken, "retrain")
    known = asl.available(broken, sample_input)
    found = [
        path
        for name, state in broken["States"].items()
        for _, expression in asl.expressions(state)
        for path in asl.paths(expression)
        if not asl.has(known[name], path)
    ]
    assert found
    assert set(found) == {"$.training.role"}


@pytest.mark.parametrize("entry", ["retrain", "promote", "rollback"])
def test_every_part_of_the_input_is_used(definition: dict[str, Any], sample_inputs: dict[str, Any], entry: str) -> None:
    sample_input = {key: value for key, value in sample_inputs[entry].items() if key != "entry"}
    used = {
        tuple(asl.segments(path)[:2])
        for state in asl.all_states(asl.entered_for(definition, entry)).values()
        for _, expression in asl.expressions(state)
        for path in [
            *asl.paths(expression),
            *(path.replace("$$.Execution.Input", "$") for path in asl.context_paths(expression)),
        ]
    }
    # Whole sections that go out as they came in.
    whole = {section for section, *rest in used if not rest}
    unused = {
        f"{section}.{key}"
        for section, content in sample_input.items()
        if section not in whole
        for key in content
        if (section, key) not in used
    }
    assert unused == set()


@pytest.mark.parametrize("entry", ["retrain", "promote", "rollback"])
def test_context_paths_exist(definition: dict[str, Any], sample_inputs: dict[str, Any], entry: str) -> None:
    seen = 0
    sample_input = sample_inputs[entry]
    for name, state in asl.all_states(asl.entered_for(definition, entry)).items():
        for _, expression in [*asl.expressions(state), *asl.result_expressions(state)]:
            for path in asl.context_paths(expression):
                seen += 1
                section, field, *rest = path.split(".")[1:]
                assert field in CONTEXT[section], f"{name}: {path}"
                if field == "Input":
                    assert asl.has(sample_input, ".".join(["$", *rest])), f"{name}: {path}"
    assert seen


def test_names_made_inside_are_unique_by_attempt(definition: dict[str, Any]) -> None:
    made = {
        "Model Training": "TrainingJobName.$",
        "Evaluate Model": "ProcessingJobName.$",
        "Save Model": "ModelName.$",
        "Create Model Endpoint Config": "EndpointConfigName.$",
    }
    for name, field in made.items():
        expression = definition["States"][name]["Parameters"][field]
        assert "$$.Execution.RedriveCount" in expression
        assert "$$.State.RetryCount" in expression


def test_results_are_selected_where_the_answer_is_large(definition: dict[str, Any]) -> None:
    for name, state in tasks(definition).items():
        whole = "ResultSelector" not in state and state.get("ResultPath", "$") is not None
        assert not whole or name in WHOLE_ANSWERS, f"{name} keeps a whole answer: {PAYLOAD_LIMIT_BYTES} bytes is all"


def test_metrics_are_chosen_by_name(definition: dict[str, Any]) -> None:
    from brewtrain.domain.evaluation.metrics import METRICS

    for state in definition["States"].values():
        if state.get("End") and "metrics" in state.get("Parameters", {}):
            chosen = {name.removesuffix(".$"): path for name, path in state["Parameters"]["metrics"].items()}
            assert chosen == {name: f"$.verdict.metrics.{name.removeprefix('validation:')}" for name in METRICS}


def test_the_evaluation_is_told_what_its_script_reads(definition: dict[str, Any]) -> None:
    from brewtrain.domain.evaluation import job as evaluation

    job = definition["States"]["Evaluate Model"]["Parameters"]
    assert job["AppSpecification"]["ContainerEntrypoint"] == list(evaluation.CONTAINER_ENTRYPOINT)
    assert {key.removesuffix(".$") for key in job["Environment"]} == {
        evaluation.CHAMPION_VARIABLE,
        evaluation.CHAMPION_REASON_VARIABLE,
    }
    folders = {given["InputName"]: given["S3Input"]["LocalPath"] for given in job["ProcessingInputs"]}
    assert folders == evaluation.INPUT_FOLDERS
    (output,) = job["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"]["LocalPath"] == evaluation.OUTPUT_FOLDER
    states = definition["States"]
    assert states["No Champion"]["Result"]["argument"] == evaluation.NO_CHAMPION
    # Never empty: whether a processing job's environment may be is not documented.
    assert states["No Champion"]["Result"]["reason"]
    assert states["Take Champion"]["Parameters"]["reason"]
    unknown = [state for state in states.values() if state.get("Parameters", {}).get("argument") is not None]
    assert len(unknown) == 5
    assert {state["Parameters"]["argument"] for state in unknown} == {evaluation.UNKNOWN_CHAMPION}
    # Limit of a value of a processing job's environment; names have at most 63 characters each.
    assert all(len(state["Parameters"]["reason.$"]) + 2 * 63 <= 256 for state in unknown)


def test_a_date_that_may_be_null_is_compared_only_where_it_is_text(definition: dict[str, Any]) -> None:
    # A rollback to a config made by hand has no data date; a comparison with null may fail the
    # execution uncaught.
    compared = 0

    def look(rules: list[dict[str, Any]], guards: list[dict[str, Any]]) -> None:
        nonlocal compared
        for rule in rules:
            if "$.run.data_date" in [value for key, value in rule.items() if key.endswith("Path")]:
                assert {"Variable": "$.run.data_date", "IsString": True} in guards
                compared += 1
            if "And" in rule:
                look(rule["And"], [*guards, *rule["And"]])
            for key in ("Or", "Not"):
                inner = rule.get(key, [])
                look(inner if isinstance(inner, list) else [inner], guards)

    for state in asl.all_states(definition).values():
        look(state.get("Choices", []), [])
    assert compared == 1


LOOKUPS = ("Query Champion Endpoint", "Look Up Champion Config", "Look Up Champion Model")


@pytest.mark.parametrize("name", LOOKUPS)
def test_what_is_not_there_is_told_from_what_cannot_be_asked(definition: dict[str, Any], name: str) -> None:
    states = definition["States"]
    (catcher,) = states[name]["Catch"]
    choice = states[catcher["Next"]]
    rule, may_pass = choice["Choices"]
    texts = [inner["StringMatches"] for inner in rule["And"] if "StringMatches" in inner] or [
        inner["StringMatches"] for one in rule["And"] for inner in one.get("Or", [])
    ]
    assert texts
    assert all(text.startswith("*Could not find ") for text in texts)
    later = states[may_pass["Next"]]
    assert (later["Type"], later["Next"]) == ("Wait", name), "the next answer may be that it is not there"
    again = states[choice["Default"]]
    assert {key: again[key] for key in ("Resource", "Parameters", "Next")} == {
        key: states[name][key] for key in ("Resource", "Parameters", "Next")
    }
    assert "Catch" not in again, "it fails by itself, with AWS's own words, and a redrive asks once more"
    assert any("SageMaker.SageMakerException" in retrier["ErrorEquals"] for retrier in again["Retry"])


def test_an_unknown_champion_is_never_taken_for_none(definition: dict[str, Any]) -> None:
    states = definition["States"]
    leading_to_none = {
        name for name, state in states.items() if "No Champion" in [target for target, _ in asl.transitions(state)]
    }
    assert leading_to_none == {"Query Champion Endpoint Failed"}


ERRORS = {
    "Model Accuracy Too Low": "Brewtrain.QualityGateFailed",
    "Endpoint Rolled Back": "Brewtrain.EndpointRolledBack",
    "Endpoint Failed": "Brewtrain.EndpointFailed",
    "Endpoint Stuck": "Brewtrain.EndpointStuck",
    "Unknown Entry": "Brewtrain.UnknownEntry",
}


def test_failures_have_the_names_of_the_contract(definition: dict[str, Any]) -> None:
    fails = {name: state for name, state in asl.all_states(definition).items() if state["Type"] == "Fail"}
    assert {name: state["Error"] for name, state in fails.items() if "Error" in state} == ERRORS
    assert {name for name, state in fails.items() if "Error" not in state} == {"Endpoint Call Failed"}
    assert all("CausePath" in state or "Cause" in state for state in fails.values())


def test_a_redrive_of_a_failed_deployment_looks_again(definition: dict[str, Any]) -> None:
    group = definition["States"]["Deployment Failed"]
    (branch,) = group["Branches"]
    first = branch["States"][branch["StartAt"]]["Choices"][0]
    assert first["Variable"] == "$$.Execution.RedriveCount"
    assert first["NumericGreaterThanPath"] == "$.deployment.redrive_count"
    assert branch["States"][first["Next"]]["Type"] == "Pass"
    assert group["Retry"][0]["ErrorEquals"] == ["States.ALL"]
    assert group["Retry"][0]["MaxAttempts"] == 1
    assert group["Next"] == "Prepare Deployment"


OUTCOMES = {
    "Record Promotion": ("promoted", "promoted"),
    "Record Rejection": ("rejected", "quality_gate"),
    "Record Older Than Serving": ("rejected", "older_than_serving"),
    "Record Deploy Never": ("rejected", "deploy_never"),
    "Record Awaiting Approval": ("pending", "awaiting_approval"),
    "Record Rollback": ("promoted", "rolled_back_to"),
}


def test_every_good_end_writes_the_same_document(definition: dict[str, Any]) -> None:
    ends = {name: state for name, state in definition["States"].items() if state.get("End")}
    assert {name: (state["Parameters"]["outcome"], state["Parameters"]["reason"]) for name, state in ends.items()} == (
        OUTCOMES
    )
    documents = [{key.removesuffix(".$") for key in state["Parameters"]} for state in ends.values()]
    assert all(
        keys
        == {"outcome", "reason", "message", "run", "metrics", "evaluation", "training_metrics", "split",
            "training_job_name", "model_artifacts", "image_uri", "model_name", "endpoint_config_name", "endpoint_name"}
        for keys in documents
    )  # fmt: skip


def test_the_definition_names_no_pipeline_and_no_account(definition: dict[str, Any]) -> None:
    text = json.dumps(definition).lower()
    for word in ("bank", "marketing", "arn:aws:iam", "amazonaws"):
        assert word not in text
    assert re.search(r"\d{12}", text) is None


def test_the_definition_fits(definition: dict[str, Any]) -> None:
    # Quota of Step Functions: 1 MB.
    assert len(json.dumps(definition)) < 1_000_000


@pytest.mark.parametrize("version", ["1.7-1"])
def test_registry_of_the_image(version: str) -> None:
    from brewtrain.resources import images

    table = images()
    assert (
        table.xgboost("us-east-1", version)
        == f"683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:{version}"
    )
    assert table.xgboost("cn-north-1", version).split("/")[0].endswith(".amazonaws.com.cn")
