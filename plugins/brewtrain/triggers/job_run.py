"""The wait for a run of a DataBrew job, in the triggerer and without a worker.

Must not import boto3 or a hook at module level.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from brewtrain.domain.errors import BrewtrainError, TransientError
from brewtrain.triggers.pace import EXECUTIONS, Pace
from brewtrain.triggers.waiting_task import WaitingTask

if TYPE_CHECKING:
    from brewtrain.hooks.databrew_quality import DataBrewQualityHook

ENDED, OVERDUE, REFUSED = "ended", "overdue", "refused"
"""Why a wait is over: the job run has ended or is gone, took too long, or AWS refuses to say."""
ENDED_STATES = frozenset({"SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT"})
# A refusal that lasts is not IAM's slow propagation.
REFUSALS_UNTIL_REPORTED = 3
# A profile job runs for minutes, and each wait makes calls of its own.
TEMPO = replace(EXECUTIONS, slowest_seconds=15.0)
# Airflow fails a task as lost if it goes on before the process that deferred it has ended: the news
# of that end then finds it running (process_executor_events of its scheduler, 3.3.2). A profile job
# runs for a minute at least.
FIRST_LOOK_SECONDS = 10.0
_STOP_TRIES = 5
_STOP_PAUSE_SECONDS = 1.0


class JobRunTrigger(BaseTrigger):
    """Waits until a job run has ended; how it ended the task on the worker asks AWS itself.

    :param job_name: Name of the job.
    :param run_id: Id of the job run.
    :param deadline: When it takes too long: ISO 8601, aware. It survives a triggerer's restart.
    :param aws_conn_id: Airflow connection of type ``aws``.
    """

    def __init__(self, job_name: str, run_id: str, deadline: str, aws_conn_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.job_name = job_name
        self.run_id = run_id
        self.deadline = deadline
        self.aws_conn_id = aws_conn_id
        self._ended = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments, from which a triggerer makes the trigger again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "job_name": self.job_name,
                "run_id": self.run_id,
                "deadline": self.deadline,
                "aws_conn_id": self.aws_conn_id,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the wait is over."""
        pace = Pace(time.monotonic, random.random, TEMPO)
        hook = await asyncio.to_thread(self._hook)
        await asyncio.sleep(FIRST_LOOK_SECONDS)
        refusals = 0
        while True:
            event: TriggerEvent | None = None
            try:
                event = await self._look(hook)
                pace.succeeded()
                refusals = 0
            except TransientError as error:
                pace.failed()
                self.log.warning("AWS did not answer, which is not the job's failure; asking again: %s", error)
            except BrewtrainError as error:
                pace.failed()
                refusals += 1
                self.log.warning("AWS refused to tell (%s of %s): %s", refusals, REFUSALS_UNTIL_REPORTED, error)
                if refusals >= REFUSALS_UNTIL_REPORTED:
                    event = _event(REFUSED, problem=str(error))
            if event is None and datetime.now(UTC) > datetime.fromisoformat(self.deadline):
                event = _event(OVERDUE)
            if event is not None:
                self._ended = True
                yield event
                return
            await asyncio.sleep(pace.delay_seconds(1))

    async def _look(self, hook: DataBrewQualityHook) -> TriggerEvent | None:
        found = await asyncio.to_thread(hook.describe_run, self.job_name, self.run_id)
        return _event(ENDED) if found is None or found.get("State") in ENDED_STATES else None

    def _hook(self) -> DataBrewQualityHook:
        from brewtrain.hooks.databrew_quality import DataBrewQualityHook

        return DataBrewQualityHook(self.aws_conn_id)

    async def on_kill(self) -> None:
        """Stop the job run: nobody will read its report.

        Airflow calls this when a person marks the waiting task, clears it or fails the run. It does
        the same to a wait that moves to another triggerer: its task is still deferred then. So is
        one that was cleared and waits again already; the setup that ran in between has stopped
        the job run.
        """
        if self._ended or self.task_instance is None:
            return
        state = await asyncio.to_thread(WaitingTask(self.task_instance).state)
        if state == "deferred":
            self.log.info("the task goes on waiting elsewhere: the job run is left alone")
            return
        for pause in range(_STOP_TRIES):
            try:
                await asyncio.to_thread(self._stop)
            except TransientError as error:
                self.log.warning("could not stop the job run yet: %s", error)
                await asyncio.sleep(_STOP_PAUSE_SECONDS * pause)
            else:
                self.log.info("stopped %s of %s: the task is %s now", self.run_id, self.job_name, state or "cleared")
                return

    def _stop(self) -> None:
        self._hook().stop_run(self.job_name, self.run_id)


def _event(why: str, *, problem: str = "") -> TriggerEvent:
    return TriggerEvent({"why": why, "problem": problem})  # type: ignore[no-untyped-call]
