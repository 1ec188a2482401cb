"""DataBrew's profile jobs with rulesets: every status, every row, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from brewtrain.domain.quality.report import read_report
from brewtrain.domain.quality.rules import ruleset
from brewtrain.domain.quality.validation_job import JOB_SAMPLE
from local_aws.jobs import knobs
from tests.fixtures.job_services import BUCKET, error_of, wait_for, wait_for_state
from tests.fixtures.profile_jobs import BUSY, Profile
from tests.fixtures.quality import rule_of, rules_of

STATUSES: dict[str, tuple[str, list[tuple[str | None, str, int | None]]]] = {
    "passed": ("{between: {id: [1, 4]}}", [("id", "passed", 0)]),
    "passed with slack": ("{between: {age: [17, 98]}, threshold: 25%}", [("age", "passed", 1)]),
    "blocked": ("{between: {age: [17, 98]}}", [("age", "blocked", 1)]),
    "warned": ("{in: {plan: [gold, silver]}, on_fail: warn}", [("plan", "warned", 1)]),
    "missing values": ("{not_null: [id, age]}", [("id", "passed", 0), ("age", "blocked", 1)]),
    "missing values with slack": ("{not_null: age, threshold: 25%}", [("age", "passed", 1)]),
    "repeated values": ("{unique: [id, plan]}", [("id", "passed", 0), ("plan", "blocked", 1)]),
    "a column that does not exist": ("{not_null: gone}", [("gone", "blocked", None)]),
    "a row check on a column that does not exist": ("{at_least: {gone: 1}}", [("gone", "blocked", None)]),
    "a statistic that the column has not": ("{check: AGG(SUM) > 1, columns: plan}", [("plan", "blocked", None)]),
    "DataBrew's language": (
        "{check: '> 1', columns_matching: 'id|age', threshold: {value: 3, unit: COUNT}, on_fail: warn}",
        [("id", "passed", 1), ("age", "passed", 1)],
    ),
}


@pytest.mark.parametrize(("rule", "results"), STATUSES.values(), ids=STATUSES)
def test_the_job_succeeds_whatever_becomes_of_a_rule(
    rule: str, results: list[tuple[str | None, str, int | None]], make_profile: Callable[..., Profile]
) -> None:
    run, report = make_profile().checked(*rules_of(rule))
    assert run["State"] == "SUCCEEDED", run.get("ErrorMessage")
    assert [(one.column, one.outcome, one.failing_rows) for one in report.results] == results
    assert (report.rows, report.problems) == (4, ())


def test_there_is_a_case_for_each_status() -> None:
    assert len(STATUSES) == 11


def test_a_file_without_rows_blocks(make_profile: Callable[..., Profile]) -> None:
    run, report = make_profile("id,age\n").checked(rule_of("{not_null: id}"))
    assert run["State"] == "SUCCEEDED", run.get("ErrorMessage")
    assert (report.outcome, report.problems) == ("blocked", ("The data has no rows.",))


@pytest.mark.parametrize(
    ("sample", "rows", "status"),
    [
        pytest.param(None, 20_000, "SUCCEEDED", id="the default"),
        pytest.param({"Mode": "CUSTOM_ROWS", "Size": 20_001}, 20_001, "FAILED", id="a size"),
        pytest.param(JOB_SAMPLE, 20_001, "FAILED", id="every row"),
    ],
)
def test_only_a_full_sample_sees_the_last_rows(
    sample: dict[str, Any] | None, rows: int, status: str, make_profile: Callable[..., Profile]
) -> None:
    profile = make_profile("id\n" + "1\n" * 20_000 + "999\n")
    arn = profile.create_ruleset(ruleset(rules_of("{at_most: {id: 10}}")))
    profile.create_job(ValidationConfigurations=[{"RulesetArn": arn}], **({"JobSample": sample} if sample else {}))
    run = profile.run()
    assert run["JobSample"] == (sample or {"Mode": "CUSTOM_ROWS", "Size": 20_000})
    keys = profile.keys(run)
    report = profile.document(keys.validation)
    assert (report["sampleSize"], report["rulesetResults"][0]["status"]) == (rows, status)


def test_a_job_without_rulesets_writes_no_validation_report(make_profile: Callable[..., Profile]) -> None:
    profile = make_profile()
    profile.create_job(JobSample=JOB_SAMPLE)
    run = profile.run()
    keys = profile.keys(run)
    listed = profile.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{profile.name}/quality/")["Contents"]
    assert [item["Key"] for item in listed] == [keys.profile]
    assert "ValidationConfigurations" not in run


def test_a_ruleset_that_is_updated_counts_from_the_next_run_on(make_profile: Callable[..., Profile]) -> None:
    profile = make_profile()
    assert profile.checked(rule_of("{at_least: {id: 1}}"))[1].outcome == "passed"
    stricter = rules_of("{at_least: {id: 2}}")
    profile.client.update_ruleset(Name=profile.name, Rules=ruleset(stricter), Description="stricter")
    assert profile.client.describe_ruleset(Name=profile.name)["Description"] == "stricter"
    run = profile.run()
    keys = profile.keys(run)
    report = profile.document(keys.validation)
    assert (report["rulesetResults"][0]["description"], read_report(stricter, report).outcome) == (
        "stricter",
        "blocked",
    )


def test_a_disabled_rule_is_not_checked(make_profile: Callable[..., Profile]) -> None:
    profile = make_profile()
    rules = ruleset(rules_of("{at_least: {id: 1}}", "{at_most: {id: 1}}"))
    rules[1]["Disabled"] = True
    arn = profile.create_ruleset(rules)
    profile.create_job(ValidationConfigurations=[{"RulesetArn": arn}])
    keys = profile.keys(profile.run())
    results = profile.document(keys.validation)["rulesetResults"][0]
    assert ([one["name"] for one in results["ruleResults"]], results["status"]) == (["id at_least"], "SUCCEEDED")


def test_a_profile_job_that_is_stopped_writes_nothing(make_profile: Callable[..., Profile]) -> None:
    knobs.set_delay("databrew", 60)
    profile = make_profile()
    profile.create_job()
    run_id = profile.start()
    wait_for_state(lambda: profile.described(run_id), "State", "RUNNING")
    profile.client.stop_job_run(Name=profile.name, RunId=run_id)
    assert wait_for(lambda: profile.described(run_id), "State", BUSY)["State"] == "STOPPED"
    assert "Contents" not in profile.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{profile.name}/quality/")


def test_a_profile_job_without_data_fails(make_profile: Callable[..., Profile]) -> None:
    profile = make_profile()
    profile.s3.delete_object(Bucket=BUCKET, Key=f"{profile.name}/raw/data.csv")
    profile.create_job()
    run = profile.run()
    assert (run["State"], "no file found" in run["ErrorMessage"]) == ("FAILED", True)


def test_rulesets_are_listed_by_their_dataset(make_profile: Callable[..., Profile]) -> None:
    mine, other = make_profile(), make_profile()
    for profile in (mine, other):
        profile.create_ruleset(ruleset(rules_of("{not_null: [id, age]}")))
    (item,) = mine.client.list_rulesets(TargetArn=mine.arn)["Rulesets"]
    assert (item["Name"], item["TargetArn"], item["RuleCount"], "Rules" in item) == (mine.name, mine.arn, 2, False)


def test_dataset_ruleset_and_job_are_deleted_in_the_order_of_their_use(make_profile: Callable[..., Profile]) -> None:
    profile = make_profile()
    client, name = profile.client, profile.name
    arn = profile.create_ruleset(ruleset(rules_of("{not_null: id}")))
    profile.create_job(ValidationConfigurations=[{"RulesetArn": arn}])
    assert error_of(lambda: client.delete_ruleset(Name=name))[0] == "ConflictException"
    assert error_of(lambda: client.delete_dataset(Name=name))[0] == "ConflictException"
    client.delete_job(Name=name)
    assert error_of(lambda: client.delete_dataset(Name=name))[0] == "ConflictException"
    client.delete_ruleset(Name=name)
    client.delete_dataset(Name=name)
    assert error_of(lambda: client.describe_ruleset(Name=name))[0] == "ResourceNotFoundException"


ONE = {"SubstitutionMap": {":v": "1"}, "Name": "r"}
REFUSED: dict[str, tuple[list[dict[str, Any]], str]] = {
    "an expression that is none": ([{**ONE, "CheckExpression": "AGG(MEEN) > :v"}], "no statistic 'MEEN'"),
    "no column": ([{**ONE, "CheckExpression": "> :v"}], "names no column"),
    "an unknown variable": ([{**ONE, "CheckExpression": "AGG(ROWS_COUNT) > :w"}], "SubstitutionMap has no :w"),
    "a character that expressions lack": ([{**ONE, "CheckExpression": "`a` > :v"}], "regular expression pattern"),
    "a threshold for a statistic": (
        [{**ONE, "CheckExpression": "AGG(ROWS_COUNT) > :v", "Threshold": {"Value": 1}}],
        "not with aggregates",
    ),
    "a name twice": ([{**ONE, "CheckExpression": "AGG(ROWS_COUNT) > :v"}] * 2, "used more than once"),
}


@pytest.mark.parametrize(("rules", "text"), REFUSED.values(), ids=REFUSED)
def test_a_malformed_rule_is_refused_when_its_ruleset_is_made(
    rules: list[dict[str, Any]], text: str, make_profile: Callable[..., Profile]
) -> None:
    profile = make_profile()
    code, message = error_of(lambda: profile.create_ruleset(rules))
    assert (code, text in message) == ("ValidationException", True), message
    profile.create_ruleset(ruleset(rules_of("{not_null: id}")))
    assert error_of(lambda: profile.client.update_ruleset(Name=profile.name, Rules=rules))[0] == "ValidationException"


def test_there_is_a_case_for_each_refusal() -> None:
    assert len(REFUSED) == 6
