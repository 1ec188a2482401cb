"""A pipeline whose runs are real, from its recipe to its endpoint, deployed by its DAG.

For what the stand-in of the other tests cannot show: jobs that fail, calls of the state machine
that AWS refuses, an endpoint that gets stuck. The state machine is the shipped one; only its
wait for the endpoint takes a second.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fixtures.executions import publish
from tools.sample_data import write_csv

if TYPE_CHECKING:
    from tests.integration.retraining.night import Night, Run

# One whose data is waited for and validated.
VALIDATED = "whole_d"
WHOLE_PIPELINES = ("whole_a", "whole_b", "whole_c", VALIDATED)
BAD_AGE = "999"
ROWS = 3000
WAIT_SECONDS = 1


def pipeline_document(shipped: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the shipped pipeline file with little data, a lenient gate and short limits."""
    quality = {"quality": {"rules": [{"between": {"age": [17, 98]}}]}} if name == VALIDATED else {}
    wait = {"wait": "6h"} if name == VALIDATED else {}
    return (
        shipped
        | quality
        | {
            "name": name,
            "source": {**shipped["source"], "path": f"s3://{{bucket}}/data/{name}/dt={{date}}/", **wait},
            "window_days": 1,
            "training": {
                **shipped["training"],
                "hyperparameters": {**shipped["training"]["hyperparameters"], "num_round": 10},
            },
            "gate": {"metrics": {"validation:auc": {"min": 0.5}}, "better_than_majority": False},
            "endpoint": {**shipped["endpoint"], "name": name.replace("_", "-"), "ready_minutes": 5},
        }
    )


class WholePipeline:
    """A deployed pipeline, and its runs' data.

    :param night: The stack.
    :param name: Name of the pipeline; its account must be among the night's.
    """

    def __init__(self, night: Night, name: str) -> None:
        self.night, self.name = night, name
        self.account = night.accounts[name]

    def deploy(self) -> None:
        """Run its deploy DAG, and shorten the wait for the endpoint."""
        api = self.night.api
        dag_run_id = api.trigger(f"{self.name}__deploy", None)
        found = api.wait_for_run(f"{self.name}__deploy", dag_run_id, timeout_seconds=240)
        assert found["state"] == "success", api.task_states(f"{self.name}__deploy", dag_run_id)
        states = self.night.client("stepfunctions")
        arn = self.account.account.state_machine_arn(self.name)
        definition = json.loads(states.describe_state_machine(stateMachineArn=arn)["definition"])
        wait = definition["States"]["Wait For Endpoint"]
        wait.pop("SecondsPath")
        wait["Seconds"] = WAIT_SECONDS
        alias_arn = self.account.account.alias_arn(self.name)
        publish(states, machine_arn=arn, alias_arn=alias_arn, definition=definition)

    def begin(self) -> Run:
        """Deliver a day of data and trigger its run."""
        run = self.night.new_run(self.name)
        return run.trigger(body=self.rows(run))

    def begin_with_bad_rows(self, count: int) -> Run:
        """Deliver a day on which some clients are 999 years old, and trigger its run."""
        run = self.night.new_run(self.name)
        return run.trigger(body=self.with_bad_rows(run, count))

    def with_bad_rows(self, run: Run, count: int) -> bytes:
        """Return data for a run's day on which some clients are 999 years old."""
        header, *rows = self.rows(run).splitlines(keepends=True)
        spoilt = [BAD_AGE.encode() + row[row.index(b";") :] for row in rows[:count]]
        return b"".join([header, *spoilt, *rows[count:]])

    @staticmethod
    def rows(run: Run) -> bytes:
        """Return good data for a run's day."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.csv"
            write_csv(path, ROWS, run.day.toordinal())
            return path.read_bytes()

    def served_run(self) -> str:
        """Return the id of the run whose model the endpoint serves."""
        sagemaker = self.night.client("sagemaker")
        endpoint = sagemaker.describe_endpoint(EndpointName=self.account.pipeline.endpoint_name)
        tags = sagemaker.list_tags(ResourceArn=endpoint["EndpointArn"])["Tags"]
        return next(str(tag["Value"]) for tag in tags if tag["Key"] == "brewtrain:run-id")
