"""DataBrew: every terminal state of a run, what a run writes, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest

from local_aws.jobs import knobs
from tests.fixtures.job_services import BUCKET, Refusal, check_refusals, error_of, log_lines, wait_for, wait_for_state

BUSY = {"STARTING", "RUNNING", "STOPPING"}
STEPS = [
    {"Action": {"Operation": "RENAME", "Parameters": {"sourceColumn": "a", "targetColumn": "first"}}},
    {"Action": {"Operation": "DELETE", "Parameters": {"sourceColumns": '["c"]'}}},
]
ROWS = b"a;b;c\n1;x;7\n2;y;8\n3;z;9\n"


class Job:
    """A dataset, a published recipe and a recipe job under one name."""

    def __init__(self, client: Any, role: str, s3: Any, name: str, **options: Any) -> None:
        self.client, self.name = client, name
        self.key = f"{name}/raw/data.csv"
        body = options.get("body", ROWS)
        if body is not None:
            s3.put_object(Bucket=BUCKET, Key=self.key, Body=body)
        client.create_dataset(
            Name=name,
            Format="CSV",
            FormatOptions={"Csv": {"Delimiter": options.get("delimiter", ";"), "HeaderRow": True}},
            Input={"S3InputDefinition": {"Bucket": BUCKET, "Key": self.key}},
        )
        client.create_recipe(Name=name, Steps=options.get("steps", STEPS))
        client.publish_recipe(Name=name)
        client.create_recipe_job(
            Name=name,
            DatasetName=name,
            RecipeReference={"Name": name, "RecipeVersion": options.get("version", "1.0")},
            RoleArn=role,
            Timeout=options.get("timeout", 10),
            MaxRetries=options.get("retries", 0),
            LogSubscription=options.get("log", "ENABLE"),
            Outputs=[
                {
                    "Location": {"Bucket": options.get("output_bucket", BUCKET), "Key": f"{name}/out/"},
                    "Format": "CSV",
                    "Overwrite": options.get("overwrite", True),
                }
            ],
        )

    def start(self) -> str:
        return self.client.start_job_run(Name=self.name)["RunId"]

    def describe(self, run_id: str) -> dict[str, Any]:
        return self.client.describe_job_run(Name=self.name, RunId=run_id)

    def run(self) -> dict[str, Any]:
        run_id = self.start()
        return wait_for(lambda: self.describe(run_id), "State", BUSY)


@pytest.fixture
def make_job(
    aws_client: Callable[..., Any], roles: dict[str, str], s3: Any, unique: Callable[[str], str]
) -> Callable[..., Job]:
    return lambda **options: Job(aws_client("databrew"), roles["databrew"], s3, unique("brew"), **options)


def outputs(s3: Any, job: Job) -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{job.name}/out/").get("Contents", [])
    return {
        item["Key"].removeprefix(f"{job.name}/out/"): s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
        for item in listed
    }


def test_a_run_that_succeeds_writes_the_transformed_rows(
    make_job: Callable[..., Job], s3: Any, aws_client: Any
) -> None:
    job = make_job()
    run = job.run()
    assert run["State"] == "SUCCEEDED", run.get("ErrorMessage")
    assert run["RecipeReference"] == {"Name": job.name, "RecipeVersion": "1.0"}
    assert run["LogGroupName"] == "/aws-glue-databrew/jobs"
    assert run["CompletedOn"] >= run["StartedOn"]
    assert "ErrorMessage" not in run
    assert outputs(s3, job) == {f"{job.name}_part00000.csv": b"first,b\n1,x\n2,y\n3,z\n"}
    assert any("rows written 3" in line for line in log_lines(aws_client, "/aws-glue-databrew/jobs", job.name))


def test_overwrite_replaces_the_output_and_its_absence_adds_to_it(make_job: Callable[..., Job], s3: Any) -> None:
    replacing, adding = make_job(), make_job(overwrite=False)
    for job in (replacing, adding):
        for _ in range(2):
            assert job.run()["State"] == "SUCCEEDED"
    assert len(outputs(s3, replacing)) == 1
    assert len(outputs(s3, adding)) == 2
    assert all(name.startswith(f"{adding.name}_") and "/" in name for name in outputs(s3, adding))


def test_a_stopped_run_writes_nothing(make_job: Callable[..., Job], s3: Any) -> None:
    knobs.set_delay("databrew", 60)
    job = make_job()
    run_id = job.start()
    wait_for_state(lambda: job.describe(run_id), "State", "RUNNING")
    assert job.client.stop_job_run(Name=job.name, RunId=run_id)["RunId"] == run_id
    assert wait_for(lambda: job.describe(run_id), "State", BUSY)["State"] == "STOPPED"
    assert outputs(s3, job) == {}
    code, message = error_of(lambda: job.client.stop_job_run(Name=job.name, RunId=run_id))
    assert (code, message) == (
        "ValidationException",
        f"The job run {run_id} is in state STOPPED and cannot be stopped.",
    )


def test_a_run_that_takes_too_long_times_out(make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    from local_aws.databrew import job_runs

    plans = job_runs.RunPlan
    knobs.set_minute_seconds(0.4)
    monkeypatch.setattr(
        job_runs, "RunPlan", lambda **options: plans(**{**options, "entry": "local_aws.jobs.self_test:sleep"})
    )
    run = make_job(timeout=1).run()
    assert run["State"] == "TIMEOUT"
    assert run["ErrorMessage"] == "The job run was stopped because it exceeded its timeout of 1 minutes."


FAULTS = {
    "missing column": ({"body": b"b;c\nx;7\n"}, "column 'a'"),
    "wrong delimiter": ({"delimiter": ","}, "column 'a'"),
    "not UTF-8": ({"body": b"a;b;c\n1;\xff\xfe\x00\xe9;7\n2;y;8\n"}, "UTF-8"),
    "no object": ({"body": None}, "no file found at s3://job-services/"),
    "empty object": ({"body": b""}, "empty"),
    "bucket does not exist": ({"output_bucket": "no-such-bucket-here"}, "NoSuchBucket"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failed_run_says_what_and_where(fault: str, make_job: Callable[..., Job], s3: Any) -> None:
    options, expected = FAULTS[fault]
    job = make_job(**options)
    run = job.run()
    assert run["State"] == "FAILED"
    assert expected in run["ErrorMessage"]
    assert "\n" not in run["ErrorMessage"]
    assert outputs(s3, job) == {}


def test_a_failed_run_is_retried_and_counted(make_job: Callable[..., Job]) -> None:
    run = make_job(body=None, retries=2).run()
    assert (run["State"], run["Attempt"]) == ("FAILED", 2)


def test_a_lost_worker_fails_the_run(make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    from local_aws.databrew import job_runs

    plans = job_runs.RunPlan
    monkeypatch.setattr(
        job_runs, "RunPlan", lambda **options: plans(**{**options, "entry": "local_aws.jobs.self_test:die"})
    )
    run = make_job().run()
    assert (run["State"], run["ErrorMessage"]) == ("FAILED", "InternalError: the process was ended by signal 9")


def test_a_run_keeps_the_recipe_version_its_job_pins(make_job: Callable[..., Job], s3: Any) -> None:
    job = make_job()
    job.client.update_recipe(Name=job.name, Steps=STEPS[:1])
    job.client.publish_recipe(Name=job.name)
    assert job.client.describe_recipe(Name=job.name)["RecipeVersion"] == "2.0"
    assert job.run()["RecipeReference"]["RecipeVersion"] == "1.0"
    assert outputs(s3, job)[f"{job.name}_part00000.csv"].startswith(b"first,b\n")


def test_a_datasets_path_picks_the_window(make_job: Callable[..., Job], s3: Any, roles: dict[str, str]) -> None:
    job = make_job(
        steps=[{"Action": {"Operation": "RENAME", "Parameters": {"sourceColumn": "v", "targetColumn": "w"}}}]
    )
    for day in range(1, 6):
        s3.put_object(Bucket=BUCKET, Key=f"{job.name}/days/dt=2010-11-0{day}/part.csv", Body=f"v\n{day}\n".encode())
    s3.put_object(Bucket=BUCKET, Key=f"{job.name}/days/dt=2010-11-03/notes.txt", Body=b"no data")
    window = {
        "Expression": "(after :from) and (before :to)",
        "ValuesMap": {":from": "2010-11-01T12:00:00Z", ":to": "2010-11-05T00:00:00Z"},
    }
    day = {
        "Name": "day",
        "Type": "Datetime",
        "DatetimeOptions": {"Format": "yyyy-MM-dd", "TimezoneOffset": "+00:00"},
        "CreateColumn": True,
        "Filter": window,
    }
    job.client.update_dataset(
        Name=job.name,
        Format="CSV",
        Input={"S3InputDefinition": {"Bucket": BUCKET, "Key": f"{job.name}/days/dt={{day}}/<.*>.csv"}},
        PathOptions={"Parameters": {"day": day}},
    )
    run = job.run()
    assert run["State"] == "SUCCEEDED", run.get("ErrorMessage")
    header, *rows = outputs(s3, job)[f"{job.name}_part00000.csv"].decode().splitlines()
    assert header == "w,day"
    assert [row.split(",")[0] for row in rows] == ["2", "3", "4"]
    assert all(row.split(",")[1].startswith(f"2010-11-0{row[0]}") for row in rows)
    day["Filter"] = {"Expression": "after :from", "ValuesMap": {":from": "2011-01-01T00:00:00Z"}}
    job.client.update_dataset(
        Name=job.name,
        Format="CSV",
        Input={"S3InputDefinition": {"Bucket": BUCKET, "Key": f"{job.name}/days/dt={{day}}/<.*>.csv"}},
        PathOptions={"Parameters": {"day": day}},
    )
    run = job.run()
    assert (run["State"], "no file found at s3://" in run["ErrorMessage"]) == ("FAILED", True)


def test_a_files_limit_takes_the_newest_file(make_job: Callable[..., Job], s3: Any) -> None:
    job = make_job(
        steps=[{"Action": {"Operation": "RENAME", "Parameters": {"sourceColumn": "v", "targetColumn": "w"}}}]
    )
    for number in range(3):
        s3.put_object(Bucket=BUCKET, Key=f"{job.name}/many/{number}.csv", Body=f"v\n{number}\n".encode())
    job.client.update_dataset(
        Name=job.name,
        Format="CSV",
        Input={"S3InputDefinition": {"Bucket": BUCKET, "Key": f"{job.name}/many/"}},
        PathOptions={"FilesLimit": {"MaxFiles": 1, "OrderedBy": "LAST_MODIFIED_DATE", "Order": "DESCENDING"}},
    )
    assert job.run()["State"] == "SUCCEEDED"
    assert outputs(s3, job)[f"{job.name}_part00000.csv"].splitlines()[0] == b"w"
    assert len(outputs(s3, job)[f"{job.name}_part00000.csv"].splitlines()) == 2


def test_a_run_works_with_its_roles_keys(make_job: Callable[..., Job], local_aws_server: Any) -> None:
    import urllib.request

    assert make_job().run()["State"] == "SUCCEEDED"
    with urllib.request.urlopen(f"{local_aws_server.endpoint_url}/_local/calls") as answer:
        calls = json.load(answer)
    entries = calls if isinstance(calls, list) else calls["calls"]
    principals = {str(call["principal"]) for call in entries if call["operation"] == "PutObject"}
    assert any("assumed-role/job-services-databrew/" in principal for principal in principals), principals


def test_runs_are_listed_newest_first_in_pages(make_job: Callable[..., Job]) -> None:
    job = make_job()
    ids = [job.run()["RunId"] for _ in range(3)]
    first = job.client.list_job_runs(Name=job.name, MaxResults=2)
    assert [run["RunId"] for run in first["JobRuns"]] == [ids[2], ids[1]]
    second = job.client.list_job_runs(Name=job.name, MaxResults=2, NextToken=first["NextToken"])
    assert [run["RunId"] for run in second["JobRuns"]] == [ids[0]]
    assert "NextToken" not in second


def test_what_is_in_use_cannot_be_deleted(make_job: Callable[..., Job]) -> None:
    knobs.set_delay("databrew", 60)
    job = make_job()
    client, name = job.client, job.name
    run_id = job.start()
    wait_for_state(lambda: job.describe(run_id), "State", "RUNNING")
    expected = {
        "dataset": (
            lambda: client.delete_dataset(Name=name),
            f"The dataset {name} is used by the job {name} and cannot be deleted.",
        ),
        "recipe": (
            lambda: client.delete_recipe_version(Name=name, RecipeVersion="1.0"),
            f"The recipe {name} version 1.0 is used by the job {name} and cannot be deleted.",
        ),
        "job": (
            lambda: client.delete_job(Name=name),
            f"The job {name} has the run {run_id} in state RUNNING and cannot be deleted.",
        ),
        "second run": (
            lambda: client.start_job_run(Name=name),
            f"The job {name} already has the run {run_id} in state RUNNING.",
        ),
    }
    for what, (call, message) in expected.items():
        assert error_of(call) == ("ConflictException", message), what
    client.stop_job_run(Name=name, RunId=run_id)
    wait_for(lambda: job.describe(run_id), "State", BUSY)
    client.delete_job(Name=name)
    client.delete_dataset(Name=name)
    answer = client.batch_delete_recipe_version(Name=name, RecipeVersions=["LATEST_WORKING", "1.0", "7.0"])
    assert answer["Errors"] == [
        {
            "ErrorCode": "ResourceNotFoundException",
            "ErrorMessage": f"The recipe {name} version 7.0 does not exist.",
            "RecipeVersion": "7.0",
        }
    ]
    assert (
        error_of(lambda: client.describe_recipe(Name=name, RecipeVersion="LATEST_WORKING"))[0]
        == "ResourceNotFoundException"
    )


def test_publishing_makes_versions_that_later_updates_leave_alone(
    aws_client: Callable[..., Any], unique: Callable[[str], str]
) -> None:
    client, name = aws_client("databrew"), unique("recipe")
    client.create_recipe(Name=name, Steps=STEPS, Description="first", Tags={"team": "data"})
    assert error_of(lambda: client.describe_recipe(Name=name))[0] == "ResourceNotFoundException"
    working = client.describe_recipe(Name=name, RecipeVersion="LATEST_WORKING")
    assert (working["RecipeVersion"], working["Tags"], working["Description"]) == ("0.1", {"team": "data"}, "first")
    client.publish_recipe(Name=name, Description="published")
    client.update_recipe(Name=name, Steps=STEPS[:1])
    assert len(client.describe_recipe(Name=name)["Steps"]) == 2
    assert len(client.describe_recipe(Name=name, RecipeVersion="LATEST_WORKING")["Steps"]) == 1
    client.publish_recipe(Name=name)
    assert [entry["RecipeVersion"] for entry in client.list_recipe_versions(Name=name)["Recipes"]] == ["1.0", "2.0"]
    pages = client.get_paginator("list_recipes").paginate()
    listed = {entry["Name"]: entry for page in pages for entry in page["Recipes"]}
    assert listed[name]["RecipeVersion"] == "2.0"
    code, message = error_of(lambda: client.delete_recipe_version(Name=name, RecipeVersion="LATEST_WORKING"))
    assert code == "ConflictException"
    assert "published versions" in message


S3_INPUT = {"S3InputDefinition": {"Bucket": BUCKET, "Key": "x.csv"}}


def invalid(call: Callable[[], Any], text: str) -> Refusal:
    return Refusal(call, "ValidationException", text)


def absent(call: Callable[[], Any], text: str) -> Refusal:
    return Refusal(call, "ResourceNotFoundException", text)


def test_invalid_datasets_are_refused(make_job: Callable[..., Job]) -> None:
    job = make_job()
    client, name = job.client, job.name
    catalog = {"DatabaseName": "d", "TableName": "t"}
    parametrised = {"S3InputDefinition": {"Bucket": BUCKET, "Key": "dt={day}/x.csv"}}
    cases = {
        "duplicate dataset": Refusal(
            lambda: client.create_dataset(Name=name, Input=S3_INPUT),
            "ConflictException",
            f"The dataset {name} already exists.",
        ),
        "two inputs": invalid(
            lambda: client.create_dataset(Name="two", Input={**S3_INPUT, "DataCatalogInputDefinition": catalog}),
            "Input must have exactly one of",
        ),
        "undefined path parameter": invalid(
            lambda: client.create_dataset(Name="path", Input=parametrised), "The path uses the parameter day"
        ),
        "unknown format": invalid(
            lambda: client.create_dataset(Name="fmt", Format="YAML", Input=S3_INPUT),
            "Member must satisfy enum value set: [CSV, JSON, PARQUET, EXCEL, ORC]",
        ),
    }
    assert len(cases) == 4
    check_refusals(cases)


def test_invalid_recipes_are_refused(make_job: Callable[..., Job]) -> None:
    job = make_job()
    client, name = job.client, job.name
    unknown = [{"Action": {"Operation": "REMOVE_NULLS", "Parameters": {"sourceColumn": "a"}}}]
    cases = {
        "duplicate recipe": Refusal(
            lambda: client.create_recipe(Name=name, Steps=STEPS),
            "ConflictException",
            f"The recipe {name} already exists.",
        ),
        "unknown operation": invalid(lambda: client.create_recipe(Name="u", Steps=unknown), "step 1"),
        "too many steps": invalid(
            lambda: client.create_recipe(Name="many", Steps=STEPS[:1] * 101),
            "The recipe has 101 steps; at most 100 are allowed.",
        ),
        "recipe does not exist": absent(lambda: client.describe_recipe(Name="nix"), "The recipe nix does not exist."),
        "version does not exist": absent(
            lambda: client.describe_recipe(Name=name, RecipeVersion="9.0"),
            f"The recipe {name} version 9.0 does not exist.",
        ),
    }
    assert len(cases) == 5
    check_refusals(cases)


def test_invalid_jobs_are_refused(make_job: Callable[..., Job], roles: dict[str, str]) -> None:
    made = make_job()
    client, name, role = made.client, made.name, roles["databrew"]
    reference = {"Name": name, "RecipeVersion": "1.0"}
    usual = {
        "Name": f"{name}-x",
        "DatasetName": name,
        "RecipeReference": reference,
        "RoleArn": role,
        "Outputs": [{"Location": {"Bucket": BUCKET, "Key": "out/"}}],
    }

    def job(**changes: Any) -> Callable[[], Any]:
        return lambda: client.create_recipe_job(**{**usual, **changes})

    nobody = "arn:aws:iam::123456789012:role/nobody"
    cases = {
        "dataset does not exist": absent(job(DatasetName="nix"), "The dataset nix does not exist."),
        "recipe does not exist": absent(job(RecipeReference={"Name": "nix"}), "The recipe nix does not exist."),
        "no output": invalid(
            lambda: client.create_recipe_job(Name="o", DatasetName=name, RecipeReference=reference, RoleArn=role),
            "at least one of Outputs",
        ),
        "role does not exist": invalid(
            job(RoleArn=nobody), f"DataBrew cannot assume the role: the role {nobody} does not exist."
        ),
        "role trusts another service": invalid(
            job(RoleArn=role.replace("databrew", "glue")), "does not allow databrew.amazonaws.com to assume it"
        ),
    }
    assert len(cases) == 5
    check_refusals(cases)


def test_invalid_requests_about_runs_and_tags_are_refused(make_job: Callable[..., Job]) -> None:
    job = make_job()
    client, name = job.client, job.name
    nothing = "arn:aws:databrew:us-east-1:123456789012:job/nix"
    cases = {
        "start of an unknown job": absent(lambda: client.start_job_run(Name="nix"), "The job nix does not exist."),
        "unknown run": absent(
            lambda: client.describe_job_run(Name=name, RunId="db_0"), "The job run db_0 does not exist."
        ),
        "delete of an unknown job": absent(lambda: client.delete_job(Name="nix"), "The job nix does not exist."),
        "page too large": invalid(
            lambda: client.list_job_runs(Name=name, MaxResults=101), "Member must have value less than or equal to 100"
        ),
        "tags of nothing": absent(lambda: client.list_tags_for_resource(ResourceArn=nothing), "does not exist"),
    }
    assert len(cases) == 5
    check_refusals(cases)


def test_tags_and_settings_of_a_job_can_be_changed(make_job: Callable[..., Job], roles: dict[str, str]) -> None:
    job = make_job()
    described = job.client.describe_job(Name=job.name)
    arn = described["ResourceArn"]
    job.client.tag_resource(ResourceArn=arn, Tags={"run": "1", "stage": "x"})
    job.client.untag_resource(ResourceArn=arn, TagKeys=["stage"])
    assert job.client.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"run": "1"}
    output = [{"Location": {"Bucket": BUCKET, "Key": "elsewhere/"}, "Format": "JSON"}]
    job.client.update_recipe_job(Name=job.name, RoleArn=roles["databrew"], Outputs=output, Timeout=7)
    changed = job.client.describe_job(Name=job.name)
    assert (changed["Timeout"], changed["Outputs"], changed["DatasetName"]) == (7, output, job.name)
    assert described["Type"] == changed["Type"] == "RECIPE"
    assert job.name in [entry["Name"] for entry in job.client.list_jobs(DatasetName=job.name)["Jobs"]]
    assert json.dumps(changed["RecipeReference"]) == json.dumps({"Name": job.name, "RecipeVersion": "1.0"})


def test_a_profile_job_writes_the_profile_and_the_validation_report(
    make_job: Callable[..., Job], s3: Any, roles: dict[str, str]
) -> None:
    job = make_job()
    client, name = job.client, f"{job.name}-profile"
    dataset_arn = client.describe_dataset(Name=job.name)["ResourceArn"]
    rule = {"Name": "few", "CheckExpression": ":col1 < :max", "SubstitutionMap": {":col1": "`a`", ":max": "3"}}
    client.create_ruleset(Name=name, TargetArn=dataset_arn, Rules=[rule])
    ruleset_arn = client.describe_ruleset(Name=name)["ResourceArn"]
    client.create_profile_job(
        Name=name,
        DatasetName=job.name,
        RoleArn=roles["databrew"],
        OutputLocation={"Bucket": BUCKET, "Key": f"{name}/"},
        ValidationConfigurations=[{"RulesetArn": ruleset_arn, "ValidationMode": "CHECK_ALL"}],
    )
    run_id = client.start_job_run(Name=name)["RunId"]
    run = wait_for(lambda: client.describe_job_run(Name=name, RunId=run_id), "State", BUSY)
    assert run["State"] == "SUCCEEDED", run.get("ErrorMessage")
    assert run["ValidationConfigurations"] == [{"RulesetArn": ruleset_arn, "ValidationMode": "CHECK_ALL"}]
    stem = f"{name}/{job.name}_{run_id.removeprefix('db_')}"
    profile = json.loads(s3.get_object(Bucket=BUCKET, Key=f"{stem}.json")["Body"].read())
    assert [column["name"] for column in profile["columns"]] == ["a", "b", "c"]
    report = json.loads(s3.get_object(Bucket=BUCKET, Key=f"{stem}_dq-validation-report.json")["Body"].read())
    result = report["rulesetResults"][0]
    assert (result["name"], result["arn"], result["status"]) == (name, ruleset_arn, "FAILED")
    assert result["lastModifiedDate"].endswith(f"UTC {run['StartedOn'].astimezone(UTC).year}")
    assert result["ruleResults"][0]["definition"] == {**rule, "Disabled": False}
    assert (report["jobName"], report["jobRunId"], report["version"]) == (name, run_id, "1.0")
    assert report["location"] == f"s3://{BUCKET}/{stem}_dq-validation-report.json"
    for call, kind in (
        (lambda: client.delete_ruleset(Name=name), "ruleset"),
        (lambda: client.delete_dataset(Name=job.name), "dataset"),
    ):
        assert error_of(call)[0] == "ConflictException", kind
    client.delete_job(Name=name)
    client.delete_ruleset(Name=name)


def test_a_ruleset_validates_only_the_dataset_that_it_is_for(
    make_job: Callable[..., Job], roles: dict[str, str]
) -> None:
    mine, other = make_job(), make_job()
    client, name = mine.client, f"{mine.name}-other"
    rule = {"Name": "some", "CheckExpression": "AGG(ROWS_COUNT) > :min", "SubstitutionMap": {":min": "0"}}
    target = client.describe_dataset(Name=other.name)["ResourceArn"]
    client.create_ruleset(Name=name, TargetArn=target, Rules=[rule])
    arn = client.describe_ruleset(Name=name)["ResourceArn"]
    code, message = error_of(
        lambda: client.create_profile_job(
            Name=name,
            DatasetName=mine.name,
            RoleArn=roles["databrew"],
            OutputLocation={"Bucket": BUCKET, "Key": f"{name}/"},
            ValidationConfigurations=[{"RulesetArn": arn}],
        )
    )
    assert (code, "cannot validate the dataset" in message) == ("ValidationException", True)
    client.delete_ruleset(Name=name)


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", "x*", "x\ny", "é"])
def test_a_name_with_other_characters_is_refused(name: str, aws_client: Callable[..., Any]) -> None:
    client = aws_client("databrew")
    s3_input = {"S3InputDefinition": {"Bucket": BUCKET, "Key": "x.csv"}}
    for call in (
        lambda: client.create_dataset(Name=name, Input=s3_input),
        lambda: client.create_recipe(Name=name, Steps=STEPS[:1]),
        lambda: client.create_recipe_job(Name=name, DatasetName="d", RecipeReference={"Name": "r"}, RoleArn="r" * 20),
    ):
        code, message = error_of(call)
        assert code == "ValidationException"
        assert "alphanumeric" in message
