"""Many partitions in few listings: each is answered as a listing of its own would answer it."""

from __future__ import annotations

from collections.abc import Sequence

import hypothesis
import pytest
from hypothesis import strategies as st

from brewtrain.domain.errors import DeploymentError, TransientError
from brewtrain.domain.input.completeness import StoredObject
from brewtrain.hooks.s3_arrival import Listing, S3ArrivalHook
from tests.fixtures.arrivals import Lake
from tests.fixtures.local_aws_clients import AwsClients

PAGE = 7


@pytest.fixture(scope="module")
def lake(aws_client: AwsClients, local_aws_server, connection: str) -> Lake:  # type: ignore[no-untyped-def]
    """Return a bucket."""
    return Lake(aws_client, local_aws_server)


def never(prefix: str, objects: Sequence[StoredObject]) -> bool:
    return False


def at_once(prefix: str, objects: Sequence[StoredObject]) -> bool:
    return bool(objects)


class InMemory(S3ArrivalHook):
    """S3 as the API reference has it, with pages of a few keys."""

    def __init__(self, keys: set[str]) -> None:
        super().__init__()
        self._keys = sorted(keys, key=str.encode)

    @property
    def conn(self) -> InMemory:
        """Return itself."""
        return self

    def list_objects_v2(self, *, Bucket: str, Prefix: str, StartAfter: str = "") -> dict[str, object]:
        """Answer as S3 does."""
        left = [key for key in self._keys if key.startswith(Prefix) and key.encode() > StartAfter.encode()]
        page = [{"Key": key, "Size": 1, "ETag": "e", "LastModified": None} for key in left[:PAGE]]
        return {"Contents": page, "IsTruncated": len(left) > PAGE}


texts = st.text(alphabet="abé/_~=0", min_size=1, max_size=5)


@hypothesis.settings(max_examples=400)
@hypothesis.given(
    keys=st.sets(texts, max_size=60), prefixes=st.lists(texts, min_size=1, max_size=8), together=st.booleans()
)
def test_every_prefix_is_answered_as_by_itself(keys: set[str], prefixes: list[str], together: bool) -> None:
    hook = InMemory(keys)
    listing = hook.list_each("b", prefixes, enough=never, at_most=1000, together=together)
    assert set(listing.found) == set(prefixes)
    for prefix, objects in listing.found.items():
        assert [one.key for one in objects] == sorted((key for key in keys if key.startswith(prefix)), key=str.encode)
    pages = -(-len(keys) // PAGE)
    assert listing.calls <= len(set(prefixes)) + pages * len(set(prefixes))


@hypothesis.settings(max_examples=200)
@hypothesis.given(
    keys=st.sets(texts, max_size=60), prefixes=st.lists(texts, min_size=1, max_size=8), calls=st.integers(1, 4)
)
def test_a_budget_ends_it_and_what_is_left_is_answered_later(keys: set[str], prefixes: list[str], calls: int) -> None:
    hook, left, found = InMemory(keys), set(prefixes), {}
    while left:
        listing = hook.list_each("b", sorted(left), enough=at_once, at_most=calls)
        assert listing.found, "at least one a call"
        left -= listing.found.keys()
        found |= listing.found
    for prefix in prefixes:
        assert bool(found[prefix]) == any(key.startswith(prefix) for key in keys)


def answered(lake: Lake, prefixes: list[str], **more: object) -> Listing:
    return S3ArrivalHook("brewtrain_aws").list_each(
        lake.bucket,
        prefixes,
        **{"enough": never, "at_most": 1000, **more},  # type: ignore[arg-type]
    )


def test_partitions_that_lie_close_are_one_call(lake: Lake) -> None:
    for number in range(40):
        lake.put(f"close/p{number:02}/dt=2026-11-29/a.csv")
    lake.put("close/p07/dt=2026-11-30/a.csv")
    listing = answered(lake, [f"close/p{number:02}/dt=2026-11-30/" for number in range(40)])
    assert listing.calls == 1
    assert [prefix for prefix, objects in listing.found.items() if objects] == ["close/p07/dt=2026-11-30/"]
    (one,) = listing.found["close/p07/dt=2026-11-30/"]
    assert (one.size, one.modified_at.tzinfo is not None) == (8, True)
    assert listing.at is not None
    assert abs((listing.at - one.modified_at).total_seconds()) < 60


@pytest.mark.slow
def test_partitions_with_much_between_cost_one_call_each(lake: Lake) -> None:
    for number in range(3):
        for old in range(1010):
            lake.put(f"far/p{number}/dt=2026-11-01/part-{old:04}.csv", b"1")
        lake.put(f"far/p{number}/dt=2026-11-30/a.csv")
    listing = answered(lake, [f"far/p{number}/dt=2026-11-30/" for number in range(3)])
    assert listing.calls == 3
    assert all(len(objects) == 1 for objects in listing.found.values())


@pytest.mark.slow
def test_a_large_partition_is_read_only_as_far_as_needed(lake: Lake) -> None:
    for number in range(1010):
        lake.put(f"large/dt=2026-11-30/part-{number:04}.csv", b"1")
    whole = answered(lake, ["large/dt=2026-11-30/"])
    assert (whole.calls, len(whole.found["large/dt=2026-11-30/"])) == (2, 1010)
    assert answered(lake, ["large/dt=2026-11-30/"], enough=at_once).calls == 1


def test_a_bucket_that_is_gone_is_one_sentence(lake: Lake) -> None:
    with pytest.raises(DeploymentError, match=r"^bucket 'no-such-lake' does not exist any more; deploy"):
        S3ArrivalHook("brewtrain_aws").list_each("no-such-lake", ["a/"], enough=never, at_most=1)


def test_throttling_is_transient(lake: Lake) -> None:
    rule = lake.server.front.fault_rules.add({"service": "s3", "operation": "ListObjectsV2", "effect": "throttle"})
    try:
        with pytest.raises(TransientError):
            answered(lake, ["close/"])
    finally:
        lake.server.front.fault_rules.clear(rule)


def test_without_a_date_the_machines_clock_counts() -> None:
    listing = InMemory({"a"}).list_each("b", ["a"], enough=never, at_most=1)
    assert listing.at is not None
