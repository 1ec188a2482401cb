"""Glue: every terminal state of a run, Spark's file conventions, arguments, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local_aws.jobs import knobs
from tests.fixtures.job_services import BUCKET, Refusal, check_refusals, error_of, log_lines, wait_for, wait_for_state

pytestmark = pytest.mark.slow
BUSY = {"STARTING", "RUNNING", "STOPPING", "WAITING"}
RANDOM_SPLIT = """
import sys
from awsglue.context import GlueContext
from awsglue.job import Job
from awsglue.transforms import *
from awsglue.utils import getResolvedOptions
from pyspark.context import SparkContext

arguments = getResolvedOptions(sys.argv, ["JOB_NAME", "SOURCE", "TARGET"])
context = GlueContext(SparkContext())
job = Job(context)
job.init(arguments["JOB_NAME"], arguments)
rows = context.spark_session.read.load(arguments["SOURCE"], format="csv", inferSchema=True, header=True)
left, right = rows.randomSplit([0.7, 0.3])
left.write.save(arguments["TARGET"] + "left", format="csv", mode="overwrite")
right.write.save(arguments["TARGET"] + "right", format="csv", mode="overwrite")
job.commit()
"""
HASH_SPLIT = """
import sys
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
import boto3, json

options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
spark = SparkSession.builder.appName("split").getOrCreate()
rows = spark.read.option("header", "true").csv(options["--SOURCE"])
key = F.md5(F.concat_ws("|", *[F.coalesce(F.col("`" + name + "`"), F.lit("-")) for name in rows.columns]))
marked = rows.withColumn("__side", key < F.lit("cccccc"))
left = marked.filter(F.col("__side")).drop("__side")
right = marked.filter(~F.col("__side")).drop("__side")
left.write.mode("overwrite").csv(options["--TARGET"] + "left")
right.write.mode("overwrite").option("header", True).csv(options["--TARGET"] + "right")
bucket, key = options["--TARGET"].removeprefix("s3://").split("/", 1)
body = json.dumps({"left": left.count(), "right": right.count(), "columns": rows.columns})
boto3.client("s3").put_object(Bucket=bucket, Key=key + "summary.json", Body=body)
"""


class Job:
    """A Glue job with its script."""

    def __init__(self, client: Any, role: str, s3: Any, name: str, script: str | None, **options: Any) -> None:
        self.client, self.name = client, name
        self.target = f"s3://{BUCKET}/{name}/out/"
        key = f"{name}/script.py"
        if script is not None:
            s3.put_object(Bucket=BUCKET, Key=key, Body=script.encode())
        client.create_job(
            Name=name,
            Role=role,
            Command={
                "Name": options.pop("command", "glueetl"),
                "ScriptLocation": f"s3://{BUCKET}/{key}",
                "PythonVersion": "3",
            },
            GlueVersion="5.0",
            **options,
        )

    def start(self, **arguments: str) -> str:
        return self.client.start_job_run(
            JobName=self.name, Arguments={f"--{name}": value for name, value in arguments.items()}
        )["JobRunId"]

    def describe(self, run_id: str) -> dict[str, Any]:
        return self.client.get_job_run(JobName=self.name, RunId=run_id)["JobRun"]

    def run(self, **arguments: str) -> dict[str, Any]:
        run_id = self.start(**arguments)
        return wait_for(lambda: self.describe(run_id), "JobRunState", BUSY)


@pytest.fixture
def make_job(
    aws_client: Callable[..., Any], roles: dict[str, str], s3: Any, unique: Callable[[str], str]
) -> Callable[..., Job]:
    def make(script: str | None, **options: Any) -> Job:
        return Job(aws_client("glue"), options.pop("role", roles["glue"]), s3, unique("glue"), script, **options)

    return make


@pytest.fixture(scope="module")
def source(s3: Any) -> str:
    lines = ["emp.var.rate,Age,with-dash,label"]
    lines += [
        f'{number / 10},{number if number % 7 else ""},"a,{number}",{"yes" if number % 3 else "no"}'
        for number in range(400)
    ]
    s3.put_object(Bucket=BUCKET, Key="glue-source/part00000.csv", Body="\n".join(lines).encode() + b"\n")
    s3.put_object(Bucket=BUCKET, Key="glue-source/_SUCCESS", Body=b"")
    return f"s3a://{BUCKET}/glue-source/"


def parts(s3: Any, target: str, folder: str) -> dict[str, bytes]:
    prefix = target.removeprefix(f"s3://{BUCKET}/") + folder + "/"
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {
        item["Key"].removeprefix(prefix): s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
        for item in listed
    }


def test_a_script_of_awsglue_splits_at_random(make_job: Callable[..., Job], s3: Any, source: str) -> None:
    job = make_job(RANDOM_SPLIT)
    for _ in range(2):
        run = job.run(SOURCE=source, TARGET=job.target)
        assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")
    left, right = parts(s3, job.target, "left"), parts(s3, job.target, "right")
    for found in (left, right):
        names = sorted(found)
        assert names[0] == "_SUCCESS"
        assert len(names) == 2
        assert names[1].startswith("part-00000-")
        assert names[1].endswith("-c000.csv")
    rows = [line for found in (left, right) for line in found[max(found)].decode().splitlines()]
    assert len(rows) == len(set(rows)) == 400
    assert not any("Age" in row for row in rows)
    assert 220 <= left[max(left)].count(b"\n") <= 340


def test_a_dataframe_script_splits_by_content(
    make_job: Callable[..., Job], s3: Any, source: str, aws_client: Callable[..., Any]
) -> None:
    job = make_job(HASH_SPLIT)
    found = []
    for _ in range(2):
        run = job.run(SOURCE=source, TARGET=job.target)
        assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")
        found.append((parts(s3, job.target, "left"), parts(s3, job.target, "right")))
    (left, right), (left_again, _) = found
    assert left[max(left)] == left_again[max(left_again)]
    header, *rest = right[max(right)].decode().splitlines()
    assert header == "emp.var.rate,Age,with-dash,label"
    assert len(rest) + left[max(left)].count(b"\n") == 400
    assert b'"a,' in left[max(left)]
    summary = s3.get_object(Bucket=BUCKET, Key=f"{job.name}/out/summary.json")["Body"].read()
    assert f'"right": {len(rest)}'.encode() in summary
    assert run["LogGroupName"] == "/aws-glue/jobs"


def test_a_script_gets_its_arguments_and_writes_both_logs(
    make_job: Callable[..., Job], aws_client: Callable[..., Any]
) -> None:
    script = (
        "import sys, os\nprint('ARGS', sys.argv[1:])\nprint('KEYS', sorted(k for k in os.environ if 'SECRET' in k))\n"
        "print('oops', file=sys.stderr)\n"
    )
    job = make_job(
        script, DefaultArguments={"--one": "default", "--two": "default"}, NonOverridableArguments={"--three": "fixed"}
    )
    run = job.run(two="given", three="ignored")
    assert run["JobRunState"] == "SUCCEEDED"
    assert run["Arguments"] == {"--two": "given", "--three": "ignored"}
    output = "\n".join(log_lines(aws_client, "/aws-glue/jobs/output", run["Id"]))
    assert "'--one', 'default', '--two', 'given', '--three', 'fixed'" in output
    assert "KEYS ['AWS_SECRET_ACCESS_KEY']" in output
    assert log_lines(aws_client, "/aws-glue/jobs/error", run["Id"]) == ["oops"]


def test_a_run_works_with_its_roles_keys(make_job: Callable[..., Job], aws_client: Callable[..., Any]) -> None:
    run = make_job(
        "import boto3\nprint(boto3.client('sts').get_caller_identity()['Arn'])\n", command="pythonshell"
    ).run()
    assert run["JobRunState"] == "SUCCEEDED"
    assert log_lines(aws_client, "/aws-glue/jobs/output", run["Id"]) == [
        "arn:aws:sts::123456789012:assumed-role/job-services-glue/GlueJobRunnerSession"
    ]


FAILURES = {
    "exception": ("raise ValueError('the label column is missing')", "ValueError: the label column is missing"),
    "exit code": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "syntax error": ("def (:\n", "SyntaxError"),
    "path does not exist": (
        "from pyspark.sql import SparkSession\nSparkSession.builder.getOrCreate().read.csv('s3://job-services/none/')",
        "Path does not exist: s3://job-services/none/.",
    ),
    "argument missing": (
        "import sys\nfrom awsglue.utils import getResolvedOptions\ngetResolvedOptions(sys.argv, ['NOT_GIVEN'])",
        "GlueArgumentError: the following arguments are required: --NOT_GIVEN",
    ),
    "script does not exist": (None, "LAUNCH ERROR | The script s3://job-services/"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_script_that_fails_fails_the_run(failure: str, make_job: Callable[..., Job]) -> None:
    script, message = FAILURES[failure]
    run = make_job(script).run()
    assert run["JobRunState"] == "FAILED"
    assert message in run["ErrorMessage"]
    assert run["CompletedOn"] >= run["StartedOn"]


def test_a_failed_run_is_retried_as_a_run_of_its_own(make_job: Callable[..., Job]) -> None:
    job = make_job("raise ValueError('no')", MaxRetries=1)
    first = job.run()
    assert first["JobRunState"] == "FAILED"
    runs = job.client.get_job_runs(JobName=job.name)["JobRuns"]
    assert len(runs) == 2
    retry = wait_for(lambda: job.describe(runs[0]["Id"]), "JobRunState", BUSY)
    assert (retry["Attempt"], retry["PreviousRunId"]) == (1, first["Id"])
    assert retry["Id"] == f"{first['Id']}_attempt_1"


def test_a_run_can_be_stopped_while_it_works(make_job: Callable[..., Job], aws_client: Callable[..., Any]) -> None:
    job = make_job("import time\nprint('begun', flush=True)\ntime.sleep(600)\n")
    run_id = job.start()
    wait_for_state(lambda: job.describe(run_id), "JobRunState", "RUNNING")
    answer = job.client.batch_stop_job_run(JobName=job.name, JobRunIds=[run_id, "jr_unknown"])
    assert answer["SuccessfulSubmissions"] == [{"JobName": job.name, "JobRunId": run_id}]
    assert answer["Errors"][0]["ErrorDetail"]["ErrorCode"] == "EntityNotFoundException"
    assert wait_for(lambda: job.describe(run_id), "JobRunState", BUSY)["JobRunState"] == "STOPPED"
    again = job.client.batch_stop_job_run(JobName=job.name, JobRunIds=[run_id])
    assert again["Errors"][0]["ErrorDetail"]["ErrorCode"] == "InvalidInputException"


def test_a_run_that_takes_too_long_times_out(make_job: Callable[..., Job]) -> None:
    knobs.set_minute_seconds(0.4)
    run = make_job("import time\ntime.sleep(600)\n", Timeout=1).run()
    assert (run["JobRunState"], run["ErrorMessage"]) == ("TIMEOUT", "Job run exceeded its timeout")


def test_a_killed_process_puts_the_run_into_error(make_job: Callable[..., Job]) -> None:
    run = make_job("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n").run()
    assert (run["JobRunState"], run["ErrorMessage"]) == ("ERROR", "InternalError: the process was ended by signal 9")


def test_concurrent_runs_are_limited(make_job: Callable[..., Job]) -> None:
    knobs.set_delay("glue", 60)
    job = make_job("pass", ExecutionProperty={"MaxConcurrentRuns": 2})
    ids = [job.start(), job.start()]
    assert error_of(job.start) == ("ConcurrentRunsExceededException", f"Concurrent runs exceeded for {job.name}")
    job.client.batch_stop_job_run(JobName=job.name, JobRunIds=ids)
    for run_id in ids:
        assert wait_for(lambda one=run_id: job.describe(one), "JobRunState", BUSY)["JobRunState"] == "STOPPED"
    knobs.set_delay("glue", 0)
    assert job.run()["JobRunState"] == "SUCCEEDED"


def invalid(call: Callable[[], Any], text: str) -> Refusal:
    return Refusal(call, "InvalidInputException", text)


def absent(call: Callable[[], Any], text: str) -> Refusal:
    return Refusal(call, "EntityNotFoundException", text)


COMMAND = {"Name": "glueetl", "ScriptLocation": "s3://x/y.py"}


def test_invalid_definitions_are_refused(make_job: Callable[..., Job]) -> None:
    job = make_job("pass")
    client, name = job.client, job.name
    cases = {
        "unknown job": absent(lambda: client.get_job(JobName="nix"), "Job nix not found."),
        "other definition": Refusal(
            lambda: client.create_job(Name=name, Role="other", Command=COMMAND),
            "IdempotentParameterMismatchException",
            f"Job {name} already submitted with different configuration",
        ),
        "unknown command": invalid(
            lambda: client.create_job(Name="c", Role="r", Command={"Name": "perl"}),
            "Command perl is not one of glueetl, pythonshell, gluestreaming, glueray.",
        ),
        "two capacities": invalid(
            lambda: client.create_job(
                Name="c", Role="r", Command=COMMAND, MaxCapacity=2.0, WorkerType="G.1X", NumberOfWorkers=2
            ),
            "Please do not set Max Capacity if using Worker Type and Number of Workers.",
        ),
        "update without role": invalid(
            lambda: client.update_job(JobName=name, JobUpdate={"Command": COMMAND}), "Role is required"
        ),
        "update of an unknown job": absent(
            lambda: client.update_job(JobName="nix", JobUpdate={"Role": "r", "Command": COMMAND}), "Job nix not found."
        ),
    }
    assert len(cases) == 6
    check_refusals(cases)


def test_invalid_requests_about_runs_are_refused(make_job: Callable[..., Job]) -> None:
    job = make_job("pass")
    client, name = job.client, job.name
    cases = {
        "start of an unknown job": absent(
            lambda: client.start_job_run(JobName="nix"), "Failed to start job run due to missing metadata."
        ),
        "unknown run": absent(lambda: client.get_job_run(JobName=name, RunId="jr_0"), "Job run jr_0 not found."),
        "runs of an unknown job": absent(lambda: client.get_job_runs(JobName="nix"), "Job nix not found."),
        "role does not exist": invalid(
            make_job("pass", role="nobody-at-all").start, "Role should be given assume role permissions"
        ),
        "page too large": invalid(
            lambda: client.get_job_runs(JobName=name, MaxResults=201),
            "Member must have value less than or equal to 200",
        ),
        "session policy": invalid(
            lambda: client.start_job_run(JobName=name, ExecutionRoleSessionPolicy="{}"),
            "StartJobRun: local AWS does not support ExecutionRoleSessionPolicy; leave it out.",
        ),
    }
    assert len(cases) == 6
    check_refusals(cases)


def test_a_definition_gets_defaults_and_can_be_replaced(make_job: Callable[..., Job], roles: dict[str, str]) -> None:
    job = make_job("pass", Tags={"stage": "split"})
    client, name = job.client, job.name
    described = client.get_job(JobName=name)["Job"]
    assert (described["Timeout"], described["ExecutionProperty"]) == (480, {"MaxConcurrentRuns": 1})
    arn = f"arn:aws:glue:us-east-1:123456789012:job/{name}"
    assert client.get_tags(ResourceArn=arn)["Tags"] == {"stage": "split"}
    client.update_job(
        JobName=name,
        JobUpdate={"Role": roles["glue"], "Command": described["Command"], "Timeout": 5, "GlueVersion": "5.0"},
    )
    assert client.get_job(JobName=name)["Job"]["Timeout"] == 5
    assert name in client.list_jobs(Tags={"stage": "split"})["JobNames"]
    found = client.batch_get_jobs(JobNames=[name, "nix"])
    assert ([entry["Name"] for entry in found["Jobs"]], found["JobsNotFound"]) == ([name], ["nix"])
    assert client.delete_job(JobName=name)["JobName"] == client.delete_job(JobName=name)["JobName"] == name


WRITING = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
rows = spark.read.csv(sys.argv[sys.argv.index("--SOURCE") + 1], header=True, inferSchema=True)
target = sys.argv[sys.argv.index("--TARGET") + 1] + "modes"
print("TYPES", rows.dtypes)
rows.write.csv(target)
rows.write.mode("append").csv(target)
rows.write.mode("ignore").csv(target)
try:
    rows.write.csv(target)
except Exception as error:
    print("REFUSED", type(error).__name__)
rows.select("Age", "label").write.partitionBy("label").csv(sys.argv[sys.argv.index("--TARGET") + 1] + "by-label")
"""


def test_save_modes_partitions_and_inferred_types(
    make_job: Callable[..., Job], s3: Any, source: str, aws_client: Callable[..., Any]
) -> None:
    job = make_job(WRITING)
    run = job.run(SOURCE=source, TARGET=job.target)
    assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")
    output = log_lines(aws_client, "/aws-glue/jobs/output", run["Id"])
    assert "TYPES [('emp.var.rate', 'double'), ('Age', 'int'), ('with-dash', 'string'), ('label', 'string')]" in output
    assert "REFUSED PathExistsError" in output
    assert sum(name.startswith("part-") for name in parts(s3, job.target, "modes")) == 2
    partitions = parts(s3, job.target, "by-label")
    assert {name.split("/")[0] for name in partitions if "/" in name} == {"label=yes", "label=no"}


def test_csv_files_with_different_headers_are_refused(make_job: Callable[..., Job], s3: Any) -> None:
    job = make_job(WRITING)
    for number, header in enumerate((b"age,label", b"label,age")):
        s3.put_object(Bucket=BUCKET, Key=f"{job.name}/in/part{number}.csv", Body=header + b"\n1,2\n")
    run = job.run(SOURCE=f"s3://{BUCKET}/{job.name}/in/", TARGET=job.target)
    assert run["JobRunState"] == "FAILED"
    assert (
        "CSV header does not conform to the schema. Header: label,age of part1.csv; Schema: age,label"
        in (run["ErrorMessage"])
    )
