"""A pipeline on a local AWS of its own, to measure executions without Airflow around them."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "plugins"))

from brewtrain import resources  # noqa: E402
from brewtrain.domain import names  # noqa: E402
from brewtrain.domain.run.execution_input import execution_input  # noqa: E402
from tools.airflow_env import REGION  # noqa: E402
from tools.bootstrap import bootstrap  # noqa: E402
from tools.local_aws_clients import local_clients  # noqa: E402
from tools.local_aws_process import start_local_aws  # noqa: E402
from tools.run.processes import Processes  # noqa: E402

PIPELINE = "bank_marketing"
SOURCE_KEY = "data/bench/rows.csv"


class Installation:
    """Start local AWS, deploy the shipped pipeline with plain boto3, and run executions.

    :param data: A CSV file with ``;`` between its fields.
    :param hyperparameters: Hyperparameters of the training job.
    """

    def __init__(self, data: Path, hyperparameters: dict[str, str]) -> None:
        self._data, self._hyperparameters, self._serial = data, hyperparameters, count()

    def __enter__(self) -> Installation:
        self._processes = Processes()
        self._log = tempfile.TemporaryDirectory()
        try:
            endpoint_url = start_local_aws(self._processes, Path(self._log.name) / "local_aws.log")
            self.client = local_clients(endpoint_url)
            self._deploy()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.stop_all()
        self._log.cleanup()

    def _deploy(self) -> None:
        bootstrap(self.client)
        self._account = names.Account(self.client("sts").get_caller_identity()["Account"], REGION)
        self._pipeline = resources.find_pipeline(PIPELINE)
        self._bucket = self._pipeline.bucket_name(self._account)
        s3 = self.client("s3")
        s3.upload_file(str(self._data), self._bucket, SOURCE_KEY)
        script_key = f"{names.code_prefix(PIPELINE)}split.py"
        s3.put_object(Bucket=self._bucket, Key=script_key, Body=resources.split_script().encode())
        code = resources.evaluation_code()
        for name, content in code.files.items():
            key = f"{names.evaluation_code_prefix(PIPELINE, code.sha256)}{name}"
            s3.put_object(Bucket=self._bucket, Key=key, Body=content)
        databrew = self.client("databrew")
        databrew.create_recipe(Name=names.recipe(PIPELINE), Steps=resources.recipe_steps(self._pipeline.recipe))
        databrew.publish_recipe(Name=names.recipe(PIPELINE))
        self.client("glue").create_job(
            Name=names.split_job(PIPELINE), Role=self._account.role_arn("glue"), GlueVersion="5.0",
            Command={"Name": "glueetl", "ScriptLocation": f"s3://{self._bucket}/{script_key}", "PythonVersion": "3"},
            WorkerType="G.1X", NumberOfWorkers=2, ExecutionProperty={"MaxConcurrentRuns": 4},
        )  # fmt: skip
        machine = self.client("stepfunctions").create_state_machine(
            name=names.state_machine(PIPELINE), definition=resources.state_machine_definition(),
            roleArn=self._account.role_arn("states"),
        )  # fmt: skip
        self._state_machine_arn = machine["stateMachineArn"]

    def run(self) -> tuple[float, dict[str, float], dict[str, float]]:
        """Run one execution.

        :returns: Its seconds, its seconds by state, and its validation metrics by name without
            their prefix.
        """
        start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=next(self._serial))
        identity = names.RunIdentity(PIPELINE, start, start + timedelta(days=1), "0")
        document = execution_input(
            self._pipeline,
            identity,
            self._account,
            images=resources.images(),
            recipe_version="1.0",
            code=resources.evaluation_code(),
        )
        document["training"]["hyperparameters"] = self._hyperparameters
        document["endpoint"]["wait_seconds"] = 1
        self._prepare(identity, document)
        states = self.client("stepfunctions")
        arn = states.start_execution(
            stateMachineArn=self._state_machine_arn, name=identity.run_id, input=json.dumps(document)
        )["executionArn"]  # fmt: skip
        while (seen := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
            time.sleep(0.05)
        if seen["status"] != "SUCCEEDED":
            raise RuntimeError(f"execution ended as {seen['status']}: {seen.get('error')} {seen.get('cause')}")
        metrics = {
            name.removeprefix("validation:"): value for name, value in json.loads(seen["output"])["metrics"].items()
        }
        return (seen["stopDate"] - seen["startDate"]).total_seconds(), self._states(states, arn), metrics

    def _prepare(self, identity: names.RunIdentity, document: dict[str, Any]) -> None:
        databrew, name = self.client("databrew"), identity.job_name_prefix
        databrew.create_dataset(
            Name=name, Format="CSV", FormatOptions={"Csv": {"Delimiter": ";", "HeaderRow": True}},
            Input={"S3InputDefinition": {"Bucket": self._bucket, "Key": SOURCE_KEY}},
        )  # fmt: skip
        output = document["split"]["arguments"]["--source"].removeprefix(f"s3://{self._bucket}/")
        databrew.create_recipe_job(
            Name=name, DatasetName=name, RoleArn=self._account.role_arn("databrew"),
            RecipeReference={"Name": names.recipe(PIPELINE), "RecipeVersion": "1.0"},
            Outputs=[{"Location": {"Bucket": self._bucket, "Key": output}, "Format": "CSV", "Overwrite": True}],
        )  # fmt: skip

    def _states(self, states: Any, arn: str) -> dict[str, float]:
        entered: list[tuple[str, float]] = []
        last = 0.0
        for page in states.get_paginator("get_execution_history").paginate(
            executionArn=arn, includeExecutionData=False
        ):
            for event in page["events"]:
                last = event["timestamp"].timestamp()
                if event["type"].endswith("StateEntered"):
                    entered.append((event["stateEnteredEventDetails"]["name"], last))
        seconds: dict[str, float] = {}
        for (name, began), ended in zip(entered, [began for _, began in entered[1:]] + [last], strict=True):
            seconds[name] = seconds.get(name, 0.0) + ended - began
        return seconds
