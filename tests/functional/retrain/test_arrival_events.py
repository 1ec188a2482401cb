"""Events of the bucket: they hasten the wait, and no more; the listing stays the truth.

Once these tests listen, everything is looked at only every ten minutes: what ends a wait then, an
event has hastened.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from brewtrain.triggers import arrival_events, arrival_watch, data_arrival
from brewtrain.triggers.arrival_watch import ARRIVALS
from tests.fixtures.arrivals import Lake, Triggerer, day_key, event_of, many
from tests.fixtures.local_aws_clients import AwsClients
from tests.fixtures.partitions import DAY, partition
from tests.fixtures.waiting import wait_until

if TYPE_CHECKING:
    from local_aws.core.server import ServerHandle

ARRIVED = {"kind": "arrived"}
SEED = 20261201


@pytest.fixture
def lake(
    aws_client: AwsClients, local_aws_server: ServerHandle, connection: str, monkeypatch: pytest.MonkeyPatch
) -> Lake:
    """Return an empty bucket that is looked at often until there are events, and rarely then."""
    often = replace(ARRIVALS, fastest_seconds=0.3, slowest_seconds=0.3, calls_per_second=100.0)
    monkeypatch.setattr(arrival_watch, "ARRIVALS", often)
    monkeypatch.setattr(arrival_watch, "SLOW_POLL_SECONDS", 600.0)
    monkeypatch.setattr(arrival_watch, "TICK_SECONDS", 0.2)
    monkeypatch.setattr(data_arrival, "SETTLED_SECONDS", 0.0)
    return Lake(aws_client, local_aws_server)


async def settled(lake: Lake, url: str) -> None:
    """Wait until the queue is empty and nothing is looked at any more: the watch listens."""

    def quiet() -> bool:
        last = max((call["time"] for call in lake.calls(since=0)), default=0.0)
        return lake.left_in(url) == 0 and 0.0 < last < time.time() - 2.0

    await asyncio.to_thread(wait_until, quiet, seconds=60, what="the watch listens, and looks no more")


def test_an_object_ends_the_wait_at_once(lake: Lake) -> None:
    url = lake.tell()

    async def story() -> Any:
        waiting = asyncio.create_task(event_of(lake.trigger(partition(marker="_SUCCESS"))))
        await settled(lake, url)
        await asyncio.to_thread(lake.put, day_key(DAY))
        await settled(lake, url)
        assert not waiting.done(), "the marker is missing"
        await asyncio.to_thread(lake.put, day_key(DAY, "_SUCCESS"), b"")
        return await waiting

    assert asyncio.run(story()).payload == ARRIVED


def test_a_time_without_changes_ends_with_a_look_of_its_own(lake: Lake) -> None:
    url = lake.tell()

    async def story() -> Any:
        waiting = asyncio.create_task(event_of(lake.trigger(partition(unchanged_for="4s"))))
        await settled(lake, url)
        await asyncio.to_thread(lake.put, day_key(DAY))
        return await waiting

    assert asyncio.run(story()).payload == ARRIVED


def test_nothing_is_polled_while_nothing_comes(lake: Lake) -> None:
    url = lake.tell()

    async def story() -> int:
        triggerer = Triggerer()
        for waited in many(30):
            triggerer.start(lake.trigger(waited))
        await settled(lake, url)
        since = lake.last_call()
        for number in range(25):
            await asyncio.to_thread(lake.put, f"elsewhere/{number}.csv")
        await settled(lake, url)
        await triggerer.stop()
        return len(lake.calls(since=since))

    assert asyncio.run(story()) == 0


def test_events_that_come_twice_out_of_order_and_beside_rubbish_end_each_wait_once(lake: Lake) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    url, waited = lake.tell(), many(20)
    keys = [f"{one.prefix}part-{number}.csv" for one in waited for number in range(3)]
    bodies = [_message(lake.bucket, key) for key in keys * 2] + ["rubbish", "{}", '{"Records": 1}'] * 5
    chance.shuffle(bodies)

    async def story() -> list[Any]:
        triggerer = Triggerer()
        waits = [triggerer.start(lake.trigger(one)) for one in waited]
        await settled(lake, url)
        # Written without an event of its own: the events come later, in any order and number.
        lake.s3.put_bucket_notification_configuration(Bucket=lake.bucket, NotificationConfiguration={})
        for key in keys:
            await asyncio.to_thread(lake.put, key)
        sqs = lake.clients("sqs")
        for body in bodies:
            await asyncio.to_thread(sqs.send_message, QueueUrl=url, MessageBody=body)
        events = await asyncio.gather(*waits)
        await triggerer.stop()
        return events

    assert [event.payload for event in asyncio.run(story())] == [ARRIVED] * 20


def _message(bucket: str, key: str) -> str:
    record = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}
    return json.dumps({"Records": [record]})


def test_an_event_of_what_does_not_exist_ends_no_wait(lake: Lake) -> None:
    url = lake.tell()

    async def story() -> bool:
        waiting = asyncio.create_task(event_of(lake.trigger()))
        await settled(lake, url)
        body = _message(lake.bucket, day_key(DAY))
        since = lake.last_call()
        await asyncio.to_thread(lake.clients("sqs").send_message, QueueUrl=url, MessageBody=body)
        await asyncio.to_thread(wait_until, lambda: lake.calls(since=since), seconds=60, what="a look")
        await settled(lake, url)
        done = waiting.done()
        waiting.cancel()
        return done

    assert asyncio.run(story()) is False


def test_a_queue_that_is_not_brewtrains_is_left_alone(lake: Lake) -> None:
    url = lake.tell(queue=f"etl-of-{lake.bucket}")

    async def story() -> None:
        waiting = asyncio.create_task(event_of(lake.trigger()))
        await lake.looked_at()
        await asyncio.to_thread(lake.put, day_key(DAY))
        waiting.cancel()

    asyncio.run(story())
    assert lake.left_in(url) == 2, "the test event and the object"


def test_a_queue_that_is_told_of_other_keys_does_not_slow_the_poll(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.tell(prefix="elsewhere/")

    async def story() -> Any:
        waiting = asyncio.create_task(event_of(lake.trigger()))
        await lake.looked_at(times=3)
        await asyncio.to_thread(lake.put, day_key(DAY))
        return await waiting

    assert asyncio.run(story()).payload == ARRIVED


def test_a_message_for_another_triggerer_is_left_for_a_moment(lake: Lake) -> None:
    """Two triggerers share the queue, and each gets some of the messages."""
    url = lake.tell()
    one, other = many(2)

    async def story() -> list[Any]:
        # Each has a watch of its own, as in a process of its own.
        waits = [asyncio.create_task(event_of(lake.trigger(waited))) for waited in (one, other)]
        await settled(lake, url)
        for waited in (one, other) * 3:
            await asyncio.to_thread(lake.put, f"{waited.prefix}a.csv")
        return await asyncio.gather(*waits)

    assert [event.payload for event in asyncio.run(story())] == [ARRIVED, ARRIVED]


def test_a_queue_that_cannot_be_read_leaves_the_poll(
    lake: Lake, local_aws_server: ServerHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival_events, "RETRY_SECONDS", 0.1)
    lake.tell()
    rule = local_aws_server.front.fault_rules.add(
        {"service": "sqs", "operation": "ReceiveMessage", "effect": "error", "code": "AccessDenied"}
    )

    async def story() -> Any:
        waiting = asyncio.create_task(event_of(lake.trigger()))
        await lake.looked_at(times=3)
        await asyncio.to_thread(lake.put, day_key(DAY))
        return await waiting

    try:
        assert asyncio.run(story()).payload == ARRIVED
    finally:
        local_aws_server.front.fault_rules.clear(rule)


@pytest.mark.slow
def test_a_thousand_events_at_once_end_every_wait(lake: Lake) -> None:
    url = lake.tell()
    waited = [partition(one.pattern, marker="_SUCCESS") for one in many(100)]

    async def story() -> list[Any]:
        triggerer = Triggerer()
        waits = [triggerer.start(lake.trigger(one)) for one in waited]
        await settled(lake, url)
        for name in (*(f"part-{number}.csv" for number in range(9)), "_SUCCESS"):
            for one in waited:
                await asyncio.to_thread(lake.put, f"{one.prefix}{name}", b"1")
        events = await asyncio.gather(*waits)
        await triggerer.stop()
        return events

    since = lake.last_call()
    assert [event.payload for event in asyncio.run(story())] == [ARRIVED] * 100
    assert len(lake.calls(since=since)) <= 200, "a crowd of events is few looks"


def test_a_wait_that_is_cancelled_while_events_come_ends(lake: Lake) -> None:
    """A poll that missed its cancellation would keep Airflow's triggerer waiting for ever."""
    waited = many(1)[0]
    watch = arrival_watch.ArrivalWatch("brewtrain_aws", lake.bucket)

    async def story() -> None:
        for _ in range(20):
            with watch.interest(waited):
                stream = watch.stream()
                task = asyncio.ensure_future(anext(stream))
                await asyncio.wait([task])
                after = asyncio.ensure_future(anext(stream))
                await asyncio.sleep(0)
                # Both at once: a wake-up, and the end.
                watch.object_written([waited.prefix])
                after.cancel()
                async with asyncio.timeout(30):
                    await asyncio.gather(after, return_exceptions=True)
                assert after.cancelled()

    asyncio.run(story())
