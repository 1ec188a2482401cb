"""The events of a bucket: which objects were written just now, read from its queue in a thread.

An event only hastens the next look, so that it does no harm if one is lost, comes twice, late or
out of order. A message reaches one triggerer only: one that names nothing that this triggerer waits
for is left in the queue for a moment, in which another may take it. Must not import boto3 or a hook
at module level.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING

from brewtrain.domain.errors import BrewtrainError
from brewtrain.domain.input.events import keys_of
from brewtrain.domain.names import ARRIVALS_QUEUE

if TYPE_CHECKING:
    from brewtrain.hooks.s3_arrival import EventQueue, S3ArrivalHook
    from brewtrain.hooks.sqs_arrival import Message, SqsArrivalHook

log = logging.getLogger(__name__)

# A message that may be another triggerer's is left to it once. More often would only keep back
# those that are behind it in a crowd.
TIMES_OFFERED = 2
# After a refusal of the queue.
RETRY_SECONDS = 60.0

Written = Callable[[Iterable[str]], set[str]]


class ArrivalEvents:
    """Listens to the queue of a bucket, if it has one.

    :param aws_conn_id: Airflow connection of type ``aws``.
    :param bucket: The bucket.
    """

    def __init__(self, aws_conn_id: str, bucket: str) -> None:
        self._aws_conn_id = aws_conn_id
        self._bucket = bucket
        self._queues: list[EventQueue] | None = None
        self._heard = threading.Event()
        self._listener: _Listener | None = None
        self._heard_arn = ""
        self._not_before = 0.0
        self._tell: Callable[[list[str]], set[str]] | None = None

    @contextmanager
    def listening(self, loop: asyncio.AbstractEventLoop, written: Written) -> Iterator[None]:
        """Tell of written objects while the block runs, as soon as :meth:`find` has found a queue.

        :param loop: In which ``written`` is called.
        :param written: Is told keys, and returns those that nobody waits for.
        """
        self._tell = _in_loop(loop, written)
        self._not_before = 0.0
        try:
            yield
        finally:
            self._tell = None
            self.forget()
            self._stop()

    def forget(self) -> None:
        """Ask again at the next occasion which queue the bucket has."""
        self._queues = None

    def find(self, hook: S3ArrivalHook, prefixes: Iterable[str]) -> None:
        """Find the queue of the bucket, and begin or end listening. Blocks: call it in a thread.

        No error leaves it: without events everything is looked at more often.

        :param prefixes: What somebody waits for; a queue that is told of none of it is left alone.
        """
        try:
            if self._queues is None:
                self._queues = self._ours(hook.event_queues(self._bucket))
            useful = [one for one in self._queues if any(_covers(one, prefix) for prefix in prefixes)]
            if not useful:
                self._stop()
            elif self._listener is None or not self._listener.is_alive():
                self._listen(hook, useful[0])
        except BrewtrainError as error:
            self._queues = self._queues or []
            log.warning("events of s3://%s are not received, so it is polled: %s", self._bucket, error)

    @staticmethod
    def _ours(queues: Iterable[EventQueue]) -> list[EventQueue]:
        # Any other queue is somebody else's, whose messages must not be taken.
        return [one for one in queues if one.name.startswith(ARRIVALS_QUEUE)]

    def _listen(self, beside: S3ArrivalHook, queue: EventQueue) -> None:
        from brewtrain.hooks.sqs_arrival import SqsArrivalHook

        if self._tell is None or time.monotonic() < self._not_before:
            return
        self._not_before = time.monotonic() + RETRY_SECONDS
        # The connection is read here: Airflow answers no other thread of a triggerer.
        hook = SqsArrivalHook(self._aws_conn_id, beside=beside)
        url = hook.queue_url(queue.arn)
        self._heard_arn = queue.arn
        log.info("s3://%s tells of new objects in %s", self._bucket, queue.name)
        self._heard.clear()
        self._listener = _Listener(hook, url, self._bucket, self._tell, self._heard)
        self._listener.start()

    def cover(self, prefixes: Iterable[str]) -> bool:
        """Whether events tell of every object below these prefixes, and are being received."""
        if self._listener is None or not self._listener.is_alive() or not self._heard.is_set():
            return False
        heard = [one for one in self._queues or () if one.arn == self._heard_arn]
        return all(any(_covers(queue, prefix) for queue in heard) for prefix in prefixes)

    def _stop(self) -> None:
        if self._listener is not None:
            self._listener.stop()
            self._listener = None


def _covers(queue: EventQueue, prefix: str) -> bool:
    return prefix.startswith(queue.prefix) and not queue.suffix


def _in_loop(loop: asyncio.AbstractEventLoop, written: Written) -> Callable[[list[str]], set[str]]:
    """Return the function as another thread may call it."""

    async def call(keys: list[str]) -> set[str]:
        return written(keys)

    def tell(keys: list[str]) -> set[str]:
        return asyncio.run_coroutine_threadsafe(call(keys), loop).result(timeout=60)

    return tell


class _Listener(threading.Thread):
    """Receives messages until it is stopped, or until AWS refuses.

    A thread of its own, and not one of the event loop's few: it is blocked nearly all the time. As
    a daemon it never keeps a triggerer from ending.
    """

    def __init__(
        self,
        hook: SqsArrivalHook,
        url: str,
        bucket: str,
        tell: Callable[[list[str]], set[str]],
        heard: threading.Event,
    ) -> None:
        super().__init__(name=f"arrivals of {bucket}", daemon=True)
        self._hook = hook
        self._url = url
        self._bucket = bucket
        self._tell = tell
        self._heard = heard
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End after the call that is being made; what it returns is left in the queue."""
        self._stopped.set()

    def run(self) -> None:
        try:
            while not self._stopped.is_set():
                messages = self._hook.receive(self._url)
                self._heard.set()
                if messages and not self._stopped.is_set():
                    self._hook.delete(self._url, self._done_with(messages))
        except (BrewtrainError, CancelledError, RuntimeError, TimeoutError) as error:
            # The last three: the event loop has ended, or is too busy.
            if not self._stopped.is_set():
                log.warning("events of s3://%s are not received, so it is polled: %s", self._bucket, error)
        finally:
            self._heard.clear()

    def _done_with(self, messages: list[Message]) -> list[Message]:
        """Tell of the objects, and return the messages that nobody needs any more."""
        keys = {id(one): keys_of(one.body, bucket=self._bucket) for one in messages}
        strangers = self._tell(sorted(set().union(*keys.values())))
        return [
            one
            for one in messages
            if one.times_received >= TIMES_OFFERED or not keys[id(one)] or not keys[id(one)] <= strangers
        ]
