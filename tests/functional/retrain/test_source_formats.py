"""A run reads its days in each format: a file's head, the run's dataset, and its job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest

from brewtrain.domain.input.file_head import read_head
from brewtrain.domain.input.promised_columns import check_columns
from brewtrain.domain.names import RunIdentity, recipe
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.hooks.databrew_run import DataBrewRunHook
from tests.fixtures.data_files import COMPRESSIONS, csv_file, json_lines_file, parquet_file
from tests.fixtures.switched_execution import SwitchedExecution
from tests.fixtures.waiting import wait_until
from tests.functional.retrain.conftest import make_pipeline

DAYS = (date(2024, 1, 30), date(2024, 1, 31), date(2024, 2, 1))
COLUMNS = ["age", "job", "y"]
NUMBERED = ["Column_1", "Column_2", "Column_3"]
PREFIX, FILE = "dt={date}/", "in/{date:%Y%m%d}"
GZIP, BZIP2, SNAPPY = (COMPRESSIONS[way][1] for way in ("gzip", "bzip2", "hadoop's snappy"))


@dataclass(frozen=True)
class Case:
    """How a source is described, and the bytes of one of its files.

    :param path: Below the pipeline's folder.
    :param name: What follows the path in a file's key.
    """

    path: str
    name: str
    content: Callable[[list[dict[str, Any]]], bytes]
    source: dict[str, Any]


def no_header(rows: list[dict[str, Any]]) -> bytes:
    return csv_file(rows, "|", header=False)


JSON, PARQUET = {"format": "json"}, {"format": "parquet"}
CASES = {
    "csv": Case(PREFIX, "part-0.csv", csv_file, {}),
    "csv by caret": Case(PREFIX, "part-0.csv", lambda rows: csv_file(rows, "^"), {"delimiter": "^"}),
    "csv without a header": Case(PREFIX, "part-0", no_header, {"delimiter": "|", "header": False, "columns": NUMBERED}),
    "csv in gzip": Case(PREFIX, "part-0.csv.gz", lambda rows: GZIP(csv_file(rows)), {}),
    "csv in bzip2, a file a day": Case(f"{FILE}.csv.bz2", "", lambda rows: BZIP2(csv_file(rows)), {}),
    "json lines": Case(PREFIX, "a/part-0.jsonl", json_lines_file, JSON),
    "json lines in snappy": Case(PREFIX, "part-0.json.snappy", lambda rows: SNAPPY(json_lines_file(rows)), JSON),
    "json lines, a file a day": Case(f"{FILE}.json", "", json_lines_file, JSON),
    "parquet": Case(PREFIX, "part-0.snappy.parquet", parquet_file, PARQUET),
    "parquet without an extension": Case(PREFIX, "part-0", parquet_file, PARQUET),
    "parquet, a file a day": Case(f"{FILE}.parquet", "", lambda rows: parquet_file(rows, "zstd"), PARQUET),
}


def identity(account: SwitchedExecution) -> RunIdentity:
    return RunIdentity(account.pipeline.name, datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 2, 2, tzinfo=UTC), "0")


@pytest.fixture(autouse=True)
def _released(account: SwitchedExecution) -> Iterator[None]:
    yield
    DataBrewRunHook("brewtrain_aws").release(identity(account))


def pipeline_of(account: SwitchedExecution, name: str) -> Pipeline:
    case = CASES[name]
    path = f"s3://{{bucket}}/formats/{sorted(CASES).index(name)}/{case.path}"
    return make_pipeline(account.pipeline.name, source={"path": path, "columns": COLUMNS, **case.source})


def deliver(account: SwitchedExecution, pipeline: Pipeline, case: Case) -> list[str]:
    keys = []
    for day in (date(2024, 1, 29), *DAYS, date(2024, 2, 2)):
        keys.append(pipeline.source.layout.object_key(day, case.name))
        rows = [{"age": day.day, "job": "admin", "y": "no"}, {"age": day.day, "job": None, "y": "yes"}]
        account.client("s3").put_object(Bucket=account.bucket, Key=keys[-1], Body=case.content(rows))
    return keys


def check_head(account: SwitchedExecution, pipeline: Pipeline, key: str) -> None:
    s3, uri = account.client("s3"), f"s3://{account.bucket}/{key}"
    size = s3.head_object(Bucket=account.bucket, Key=key)["ContentLength"]
    head = read_head(
        pipeline.source,
        uri,
        size,
        lambda wanted: s3.get_object(Bucket=account.bucket, Key=key, Range=wanted)["Body"].read(),
    )
    check_columns(pipeline, head, uri)
    assert head.has_row


def recipe_of(account: SwitchedExecution, column: str) -> str:
    """Publish a recipe that puts a column in capitals, and return its version."""
    databrew, name = account.client("databrew"), recipe(account.pipeline.name)
    step = {"Action": {"Operation": "UPPER_CASE", "Parameters": {"sourceColumn": column}}}
    databrew.update_recipe(Name=name, Steps=[step])
    databrew.publish_recipe(Name=name)
    return DataBrewRunHook("brewtrain_aws").newest_recipe_version(account.pipeline)


def transformed(account: SwitchedExecution) -> list[str]:
    """Return the lines that the run's job writes."""
    databrew, s3 = account.client("databrew"), account.client("s3")
    name = identity(account).job_name_prefix
    run_id = databrew.start_job_run(Name=name)["RunId"]

    def ended() -> dict[str, Any] | None:
        run: dict[str, Any] = databrew.describe_job_run(Name=name, RunId=run_id)
        return run if run["State"] in ("SUCCEEDED", "FAILED") else None

    run = wait_until(ended, seconds=60, what=f"the run {run_id} ends")
    assert run["State"] == "SUCCEEDED", run
    prefix = f"brewtrain/{account.pipeline.name}/runs/{identity(account).run_id}/transform/"
    (file,) = s3.list_objects_v2(Bucket=account.bucket, Prefix=prefix)["Contents"]
    text: str = s3.get_object(Bucket=account.bucket, Key=file["Key"])["Body"].read().decode()
    return text.splitlines()


@pytest.mark.parametrize("name", CASES)
def test_a_run_reads_the_files_of_its_window_and_no_other(account: SwitchedExecution, name: str) -> None:
    pipeline, case = pipeline_of(account, name), CASES[name]
    for key in deliver(account, pipeline, case):
        check_head(account, pipeline, key)
    names = list(pipeline.source.columns)
    hook = DataBrewRunHook("brewtrain_aws")
    version = recipe_of(account, names[1])
    lines = hook.prepare(pipeline, identity(account), bucket=account.bucket, recipe_version=version)
    assert [line[0] for line in lines] == ["+", "+"]
    rows = [row for day in DAYS for row in (f"{day.day},ADMIN,no", f"{day.day},,yes")]
    assert transformed(account) == [",".join(names), *rows]
    again = hook.prepare(pipeline, identity(account), bucket=account.bucket, recipe_version=version)
    assert [line[0] for line in again] == ["=", "="], "DataBrew shows the dataset as it was asked for"


def test_a_dataset_of_another_format_is_put_right(account: SwitchedExecution) -> None:
    hook = DataBrewRunHook("brewtrain_aws")
    for name, sign in (("csv by caret", "+"), ("parquet", "~"), ("json lines", "~"), ("csv without a header", "~")):
        pipeline = pipeline_of(account, name)
        lines = hook.prepare(pipeline, identity(account), bucket=account.bucket, recipe_version="1.0")
        assert lines[0].startswith(f"{sign} dataset"), name
    dataset = account.client("databrew").describe_dataset(Name=identity(account).job_name_prefix)
    assert dataset["Format"] == "CSV"
    assert dataset["FormatOptions"] == {"Csv": {"Delimiter": "|", "HeaderRow": False}}


def test_the_cases_are_all_there() -> None:
    assert len(CASES) == 11
