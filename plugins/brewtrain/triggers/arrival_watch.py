"""One poll of all partitions of a bucket that runs wait for, hastened by the bucket's events.

So N waits cost about as many calls as one: a listing answers all partitions that lie close
together, and a fixed budget bounds the calls where they do not. Where the bucket sends events
(:mod:`brewtrain.triggers.arrival_events`), a partition is looked at when an object of it was
written, and everything only every few minutes: what counts is always the listing. boto3's clients
are called in a thread. Must not import boto3 or a hook at module level.

Airflow's shared streams run :meth:`ArrivalWatch.stream`, one for each group, and wake every waiting
trigger after each poll.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from brewtrain.domain.errors import BrewtrainError, DeploymentError, TransientError
from brewtrain.domain.input.completeness import Sighting, StoredObject, WaitedPartition, sight
from brewtrain.triggers.arrival_events import ArrivalEvents
from brewtrain.triggers.pace import Pace, Tempo

if TYPE_CHECKING:
    from brewtrain.hooks.s3_arrival import Listing, S3ArrivalHook

log = logging.getLogger(__name__)

# 12 calls a minute in the long run for all waits in a bucket: what 12 S3KeySensors make that look
# once a minute.
ARRIVALS = Tempo(
    fastest_seconds=5.0,
    slowest_seconds=5.0,
    share_of_wait=0.0,
    burst_calls=10.0,
    calls_per_second=0.2,
    largest_debt=10.0,
)
# Between two looks at everything where the bucket sends events: one may be lost, or another
# triggerer may have taken it.
SLOW_POLL_SECONDS = 300.0
# A crowd of events costs one look at each of its partitions a second, or, where that takes many
# calls, five calls a second.
EVENT_PAUSE_SECONDS = 1.0
EVENT_SECONDS_A_CALL = 0.2
# Waits look at the clock this often, whether anything was polled or not.
TICK_SECONDS = 5.0
# A refusal that lasts is not IAM's slow propagation: then everybody who waits is told.
REFUSALS_UNTIL_REPORTED = 3
# After so long the connection and the bucket's notifications are read again.
CLIENT_LIFETIME_SECONDS = 600.0

WatchKey = tuple[str, str, str]


def watch_key(aws_conn_id: str, bucket: str) -> WatchKey:
    """Return what waits must have in common to share a poll: connection and bucket."""
    return ("brewtrain-arrivals", aws_conn_id, bucket)


class ArrivalWatch:
    """Looks at the partitions that somebody waits for.

    :param aws_conn_id: Airflow connection of type ``aws``.
    :param bucket: The bucket.
    :param clock: Monotonic seconds.
    :param pace: How fast to poll; a new one of this clock if not given.
    """

    def __init__(
        self,
        aws_conn_id: str,
        bucket: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        pace: Pace | None = None,
    ) -> None:
        self._aws_conn_id = aws_conn_id
        self._bucket = bucket
        self._clock = clock
        self._pace = pace or Pace(clock, random.random, ARRIVALS)
        self._interests: dict[int, WaitedPartition] = {}
        self._tokens = itertools.count()
        self._events = ArrivalEvents(aws_conn_id, bucket)
        # What is still to be looked at in this round, and what an event has named.
        self._pending: set[str] = set()
        self._touched: set[str] = set()
        self._due: dict[str, datetime] = {}
        self._next_round_at = clock()
        self._events_from = clock()
        self._cost = 0
        self._together = True
        self._hook: S3ArrivalHook | None = None
        self._hook_made_at = 0.0
        self._refusals = 0
        self._woken = asyncio.Event()
        self.views: dict[WaitedPartition, Sighting] = {}
        self.problem: str | None = None

    @contextmanager
    def interest(self, partition: WaitedPartition) -> Iterator[None]:
        """Have a partition looked at while the block runs."""
        token = next(self._tokens)
        self._interests[token] = partition
        self._pending.add(partition.looked_for)
        self._woken.set()
        try:
            yield
        finally:
            del self._interests[token]
            if partition not in self._interests.values():
                self.views.pop(partition, None)

    def object_written(self, keys: Iterable[str]) -> set[str]:
        """Look soon at what objects may complete; return the keys of days that nobody waits for.

        :param keys: Keys that an event has named.
        """
        partitions = set(self._interests.values())
        strangers = set()
        for key in keys:
            waited = [one for one in partitions if key.startswith(one.prefix)]
            self._touched |= {one.looked_for for one in waited if key.startswith(one.looked_for)}
            if not waited:
                strangers.add(key)
        if self._touched:
            self._woken.set()
        return strangers

    async def stream(self) -> AsyncGenerator[None, None]:
        """Look for ever.

        It yields after every look and every few seconds, so that waits can look at :attr:`views`
        and at the clock.
        """
        self._refusals = 0
        self.problem = None
        with self._events.listening(asyncio.get_running_loop(), self.object_written):
            while True:
                self._woken.clear()
                if self._interests and self.delay_seconds() <= 0:
                    await self.poll()
                if self._interests:
                    yield
                try:
                    # Not wait_for: Python 3.11's loses a cancellation that comes with a wake-up,
                    # so that Airflow would wait for the end of this stream for ever.
                    async with asyncio.timeout(min(TICK_SECONDS, self.delay_seconds())):
                        await self._woken.wait()
                except TimeoutError:
                    continue
                # Many waits begin, and many events come, at once; let them all in before the look.
                await asyncio.sleep(0.1)

    def delay_seconds(self) -> float:
        """Return how many seconds to sleep before the next look."""
        now = self._clock()
        if self._pace.failures:
            return self._next_round_at - now
        if self._named_now():
            return min(self._events_from, max(now, self._next_round_at)) - now
        if not self._pending:
            return self._next_round_at - now
        return 0.0 if self._pace.affordable() else self._pace.delay_seconds(1)

    def _named_now(self) -> set[str]:
        """Return what an event has named, and what is complete by now if nothing has changed."""
        wanted = self._wanted().keys()
        self._due = {prefix: due for prefix, due in self._due.items() if prefix in wanted}
        self._touched |= {prefix for prefix, due in self._due.items() if due <= datetime.now(UTC)}
        self._touched &= wanted
        return self._touched

    async def poll(self) -> None:
        """Look once at what an event has named or, if none has, at what is next in this round.

        An error of AWS is logged and raised to nobody: the next look may be answered.
        """
        wanted = self._wanted()
        # What is named, or begins to be waited for, while the calls are made stays for the next
        # look: the listing may be older.
        chosen, self._touched = self._named_now(), set()
        by_event = bool(chosen)
        if not by_event:
            chosen, self._pending = (self._pending & wanted.keys()) or set(wanted), set()
        found: set[str] = set()
        try:
            listing = await asyncio.to_thread(self._look, wanted, sorted(chosen), by_event)
            found = set(listing.found)
            self._answered(wanted, listing)
        except TransientError as error:
            self._failed()
            log.warning("look %s in a row failed, and the wait goes on: %s", self._pace.failures, error)
        except BrewtrainError as error:
            self._refused(error)
        (self._touched if by_event else self._pending).update(chosen - found)
        if found:
            self._plan_next(by_event, wanted)

    def _answered(self, wanted: dict[str, list[WaitedPartition]], listing: Listing) -> None:
        self._pace.spend(listing.calls)
        self._pace.succeeded()
        self._refusals = 0
        self.problem = None
        self._cost = listing.calls
        self._take(wanted, listing)

    def _plan_next(self, by_event: bool, wanted: Iterable[str]) -> None:
        now = self._clock()
        if by_event:
            self._events_from = now + max(EVENT_PAUSE_SECONDS, EVENT_SECONDS_A_CALL * self._cost)
        elif not self._pending:
            slow = self._events.cover(wanted)
            self._next_round_at = now + (SLOW_POLL_SECONDS if slow else self._pace.delay_seconds(1))

    def _wanted(self) -> dict[str, list[WaitedPartition]]:
        wanted: dict[str, list[WaitedPartition]] = {}
        for partition in set(self._interests.values()):
            wanted.setdefault(partition.looked_for, []).append(partition)
        return wanted

    def _take(self, wanted: dict[str, list[WaitedPartition]], listing: Listing) -> None:
        at = listing.at or datetime.now(UTC)
        still = set(self._interests.values())
        for prefix, objects in listing.found.items():
            self._due.pop(prefix, None)
            for partition in still.intersection(wanted[prefix]):
                seen = self.views[partition] = sight(self.views.get(partition), objects, at)
                again = partition.judge(seen).look_again_at
                if again is not None:
                    self._due[prefix] = min(again, self._due.get(prefix, again))

    def _failed(self) -> None:
        self._pace.failed()
        self._next_round_at = self._clock() + self._pace.delay_seconds(1)

    def _refused(self, error: BrewtrainError) -> None:
        self._failed()
        self._hook = None
        if self._together and isinstance(error, DeploymentError) and len(self._wanted()) > 1:
            # A policy may allow each prefix and not what they have in common.
            self._together = False
            log.warning("AWS refused a look at several partitions, so each is listed by itself: %s", error)
            return
        self._refusals += 1
        log.warning("AWS refused the look (%s of %s): %s", self._refusals, REFUSALS_UNTIL_REPORTED, error)
        if self._refusals >= REFUSALS_UNTIL_REPORTED:
            self.problem = str(error)

    def _client(self) -> S3ArrivalHook:
        from brewtrain.hooks.s3_arrival import S3ArrivalHook

        if self._hook is None or self._clock() - self._hook_made_at > CLIENT_LIFETIME_SECONDS:
            self._hook = S3ArrivalHook(self._aws_conn_id)
            self._hook_made_at = self._clock()
            self._events.forget()
        return self._hook

    def _look(self, wanted: dict[str, list[WaitedPartition]], prefixes: Sequence[str], by_event: bool) -> Listing:
        def enough(prefix: str, objects: Sequence[StoredObject]) -> bool:
            now = datetime.now(UTC)
            return all(not one.needs_all and one.judge(sight(None, objects, now)).complete for one in wanted[prefix])

        hook = self._client()
        self._events.find(hook, wanted)
        at_most = len(prefixes) if by_event else max(1, self._pace.affordable())
        return hook.list_each(self._bucket, prefixes, enough=enough, at_most=at_most, together=self._together)


_WATCHES: dict[WatchKey, ArrivalWatch] = {}


def watch_for(key: WatchKey) -> ArrivalWatch:
    """Return the watch of a group, which everybody in this process's event loop shares."""
    if key not in _WATCHES:
        _, aws_conn_id, bucket = key
        _WATCHES[key] = ArrivalWatch(aws_conn_id, bucket)
    return _WATCHES[key]
