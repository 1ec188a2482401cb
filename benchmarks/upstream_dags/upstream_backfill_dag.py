"""The peer of `benchmarks/backfill.py`: the same run with the provider's own operators.

Like the retrain DAG, it has eleven tasks in a row: check the input, prepare an object, start the
execution, wait six times, write an object, delete one. The provider has no task for a stage, so
each wait is its sensor of the execution.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from airflow.providers.amazon.aws.operators.s3 import S3CreateObjectOperator, S3DeleteObjectsOperator
from airflow.providers.amazon.aws.operators.step_function import StepFunctionStartExecutionOperator
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.providers.amazon.aws.sensors.step_function import StepFunctionExecutionSensor
from airflow.sdk import DAG, CronDataIntervalTimetable, chain

CONNECTION_ID = "brewtrain_aws"
# Only the benchmark sets these two.
BUCKET = os.environ.get("BREWTRAIN_BENCHMARK_BUCKET", "bucket")
STATE_MACHINE = os.environ.get("BREWTRAIN_BENCHMARK_STATE_MACHINE", "arn")
NAME = "{{ data_interval_end.strftime('upstream-%Y%m%dT%H%M') }}"
OBJECT = f"upstream/{NAME}"

with DAG(
    dag_id="upstream_backfill",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2000, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
):
    check_input = S3KeySensor(
        task_id="check_input",
        bucket_name=BUCKET,
        bucket_key="data/light/dt={{ data_interval_start.strftime('%Y-%m-%d') }}/part.csv",
        poke_interval=5,
        aws_conn_id=CONNECTION_ID,
    )
    prepare_run = S3CreateObjectOperator(
        task_id="prepare_run", s3_bucket=BUCKET, s3_key=OBJECT, data="prepared", replace=True, aws_conn_id=CONNECTION_ID
    )
    start_execution = StepFunctionStartExecutionOperator(
        task_id="start_execution",
        state_machine_arn=STATE_MACHINE,
        name=NAME,
        state_machine_input={"run": {"id": NAME}},
        aws_conn_id=CONNECTION_ID,
    )
    waits = [
        StepFunctionExecutionSensor(
            task_id=stage,
            execution_arn=start_execution.output,  # type: ignore[arg-type]  # a template field
            poke_interval=5,
            mode="poke",
            aws_conn_id=CONNECTION_ID,
        )
        for stage in ("transform", "split", "train", "evaluate", "gate", "deploy")
    ]
    record_result = S3CreateObjectOperator(
        task_id="record_result",
        s3_bucket=BUCKET,
        s3_key=f"{OBJECT}.result",
        data="{}",
        replace=True,
        aws_conn_id=CONNECTION_ID,
    )
    release_run = S3DeleteObjectsOperator(task_id="release_run", bucket=BUCKET, keys=OBJECT, aws_conn_id=CONNECTION_ID)

    chain(check_input, prepare_run, start_execution, *waits, record_result, release_run)
