"""`check_input` where data may be late: it looks, waits, looks again, and says what is missing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from brewtrain.airflow_names import CARD
from brewtrain.domain.errors import DeploymentError, InputError
from brewtrain.triggers.arrival_outcome import DataArrived, DataLate, WaitImpossible, serialize
from tests.fixtures.switched_execution import SwitchedExecution

DAY = date(2024, 2, 1)
DUE = datetime(2024, 2, 2, tzinfo=UTC)
GOOD = b"age;job;y\n30;admin;no\n"


class Task:
    """`check_input` of one run.

    :param account: Where its data is.
    :param source: Fields of the pipeline's source.
    """

    def __init__(self, account: SwitchedExecution, **source: Any) -> None:
        from brewtrain.domain.pipeline.file import Pipeline
        from brewtrain.operators.partition import CheckPartitionOperator

        document = account.pipeline.model_dump(exclude_none=True)
        document["source"] |= source
        self.pipeline = Pipeline.model_validate(document)
        self.operator = CheckPartitionOperator(task_id="check_input", pipeline=self.pipeline)
        self.xcoms: dict[str, Any] = {}
        self.run = SimpleNamespace(
            run_id="scheduled__2024-02-02",
            clear_number=0,
            run_type="scheduled",
            run_after=datetime.now(UTC),
            start_date=None,
            data_interval_start=DUE - timedelta(days=1),
            data_interval_end=DUE,
        )

    @property
    def context(self) -> Any:
        """Airflow's context."""
        instance = SimpleNamespace(xcom_push=lambda key, value: self.xcoms.update({key: value}))
        return {"dag_run": self.run, "params": {}, "ti": instance}

    def execute(self) -> Any:
        """Run the task: what it returns, or how it defers itself."""
        from airflow.sdk.exceptions import TaskDeferred

        try:
            return self.operator.execute(self.context)
        except TaskDeferred as deferred:
            return deferred

    def resume(self, outcome: Any) -> Any:
        """Go on after a wait."""
        since = self.run.run_after.isoformat()
        return self.operator.resume(self.context, serialize(outcome), since=since)


@pytest.fixture(autouse=True)
def _known(account: SwitchedExecution, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty the source, and have no other pipeline claim the endpoint."""
    s3 = account.client("s3")
    prefix = account.pipeline.source.layout.literal_prefix
    for item in s3.list_objects_v2(Bucket=account.bucket, Prefix=prefix).get("Contents", ()):
        s3.delete_object(Bucket=account.bucket, Key=item["Key"])
    monkeypatch.setattr("brewtrain.resources.check_endpoint_claim", lambda pipeline: None)


def test_data_that_is_there_is_not_waited_for(account: SwitchedExecution) -> None:
    account.deliver(DAY, body=GOOD)
    assert Task(account, wait="6h").execute()["files"] == 1


def test_a_partition_that_is_missing_is_waited_for(account: SwitchedExecution) -> None:
    task = Task(account, wait="6h", complete_when={"marker": "_SUCCESS"})
    account.deliver(DAY, body=GOOD)
    deferred = task.execute()
    _, arguments = deferred.trigger.serialize()
    assert arguments["day"] == "2024-02-01"
    assert arguments["complete_when"] == {"marker": "_SUCCESS"}
    assert datetime.fromisoformat(arguments["until"]) == task.run.run_after + timedelta(hours=6)
    assert deferred.timeout is None, "Airflow would fail it without the card"
    assert deferred.method_name == "resume"
    assert task.resume(DataArrived())["files"] == 1


def test_without_a_wait_it_is_red_at_once_as_ever(account: SwitchedExecution) -> None:
    with pytest.raises(InputError, match=r"dt=2024-02-01/ has no files: .* deliver it, then clear check_input"):
        Task(account).execute()


def test_a_condition_without_a_wait_is_red_at_once(account: SwitchedExecution) -> None:
    account.deliver(DAY, body=GOOD)
    task = Task(account, complete_when={"minimum_bytes": 1000})
    with pytest.raises(InputError) as raised:
        task.execute()
    assert str(raised.value) == (
        f"s3://{account.bucket}/data/{account.pipeline.name}/dt=2024-02-01/ is not complete: there are 22 of at "
        "least 1,000 bytes; deliver the partition of 2024-02-01, then clear check_input"
    )


def test_too_late_is_red_with_a_card(account: SwitchedExecution) -> None:
    for number in range(1, 4):
        account.deliver(DAY - timedelta(days=number), body=GOOD)
    task = Task(account, wait="6h", complete_when={"marker": "_SUCCESS"})
    task.run.run_after = datetime.now(UTC) - timedelta(hours=6, minutes=1)
    account.deliver(DAY, body=GOOD)
    with pytest.raises(InputError, match=r"is not complete after a wait of 6 h, until .*: the marker .*_SUCCESS is"):
        task.execute()
    card = task.xcoms[CARD]
    path = f"s3://{account.bucket}/data/{account.pipeline.name}/dt=2024-02-01/"
    for line in (
        rf"looked for     {path}",
        r"complete when  marker: _SUCCESS",
        r"there is       1 file(s) with 22 bytes; the newest is of ",
        "runbook        docs/runbooks/data-late.md",
        "before         none of the 7 days before has what is looked for",
    ):
        assert line in card


def test_the_card_says_what_came_late_before(account: SwitchedExecution) -> None:
    for number in range(1, 10):
        account.deliver(DAY - timedelta(days=number), body=GOOD)
    task = Task(account, wait="1m")
    task.run.run_after = datetime.now(UTC) - timedelta(minutes=2)
    with pytest.raises(InputError):
        task.execute()
    before = next(line for line in task.xcoms[CARD].splitlines() if "before  " in line)
    assert "the last writes of the last 7 day(s) were" in before
    assert "after the day's end (the latest: that of 2024-01-25)" in before
    assert "there is       nothing" in task.xcoms[CARD]


def test_the_last_object_may_come_with_the_end_of_the_wait(account: SwitchedExecution) -> None:
    task = Task(account, wait="6h")
    account.deliver(DAY, body=GOOD)
    assert task.resume(DataLate())["files"] == 1


def test_a_wait_that_ends_without_data_is_red(account: SwitchedExecution) -> None:
    task = Task(account, wait="6h")
    with pytest.raises(InputError, match="no file with data is there"):
        task.resume(DataLate())
    assert "ON CALL" in task.xcoms[CARD]


def test_a_wait_that_aws_refuses_is_the_deployments_fault(account: SwitchedExecution) -> None:
    with pytest.raises(DeploymentError, match=r"^why$"):
        Task(account, wait="6h").resume(WaitImpossible("why"))
    with pytest.raises(DeploymentError, match="'check_input' was resumed by another trigger"):
        Task(account).operator.resume(Task(account).context, {"kind": "over"})


def test_data_that_came_is_still_checked(account: SwitchedExecution) -> None:
    account.deliver(DAY, body=b"age;y\n1;2\n")
    with pytest.raises(InputError, match=r"lacks the column\(s\) 'job'"):
        Task(account, wait="6h").resume(DataArrived())


def test_an_old_interval_of_a_backfill_is_not_waited_for(account: SwitchedExecution) -> None:
    task = Task(account, wait="6h")
    task.run.run_after = DUE
    with pytest.raises(InputError, match="is not complete after a wait of 6 h, until 2024-02-02 06:00 UTC"):
        task.execute()


def test_a_clear_waits_again_as_long_from_then(account: SwitchedExecution) -> None:
    task = Task(account, wait="6h")
    task.run.run_after, task.run.clear_number, task.run.start_date = DUE, 1, datetime.now(UTC)
    _, arguments = task.execute().trigger.serialize()
    assert datetime.fromisoformat(arguments["until"]) == task.run.start_date + timedelta(hours=6)


def test_the_newest_day_of_a_week_is_waited_for(account: SwitchedExecution) -> None:
    task = Task(account, wait="6h")
    task.run.data_interval_start = DUE - timedelta(days=7)
    account.deliver(DAY - timedelta(days=2), body=GOOD)
    assert task.execute().trigger.serialize()[1]["day"] == "2024-02-01"


def test_a_run_before_the_start_date_is_refused_and_not_waited_for(account: SwitchedExecution) -> None:
    task = Task(account, wait="6h")
    task.run.data_interval_end = datetime(2023, 2, 2, tzinfo=UTC)
    task.run.data_interval_start = datetime(2023, 2, 1, tzinfo=UTC)
    with pytest.raises(InputError, match="before start_date"):
        task.execute()
