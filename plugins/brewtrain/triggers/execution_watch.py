"""One poll of all executions of a state machine, shared by all who wait for one of them.

So N waits cost about as many calls as one: ListExecutions tells which still run, and each poll
reads a few histories, in turn, which tell the state. boto3's client is called in a thread; each
watch has one client. Must not import boto3 or a hook at module level: the triggerer imports this
module in its event loop.

Airflow's shared streams run :meth:`ExecutionWatch.stream`, one for each group, and wake every
waiting trigger after each poll.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from brewtrain.domain.errors import BrewtrainError, TransientError
from brewtrain.domain.run.execution_history import end_status, last_state_entered
from brewtrain.domain.run.stages import ACTIVE_STATUSES, FAILED_STATUSES, Observation
from brewtrain.triggers.pace import Pace

if TYPE_CHECKING:
    from brewtrain.hooks.stepfunctions import StepFunctionsHook

log = logging.getLogger(__name__)

MISSING = "MISSING"
# Up to so many waits each execution is asked for by itself: one call tells status and state.
ONE_BY_ONE_UP_TO = 4
HISTORIES_PER_POLL = 8
HISTORY_EVENTS = 25
HISTORY_EVENTS_WIDE = 500
# A refusal that lasts is not IAM's slow propagation: then everybody who waits is told.
REFUSALS_UNTIL_REPORTED = 3
# After so long the connection is read again, in case somebody has fixed or rotated it.
CLIENT_LIFETIME_SECONDS = 600.0
_JOIN_GRACE_SECONDS = 0.1

WatchKey = tuple[str, str, str]


def state_machine_of(execution_arn: str) -> str:
    """Return the ARN of the state machine that an execution belongs to.

    :raises ValueError: If the text is not the ARN of an execution.
    """
    parts = execution_arn.split(":")
    if len(parts) != 8 or parts[0] != "arn" or parts[2] != "states" or parts[5] != "execution":
        raise ValueError(f"{execution_arn!r} is not the ARN of an execution")
    return ":".join([*parts[:5], "stateMachine", parts[6]])


def watch_key(aws_conn_id: str, execution_arn: str) -> WatchKey:
    """Return what waits must have in common to share a poll: connection and state machine.

    The state machine's ARN names the region.

    :raises ValueError: If the text is not the ARN of an execution.
    """
    return ("brewtrain-executions", aws_conn_id, state_machine_of(execution_arn))


class ExecutionWatch:
    """Polls the executions that somebody waits for.

    :param aws_conn_id: Airflow connection of type ``aws``.
    :param state_machine_arn: Without version or alias.
    :param clock: Monotonic seconds.
    :param pace: How fast to poll; a new one of this clock if not given.
    """

    def __init__(
        self,
        aws_conn_id: str,
        state_machine_arn: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        pace: Pace | None = None,
    ) -> None:
        self._aws_conn_id = aws_conn_id
        self._state_machine_arn = state_machine_arn
        self._clock = clock
        self._pace = pace or Pace(clock, random.random)
        self._interests: dict[int, tuple[str, bool]] = {}
        self._tokens = itertools.count()
        self._turn: list[str] = []
        self._hook: StepFunctionsHook | None = None
        self._hook_made_at = 0.0
        self._refusals = 0
        self._joined = asyncio.Event()
        self.views: dict[str, Observation] = {}
        self.problem: str | None = None

    @contextmanager
    def interest(self, execution_arn: str, *, needs_state: bool) -> Iterator[None]:
        """Have an execution polled while the block runs.

        :param needs_state: Whether the state it is in matters, or only its end.
        """
        token = next(self._tokens)
        self._interests[token] = (execution_arn, needs_state)
        self._pace.changed()
        self._joined.set()
        try:
            yield
        finally:
            del self._interests[token]
            if all(arn != execution_arn for arn, _ in self._interests.values()):
                self.views.pop(execution_arn, None)

    def expect_change(self) -> None:
        """Poll soon: somebody has just changed an execution."""
        self._pace.changed()
        self._joined.set()

    async def stream(self) -> AsyncIterator[None]:
        """Poll for ever.

        It yields after every poll, so that waits can look at :attr:`views` and at the clock.
        """
        self._refusals = 0
        self.problem = None
        while True:
            self._joined.clear()
            if self._interests:
                await self.poll()
                yield
            try:
                # Not wait_for: in Python 3.11 it loses a cancellation that comes with a wake-up.
                async with asyncio.timeout(self.delay_seconds()):
                    await self._joined.wait()
            except TimeoutError:
                continue
            # After a restart many waits begin at once; let them all in before the poll.
            await asyncio.sleep(_JOIN_GRACE_SECONDS)

    def _wanted(self) -> dict[str, bool]:
        wanted: dict[str, bool] = {}
        for arn, needs_state in self._interests.values():
            wanted[arn] = wanted.get(arn, False) or needs_state
        return wanted

    def delay_seconds(self) -> float:
        """Return how many seconds to sleep before the next poll."""
        wanted = self._wanted()
        # A list that leaves no call for a history would never tell a state.
        cost = len(wanted) if len(wanted) <= ONE_BY_ONE_UP_TO else 1 + any(wanted.values())
        return self._pace.delay_seconds(cost)

    async def poll(self) -> None:
        """Look once at the executions that somebody waits for, and update :attr:`views`.

        An error of AWS is logged and raised to nobody: the next poll may be answered.
        """
        wanted = self._wanted()
        try:
            seen, calls = await asyncio.to_thread(self._poll, wanted, self._pace.affordable() - 1)
        except TransientError as error:
            self._pace.failed()
            log.warning("poll %s in a row failed, which is not the job's failure: %s", self._pace.failures, error)
            return
        except BrewtrainError as error:
            self._pace.failed()
            self._refusals += 1
            self._hook = None
            log.warning("AWS refused the poll (%s of %s): %s", self._refusals, REFUSALS_UNTIL_REPORTED, error)
            if self._refusals >= REFUSALS_UNTIL_REPORTED:
                self.problem = str(error)
            return
        self._pace.spend(calls)
        self._pace.succeeded()
        self._refusals = 0
        self.problem = None
        for arn, observation in seen.items():
            if self.views.get(arn) != observation:
                self._pace.changed()
            self.views[arn] = observation

    def hook(self) -> StepFunctionsHook:
        """Return the watch's hook. Blocks: call it in a thread."""
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        if self._hook is None or self._clock() - self._hook_made_at > CLIENT_LIFETIME_SECONDS:
            self._hook = StepFunctionsHook(aws_conn_id=self._aws_conn_id)
            self._hook_made_at = self._clock()
        return self._hook

    def _poll(self, wanted: dict[str, bool], spare_calls: int) -> tuple[dict[str, Observation], int]:
        hook = self.hook()
        if len(wanted) <= ONE_BY_ONE_UP_TO:
            return self._poll_one_by_one(hook, wanted)
        running = hook.running(self._state_machine_arn)
        calls = 1
        seen: dict[str, Observation] = {}
        for arn in wanted:
            if arn in running:
                known = self.views.get(arn)
                state = known.state if known is not None else None
                seen[arn] = Observation("RUNNING", running[arn], state)
            else:
                # A wait looks at an end once. Only an end that is looked at again, because nobody
                # took it, counts as a call of the poll.
                again = arn in self.views and self.views[arn].status not in ACTIVE_STATUSES
                seen[arn], made = self._describe(hook, arn)
                calls += made if again else 0
        # Which executions have ended is known now. That one has entered another state can wait for
        # the next poll.
        undecided = [arn for arn, needs_state in wanted.items() if needs_state and arn in running]
        for arn in self._next_in_turn(undecided, min(HISTORIES_PER_POLL, spare_calls)):
            state, made = self._state(hook, arn)
            calls += made
            seen[arn] = Observation("RUNNING", running[arn], state or seen[arn].state)
        return seen, calls

    def _poll_one_by_one(self, hook: StepFunctionsHook, wanted: dict[str, bool]) -> tuple[dict[str, Observation], int]:
        seen: dict[str, Observation] = {}
        calls = 0
        for arn, needs_state in wanted.items():
            if needs_state and arn in self.views and self.views[arn].status != MISSING:
                events = hook.newest_events(arn, limit=HISTORY_EVENTS)
                calls += 1
                if end_status(events) is None:
                    known = self.views[arn]
                    seen[arn] = Observation("RUNNING", known.redrive_count, last_state_entered(events) or known.state)
                    continue
            seen[arn], made = self._describe(hook, arn)
            calls += made
            if needs_state and seen[arn].status == "RUNNING":
                state, made = self._state(hook, arn)
                calls += made
                seen[arn] = Observation("RUNNING", seen[arn].redrive_count, state)
        return seen, calls

    def _next_in_turn(self, arns: list[str], count: int) -> list[str]:
        """Choose the executions whose history this poll reads, each in its turn."""
        waiting = set(arns)
        self._turn = [arn for arn in self._turn if arn in waiting]
        known = set(self._turn)
        self._turn = [arn for arn in arns if arn not in known] + self._turn
        count = max(0, count)
        chosen, rest = self._turn[:count], self._turn[count:]
        self._turn = rest + chosen
        return chosen

    def _describe(self, hook: StepFunctionsHook, arn: str) -> tuple[Observation, int]:
        execution = hook.describe(arn)
        if execution is None:
            return Observation(MISSING), 1
        state: str | None = None
        calls = 1
        if execution.status in FAILED_STATUSES:
            state, made = self._state(hook, arn)
            calls += made
        return Observation(execution.status, execution.redrive_count, state, execution.output), calls

    @staticmethod
    def _state(hook: StepFunctionsHook, arn: str) -> tuple[str | None, int]:
        state = last_state_entered(hook.newest_events(arn, limit=HISTORY_EVENTS))
        if state is not None:
            return state, 1
        return last_state_entered(hook.newest_events(arn, limit=HISTORY_EVENTS_WIDE)), 2


_WATCHES: dict[WatchKey, ExecutionWatch] = {}


def watch_for(key: WatchKey) -> ExecutionWatch:
    """Return the watch of a group, which everybody in this process's event loop shares."""
    if key not in _WATCHES:
        _, aws_conn_id, state_machine_arn = key
        _WATCHES[key] = ExecutionWatch(aws_conn_id, state_machine_arn)
    return _WATCHES[key]
