"""``validate`` on local AWS: what it starts, how it waits, what it concludes from the report."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from brewtrain.domain.errors import DeploymentError, RetrainingFailedError, TransientError
from local_aws.databrew import job_runs
from local_aws.jobs import knobs
from local_aws.jobs.runs import RunPlan
from tests.fixtures.quality_runs import QualityRun, csv_of, first_event, read_json
from tests.fixtures.waiting import wait_until

NewRun = Callable[..., QualityRun]
BAD = csv_of(30, 31, 999, 1000, 40, 41, 42, 43, 44, 45)
GOOD = csv_of(30, 31, 32, 33, 40, 41, 42, 43, 44, 45)


def deliver(run: QualityRun, body: bytes, *, days_before: int = 0) -> None:
    run.account.deliver(run.day - timedelta(days=days_before), body=body)


def test_good_data_passes_and_what_it_was_is_kept(new_run: NewRun) -> None:
    run = new_run()
    deliver(run, GOOD)
    run.prepare()
    result = run.validate()
    assert (result["outcome"], result["passed"], result["blocked"], result["accepted"]) == ("passed", 3, [], None)
    document = run.document()
    assert document["data"]["rows"] == 10
    assert document["days"] == {"first": run.day.isoformat(), "last": run.day.isoformat()}
    assert set(document["reports"]) == {"validation", "profile"}
    assert result["document"].endswith("/quality.json")


def test_a_rule_that_warns_lets_the_run_go_on(new_run: NewRun) -> None:
    run = new_run()
    deliver(run, csv_of(30, 31, 32), days_before=1)
    deliver(run, csv_of(30, 31, 32, None, 33))
    run.prepare()
    pipeline = run.pipeline
    assert pipeline.quality is not None
    with pytest.raises(RetrainingFailedError):
        run.validate()  # a missing age is not between 17 and 98 either
    run = new_run(pipeline=pipeline.model_copy(update={"quality": _only_warnings(pipeline)}))
    deliver(run, csv_of(30, None))
    run.prepare()
    result = run.validate()
    assert (result["outcome"], result["warned"]) == ("warned", ["age not_null"])


def _only_warnings(pipeline: Any) -> Any:
    return pipeline.quality.model_copy(update={"rules": pipeline.quality.rules[1:2]})


def test_a_rule_that_blocks_stops_the_run_with_a_card(new_run: NewRun, capfd: pytest.CaptureFixture[str]) -> None:
    run = new_run()
    deliver(run, BAD)
    run.prepare()
    with pytest.raises(RetrainingFailedError) as raised:
        run.validate()
    assert not raised.value.retryable
    message = str(raised.value)
    assert "Brewtrain.DataQualityFailed" in message
    assert "1 rule(s) fail: age between" in message
    assert "Deliver the data again, then clear `validate`." in message
    for part in ("age between (column age)", "2 of 10 rows fail (20.0%)", "docs/runbooks/data-quality.md"):
        assert part in run.card
    logged = "".join(capfd.readouterr())
    assert "'999' in row 3 of" in logged
    assert "'1000' in row 4 of" in logged
    assert run.document()["outcome"] == "blocked"


def test_no_value_of_the_data_leaves_the_log(new_run: NewRun) -> None:
    run = new_run()
    deliver(run, csv_of(30, 987654321))
    run.prepare()
    with pytest.raises(RetrainingFailedError) as raised:
        run.validate()
    kept = json.dumps([list(run.xcoms.values()), run.document(), str(raised.value)])
    assert "987654321" not in kept


def test_clearing_reads_the_data_again_with_another_job_run(new_run: NewRun) -> None:
    run = new_run()
    deliver(run, BAD)
    run.prepare()
    with pytest.raises(RetrainingFailedError):
        run.validate()
    first = run.job
    run.release()
    deliver(run, GOOD)
    run.clear("validate", "prepare_run", "release_run")
    run.prepare()
    assert run.validate()["outcome"] == "passed"
    assert run.job != first, "the clear has made another generation"
    assert len(run.job_runs()) == 1


def test_a_finished_job_run_of_an_earlier_try_is_not_used_again(new_run: NewRun) -> None:
    run = new_run()
    deliver(run, BAD)
    run.prepare()
    with pytest.raises(RetrainingFailedError):
        run.validate()
    deliver(run, GOOD)
    assert run.validate()["outcome"] == "passed"
    assert len(run.job_runs()) == 2


def test_a_retry_after_a_killed_worker_attaches_to_the_running_job_run(new_run: NewRun) -> None:
    run = new_run()
    deliver(run, GOOD)
    run.prepare()
    knobs.set_delay("databrew", 60)
    started = run.account.client("databrew").start_job_run(Name=run.job)["RunId"]
    assert run.validate()["outcome"] == "passed"
    assert [one["RunId"] for one in run.job_runs()] == [started]


def test_a_job_run_that_is_stopping_is_waited_for_and_another_is_started(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run()
    deliver(run, GOOD)
    run.prepare()
    knobs.set_delay("databrew", 60)
    databrew = run.account.client("databrew")
    old = databrew.start_job_run(Name=run.job)["RunId"]
    from brewtrain.hooks.databrew_quality import DataBrewQualityHook

    looks = []
    listed = DataBrewQualityHook.active_runs

    def stopping_at_first(self: Any, job: str) -> list[dict[str, Any]]:
        looks.append(job)
        if len(looks) > 1:
            return listed(self, job)
        databrew.stop_job_run(Name=job, RunId=old)
        knobs.set_delay("databrew", 0)
        return [{"RunId": old, "State": "STOPPING"}]

    monkeypatch.setattr(DataBrewQualityHook, "active_runs", stopping_at_first)
    assert run.validate()["outcome"] == "passed"
    assert {one["RunId"]: one["State"] for one in run.job_runs()}[old] == "STOPPED"
    assert len(run.job_runs()) == 2


def fails_for_want_of_its_data(run: QualityRun) -> None:
    keys = [
        item["Key"]
        for item in run.account.client("s3").list_objects_v2(
            Bucket=run.account.bucket, Prefix=run.pipeline.source.layout.prefix(run.day)
        )["Contents"]
    ]
    for key in keys:
        run.account.client("s3").delete_object(Bucket=run.account.bucket, Key=key)


def test_a_failed_job_run_is_red_with_its_own_words(new_run: NewRun) -> None:
    run = new_run()
    deliver(run, GOOD)
    run.prepare()
    fails_for_want_of_its_data(run)
    with pytest.raises(RetrainingFailedError, match=r"profile job run FAILED\): .*no file found") as raised:
        run.validate()
    assert not raised.value.retryable
    assert str(raised.value).endswith("Fix what the job reports. Then clear `validate`: the data is looked at again.")


def test_a_stopped_job_run_is_red_and_says_so(new_run: NewRun) -> None:
    run = new_run()
    deliver(run, GOOD)
    run.prepare()
    knobs.set_delay("databrew", 60)
    databrew = run.account.client("databrew")
    started = databrew.start_job_run(Name=run.job)["RunId"]
    databrew.stop_job_run(Name=run.job, RunId=started)
    wait_until(
        lambda: databrew.describe_job_run(Name=run.job, RunId=started)["State"] == "STOPPED",
        seconds=30,
        what="the job run stops",
    )
    with pytest.raises(RetrainingFailedError, match=r"Somebody stopped the job run. To go on, clear `validate`"):
        run.operator().resume(run.context("validate"), event={"why": "ended"}, run_id=started)


def test_a_job_run_at_its_timeout_is_red_and_names_the_limit(new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run()
    deliver(run, GOOD)
    run.prepare()
    plans = RunPlan
    monkeypatch.setattr(
        job_runs, "RunPlan", lambda **options: plans(**{**options, "entry": "local_aws.jobs.self_test:sleep"})
    )
    knobs.set_minute_seconds(0.4 / run.pipeline.limits.quality_minutes)
    with pytest.raises(RetrainingFailedError, match=r"profile job run TIMEOUT.*limits.quality_minutes"):
        run.validate()


def test_an_overdue_job_run_is_stopped(new_run: NewRun) -> None:
    run = new_run()
    deliver(run, GOOD)
    run.prepare()
    knobs.set_delay("databrew", 60)
    databrew = run.account.client("databrew")
    started = databrew.start_job_run(Name=run.job)["RunId"]
    with pytest.raises(RetrainingFailedError, match="profile job run OVERDUE"):
        run.operator().resume(run.context("validate"), event={"why": "overdue"}, run_id=started)
    assert databrew.describe_job_run(Name=run.job, RunId=started)["State"] in ("STOPPING", "STOPPED")


def test_a_job_that_somebody_deleted_is_a_sentence(new_run: NewRun) -> None:
    run = new_run()
    deliver(run, GOOD)
    run.prepare()
    run.release()
    with pytest.raises(DeploymentError, match="does not exist any more: somebody deleted the job"):
        run.operator().resume(run.context("validate"), event={"why": "ended"}, run_id="db_1")


def test_another_triggers_event_is_refused(new_run: NewRun) -> None:
    run = new_run()
    deliver(run, GOOD)
    run.prepare()
    with pytest.raises(DeploymentError, match="was resumed by another trigger"):
        run.operator().resume(run.context("validate"), event={"kind": "over"}, run_id="db_1")
    with pytest.raises(DeploymentError, match=r"^AWS denied it$"):
        run.operator().resume(run.context("validate"), event={"why": "refused", "problem": "AWS denied it"}, run_id="x")


def succeeded(run: QualityRun) -> str:
    """Let the profile job succeed without a task, and return its run."""
    databrew = run.account.client("databrew")
    started: str = databrew.start_job_run(Name=run.job)["RunId"]
    wait_until(
        lambda: databrew.describe_job_run(Name=run.job, RunId=started)["State"] == "SUCCEEDED",
        seconds=60,
        what="the job run succeeds",
    )
    return started


def change_report(run: QualityRun, started: str, change: Callable[[dict[str, Any]], bytes | None]) -> None:
    s3 = run.account.client("s3")
    prefix = f"brewtrain/{run.pipeline.name}/runs/{run.prepared['run_id']}/quality/"
    (key,) = [
        item["Key"]
        for item in s3.list_objects_v2(Bucket=run.account.bucket, Prefix=prefix)["Contents"]
        if started.removeprefix("db_") in item["Key"] and item["Key"].endswith("dq-validation-report.json")
    ]
    changed = change(read_json(run.account, key))
    if changed is None:
        s3.delete_object(Bucket=run.account.bucket, Key=key)
    else:
        s3.put_object(Bucket=run.account.bucket, Key=key, Body=changed)


def without_first_rule(report: dict[str, Any]) -> bytes:
    report["rulesetResults"][0]["ruleResults"].pop(0)
    return json.dumps(report).encode()


REPORTS: dict[str, tuple[Callable[[dict[str, Any]], bytes | None], str]] = {
    "absent": (lambda report: None, "DataBrew wrote no validation report that can be read."),
    "no-json": (lambda report: b"<html>", "DataBrew wrote no validation report that can be read."),
    "another-document": (lambda report: b"[]", "DataBrew wrote no validation report that can be read."),
    "a-rule-is-missing": (without_first_rule, "The validation report does not have this rule."),
    "no-results": (lambda report: b'{"sampleSize": 10}', "The validation report does not have this rule."),
}


@pytest.mark.parametrize(("change", "sentence"), REPORTS.values(), ids=REPORTS)
def test_what_the_report_does_not_say_passed_has_not_passed(
    new_run: NewRun, change: Callable[[dict[str, Any]], bytes | None], sentence: str
) -> None:
    run = new_run()
    deliver(run, GOOD)
    run.prepare()
    started = succeeded(run)
    change_report(run, started, change)
    with pytest.raises(RetrainingFailedError, match=r"Brewtrain\.DataQualityFailed"):
        run.operator().resume(run.context("validate"), event={"why": "ended"}, run_id=started)
    assert sentence in run.card


def test_there_are_so_many_kinds_of_reports() -> None:
    assert len(REPORTS) == 5


def test_an_acceptance_does_not_help_where_nothing_is_known(new_run: NewRun) -> None:
    run = new_run(accept_quality="we need a model")
    deliver(run, GOOD)
    run.prepare()
    started = succeeded(run)
    change_report(run, started, lambda report: None)
    with pytest.raises(RetrainingFailedError, match="wrote no validation report") as raised:
        run.operator().resume(run.context("validate"), event={"why": "ended"}, run_id=started)
    assert "accept_quality" not in str(raised.value)


def test_a_person_accepts_the_data_of_one_run(new_run: NewRun, caplog: pytest.LogCaptureFixture) -> None:
    run = new_run(accept_quality="  a census:  ages are in months ")
    run.user = "nina"
    deliver(run, BAD)
    run.prepare()
    with caplog.at_level(logging.INFO):
        result = run.validate()
    acceptance = {"reason": "a census: ages are in months", "user": "nina"}
    assert (result["outcome"], result["blocked"], result["accepted"]) == ("accepted", ["age between"], acceptance)
    document = run.document()
    assert document["accepted"] == acceptance
    assert [one["outcome"] for one in document["data"]["results"] if one["rule"] == "age between"] == ["blocked"]
    assert "accepted by nina although rules fail: a census: ages are in months" in caplog.text


def test_an_acceptance_that_was_not_needed_is_not_recorded(new_run: NewRun) -> None:
    run = new_run(accept_quality="just in case")
    deliver(run, GOOD)
    run.prepare()
    assert run.validate()["accepted"] is None


def test_files_that_come_while_the_data_is_validated_are_validated_too(new_run: NewRun) -> None:
    run = new_run()
    deliver(run, GOOD)
    run.prepare()
    started = succeeded(run)
    started_at = run.job_runs()[0]["StartedOn"]
    s3 = run.account.client("s3")
    key = run.pipeline.source.layout.object_key(run.day, "late.csv")

    def written_later() -> bool:
        s3.put_object(Bucket=run.account.bucket, Key=key, Body=BAD)
        return bool(s3.head_object(Bucket=run.account.bucket, Key=key)["LastModified"] > started_at)

    wait_until(written_later, seconds=10, what="S3's clock, which counts seconds, has gone on", pause=0.3)
    with pytest.raises(TransientError, match=r"1 file\(s\) were written while the data was validated, .*late.csv"):
        run.operator().resume(run.context("validate"), event={"why": "ended"}, run_id=started)
    with pytest.raises(RetrainingFailedError, match="age between"):
        run.validate()


def test_a_file_that_is_deleted_while_the_data_is_validated_means_another_look(new_run: NewRun) -> None:
    """So is one that replaces another and is dated before the job run, as a multipart upload is."""
    from airflow.sdk.exceptions import TaskDeferred

    run = new_run()
    deliver(run, GOOD)
    key = run.pipeline.source.layout.object_key(run.day, "second.csv")
    s3 = run.account.client("s3")
    s3.put_object(Bucket=run.account.bucket, Key=key, Body=GOOD)
    run.prepare()
    operator = run.operator()
    with pytest.raises(TaskDeferred) as waits:
        operator.execute(run.context("validate"))
    kwargs = waits.value.kwargs or {}
    assert first_event(waits.value.trigger)["why"] == "ended"
    s3.delete_object(Bucket=run.account.bucket, Key=key)
    with pytest.raises(TransientError, match="replaced or deleted while the data was validated"):
        operator.resume(run.context("validate"), event={"why": "ended"}, **kwargs)
    assert run.validate()["outcome"] == "passed"


def test_a_denied_read_of_the_job_is_told_as_such(new_run: NewRun, local_aws: str) -> None:
    from tests.fixtures.local_aws_control import LocalAwsControl

    run = new_run()
    deliver(run, GOOD)
    run.prepare()
    control = LocalAwsControl(local_aws)
    rule = control.add_fault(
        service="s3", operation="GetObject", principal="*brewtrain-databrew*", effect="error", code="AccessDenied",
        status=403, message="Access Denied", resource=f"*{run.pipeline.name}*",
    )  # fmt: skip
    try:
        with pytest.raises(RetrainingFailedError, match=r"Allow the action in include/cloudformation/roles\.yaml"):
            run.validate()
    finally:
        control.remove_fault(rule)
    assert "docs/runbooks/access-denied.md" in run.card


def test_a_full_account_is_waited_for(new_run: NewRun, local_aws: str) -> None:
    from tests.fixtures.local_aws_control import LocalAwsControl

    run = new_run()
    deliver(run, GOOD)
    run.prepare()
    control = LocalAwsControl(local_aws)
    rule = control.add_fault(
        service="databrew", operation="StartJobRun", effect="error",
        code="ServiceQuotaExceededException", status=402, message="Concurrent jobs per AWS account", times=1,
    )  # fmt: skip
    try:
        with pytest.raises(TransientError, match="quota of concurrent jobs is used up; trying again helps"):
            run.validate()
    finally:
        control.remove_fault(rule)
    assert run.validate()["outcome"] == "passed"


def test_a_run_without_a_prepared_validation_says_what_to_clear(new_run: NewRun) -> None:
    run = new_run()
    with pytest.raises(DeploymentError, match="prepare_run has prepared no validation"):
        run.operator().execute(run.context("validate"))
