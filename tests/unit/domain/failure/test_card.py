"""What the on-call person reads: the failure, read from the history, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from brewtrain.domain.failure.card import Card, Finding, JobReport, headline, render, sentence
from brewtrain.domain.links import execution_link, job_link, log_link
from brewtrain.domain.run.execution_history import JobReference, end_status, last_state_entered, read_failure
from tests.fixtures.time_zones import machine_in

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ARN = "arn:aws:states:eu-central-1:123456789012:execution:brewtrain-x:x-20260102T0000-g0"


def entered(name: str, kind: str = "TaskStateEntered") -> dict[str, Any]:
    return {"type": kind, "stateEnteredEventDetails": {"name": name}}


def scheduled(service: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "TaskScheduled",
        "taskScheduledEventDetails": {
            "resourceType": service,
            "resource": "startJobRun.sync",
            "parameters": json.dumps(parameters),
        },
    }


def submitted(output: dict[str, Any]) -> dict[str, Any]:
    return {"type": "TaskSubmitted", "taskSubmittedEventDetails": {"output": json.dumps(output)}}


FAILED_TASK = {"type": "TaskFailed", "taskFailedEventDetails": {"error": "States.TaskFailed", "cause": "boom"}}
FAILED_EXECUTION = {
    "type": "ExecutionFailed",
    "executionFailedEventDetails": {"error": "States.TaskFailed", "cause": "boom"},
}


def test_a_failed_databrew_job_is_found() -> None:
    events = [
        FAILED_EXECUTION,
        FAILED_TASK,
        submitted({"RunId": "db_1"}),
        {"type": "TaskStarted", "taskStartedEventDetails": {}},
        scheduled("databrew", {"Name": "brewtrain-x"}),
        entered("Apply Transformation"),
    ]
    failure = read_failure(events, status="FAILED")
    assert (failure.state, failure.error, failure.cause) == ("Apply Transformation", "States.TaskFailed", "boom")
    assert failure.job == JobReference("databrew", "brewtrain-x", "db_1")


@pytest.mark.parametrize(
    ("service", "parameters", "output", "job"),
    [
        ("glue", {"JobName": "g"}, {"JobRunId": "jr_1"}, JobReference("glue", "g", "jr_1")),
        ("sagemaker", {"TrainingJobName": "t"}, {"TrainingJobArn": "a"}, JobReference("sagemaker", "t", None)),
        (
            "sagemaker",
            {"ProcessingJobName": "p"},
            {"ProcessingJobArn": "a"},
            JobReference("sagemaker processing", "p", None),
        ),
        ("sagemaker", {"ModelName": "m"}, {}, None),
        ("lambda", {"FunctionName": "f"}, {}, None),
    ],
)
def test_jobs(service: str, parameters: dict[str, Any], output: dict[str, Any], job: JobReference | None) -> None:
    events = [FAILED_EXECUTION, FAILED_TASK, submitted(output), scheduled(service, parameters), entered("S")]
    assert read_failure(events, status="FAILED").job == job


def test_the_newest_try_of_a_retried_task_counts() -> None:
    events = [
        FAILED_EXECUTION,
        FAILED_TASK,
        submitted({"RunId": "second"}),
        scheduled("databrew", {"Name": "j"}),
        FAILED_TASK,
        submitted({"RunId": "first"}),
        scheduled("databrew", {"Name": "j"}),
        entered("S"),
    ]
    job = read_failure(events, status="FAILED").job
    assert job is not None
    assert job.run_id == "second"


def test_a_task_that_was_never_submitted_has_no_job_run() -> None:
    events = [FAILED_EXECUTION, FAILED_TASK, scheduled("glue", {"JobName": "j"}), FAILED_TASK,
              submitted({"JobRunId": "first"}), scheduled("glue", {"JobName": "j"}), entered("S")]  # fmt: skip
    job = read_failure(events, status="FAILED").job
    assert job is not None
    assert job.run_id is None


def test_timed_out_executions_carry_no_error_of_their_own() -> None:
    # The failure before it was being tried again when the time was over.
    events = [
        {"type": "ExecutionTimedOut", "executionTimedOutEventDetails": {}},
        FAILED_TASK,
        entered("Model Training"),
    ]
    failure = read_failure(events, status="TIMED_OUT")
    assert (failure.error, failure.state) == ("States.Timeout", "Model Training")


def test_a_timed_out_task_says_so() -> None:
    events = [
        FAILED_EXECUTION | {"executionFailedEventDetails": {"error": "States.Timeout"}},
        {"type": "TaskTimedOut", "taskTimedOutEventDetails": {"error": "States.Timeout"}},
        scheduled("glue", {"JobName": "j"}),
        entered("S"),
    ]
    assert read_failure(events, status="FAILED").error == "States.Timeout"


def test_last_state_and_end() -> None:
    events = [FAILED_EXECUTION, {"type": "TaskFailed"}, entered("B", "PassStateEntered"), entered("A")]
    assert last_state_entered(events) == "B"
    assert end_status(events) == "FAILED"
    assert end_status(events[1:]) is None
    assert last_state_entered([]) is None
    assert end_status([]) is None


def test_the_card_says_everything_once() -> None:
    job = JobReport(JobReference("glue", "brewtrain-x-split", "jr_1"), "FAILED", "column y\nis text", ["one", "two"])
    card = Card(
        pipeline="x", stage="split", run_id="x-20260102T0000-g0", status="FAILED", state="Split Train & Test DataSet",
        error="States.TaskFailed", cause="boom\n" * 999, job=job, advice="Fix it.",
        runbook="docs/runbooks/split-failed.md",
        redrivable_until=NOW, links={"execution page": execution_link(ARN)},
    )  # fmt: skip
    text = render(card)
    for part in (
        "split failed in state 'Split Train & Test DataSet'", "States.TaskFailed", "column y is text", "jr_1", "│ two",
        "until 2026-01-02 00:00 UTC", "Fix it.", "split-failed.md", ARN,
    ):  # fmt: skip
        assert text.count(part) >= 1, part
    assert all(len(line) < 1700 for line in text.splitlines())
    assert "\n" not in headline(card)


WHOLE = Card(
    pipeline="x",
    stage="split",
    run_id="x-20260102T0000-g0",
    status="FAILED",
    state="Split",
    error="States.TaskFailed",
    cause="boom\nagain",
    job=JobReport(JobReference("glue", "brewtrain-x-split", "jr_1"), "ERROR", "column y\nis text", ["one", "two\n"]),
    advice="Fix it.",
    runbook="docs/runbooks/split-failed.md",
    redrivable_until=NOW.astimezone(timezone(timedelta(hours=9))),
    links={"execution page": "https://x"},
)
RULE = "─" * 100


def test_the_card_has_a_line_for_each_fact() -> None:
    assert render(WHOLE).splitlines() == [
        RULE,
        "ON CALL ┄ x: split failed in state 'Split' (States.TaskFailed)",
        "  run             x-20260102T0000-g0",
        "  execution       FAILED",
        "  state           Split",
        "  error           States.TaskFailed",
        "  cause           boom again",
        "  glue job        brewtrain-x-split run jr_1 (ERROR)",
        "  job says        column y is text",
        "  redrivable      until 2026-01-02 00:00 UTC, by clearing this task",
        "  execution page  https://x",
        "  runbook         docs/runbooks/split-failed.md",
        "  what to do      Fix it.",
        "  last lines of the job's log:",
        "  │ one",
        "  │ two",
        RULE,
    ]


def test_the_card_gives_times_in_utc_wherever_it_is_written() -> None:
    with machine_in("Asia/Tokyo"):
        assert "until 2026-01-02 00:00 UTC, by clearing this task" in render(WHOLE)


def test_a_card_that_knows_little_has_few_lines() -> None:
    card = Card(
        pipeline="x", stage="train", run_id="r", status="FAILED", advice="a", runbook="b",
        job=JobReport(JobReference("sagemaker", "t")),
    )  # fmt: skip
    assert render(card).splitlines() == [
        RULE,
        "ON CALL ┄ x: train failed (FAILED)",
        "  run            r",
        "  execution      FAILED",
        "  sagemaker job  t",
        "  redrivable     no",
        "  runbook        b",
        "  what to do     a",
        RULE,
    ]


def test_only_the_last_15_lines_of_a_log_are_shown_each_cut_at_300_characters() -> None:
    lines = [f"line {number}" for number in range(20)] + ["y" * 300, "z" * 301]
    card = replace(WHOLE, job=JobReport(JobReference("glue", "j"), log_lines=lines))
    shown = [line.removeprefix("  │ ") for line in render(card).splitlines() if line.startswith("  │ ")]
    assert shown == [*(f"line {number}" for number in range(7, 20)), "y" * 300, f"{'z' * 299}…"]


def test_a_cause_is_cut_at_1500_characters_and_a_sentence_at_400() -> None:
    assert f"  cause           {'c' * 1500}\n" in render(replace(WHOLE, cause="c" * 1500))
    assert f"  cause           {'c' * 1499}…\n" in render(replace(WHOLE, cause="c" * 1501))
    card = replace(WHOLE, job=None, state=None)
    start = "x: split failed (States.TaskFailed): "
    assert sentence(replace(card, cause="c" * 400)) == f"{start}{'c' * 400}. Fix it."
    assert sentence(replace(card, cause="c" * 401)) == f"{start}{'c' * 399}…. Fix it."


def test_a_failure_without_a_reason_is_a_sentence_all_the_same() -> None:
    assert sentence(replace(WHOLE, job=None, cause=None)) == (
        "x: split failed in state 'Split' (States.TaskFailed). Fix it."
    )
    silent = JobReport(JobReference("glue", "j"))
    assert sentence(replace(WHOLE, job=silent)) == (
        "x: split failed in state 'Split' (States.TaskFailed): boom again. Fix it."
    )


def test_the_sentence_gives_the_jobs_own_reason() -> None:
    card = Card(
        pipeline="shop", stage="transform", run_id="shop-20260101T0000-g0", status="FAILED", advice="Fix it.",
        runbook="docs/runbooks/transform-failed.md", state="Apply Transformation", error="States.TaskFailed",
        cause='{"a": "long document"}',
        job=JobReport(JobReference("databrew", "brewtrain-shop", None), reason="step 3:\ncolumn 'x' is gone"),
    )  # fmt: skip
    assert sentence(card) == (
        "shop: transform failed in state 'Apply Transformation' (States.TaskFailed): "
        "step 3: column 'x' is gone. Fix it."
    )


def test_a_reason_that_is_a_sentence_keeps_one_full_stop() -> None:
    card = Card(
        pipeline="shop", stage="gate", run_id="r", status="FAILED", advice="Look at the metrics.", runbook="b",
        error="Brewtrain.QualityGateFailed", cause="The model is too weak.",
    )  # fmt: skip
    assert sentence(card) == (
        "shop: gate failed (Brewtrain.QualityGateFailed): The model is too weak. Look at the metrics."
    )


def test_a_card_without_job_or_error_is_still_one() -> None:
    text = render(Card(pipeline="x", stage="train", run_id="r", status="does not exist", advice="a", runbook="b"))
    assert "redrivable" in text
    assert "None" not in text


@pytest.mark.parametrize("service", ["databrew", "glue", "sagemaker", "sagemaker processing"])
def test_links(service: str) -> None:
    job = JobReference(service, "brewtrain-x", "run/1")
    assert job_link(job, partition="aws", region="eu-central-1").startswith(
        "https://eu-central-1.console.aws.amazon.com/"
    )
    assert "brewtrain-x" in job_link(job, partition="aws", region="eu-central-1")
    assert "console.amazonaws.cn" in log_link(job, partition="aws-cn", region="cn-north-1")
    assert execution_link(ARN).endswith(ARN)


def test_a_card_about_data_has_its_findings_and_no_execution() -> None:
    card = Card(
        pipeline="shop", stage="validate", run_id="r", status="blocked", subject="data", advice="a", runbook="b",
        findings=[Finding("age: 2 of 10 rows fail", ["'999' in row 3", "'998' in row 4"]), Finding("plan: none")],
    )  # fmt: skip
    lines = render(card).splitlines()
    assert "  data        blocked" in lines
    assert not [line for line in lines if "redrivable" in line or line.startswith("  execution")]
    assert lines[-5:-1] == [
        "  │ age: 2 of 10 rows fail", "  │     '999' in row 3", "  │     '998' in row 4", "  │ plan: none",
    ]  # fmt: skip
    assert "999" not in render(card.without_values)
    assert "  │ age: 2 of 10 rows fail" in render(card.without_values).splitlines()
