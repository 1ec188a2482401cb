"""Which models were trained on data that has changed since: ``make stale PIPELINE=churn``.

Asks S3 alone, with the Airflow connection ``brewtrain_aws`` if the environment has it, else with
boto3's own credentials. Prints how to retrain what is stale, and changes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from dataclasses import dataclass
from datetime import datetime

from brewtrain import resources
from brewtrain.domain.errors import BrewtrainError
from brewtrain.domain.input.changes import Changes, changes
from brewtrain.domain.names import CONNECTION_ID
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run.days import Window
from tools.airflow_env import LOCAL_ACCESS_KEY_ID, LOCAL_SECRET_ACCESS_KEY, REGION


@dataclass(frozen=True)
class Interval:
    """An interval that has a recorded run.

    :param end: Its end, aware.
    :param run_id: Its newest recorded run.
    :param outcome: What became of that run.
    :param changed: What has changed since; ``None`` if it is not known what the run has read.
    """

    end: datetime
    run_id: str
    outcome: str
    changed: Changes | None


def intervals(pipeline: Pipeline) -> list[Interval]:
    """Return the intervals that have a recorded run, newest first.

    :param pipeline: The pipeline file.
    :raises BrewtrainError: If AWS refuses, or is not available.
    """
    from brewtrain.hooks.s3_pipeline import S3PipelineHook
    from brewtrain.hooks.s3_source import S3SourceHook
    from brewtrain.recording.inputs import recorded_runs

    source = S3SourceHook(CONNECTION_ID)
    bucket = pipeline.bucket_name(source.account)
    recorded = list(recorded_runs(S3PipelineHook(CONNECTION_ID, beside=source), pipeline, bucket))
    windows = [one.read.window for one in recorded if one.read is not None]
    if not windows:
        return [Interval(one.interval_end, one.run_id, str(one.result.get("outcome")), None) for one in recorded]
    window = Window(min(one.first for one in windows), max(one.last for one in windows))
    now = source.delivered(pipeline, window, bucket=bucket).digests
    return [
        Interval(
            one.interval_end,
            one.run_id,
            str(one.result.get("outcome")),
            None if one.read is None else changes(one.read, now, window),
        )
        for one in recorded
    ]


def report(pipeline: Pipeline, found: list[Interval]) -> list[str]:
    """Return the stale intervals as lines, and how to retrain them.

    :param pipeline: The pipeline file.
    :param found: From :func:`intervals`.
    """
    stale = [one for one in found if one.changed]
    unknown = sum(one.changed is None for one in found)
    lines = [f"{pipeline.name}: {len(stale)} of {len(found)} interval(s) with a recorded run are stale"]
    if unknown:
        lines.append(f"  of {unknown} it is not known what they have read: recorded by an earlier release")
    for one in stale:
        assert one.changed is not None
        lines.append(f"  {one.end:%Y-%m-%dT%H:%MZ}  {one.run_id} ({one.outcome})  {one.changed.text}")
    if stale:
        lines += ["", "retrain what is stale, and nothing else:", "  " + command(pipeline, stale)]
    return lines


def command(pipeline: Pipeline, stale: list[Interval]) -> str:
    """Return the command that retrains the stale intervals.

    :param pipeline: The pipeline file.
    :param stale: At least one.
    """
    schedule = pipeline.run_schedule
    # A backfill's dates are those of the intervals' starts, both included.
    starts = [schedule.newest_complete(one.end).start for one in stale]
    return shlex.join(
        [
            "airflow", "backfill", "create", "--dag-id", f"{pipeline.name}__retrain",
            "--from-date", min(starts).isoformat(), "--to-date", max(starts).isoformat(),
            "--reprocess-behavior", "completed", "--dag-run-conf", json.dumps({"only_if_stale": True}),
        ]
    )  # fmt: skip


def connect(endpoint_url: str | None) -> None:
    """Make the Airflow connection known to hooks in this process, unless the environment has it.

    :param endpoint_url: Of local AWS; ``None`` for AWS.
    """
    extra: dict[str, str] = {}
    value: dict[str, object] = {"conn_type": "aws", "extra": extra}
    if endpoint_url is not None:
        extra |= {"endpoint_url": endpoint_url, "region_name": REGION}
        value |= {"login": LOCAL_ACCESS_KEY_ID, "password": LOCAL_SECRET_ACCESS_KEY}
        os.environ[f"AIRFLOW_CONN_{CONNECTION_ID.upper()}"] = json.dumps(value)
    else:
        os.environ.setdefault(f"AIRFLOW_CONN_{CONNECTION_ID.upper()}", json.dumps(value))


def main(arguments: list[str] | None = None) -> int:
    """Print which intervals are stale.

    :param arguments: The command line's; default: the process's.
    :returns: The exit code: 0, or 2 for a pipeline file that is missing or not valid, or if AWS
        refuses.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.stale", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pipeline", help="name of the pipeline")
    parser.add_argument("--endpoint-url", help="of local AWS, e.g. http://127.0.0.1:5055 (default: AWS)")
    options = parser.parse_args(arguments)
    # Before Airflow is imported, whose log goes where the lines go.
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING")
    connect(options.endpoint_url)
    try:
        pipeline = resources.find_pipeline(options.pipeline)
        lines = report(pipeline, intervals(pipeline))
    except BrewtrainError as error:
        print(f"stale: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
