"""Data that changes after a run has read it: said by the next run, listed, and retrained alone."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from brewtrain.domain import names
from brewtrain.domain.run.identity import identity_for_start
from brewtrain.domain.run.interval import DataInterval
from brewtrain.operators.partition import CheckPartitionOperator
from tests.fixtures.account import BUCKET
from tests.fixtures.pipelines import smallest_pipeline
from tools import stale

GOOD = b"age,job,y\n30,admin,no\n"
FIRST = date(2024, 5, 1)
_numbers = itertools.count(1)


class Runs:
    """Runs of a pipeline of its own, as far as check_input and their results go."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.pipeline = smallest_pipeline(f"stale_{next(_numbers)}", window_days=3)

    def put(self, day: date, body: bytes = GOOD, name: str = "part.csv") -> None:
        key = self.pipeline.source.layout.object_key(day, name)
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body)

    def check(self, newest: date, **params: Any) -> dict[str, Any]:
        """Run check_input of a daily interval."""
        end = datetime(newest.year, newest.month, newest.day, tzinfo=UTC) + timedelta(days=1)
        dag_run = SimpleNamespace(
            run_id="manual__1",
            clear_number=0,
            run_type="scheduled",
            data_interval_start=end - timedelta(days=1),
            data_interval_end=end,
            run_after=end,
        )
        operator = CheckPartitionOperator(task_id="check_input", pipeline=self.pipeline)
        context: Any = {"dag_run": dag_run, "params": params, "ti": SimpleNamespace()}
        return operator.execute(context)

    def record(self, newest: date, checked: dict[str, Any], outcome: str = "promoted") -> str:
        """Write the result of a run; return its id."""
        end = datetime(newest.year, newest.month, newest.day, tzinfo=UTC) + timedelta(days=1)
        identity = identity_for_start(
            self.pipeline, DataInterval(end - timedelta(days=1), end), clear_number=0, rerun_mode="auto", dag_run_id="x"
        )
        document = {
            "run_id": identity.run_id,
            "outcome": outcome,
            "recorded_at": f"2024-06-01T00:00:{next(_numbers):02}+00:00",
            "input": {"uri": checked["input"]},
        }
        key = f"{names.run_prefix(identity)}{names.RESULT_FILE}"
        self.client.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(document).encode())
        return identity.run_id


@pytest.fixture
def runs(aws_client: Any, connection: str) -> Runs:
    """Return a pipeline of which four days were delivered, and of which two runs are recorded."""
    s3 = aws_client("s3")
    if BUCKET not in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=BUCKET)
    made = Runs(s3)
    for number in (0, 1, 3, 4):
        made.put(FIRST + timedelta(days=number), GOOD + b"%d,x,no\n" % number)
    for number in (3, 4):
        newest = FIRST + timedelta(days=number)
        made.record(newest, made.check(newest))
    return made


def test_a_run_records_what_it_has_read(runs: Runs) -> None:
    checked = runs.check(FIRST + timedelta(days=4))
    assert checked["changed_since"] is None
    _, _, key = checked["input"].removeprefix("s3://").partition("/")
    assert key == f"{names.PREFIX}/{runs.pipeline.name}/runs/{runs.pipeline.name.replace('_', '-')}" + (
        "-20240506T0000-g0/input.json"
    )
    document = json.loads(runs.client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert (document["first_day"], document["last_day"]) == ("2024-05-03", "2024-05-05")
    assert sorted(document["days"]) == ["2024-05-04", "2024-05-05"]


def test_the_next_run_names_the_days_that_have_changed_since(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    runs.put(FIRST + timedelta(days=2))
    runs.put(FIRST + timedelta(days=3), GOOD + b"another,row,no\n")
    runs.put(FIRST + timedelta(days=5), GOOD + b"5,x,no\n")
    changed = runs.check(FIRST + timedelta(days=5))["changed_since"]
    # The first of the days does not belong to this run's window.
    assert changed == {
        "run_id": f"{runs.pipeline.name.replace('_', '-')}-20240506T0000-g0",
        "days": 1,
        "changed": ["2024-05-04"],
        "arrived": [],
        "gone": [],
    }


def test_what_is_stale_is_listed_with_the_command_that_retrains_it(
    runs: Runs, local_aws: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("brewtrain.resources.find_pipeline", lambda name: runs.pipeline)
    assert stale.main([runs.pipeline.name, "--endpoint-url", local_aws]) == 0
    assert "0 of 2 interval(s) with a recorded run are stale" in capsys.readouterr().out
    runs.put(FIRST + timedelta(days=1), GOOD + b"another,row,no\n")
    runs.put(FIRST + timedelta(days=2))
    assert stale.main([runs.pipeline.name, "--endpoint-url", local_aws]) == 0
    slug = runs.pipeline.name.replace("_", "-")
    # Airflow's log may stand above.
    assert capsys.readouterr().out.splitlines()[-6:] == [
        f"{runs.pipeline.name}: 2 of 2 interval(s) with a recorded run are stale",
        f"  2024-05-06T00:00Z  {slug}-20240506T0000-g0 (promoted)  arrived: 2024-05-03",
        f"  2024-05-05T00:00Z  {slug}-20240505T0000-g0 (promoted)  changed: 2024-05-02; arrived: 2024-05-03",
        "",
        "retrain what is stale, and nothing else:",
        f"  airflow backfill create --dag-id {runs.pipeline.name}__retrain --from-date 2024-05-04T00:00:00+00:00 "
        "--to-date 2024-05-05T00:00:00+00:00 --reprocess-behavior completed --dag-run-conf "
        "'{\"only_if_stale\": true}'",
    ]


def test_a_run_that_is_asked_for_only_if_stale_is_skipped_unless_it_is(runs: Runs) -> None:
    newest = FIRST + timedelta(days=3)
    with pytest.raises(AirflowSkipException, match="has read the same data: there is nothing to retrain"):
        runs.check(newest, only_if_stale=True)
    runs.put(FIRST + timedelta(days=2))
    checked = runs.check(newest, only_if_stale=True)
    # An execution of its own: the interval's first one has read the old data.
    assert "-g0f" in checked["input"]
    assert checked["changed_since"]["arrived"] == ["2024-05-03"]


def test_an_interval_that_was_never_recorded_is_stale(runs: Runs) -> None:
    runs.put(FIRST + timedelta(days=5))
    assert runs.check(FIRST + timedelta(days=5), only_if_stale=True)["partitions"] == 3


def test_a_run_of_an_earlier_release_is_stale_as_far_as_one_knows(
    runs: Runs, local_aws: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    newest = FIRST + timedelta(days=3)
    runs.record(newest, {"input": None})
    assert runs.check(newest, only_if_stale=True)["changed_since"] is None
    monkeypatch.setattr("brewtrain.resources.find_pipeline", lambda name: runs.pipeline)
    stale.main([runs.pipeline.name, "--endpoint-url", local_aws])
    assert "of 1 it is not known what they have read" in capsys.readouterr().out
