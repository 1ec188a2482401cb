"""The wait for one stage of an execution, in the triggerer and without a worker.

All waits of one state machine share one poll (see :mod:`brewtrain.triggers.execution_watch`). The
trigger goes up the retry ladder itself, since nothing else runs before a stage's second try. Must
not import boto3 or a hook at module level.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Hashable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from brewtrain.domain.errors import BrewtrainError, DeploymentError, TransientError
from brewtrain.domain.links import execution_link
from brewtrain.domain.run.ladder import (
    STOPPED_ERROR,
    Action,
    Attempt,
    Execution,
    RerunMode,
    decide,
    redrive_token,
    stop_cause,
    stopped_before,
)
from brewtrain.domain.run.limits import DEADLINE_MARGIN
from brewtrain.domain.run.outcome import Outcome
from brewtrain.domain.run.stages import ACTIVE_STATUSES, FAILED_STATUSES, Observation, Stage, Verdict, judge
from brewtrain.links.retraining import EXECUTION, as_xcoms
from brewtrain.triggers.execution_watch import MISSING, ExecutionWatch, WatchKey, watch_for, watch_key

# Written by the worker that reports a failure, read by the next try: which life of which execution
# was reported.
REPORTED_XCOM_KEY = "reported_failure"
MISSING_GRACE = timedelta(seconds=60)
_LEFT_ALONE_STATES = frozenset({"success", "skipped"})
_STOP_TRIES = 5
_STOP_PAUSE_SECONDS = 1.0


class ExecutionStageTrigger(BaseEventTrigger):
    """Waits until an execution has left a stage.

    Ends its task as success or skipped by itself; anything else resumes the task on a worker, which
    raises.

    :param execution_arn: The execution; templated where the task starts in the triggerer.
    :param stage: The stage, one of :class:`~brewtrain.domain.run.stages.Stage`.
    :param aws_conn_id: Airflow connection of type ``aws``.
    :param rerun_mode: The DAG run's param.
    :param limit_seconds: How long the stage may take.
    :param attempt: Try number of the task; ``None`` where Airflow gives the trigger its task
        instance.
    :param ends_task: Whether the trigger may end its task. Not where a worker waits for the event,
        as in ``dag.test()``.
    :param prepared_try: Try number of the run's setup when the wait began; templated like
        ``execution_arn``. A clear runs the setup again, which is how a wait that was cleared is
        told from one that moved to another triggerer.
    :param start_task: Task that starts the execution.
    :param setup_task: The run's setup.
    """

    def __init__(
        self,
        execution_arn: str,
        stage: str,
        aws_conn_id: str,
        rerun_mode: str = "auto",
        limit_seconds: float = 86400.0,
        attempt: int | None = None,
        ends_task: bool = True,
        prepared_try: str | None = None,
        start_task: str = "start_execution",
        setup_task: str = "prepare_run",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.execution_arn = execution_arn
        self.stage = stage
        self.aws_conn_id = aws_conn_id
        self.rerun_mode = rerun_mode
        self.limit_seconds = limit_seconds
        self.attempt = attempt
        self.ends_task = ends_task
        self.prepared_try = prepared_try
        self.start_task = start_task
        self.setup_task = setup_task
        self.timeout_after: datetime | None = None
        self._started_at = time.monotonic()
        self._begun_at = datetime.now(UTC)
        self._ended = False
        self._redriven_life: int | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "execution_arn": self.execution_arn,
                "stage": self.stage,
                "aws_conn_id": self.aws_conn_id,
                "rerun_mode": self.rerun_mode,
                "limit_seconds": self.limit_seconds,
                "attempt": self.attempt,
                "ends_task": self.ends_task,
                "prepared_try": self.prepared_try,
                "start_task": self.start_task,
                "setup_task": self.setup_task,
            },
        )

    def shared_stream_key(self) -> Hashable | None:
        """Share the poll with every wait for the same state machine over the same connection."""
        try:
            return watch_key(self.aws_conn_id, self.execution_arn)
        except ValueError:
            return None

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """Poll for all members of the group; see :meth:`ExecutionWatch.stream`."""
        async for tick in watch_for(watch_key(kwargs["aws_conn_id"], kwargs["execution_arn"])).stream():
            yield tick

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Wait in the group's poll."""
        key: WatchKey = watch_key(self.aws_conn_id, self.execution_arn)
        async for event in self._wait(watch_for(key), shared_stream):
            yield event

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait alone, with a poll of its own: what ``dag.test()`` does."""
        try:
            _, _, state_machine_arn = watch_key(self.aws_conn_id, self.execution_arn)
        except ValueError:
            yield self._event(
                "problem",
                problem=f"task {self.stage!r} has no execution to wait for ({self.start_task} returned "
                f"{self.execution_arn!r}); clear {self.start_task} with everything downstream",
            )
            return
        watch = ExecutionWatch(self.aws_conn_id, state_machine_arn)
        async for event in self._wait(watch, watch.stream()):
            yield event

    async def _wait(self, watch: ExecutionWatch, ticks: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        stage = Stage(self.stage)
        # The last stage waits for the end alone, whatever state brings it.
        with watch.interest(self.execution_arn, needs_state=stage is not Stage.DEPLOY):
            async for _ in ticks:
                event = await self._consider(watch, stage)
                if event is not None:
                    self._ended = True
                    yield event
                    return

    async def _consider(self, watch: ExecutionWatch, stage: Stage) -> TriggerEvent | None:
        if watch.problem is not None:
            return self._event("problem", problem=watch.problem)
        seen = watch.views.get(self.execution_arn)
        try:
            event = None if seen is None else await self._judge(watch, stage, seen)
        except TransientError as error:
            self.log.warning("AWS did not answer, which is not the job's failure; asking again: %s", error)
            event = None
        except BrewtrainError as error:
            return self._event("problem", problem=str(error))
        if event is None and self._late():
            return self._event("late")
        return event

    async def _judge(self, watch: ExecutionWatch, stage: Stage, seen: Observation) -> TriggerEvent | None:
        if seen.status == MISSING:
            if datetime.now(UTC) - self._begun_at < MISSING_GRACE:
                # DescribeExecution is eventually consistent: an execution just started may not be
                # there yet.
                return None
            return self._event("failed", action=Action.MISSING)
        stale = self._redriven_life is not None and (seen.redrive_count or 0) <= self._redriven_life
        if stale and seen.status not in ACTIVE_STATUSES:
            # Step Functions' answers are eventually consistent: this is the execution before this
            # try redrove it.
            return None
        verdict = judge(stage, seen)
        if verdict is Verdict.WAIT:
            return None
        if verdict in (Verdict.OVER, Verdict.SKIPPED):
            return self._end(stage, verdict, seen)
        return await self._climb(watch, seen)

    async def _climb(self, watch: ExecutionWatch, seen: Observation) -> TriggerEvent | None:
        hook = await asyncio.to_thread(watch.hook)
        execution = await asyncio.to_thread(hook.describe, self.execution_arn)
        known = False
        if execution is not None and execution.status in FAILED_STATUSES:
            stopped = stopped_before(
                execution, self._task_id(), self._attempt_number(), self._begun_at, self._setup_number()
            )
            known = stopped or await self._reported(execution)
        action = decide(execution, Attempt(failure_known=known, rerun_mode=_rerun_mode(self.rerun_mode)))
        if action in (Action.ATTACH, Action.FINISH):
            return None
        if action is Action.REDRIVE and execution is not None:
            return await self._redrive(watch, execution)
        return self._event("failed", action=action, state=seen.state)

    async def _redrive(self, watch: ExecutionWatch, execution: Execution) -> TriggerEvent | None:
        if self.task_instance is not None and await asyncio.to_thread(self._task_state) != "deferred":
            # Cleared, or failed by hand: this wait is about to be cancelled, and is nobody's any
            # more.
            return None
        self._redriven_life = execution.redrive_count
        hook = await asyncio.to_thread(watch.hook)
        if await asyncio.to_thread(hook.redrive, execution.arn, redrive_token(execution)):
            self.log.info("redrove %s from its failed state (redrive %s)", execution.name, execution.redrive_count + 1)
            watch.views.pop(self.execution_arn, None)
            watch.expect_change()
            return None
        now = await asyncio.to_thread(hook.describe, self.execution_arn)
        if now is not None and (now.active or now.redrive_count > execution.redrive_count):
            self.log.info("%s runs again already", execution.name)
            return None
        return self._event("failed", action=Action.ADVISE_FRESH)

    def _end(self, stage: Stage, verdict: Verdict, seen: Observation) -> TriggerEvent:
        result: dict[str, Any] = {
            "stage": stage.value,
            "execution_arn": self.execution_arn,
            "status": seen.status,
            "state": seen.state,
            "setup": self._setup_number(),
        }
        if stage in (Stage.GATE, Stage.DEPLOY):
            # A gate that has been left while the execution goes on has let the model through.
            outcome = Outcome.of(seen.output) if seen.status == "SUCCEEDED" else None
            if stage is Stage.GATE:
                result["passed"] = outcome is None or outcome.passed_gate
            if outcome is not None:
                result |= {"outcome": outcome.outcome, "reason": outcome.reason, "message": outcome.message}
                self.log.info("%s: %s", outcome.outcome, outcome.message)
        self.log.info("stage %s is over (execution %s, state %s)", stage.value, seen.status, seen.state)
        if not self.ends_task:
            return self._event(verdict.value, result=result)
        # No worker, so nobody else would leave the links.
        xcoms = {"return_value": result, **as_xcoms({EXECUTION: execution_link(self.execution_arn)})}
        if verdict is Verdict.SKIPPED:
            return TaskSkippedEvent(xcoms=xcoms)
        return TaskSuccessEvent(xcoms=xcoms)

    @staticmethod
    def _event(kind: str, **content: Any) -> TriggerEvent:
        return TriggerEvent({"kind": kind, **content})  # type: ignore[no-untyped-call]

    def _late(self) -> bool:
        if self.timeout_after is not None:
            limit = self.timeout_after
            if limit.tzinfo is None:
                limit = limit.replace(tzinfo=UTC)
            return datetime.now(UTC) > limit - DEADLINE_MARGIN
        return time.monotonic() - self._started_at > self.limit_seconds

    def _task_id(self) -> str:
        return self.task_id or self.stage

    def _attempt_number(self) -> int:
        if self.attempt is not None:
            return self.attempt
        return int(getattr(self.task_instance, "try_number", 1) or 1)

    def _setup_number(self) -> int | None:
        text = str(self.prepared_try)
        return int(text) if text.isdecimal() else None

    async def _reported(self, execution: Execution) -> bool:
        """Whether an earlier try of the task has reported this very failure."""
        instance = self.task_instance
        if instance is None or self._attempt_number() <= 1:
            return False

        def read() -> Any:
            from airflow.sdk.bases.xcom import BaseXCom

            return BaseXCom.get_one(
                key=REPORTED_XCOM_KEY,
                dag_id=instance.dag_id,
                task_id=instance.task_id,
                run_id=instance.run_id,
                map_index=-1,
            )

        record = await asyncio.to_thread(read)
        return (
            isinstance(record, Mapping)
            and record.get("execution_arn") == execution.arn
            and record.get("redrive_count") == execution.redrive_count
        )

    async def on_kill(self) -> None:
        """Stop the execution, and with it its jobs, unless the task was marked success.

        Airflow calls this when a person marks the waiting task, clears it or fails the run, not
        when a triggerer stops.
        """
        if self._ended or self.task_instance is None:
            return
        state = await asyncio.to_thread(self._task_state)
        if state in _LEFT_ALONE_STATES:
            self.log.info("task is %s now: the execution is left alone", state)
            return
        if state == "deferred" and not await asyncio.to_thread(self._cleared):
            # Airflow cancels a wait in the same way when it gives it to another triggerer.
            self.log.info("task goes on waiting elsewhere: the execution is left alone")
            return
        if await asyncio.to_thread(self._passed_again):
            # Airflow cancels a cleared wait only when its task has a state again. By then the stage
            # before this one, cleared with it, has seen the execution through: it must not be
            # stopped under the new tries.
            self.log.info("the stage before has been passed again since: the execution is left alone")
            return
        cause = stop_cause(self._task_id(), self._attempt_number(), self._setup_number())
        for pause in range(_STOP_TRIES):
            try:
                await asyncio.to_thread(self._stop, cause)
            except TransientError as error:
                self.log.warning("could not stop the execution yet: %s", error)
                await asyncio.sleep(_STOP_PAUSE_SECONDS * pause)
            else:
                self.log.info("stopped %s: task is %s now", self.execution_arn, state or "cleared")
                return

    def _stop(self, cause: str) -> None:
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        StepFunctionsHook(aws_conn_id=self.aws_conn_id).stop(self.execution_arn, error=STOPPED_ERROR, cause=cause)

    def _cleared(self) -> bool:
        """Whether the run's setup has run again since this wait began, as it does for a clear and for nothing else."""
        from airflow.sdk.bases.xcom import BaseXCom

        instance = self.task_instance
        assert instance is not None
        prepared = BaseXCom.get_one(
            key="return_value", dag_id=instance.dag_id, task_id=self.setup_task, run_id=instance.run_id, map_index=-1
        )
        now = prepared.get("try_number") if isinstance(prepared, Mapping) else None
        return now is not None and str(now) != str(self.prepared_try)

    def _passed_again(self) -> bool:
        """Whether the stage before this one has ended in a try that a later clear began."""
        from airflow.sdk.bases.xcom import BaseXCom

        instance = self.task_instance
        assert instance is not None
        mine, position = self._setup_number(), Stage(self.stage).position
        if mine is None or position == 0:
            return False
        result = BaseXCom.get_one(
            key="return_value",
            dag_id=instance.dag_id,
            task_id=list(Stage)[position - 1].value,
            run_id=instance.run_id,
            map_index=-1,
        )
        setup = result.get("setup") if isinstance(result, Mapping) else None
        return isinstance(setup, int) and setup > mine

    def _task_state(self) -> str | None:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        instance = self.task_instance
        assert instance is not None
        states = RuntimeTaskInstance.get_task_states(
            dag_id=instance.dag_id, task_ids=[instance.task_id], run_ids=[instance.run_id]
        )
        found = states.get(instance.run_id, {})
        state = found.get(instance.task_id)
        return None if state is None else str(state)


def _rerun_mode(text: str) -> RerunMode:
    if text == "redrive":
        return "redrive"
    if text == "fresh":
        return "fresh"
    if text == "auto":
        return "auto"
    raise DeploymentError(f"param rerun_mode is {text!r}; write auto, redrive or fresh")
