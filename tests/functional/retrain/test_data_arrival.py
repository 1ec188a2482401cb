"""The wait for data in the triggerer: one poll for all, and an end for every way it can end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from brewtrain.triggers import arrival_watch, data_arrival
from brewtrain.triggers.arrival_outcome import DataArrived, DataLate, WaitImpossible, deserialize, serialize
from brewtrain.triggers.arrival_watch import ARRIVALS, TICK_SECONDS
from tests.fixtures.arrivals import Clock, Lake, Triggerer, day_key, days, event_of, many, polls
from tests.fixtures.local_aws_clients import AwsClients
from tests.fixtures.partitions import DAY, partition

if TYPE_CHECKING:
    from local_aws.core.server import ServerHandle

ARRIVED = {"kind": "arrived"}


@pytest.fixture
def lake(aws_client: AwsClients, local_aws_server: ServerHandle, connection: str) -> Lake:
    """Return an empty bucket."""
    return Lake(aws_client, local_aws_server)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let waits look at the clock often, and poll without a budget."""
    from dataclasses import replace

    monkeypatch.setattr(arrival_watch, "TICK_SECONDS", 0.1)
    monkeypatch.setattr(data_arrival, "SETTLED_SECONDS", 0.0)
    fast = replace(ARRIVALS, fastest_seconds=0.05, slowest_seconds=0.05, calls_per_second=1000.0)
    monkeypatch.setattr(arrival_watch, "ARRIVALS", fast)


@pytest.fixture
def fault(local_aws_server: ServerHandle) -> Iterator[Any]:
    """``fault(effect, …)``: let listings fail."""
    rules: list[Any] = []

    def add(**rule: Any) -> None:
        rules.append(local_aws_server.front.fault_rules.add({"service": "s3", "operation": "ListObjectsV2", **rule}))

    yield add
    for rule in rules:
        local_aws_server.front.fault_rules.clear(rule)


def test_serialised_and_rebuilt_it_is_the_same(lake: Lake) -> None:
    waited = partition(marker="_SUCCESS", minimum_bytes=7, unchanged_for="10m", timezone="Europe/Berlin")
    path, arguments = lake.trigger(waited).serialize()
    module, _, name = path.rpartition(".")
    rebuilt = getattr(__import__(module, fromlist=[name]), name)(**json.loads(json.dumps(arguments)))
    assert rebuilt.serialize() == (path, arguments)
    assert rebuilt.partition == waited


def test_waits_share_a_poll_by_connection_and_bucket(lake: Lake) -> None:
    one, other = lake.trigger(partition()), lake.trigger(partition("elsewhere/{date}/", marker="_SUCCESS"))
    assert one.shared_stream_key() == other.shared_stream_key()
    other.bucket = "another"
    assert one.shared_stream_key() != other.shared_stream_key()


@pytest.mark.parametrize("outcome", [DataArrived(), DataLate(), WaitImpossible("why")], ids=["arrived", "late", "no"])
def test_an_outcome_reads_as_it_was_written(outcome: Any) -> None:
    assert deserialize(json.loads(json.dumps(serialize(outcome)))) == outcome


def test_another_triggers_event_is_refused() -> None:
    with pytest.raises(ValueError, match="is not the end of a wait for data"):
        deserialize({"kind": "over"})


@pytest.mark.usefixtures("impatient")
def test_data_that_comes_ends_the_wait(lake: Lake) -> None:
    async def story() -> Any:
        waiting = asyncio.create_task(event_of(lake.trigger(partition(marker="_SUCCESS"))))
        await asyncio.to_thread(lake.put, day_key(DAY))
        await lake.looked_at(times=2)
        assert not waiting.done(), "the marker is missing"
        await asyncio.to_thread(lake.put, day_key(DAY, "_SUCCESS"), b"")
        return await waiting

    assert asyncio.run(story()).payload == ARRIVED


@pytest.mark.usefixtures("impatient")
def test_data_that_stops_changing_ends_the_wait(lake: Lake) -> None:
    lake.put(day_key(DAY))
    began = datetime.now(UTC)
    assert asyncio.run(event_of(lake.trigger(partition(unchanged_for="3s")))).payload == ARRIVED
    assert datetime.now(UTC) - began >= timedelta(seconds=1)


@pytest.mark.usefixtures("impatient")
def test_data_that_does_not_come_is_late(lake: Lake) -> None:
    lake.put(day_key(DAY - timedelta(days=1)))
    assert asyncio.run(event_of(lake.trigger(seconds=0.5))).payload == {"kind": "late"}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("effect", ["throttle", "http500", "drop"])
def test_a_look_that_fails_does_not_end_the_wait(lake: Lake, fault: Any, effect: str) -> None:
    lake.put(day_key(DAY))
    fault(effect=effect, times=7)
    assert asyncio.run(event_of(lake.trigger())).payload == ARRIVED


@pytest.mark.usefixtures("impatient")
def test_a_refusal_that_lasts_is_told(lake: Lake, fault: Any) -> None:
    fault(effect="error", code="AccessDenied")
    problem = asyncio.run(event_of(lake.trigger())).payload["problem"]
    assert "AWS denied s3:ListBucket" in problem
    assert "include/cloudformation/roles.yaml" in problem


@pytest.mark.usefixtures("impatient")
def test_a_bucket_that_is_deleted_meanwhile_is_told(lake: Lake) -> None:
    async def story() -> Any:
        waiting = asyncio.create_task(event_of(lake.trigger()))
        await lake.looked_at()
        await asyncio.to_thread(lake.s3.delete_bucket, Bucket=lake.bucket)
        return await waiting

    assert "does not exist any more; deploy" in asyncio.run(story()).payload["problem"]


@pytest.mark.usefixtures("impatient")
def test_a_policy_that_allows_each_prefix_alone_is_enough(lake: Lake, fault: Any) -> None:
    """Then what prefixes have in common cannot be listed."""
    one, other = many(2)
    lake.put(f"{one.prefix}a.csv")
    lake.put(f"{other.prefix}a.csv")

    async def story() -> list[Any]:
        triggerer = Triggerer()
        fault(effect="error", code="AccessDenied", times=1)
        waits = [triggerer.start(lake.trigger(waited)) for waited in (one, other)]
        events = await asyncio.gather(*waits)
        await triggerer.stop()
        return events

    assert [event.payload for event in asyncio.run(story())] == [ARRIVED, ARRIVED]


@pytest.mark.usefixtures("impatient")
def test_each_of_many_waits_ends_when_its_own_data_comes(lake: Lake) -> None:
    waited = many(30)

    async def story() -> None:
        triggerer = Triggerer()
        waits = [triggerer.start(lake.trigger(one)) for one in waited]
        for one in waited[:10]:
            await asyncio.to_thread(lake.put, f"{one.prefix}a.csv")
        events = await asyncio.gather(*waits[:10])
        assert [event.payload for event in events] == [ARRIVED] * 10
        assert not any(wait.done() for wait in waits[10:])
        await triggerer.stop()

    asyncio.run(story())


@pytest.mark.usefixtures("impatient")
def test_a_killed_triggerers_waits_go_on_in_another_one(lake: Lake) -> None:
    async def story() -> list[Any]:
        first, second = Triggerer(), Triggerer()
        waiting = [lake.trigger(one) for one in many(3)]
        waits = [first.start(one) for one in waiting]
        await lake.looked_at()
        await first.stop()
        assert all(wait.cancelled() for wait in waits)
        rebuilt = [type(one)(**json.loads(json.dumps(one.serialize()[1]))) for one in waiting]
        waits = [second.start(one) for one in rebuilt]
        for one in many(3):
            await asyncio.to_thread(lake.put, f"{one.prefix}a.csv")
        events = await asyncio.gather(*waits)
        await second.stop()
        return events

    assert [event.payload for event in asyncio.run(story())] == [ARRIVED] * 3


@pytest.mark.usefixtures("impatient")
def test_no_wait_ends_before_airflow_has_seen_it_begin(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow would take the task for one that was killed."""
    monkeypatch.setattr(data_arrival, "SETTLED_SECONDS", 1.0)
    lake.put(day_key(DAY))

    async def story() -> tuple[bool, Any]:
        waiting = asyncio.create_task(event_of(lake.trigger()))
        await lake.looked_at(times=3)
        return waiting.done(), (await waiting).payload

    assert asyncio.run(story()) == (False, ARRIVED)


def test_many_waits_below_one_root_cost_as_much_as_one(lake: Lake) -> None:
    clock, since = Clock(), lake.last_call()
    for number in range(100):
        lake.put(f"lake/p{number:03}/dt=2026-11-29/a.csv")
    asyncio.run(polls(lake.watch(clock), many(300), 10, clock))
    assert len(lake.calls(since=since)) == 10


@pytest.mark.slow
def test_many_waits_far_apart_keep_to_the_budget(lake: Lake) -> None:
    """Worst case: more objects between two partitions than a call returns."""
    waited = many(8)
    for one in waited:
        for number in range(1001):
            lake.put(f"{one.prefix.replace('11-30', '11-01')}part-{number:04}.csv", b"1")
    clock, since = Clock(), lake.last_call()
    watch = lake.watch(clock)
    asyncio.run(polls(watch, waited, 60, clock))
    budget = ARRIVALS.burst_calls + clock.now * ARRIVALS.calls_per_second
    assert len(lake.calls(since=since)) <= budget + 1
    lake.put(f"{waited[7].prefix}a.csv")
    before = clock.now
    seen = asyncio.run(_until_seen(watch, waited, clock))
    assert seen - before <= 2 * (len(waited) / ARRIVALS.calls_per_second + ARRIVALS.slowest_seconds)


async def _until_seen(watch: Any, waited: Any, clock: Clock) -> float:
    from contextlib import ExitStack

    with ExitStack() as stack:
        for one in waited:
            stack.enter_context(watch.interest(one))
        while True:
            clock.now += max(0.0, watch.delay_seconds())
            await watch.poll()
            view = watch.views.get(waited[7])
            if view is not None and view.objects:
                return clock.now


def test_days_of_one_pipeline_cost_one_call(lake: Lake) -> None:
    for number in range(30):
        lake.put(day_key(DAY - timedelta(days=2 * number)))
    clock, since = Clock(), lake.last_call()
    watch = lake.watch(clock)
    asyncio.run(polls(watch, days(60), 1, clock))
    assert len(lake.calls(since=since)) == 1


def test_a_wait_that_ends_is_polled_no_more(lake: Lake) -> None:
    clock = Clock()
    watch = lake.watch(clock)
    asyncio.run(polls(watch, many(3), 1, clock))
    assert watch.views == {}


def test_the_pace_never_sleeps_longer_than_a_tick_for_one_wait(lake: Lake) -> None:
    clock = Clock()
    watch = lake.watch(clock)
    (waited,) = many(1)

    async def story() -> None:
        with watch.interest(waited):
            for _ in range(20):
                delay = watch.delay_seconds()
                assert delay <= TICK_SECONDS * 1.2
                clock.now += max(0.0, delay)
                await watch.poll()

    asyncio.run(story())
