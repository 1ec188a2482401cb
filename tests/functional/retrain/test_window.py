"""The check of a whole window against S3: its layouts, its calls, and what it remembers."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from brewtrain.domain import names
from brewtrain.domain.errors import InputError, TransientError
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run.interval import DataInterval
from brewtrain.hooks.s3_listing import objects_of, read_fast
from brewtrain.hooks.s3_source import CheckedWindow, S3SourceHook
from tests.fixtures.account import BUCKET
from tests.fixtures.pipelines import smallest_pipeline

NEWEST = date(2024, 3, 2)
DAYS = [NEWEST - timedelta(days=number) for number in range(5)]
GOOD = b"age;job;y\n30;admin;no\n"
LAYOUTS = {
    "hive": "dt={date}/",
    "compact": "{date:%Y%m%d}/",
    "folders": "year={date:%Y}/month={date:%m}/day={date:%d}/",
    "day first": "{date:%d.%m.%Y}/",
    "a file a day": "churn_{date}.csv",
    "hours": "{date}/{hour}/",
    "a file an hour": "{date}T{hour}.csv",
    "hidden above the partition": "_raw/.x/dt={date}/",
}
FAULTS: dict[str, tuple[bytes, str]] = {
    "other order": (b"job;age;y\nadmin;30;no\n", r"has the columns in another order"),
    "blank": (b"age ;job;y\n30;admin;no\n", r"'age ' is not 'age': blanks and case count"),
    "case": (b"age;Job;y\n30;admin;no\n", r"'Job' is not 'job': blanks and case count"),
    "one column less": (b"age;y\n30;no\n", r"lacks the column\(s\) 'job'"),
    "delimiter": (b"age,job,y\n30,admin,no\n", r"is delimited by ',', not by ';'"),
    "encoding": ("age;job;y\n1;gärtner;no\n".encode("latin-1"), r"is not UTF-8"),
    "ragged": (GOOD + b"30;admin\n", r"is ragged: the row that ends at line 3 has 2 field\(s\)"),
    "compressed": (b"\x1f\x8b\x08\x00rest", r"compressed or binary"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, r"begins with a byte order mark"),
}
_numbers = itertools.count(1)


class Source:
    """A pipeline's source of its own in S3.

    :param client: boto3's S3 client.
    :param path: What follows the source's folder in ``source.path``.
    """

    def __init__(self, client: Any, path: str, **fields: Any) -> None:
        self.client = client
        self.name = f"window_{next(_numbers)}"
        self.pipeline: Pipeline = smallest_pipeline(
            self.name,
            source={"path": f"s3://{{bucket}}/data/{self.name}/{path}", "delimiter": ";"},
            **{"window_days": len(DAYS), **fields},
        )

    def put(self, day: date, body: bytes = GOOD, name: str = "part-0.csv") -> str:
        """Deliver a file; return its key."""
        key = self.pipeline.source.layout.object_key(day, name)
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body)
        return key

    def check(self, newest: date = NEWEST) -> CheckedWindow:
        """Check the window up to a day."""
        end = datetime(newest.year, newest.month, newest.day, tzinfo=UTC) + timedelta(days=1)
        interval = DataInterval(end - timedelta(days=1), end)
        return S3SourceHook("brewtrain_aws").check_window(self.pipeline, interval, bucket=BUCKET)


@pytest.fixture
def client(aws_client: Any, connection: str) -> Any:
    """Return an S3 client; the bucket exists."""
    s3 = aws_client("s3")
    if BUCKET not in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=BUCKET)
    return s3


@pytest.mark.parametrize("layout", LAYOUTS)
def test_of_any_layout_exactly_the_windows_files_are_checked(client: Any, layout: str) -> None:
    source = Source(client, LAYOUTS[layout])
    for number, day in enumerate([*DAYS, NEWEST + timedelta(days=1), DAYS[-1] - timedelta(days=1)]):
        body = GOOD + b"%d;x;no\n" % number if day in DAYS else b"another day is not looked at"
        source.put(day, body)
    checked = source.check()
    assert checked.summary["partitions"] == checked.summary["new_partitions"] == len(DAYS)
    warnings = [one for one in checked.found.warnings if "of the 24 hours" not in one]
    assert (warnings, checked.summary["missing_days"]) == ([], 0)
    assert source.check().summary["new_partitions"] == 0


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("layout", ["hive", "day first", "a file a day", "hours"])
def test_a_fault_of_an_old_day_is_told(client: Any, layout: str, fault: str) -> None:
    source = Source(client, LAYOUTS[layout])
    for day in DAYS:
        source.put(day)
    body, message = FAULTS[fault]
    key = source.put(DAYS[3], body)
    with pytest.raises(InputError, match=message) as raised:
        source.check()
    assert str(raised.value).startswith(f"s3://{BUCKET}/{key} ")
    source.put(DAYS[3], GOOD)
    assert source.check().summary["new_partitions"] == 1, "all else is remembered"


def test_the_layouts_and_faults_are_all_there() -> None:
    assert (len(LAYOUTS), len(FAULTS)) == (8, 9)


def test_hidden_names_and_what_lies_beside_the_days_are_no_data(client: Any) -> None:
    source = Source(client, "dt={date}/")
    for day in DAYS:
        source.put(day)
    for name in ("_SUCCESS", "_temporary/0/part-9.csv", ".part-0.csv.crc", "a/_committed_17", ""):
        source.put(DAYS[1], b"no data", name)
    client.put_object(Bucket=BUCKET, Key=f"data/{source.name}/dt=2024-03-02.bak/part-0.csv", Body=b"x")
    client.put_object(Bucket=BUCKET, Key=f"data/{source.name}/README.md", Body=b"x")
    source.put(DAYS[2], GOOD, "_country=DE/part-0.csv")
    assert source.check().summary["partitions"] == len(DAYS)


def test_a_lost_or_damaged_memory_costs_calls_only(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    source = Source(client, "dt={date}/")
    for day in DAYS:
        source.put(day)
    first = source.check().summary
    assert source.check().summary["calls"] < first["calls"]
    key = names.checked_key(source.name)
    client.put_object(Bucket=BUCKET, Key=key, Body=b"damaged")
    assert source.check().summary == first
    client.delete_object(Bucket=BUCKET, Key=key)
    assert source.check().summary == first
    assert source.check().summary["new_partitions"] == 0


def test_a_red_check_remembers_what_it_has_seen(client: Any) -> None:
    source = Source(client, "dt={date}/")
    for day in DAYS[1:]:
        source.put(day)
    with pytest.raises(InputError, match="was not delivered"):
        source.check()
    source.put(NEWEST)
    assert source.check().summary["new_partitions"] == 1


def test_an_archived_file_is_looked_at_again_once_it_is_restored(client: Any) -> None:
    source = Source(client, "dt={date}/")
    for day in DAYS:
        source.put(day)
    key = source.put(DAYS[2])
    client.put_object(Bucket=BUCKET, Key=key, Body=GOOD, StorageClass="GLACIER")
    with pytest.raises(InputError, match=f"{key} .* is archived and cannot be read; restore it"):
        source.check()
    client.put_object(Bucket=BUCKET, Key=key, Body=GOOD)
    assert source.check().summary["new_partitions"] == 1


def test_a_window_of_many_pages_takes_a_call_a_page(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(client, "dt={date}/", window_days=60)
    for number in range(60):
        source.put(NEWEST - timedelta(days=number))
    for number in range(300):
        source.put(DAYS[0] - timedelta(days=100), GOOD, f"part-{number}.csv")
        source.put(DAYS[0] + timedelta(days=100), GOOD, f"part-{number}.csv")
    checked = source.check()
    # One listing, the memory read and written, and a file of each day.
    assert checked.summary["calls"] == 1 + 2 + 60
    assert source.check().summary["calls"] == 1 + 1


def test_days_that_do_not_sort_are_listed_one_by_one_where_that_takes_fewer_calls(client: Any) -> None:
    source = Source(client, "{date:%d-%m-%Y}/", window_days=2)
    for day in DAYS[:2]:
        source.put(day)
    for number in range(2100):
        client.put_object(Bucket=BUCKET, Key=f"data/{source.name}/01-01-1999/part-{number}.csv", Body=b"x")
    checked = source.check()
    assert checked.summary["partitions"] == 2
    # Two pages of everything, then a listing a day, the memory read and written, and two heads.
    assert checked.summary["calls"] == 3 + 2 + 2 + 2


def test_a_file_that_changes_while_it_is_looked_at_is_tried_again(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(client, "dt={date}/")
    source.put(NEWEST)
    hook = S3SourceHook("brewtrain_aws")
    window = source.pipeline.data_days.window(NEWEST)
    listed = hook.delivered(source.pipeline, window, bucket=BUCKET)
    source.put(NEWEST, GOOD + b"31;cook;yes\n")
    monkeypatch.setattr(S3SourceHook, "delivered", lambda *_, **__: listed)
    with pytest.raises(TransientError, match=r"was changed or removed while it was looked at; trying again"):
        source.check()


LONG = GOOD + b"30;admin;no\n" * 8000


@pytest.mark.parametrize(
    ("end", "cut"),
    [
        pytest.param(b"", False, id="whole"),
        pytest.param(b"31;cook;yes", False, id="no end of line"),
        pytest.param(b'31;"co', False, id="an open quote, which may be a longer row"),
        pytest.param(b"31;co", True, id="cut inside a row"),
        pytest.param(b"31", True, id="cut inside the first field"),
    ],
)
def test_a_long_file_that_was_cut_is_told(client: Any, end: bytes, cut: bool) -> None:
    source = Source(client, "dt={date}/")
    for day in DAYS:
        source.put(day, LONG)
    key = source.put(DAYS[2], LONG + end)
    if not cut:
        assert source.check().summary["partitions"] == len(DAYS)
        return
    with pytest.raises(InputError, match=r"is cut inside its last row, which has [12] field\(s\) of 3") as raised:
        source.check()
    assert str(raised.value).startswith(f"s3://{BUCKET}/{key} ")


def test_a_listing_that_is_read_fast_is_the_same(client: Any) -> None:
    source = Source(client, "dt={date}/")
    for name in ("a b.csv", "ü/é+%25.csv", "<&>'\".csv", "plain.csv"):
        source.put(NEWEST, GOOD, name)
    fast = S3SourceHook("brewtrain_aws").conn
    read_fast(fast)
    read_fast(fast)
    pages = [
        one.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix=f"data/{source.name}/", PaginationConfig={"PageSize": 3}
        )
        for one in (client, fast)
    ]
    plain, found = ([objects_of(page) for page in each] for each in pages)
    assert [len(page) for page in found] == [3, 1]
    assert found == plain


def test_an_error_of_a_listing_is_told_as_by_any_client(client: Any) -> None:
    fast = S3SourceHook("brewtrain_aws").conn
    read_fast(fast)
    with pytest.raises(ClientError) as raised:
        fast.list_objects_v2(Bucket="no-such-bucket-here")
    assert raised.value.response["Error"]["Code"] == "NoSuchBucket"
