"""The wait for one stage of an execution, in the triggerer and without a worker.

All waits for one state machine share one poll (see :mod:`brewtrain.triggers.execution_watch`). The
trigger climbs the retry ladder itself, since nothing else runs before a stage's second try. Must
not import boto3 or a hook at module level.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Hashable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from brewtrain.airflow_names import PASSED_STATES, PREPARE_RUN, RETURN_VALUE, START_EXECUTION
from brewtrain.domain.errors import BrewtrainError, DeploymentError, TransientError
from brewtrain.domain.failure import error_names
from brewtrain.domain.links import execution_link
from brewtrain.domain.run.ladder import (
    RERUN_MODES,
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
from brewtrain.domain.run.stages import (
    ACTIVE_STATUSES,
    FAILED_STATUSES,
    Observation,
    Stage,
    StageProgress,
    progress_of,
)
from brewtrain.links.retraining import EXECUTION, as_xcoms
from brewtrain.triggers.execution_watch import MISSING, ExecutionWatch, WatchKey, watch_for, watch_key
from brewtrain.triggers.stage_events import (
    StageEvent,
    StageFailed,
    StageOver,
    StageOverdue,
    StageSkipped,
    WaitProblem,
    serialize,
)
from brewtrain.triggers.waiting_task import WaitingTask

MISSING_GRACE = timedelta(seconds=60)
_STOP_TRIES = 5
_STOP_PAUSE_SECONDS = 1.0


class ExecutionStageTrigger(BaseEventTrigger):
    """Waits until an execution has left a stage.

    It ends its task as success or skipped by itself. Anything else resumes the task on a worker,
    which raises.

    :param execution_arn: The execution; templated where the task starts in the triggerer.
    :param stage: The stage, one of :class:`~brewtrain.domain.run.stages.Stage`.
    :param aws_conn_id: Airflow connection of type ``aws``.
    :param rerun_mode: The DAG run's param.
    :param limit_seconds: How long the stage may take.
    :param attempt: Try number of the task; ``None`` where Airflow gives the trigger its task
        instance.
    :param ends_task: Whether the trigger may end its task. It may not where a worker waits for the
        event, as in ``dag.test()``.
    :param prepared_try: Try number of the run's setup when the wait began; templated like
        ``execution_arn``. A clear runs the setup again: by that a cleared wait is told from one
        that moved to another triggerer.
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
        start_task: str = START_EXECUTION,
        setup_task: str = PREPARE_RUN,
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
        """Return class path and arguments, from which a triggerer makes the trigger again."""
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
        """Wait for ticks of the poll that the group shares."""
        key: WatchKey = watch_key(self.aws_conn_id, self.execution_arn)
        async for event in self._wait(watch_for(key), shared_stream):
            yield event

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait with a poll for this trigger alone, as in ``dag.test()``."""
        try:
            _, _, state_machine_arn = watch_key(self.aws_conn_id, self.execution_arn)
        except ValueError:
            yield _resume(
                WaitProblem(
                    f"task {self.stage!r} has no execution to wait for ({self.start_task} returned "
                    f"{self.execution_arn!r}); clear {self.start_task} and everything downstream"
                )
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
            return _resume(WaitProblem(watch.problem))
        seen = watch.views.get(self.execution_arn)
        try:
            event = None if seen is None else await self._look(watch, stage, seen)
        except TransientError as error:
            self.log.warning("AWS did not answer, which is not the job's failure; asking again: %s", error)
            event = None
        except BrewtrainError as error:
            return _resume(WaitProblem(str(error)))
        if event is None and self._overdue():
            return _resume(StageOverdue())
        return event

    async def _look(self, watch: ExecutionWatch, stage: Stage, seen: Observation) -> TriggerEvent | None:
        """Return the event that an observation leads to; ``None`` to wait on."""
        if seen.status == MISSING:
            if datetime.now(UTC) - self._begun_at < MISSING_GRACE:
                # DescribeExecution is eventually consistent: an execution just started may not be
                # there yet.
                return None
            return _resume(StageFailed(Action.MISSING))
        stale = self._redriven_life is not None and (seen.redrive_count or 0) <= self._redriven_life
        if stale and seen.status not in ACTIVE_STATUSES:
            # Step Functions is eventually consistent: this is the execution before this
            # try redrove it.
            return None
        match progress_of(stage, seen):
            case StageProgress.WAIT:
                return None
            case StageProgress.OVER:
                return self._over(stage, seen)
            case StageProgress.SKIPPED:
                return self._skipped(stage, seen)
            case StageProgress.FAILED | StageProgress.UNKNOWN:
                return await self._climb(watch)

    async def _climb(self, watch: ExecutionWatch) -> TriggerEvent | None:
        """Decide by the ladder what to do with an execution that is not as it should be."""
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
        return _resume(StageFailed(action))

    async def _redrive(self, watch: ExecutionWatch, execution: Execution) -> TriggerEvent | None:
        if self.task_instance is not None and await asyncio.to_thread(self._task().state) != "deferred":
            # Cleared, or failed by hand: this wait is about to be cancelled.
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
        return _resume(StageFailed(Action.ADVISE_FRESH))

    def _over(self, stage: Stage, seen: Observation) -> TriggerEvent:
        result, _ = self._result(stage, seen)
        if not self.ends_task:
            return _resume(StageOver(result))
        return TaskSuccessEvent(xcoms=self._xcoms(result))

    def _skipped(self, stage: Stage, seen: Observation) -> TriggerEvent:
        result, outcome = self._result(stage, seen)
        if not self.ends_task:
            return _resume(StageSkipped((outcome.message if outcome else "") or "the model was not deployed"))
        return TaskSkippedEvent(xcoms=self._xcoms(result))

    def _result(self, stage: Stage, seen: Observation) -> tuple[dict[str, Any], Outcome | None]:
        """Return what the task returns, and the execution's outcome where the stage tells it."""
        result: dict[str, Any] = {
            "stage": stage.value,
            "execution_arn": self.execution_arn,
            "status": seen.status,
            "state": seen.state,
            "setup": self._setup_number(),
        }
        outcome = None
        if stage in (Stage.GATE, Stage.DEPLOY):
            # A gate that has been left while the execution goes on has let the model through.
            outcome = Outcome.of(seen.output) if seen.status == "SUCCEEDED" else None
            if stage is Stage.GATE:
                result["passed"] = outcome is None or outcome.passed_gate
            if outcome is not None:
                result |= {"outcome": outcome.outcome, "reason": outcome.reason, "message": outcome.message}
                self.log.info("%s: %s", outcome.outcome, outcome.message)
        self.log.info("stage %s is over (execution %s, state %s)", stage.value, seen.status, seen.state)
        return result, outcome

    def _xcoms(self, result: dict[str, Any]) -> dict[str, Any]:
        # There is no worker, so that nobody else would leave the links.
        return {RETURN_VALUE: result, **as_xcoms({EXECUTION: execution_link(self.execution_arn)})}

    def _overdue(self) -> bool:
        """Whether the stage has taken longer than its limit."""
        if self.timeout_after is not None:
            limit = self.timeout_after
            if limit.tzinfo is None:
                limit = limit.replace(tzinfo=UTC)
            return datetime.now(UTC) > limit - DEADLINE_MARGIN
        return time.monotonic() - self._started_at > self.limit_seconds

    def _task(self) -> WaitingTask:
        assert self.task_instance is not None
        return WaitingTask(self.task_instance)

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
        if self.task_instance is None or self._attempt_number() <= 1:
            return False
        record = await asyncio.to_thread(self._task().reported_failure)
        return record.get("execution_arn") == execution.arn and record.get("redrive_count") == execution.redrive_count

    async def on_kill(self) -> None:
        """Stop the execution, and with it its jobs, unless the task was marked success.

        Airflow calls this when a person marks the waiting task, clears it or fails the run, and not
        when a triggerer stops.
        """
        if self._ended or self.task_instance is None:
            return
        state = await asyncio.to_thread(self._task().state)
        if state in PASSED_STATES:
            self.log.info("the task is %s now: the execution is left alone", state)
            return
        if state == "deferred" and not await asyncio.to_thread(self._cleared):
            # Airflow cancels a wait in the same way when it gives it to another triggerer.
            self.log.info("the task goes on waiting elsewhere: the execution is left alone")
            return
        if await asyncio.to_thread(self._passed_again):
            # Airflow cancels a cleared wait only when its task has a state again. Meanwhile the
            # stage before this one, cleared with it, has seen the execution through: it must not be
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
                self.log.info("stopped %s: the task is %s now", self.execution_arn, state or "cleared")
                return

    def _stop(self, cause: str) -> None:
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        StepFunctionsHook(aws_conn_id=self.aws_conn_id).stop(self.execution_arn, error=error_names.STOPPED, cause=cause)

    def _cleared(self) -> bool:
        """Whether the run's setup has run again since this wait began, as only a clear does."""
        now = self._task().returned_by(self.setup_task).get("try_number")
        return now is not None and str(now) != str(self.prepared_try)

    def _passed_again(self) -> bool:
        """Whether the stage before this one has ended in a try that a later clear began."""
        mine, position = self._setup_number(), Stage(self.stage).position
        if mine is None or position == 0:
            return False
        theirs = self._task().returned_by(list(Stage)[position - 1].value).get("setup")
        return isinstance(theirs, int) and theirs > mine


def _resume(event: StageEvent) -> TriggerEvent:
    """Return the event that resumes the task on a worker."""
    return TriggerEvent(serialize(event))  # type: ignore[no-untyped-call]


def _rerun_mode(text: str) -> RerunMode:
    for mode in RERUN_MODES:
        if text == mode:
            return mode
    raise DeploymentError(f"param rerun_mode is {text!r}; write auto, redrive or fresh")
