"""Read the results of a run back from AWS through its ordinary APIs.

Everything only reads, except for InvokeEndpoint.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from brewtrain.domain.evaluation.job import PAGE_FILE
from brewtrain.domain.names import RunIdentity, run_prefix

ROWS_ASKED = 100


def describe_execution(states: Any, execution_arn: str) -> dict[str, Any] | None:
    """Return what DescribeExecution returns, or ``None`` if the execution was never started."""
    try:
        described: dict[str, Any] = states.describe_execution(executionArn=execution_arn)
    except states.exceptions.ExecutionDoesNotExist:
        return None
    return described


def stage_seconds(states: Any, execution_arn: str, stage_of: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return each stage's name and seconds, in order.

    A stage lasts from its first state until the first state of the next stage.

    :param stage_of: Returns the stage of a state.
    """
    starts: list[tuple[str, float]] = []
    end = None
    pages = states.get_paginator("get_execution_history").paginate(
        executionArn=execution_arn, includeExecutionData=False
    )
    for event in (event for page in pages for event in page["events"]):
        end = event["timestamp"].timestamp()
        if event["type"].endswith("StateEntered"):
            stage = str(stage_of(event["stateEnteredEventDetails"]["name"]))
            if not starts or starts[-1][0] != stage:
                starts.append((stage, end))
    ends = [start for _, start in starts[1:]] + ([end] if end is not None else [])
    return [
        {"name": stage, "seconds": round(max(0.0, until - start), 3)}
        for (stage, start), until in zip(starts, ends, strict=True)
    ]


def serving(sagemaker: Any, endpoint_name: str) -> dict[str, str | None]:
    """Return name, config and model of the endpoint as it serves now."""
    try:
        config = sagemaker.describe_endpoint(EndpointName=endpoint_name)["EndpointConfigName"]
    except sagemaker.exceptions.ClientError as error:
        if "Could not find" not in error.response["Error"]["Message"]:
            raise
        return {"name": endpoint_name, "config": None, "model": None}
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    return {"name": endpoint_name, "config": config, "model": variants[0]["ModelName"]}


def predictions(
    s3: Any, runtime: Any, *, bucket: str, identity: RunIdentity, endpoint_name: str
) -> list[dict[str, float]]:
    """Let the endpoint score rows of this run's validation part, on which it was not trained.

    :returns: Of :data:`ROWS_ASKED` rows, those with the highest, the middle and the lowest score.
    """
    unseen = list(_rows(s3, bucket, f"{run_prefix(identity)}validation/"))
    rows = unseen[:: max(1, len(unseen) // ROWS_ASKED)][:ROWS_ASKED]
    body = "\n".join(",".join(row[1:]) for row in rows)
    answer = runtime.invoke_endpoint(EndpointName=endpoint_name, ContentType="text/csv", Accept="text/csv", Body=body)
    scores = [float(score) for score in answer["Body"].read().decode().replace("\n", ",").split(",") if score.strip()]
    answered = sorted(
        ({"label": float(row[0]), "score": round(score, 6)} for row, score in zip(rows, scores, strict=True)),
        key=lambda one: -one["score"],
    )
    return [answered[0], answered[len(answered) // 2], answered[-1]] if len(answered) > 2 else answered


def _rows(s3: Any, bucket: str, prefix: str) -> Iterator[list[str]]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for item in (item for page in pages for item in page.get("Contents", [])):
        if item["Size"]:
            text = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read().decode()
            yield from csv.reader(io.StringIO(text))


def save_evaluation(s3: Any, uri: str, folder: Path) -> Path | None:
    """Copy the files of an evaluation from local AWS, which ends with the run.

    :param uri: ``s3://`` prefix of the evaluation, from the execution's output.
    :param folder: Created if it does not exist.
    :returns: The evaluation's page, or ``None`` if it has none.
    """
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    folder.mkdir(parents=True, exist_ok=True)
    for item in (item for page in pages for item in page.get("Contents", [])):
        name = Path(item["Key"]).name
        (folder / name).write_bytes(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
    page = folder / PAGE_FILE
    return page if page.is_file() else None


def output_of(execution: dict[str, Any]) -> dict[str, Any]:
    """Return the execution's output document; empty unless it SUCCEEDED."""
    output: dict[str, Any] = json.loads(execution.get("output") or "{}")
    return output
