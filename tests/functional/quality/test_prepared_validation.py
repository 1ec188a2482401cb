"""What validates a run's data: made once, for the right days, and removed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from brewtrain.domain.errors import RetrainingFailedError
from local_aws.jobs import knobs
from tests.fixtures.quality_runs import QualityRun, csv_of
from tests.fixtures.waiting import wait_until
from tests.functional.quality.conftest import make_pipeline

NewRun = Callable[..., QualityRun]
GOOD, BAD = csv_of(30, 31, 32), csv_of(30, 999, 32)


def deliver(run: QualityRun, body: bytes = GOOD, *, days_before: int = 0) -> None:
    run.account.deliver(run.day - timedelta(days=days_before), body=body)


def prepared_days(run: QualityRun) -> tuple[int, int]:
    """Return first and last day to validate, as days before the newest."""
    first, last = (date.fromisoformat(day) for day in run.prepare()["quality_days"])
    return (run.day - first).days, (run.day - last).days


def jobs(run: QualityRun) -> list[str]:
    pages = run.account.client("databrew").get_paginator("list_jobs").paginate()
    return [job["Name"] for page in pages for job in page["Jobs"]]


def next_run(run: QualityRun, **more: Any) -> QualityRun:
    return QualityRun(run.account, run.interval.end.date() + timedelta(days=1), **more)


def test_dataset_ruleset_and_job_are_made_once_and_brought_back(
    new_run: NewRun, capfd: pytest.CaptureFixture[str]
) -> None:
    run = new_run()
    deliver(run)
    for sign in ("+", "="):
        run.prepare()
        logged = "".join(capfd.readouterr())
        assert [f"{sign} {kind} {run.job}" in logged for kind in ("dataset", "ruleset", "job")] == [True] * 3
    run.release()
    logged = "".join(capfd.readouterr())
    at = [logged.index(f"- {kind} {run.job}") for kind in ("job", "ruleset", "dataset")]
    assert at == sorted(at), "DataBrew refuses to delete what another one uses"
    run.release()
    assert f"= ruleset {run.job} is gone already" in "".join(capfd.readouterr())


def test_the_job_is_what_the_pipeline_file_says(new_run: NewRun) -> None:
    run = new_run()
    deliver(run)
    run.prepare()
    databrew = run.account.client("databrew")
    job = databrew.describe_job(Name=run.job)
    assert job["JobSample"] == {"Mode": "FULL_DATASET"}, "the default is 20,000 rows"
    assert job["Timeout"] == run.pipeline.limits.quality_minutes
    assert job["EncryptionMode"] == "SSE-S3"
    assert job["Tags"]["brewtrain:run-id"] == run.prepared["run_id"]
    assert job["Outputs"][0]["Location"]["Key"].endswith(f"/runs/{run.prepared['run_id']}/quality/")
    (validation,) = job["ValidationConfigurations"]
    ruleset = databrew.describe_ruleset(Name=run.job)
    assert validation == {"RulesetArn": ruleset["ResourceArn"], "ValidationMode": "CHECK_ALL"}
    assert ruleset["TargetArn"] == databrew.describe_dataset(Name=run.job)["ResourceArn"]
    assert [rule["Name"] for rule in ruleset["Rules"]] == ["age between", "age not_null", "job in"]


def test_a_job_with_the_pipelines_key_and_without_rules(new_run: NewRun) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    run = new_run()
    name = run.pipeline.name
    run = QualityRun(run.account, run.interval.end.date(), pipeline=make_pipeline(name, kms_key=key, quality="learn"))
    deliver(run)
    run.prepare()
    job = run.account.client("databrew").describe_job(Name=run.job)
    assert (job["EncryptionMode"], job["EncryptionKeyArn"]) == ("SSE-KMS", key)
    assert not job.get("ValidationConfigurations")
    assert run.validate()["outcome"] == "passed"


def test_the_first_run_validates_its_window_and_the_next_its_newest_day(new_run: NewRun) -> None:
    run = new_run()
    for days in (0, 2, 3):
        deliver(run, days_before=days)
    assert prepared_days(run) == (3, 0)
    run.validate()
    later = next_run(run)
    deliver(later)
    assert prepared_days(later) == (0, 0)


def test_a_day_of_a_red_run_is_validated_again_by_the_next_run(new_run: NewRun) -> None:
    run = new_run()
    deliver(run, BAD)
    run.prepare()
    with pytest.raises(RetrainingFailedError):
        run.validate()
    later = next_run(run)
    deliver(later)
    assert prepared_days(later) == (1, 0)
    with pytest.raises(RetrainingFailedError):
        later.validate()


def test_an_accepted_day_is_not_asked_about_again(new_run: NewRun) -> None:
    run = new_run(accept_quality="known")
    deliver(run, BAD)
    run.prepare()
    assert run.validate()["outcome"] == "accepted"
    later = next_run(run)
    deliver(later)
    assert prepared_days(later) == (0, 0)
    assert later.validate()["outcome"] == "passed"


def test_a_second_run_of_a_validated_day_needs_no_job_run(new_run: NewRun, capfd: pytest.CaptureFixture[str]) -> None:
    run = new_run()
    deliver(run)
    run.prepare()
    run.validate()
    again = QualityRun(run.account, run.interval.end.date(), dag_run_id="scheduled__2")
    assert again.prepare()["quality_days"] == []
    assert again.job not in jobs(again)
    capfd.readouterr()
    result = again.validate()
    assert (result["outcome"], result["passed"], result["blocked"]) == ("passed", 0, [])
    assert "good runs have validated all days" in "".join(capfd.readouterr())
    again.release()
    deliver(again, BAD)
    other = QualityRun(run.account, run.interval.end.date(), dag_run_id="scheduled__3")
    assert prepared_days(other) == (0, 0)


def test_a_window_whose_last_day_has_no_data_is_validated_once(new_run: NewRun) -> None:
    run = new_run()
    deliver(run, days_before=1)
    assert prepared_days(run) == (1, 0)
    run.validate()
    assert QualityRun(run.account, run.interval.end.date(), dag_run_id="scheduled__2").prepare()["quality_days"] == []


def test_a_manual_run_reads_the_newest_day_again(new_run: NewRun) -> None:
    run = new_run()
    for days in (0, 1):
        deliver(run, days_before=days)
    run.prepare()
    run.validate()
    again = QualityRun(run.account, run.interval.end.date(), dag_run_id="manual__1")
    assert prepared_days(again) == (0, 0)
    assert again.validate()["passed"] == 3
    assert set(again.document()["reports"]) == {"validation", "profile"}, "which make learn reads"


def test_a_cleared_validation_reads_the_newest_day_with_data_again(new_run: NewRun) -> None:
    run = new_run()
    for days in (1, 2):
        deliver(run, days_before=days)
    run.prepare()
    run.validate()
    run.clear("prepare_run", "validate")
    assert prepared_days(run) == (1, 0)
    assert run.validate()["passed"] == 3


def test_a_day_that_was_delivered_again_is_new(new_run: NewRun) -> None:
    run = new_run()
    for days in (0, 1, 2):
        deliver(run, days_before=days)
    run.prepare()
    run.validate()
    later = next_run(run)
    deliver(later)
    deliver(later, csv_of(40, 41), days_before=2)
    assert prepared_days(later) == (2, 0)


def test_every_day_is_new_to_other_rules(new_run: NewRun) -> None:
    run = new_run()
    for days in (0, 1):
        deliver(run, days_before=days)
    run.prepare()
    run.validate()
    other = make_pipeline(run.pipeline.name, quality={"rules": [{"not_null": "job"}]})
    later = next_run(run, pipeline=other)
    deliver(later)
    assert prepared_days(later) == (2, 0)


def test_the_whole_window_is_validated_where_the_file_says_so(new_run: NewRun) -> None:
    run = new_run()
    whole = make_pipeline(run.pipeline.name, quality={"rules": [{"not_null": "job"}], "of": "window"})
    run = QualityRun(run.account, run.interval.end.date(), pipeline=whole)
    deliver(run)
    assert prepared_days(run) == (4, 0)


def test_a_validated_run_needs_no_job_when_a_stage_is_cleared(new_run: NewRun) -> None:
    run = new_run()
    deliver(run)
    run.prepare()
    run.validate()
    job = run.job
    run.release()
    run.states["start_execution"] = "success"
    run.xcoms["start_execution", "return_value"] = {
        "run_id": run.prepared["run_id"],
        "execution_arn": run.prepared["execution_arn"],
    }
    run.clear("prepare_run", "transform", "release_run")
    assert run.prepare()["quality_days"] is None
    databrew = run.account.client("databrew")
    with pytest.raises(databrew.exceptions.ResourceNotFoundException):
        databrew.describe_job(Name=job)
    run.release()


def test_clearing_a_wait_stops_its_job_run_and_leaves_nothing_behind(new_run: NewRun) -> None:
    run = new_run()
    deliver(run)
    run.prepare()
    knobs.set_delay("databrew", 60)
    old, databrew = run.job, run.account.client("databrew")
    started = databrew.start_job_run(Name=old)["RunId"]
    run.clear("prepare_run", "validate")
    run.prepare()
    assert run.job != old

    def stopped() -> bool:
        try:
            return bool(databrew.describe_job_run(Name=old, RunId=started)["State"] == "STOPPED")
        except databrew.exceptions.ResourceNotFoundException:
            return True

    wait_until(stopped, seconds=30, what="the job run of the earlier generation stops")
    run.clear("prepare_run", "validate")
    run.prepare()
    assert old not in jobs(run)


def test_two_dag_runs_of_one_interval_look_at_the_data_each_by_itself(new_run: NewRun) -> None:
    run = new_run()
    deliver(run, BAD)
    other = QualityRun(run.account, run.interval.end.date(), dag_run_id="manual__1", accept_quality="known")
    for one in (run, other):
        one.prepare()
    assert run.prepared["run_id"] == other.prepared["run_id"]
    assert run.job != other.job
    with pytest.raises(RetrainingFailedError):
        run.validate()
    run.release()
    assert other.validate()["outcome"] == "accepted"


def test_a_release_stops_a_job_run_that_nobody_waits_for(new_run: NewRun) -> None:
    from brewtrain.domain.errors import TransientError

    run = new_run()
    deliver(run)
    run.prepare()
    knobs.set_delay("databrew", 60)
    databrew = run.account.client("databrew")
    databrew.start_job_run(Name=run.job)

    def released() -> bool:
        try:
            run.release()
        except TransientError:  # the job run is still stopping
            return False
        return True

    wait_until(released, seconds=30, what="the job is released")
    assert run.job not in jobs(run)
