"""The loader dates rows by its rule, leaves their bytes unchanged, and loads all or nothing."""

from __future__ import annotations

import datetime
import random
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.bank_marketing import CALL_MONTHS, NEWEST_DATE
from tools.load_data import LoadError, load, main, partition
from tools.sample_data import generate, write_csv


class FakeS3:
    """Keeps objects in memory; the put number `fails_at` fails as under too many requests."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.objects: dict[str, bytes] = {}
        self._puts = 0
        self._fails_at = fails_at

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        self._puts += 1
        if self._puts == self._fails_at:
            raise ClientError({"Error": {"Code": "SlowDown", "Message": "reduce your rate"}}, "PutObject")
        self.objects[Key] = Body

    def get_paginator(self, operation: str) -> FakeS3:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key} for key in sorted(self.objects) if key.startswith(Prefix)]}, {}]

    def delete_objects(self, *, Bucket: str, Delete: dict[str, Any]) -> None:
        assert 0 < len(Delete["Objects"]) <= 1000
        for item in Delete["Objects"]:
            self.objects.pop(item["Key"], None)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_csv(tmp_path_factory.mktemp("full") / "full.csv", seed=1).read_bytes()


def rows_of(content: dict[datetime.date, bytes]) -> bytes:
    return b"".join(part.split(b"\n", 1)[1] for part in content.values())


def test_partitions_in_order_give_the_file_back(full: bytes) -> None:
    parts = partition(full)
    header, body = full.split(b"\n", 1)
    assert parts.dated
    assert parts.warnings == ()
    assert parts.rows == 41_188
    assert list(parts.content) == sorted(parts.content)
    assert rows_of(parts.content) == body
    assert {part.split(b"\n", 1)[0] for part in parts.content.values()} == {header}


def test_rows_of_a_month_are_spread_over_its_days(full: bytes) -> None:
    content = partition(full).content
    assert min(content) == datetime.date(2008, 5, 1)
    assert max(content) == NEWEST_DATE
    for month in CALL_MONTHS:
        days = [date for date in content if (date.year, date.month) == (month.year, month.month)]
        assert len(days) == min(month.days, month.rows)
        sizes = {content[day].count(b"\n") - 1 for day in days}
        assert max(sizes) - min(sizes) <= 1
        assert sum(content[day].count(b"\n") - 1 for day in days) == month.rows


def test_shuffled_rows_get_the_month_of_their_indicators(full: bytes) -> None:
    header, *lines = full.split(b"\n")[:-1]
    random.Random(5).shuffle(lines)
    lines = lines[:4119]
    content = partition(b"\n".join([header, *lines])).content
    assert sorted(rows_of(content).split(b"\n")[:-1]) == sorted(lines)
    for date, part in content.items():
        month = next(m for m in CALL_MONTHS if (m.year, m.month) == (date.year, date.month))
        for line in part.split(b"\n")[1:-1]:
            assert line.split(b";")[16] == f"{month.consumer_price_index:g}".encode()


def test_the_real_sample_is_dated(shared_dir: Path) -> None:
    path = shared_dir / "data" / "bank-additional.csv"
    if not path.exists():
        pytest.skip(f"no {path}")
    parts = partition(path.read_bytes())
    assert (parts.dated, parts.rows, parts.warnings) == (True, 4119, ())
    assert len({(date.year, date.month) for date in parts.content}) == 26


def test_windows_line_ends_stay(full: bytes) -> None:
    parts = partition(full.replace(b"\n", b"\r\n"))
    assert parts.rows == 41_188
    assert rows_of(parts.content) == full.replace(b"\n", b"\r\n").split(b"\n", 1)[1], "byte for byte, as at UCI"


def test_a_row_without_a_known_month_gets_the_date_of_the_row_before(full: bytes) -> None:
    lines = full.split(b"\n")
    lines[100] = b"broken line"
    parts = partition(b"\n".join(lines))
    assert parts.warnings == ("1 of 41188 rows have no known month; each got the date of the row before.",)
    assert rows_of(parts.content) == b"\n".join(lines[1:])


def test_other_indicators_decide_where_the_price_index_is_missing(full: bytes) -> None:
    lines = full.split(b"\n")[:-1]
    place = 16
    changed = [b";".join([*(cells := line.split(b";"))[:place], b"", *cells[place + 1 :]]) for line in lines[1:]]
    assert list(partition(b"\n".join([lines[0], *changed])).content) == list(partition(full).content)


NOT_THE_FILE = "this is not the bank marketing file: its header, split at ';', has no month or no indicators"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda data: b"", "it is empty", id="empty"),
        pytest.param(lambda data: data.split(b"\n")[0], "it has a header but no rows", id="header only"),
        pytest.param(lambda data: data.replace(b";", b","), NOT_THE_FILE, id="comma"),
        pytest.param(lambda data: data.replace(b'"month"', b'"moon"', 1), NOT_THE_FILE, id="no month"),
        pytest.param(lambda data: data.replace(b"housemaid", b"h\xf6usemaid"), "it is not UTF-8: byte", id="latin-1"),
        pytest.param(
            lambda data: data.replace(b'"may"', b'"mai"').replace(b'"jul"', b'"j"'),
            "rows have a month and indicators that are not in the campaign's table",
            id="foreign months",
        ),
    ],
)
def test_a_file_that_cannot_be_dated_is_loaded_whole_with_a_warning(full: bytes, change: Any, reason: str) -> None:
    data = change(full)
    parts = partition(data)
    assert not parts.dated
    assert parts.content == {NEWEST_DATE: data}
    assert len(parts.warnings) == 1
    assert reason in parts.warnings[0]


def test_a_file_that_cannot_be_dated_gets_the_day_that_the_caller_names() -> None:
    day = datetime.date(2026, 2, 3)
    assert partition(b"age|y\n1|0\n", day).content == {day: b"age|y\n1|0\n"}


def test_a_load_writes_below_the_prefix_and_reports_what_it_wrote(full: bytes, tmp_path: Path) -> None:
    (tmp_path / "full.csv").write_bytes(full)
    s3, seen = FakeS3(), []
    report = load(tmp_path / "full.csv", "bucket", "data/bank/", s3, lambda done, total: seen.append((done, total)))
    assert (report.partitions, report.rows, report.dated) == (775, 41_188, True)
    assert (report.first_date, report.last_date) == (datetime.date(2008, 5, 1), NEWEST_DATE)
    assert len(s3.objects) == 775
    assert all(key.startswith("data/bank/dt=20") and key.endswith(".csv") for key in s3.objects)
    assert seen[-1] == (775, 775)


def test_the_date_may_stand_in_the_middle_of_the_prefix() -> None:
    s3 = FakeS3()
    load(generate(500, seed=2), "bucket", "raw/{date}/calls", s3)
    assert all(re.fullmatch(r"raw/\d{4}-\d\d-\d\d/calls/[0-9a-f]{12}\.csv", key) for key in s3.objects)
    first = set(s3.objects)
    load(generate(400, seed=2), "bucket", "raw/{date}/calls", s3)
    assert not first & set(s3.objects), "the earlier load is replaced under such a prefix too"


@pytest.mark.parametrize(
    ("prefix", "key"),
    [
        pytest.param("raw/{date:%Y/%m/%d}/", "raw/2008/05/01/", id="folders"),
        pytest.param("raw/{date:%Y}/{date}/", "raw/2008/2008-05-01/", id="two dates"),
        pytest.param("raw/{date}/{hour}/", "raw/2008-05-01/00/", id="hours"),
    ],
)
def test_a_prefix_may_write_its_date_as_a_pipeline_file_does(prefix: str, key: str) -> None:
    s3 = FakeS3()
    load(generate(500, seed=2), "bucket", prefix, s3)
    assert any(found.startswith(key) for found in s3.objects)
    first = set(s3.objects)
    load(generate(400, seed=2), "bucket", prefix, s3)
    assert not first & set(s3.objects)


def test_a_file_a_day_has_its_own_name() -> None:
    s3 = FakeS3()
    load(generate(500, seed=2), "bucket", "raw/calls-{date}.csv", s3)
    assert "raw/calls-2008-05-01.csv" in s3.objects


def test_loading_again_replaces_the_earlier_load_and_nothing_else() -> None:
    s3 = FakeS3()
    s3.objects["data/dt=2010-11-30/mine.csv"] = b"somebody else's"
    load(generate(2000, seed=2), "bucket", "data", s3)
    first = set(s3.objects)
    load(generate(2000, seed=2), "bucket", "data", s3)
    assert set(s3.objects) == first
    load(generate(1000, seed=3), "bucket", "data", s3)
    assert set(s3.objects) & first == {"data/dt=2010-11-30/mine.csv"}


def test_a_failed_upload_leaves_the_earlier_load_whole() -> None:
    s3 = FakeS3()
    load(generate(1000, seed=2), "bucket", "data", s3)
    before = dict(s3.objects)
    broken = FakeS3(fails_at=50)
    broken.objects = dict(before)
    with pytest.raises(LoadError, match=r"s3://bucket/data/.* could not be loaded: .*SlowDown.*; check the bucket"):
        load(generate(1000, seed=3), "bucket", "data", broken)
    assert broken.objects == before


def test_a_path_that_cannot_be_read_is_reported_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (tmp_path / "missing.csv", tmp_path):
        with pytest.raises(LoadError, match=r"cannot be read \(.*\); name a CSV file"):
            load(path, "bucket", "data", FakeS3())
    arguments = [str(tmp_path / "missing.csv"), "--bucket", "b-c", "--endpoint-url", "http://127.0.0.1:9"]
    assert main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("bucket", "prefix"),
    [
        pytest.param("b-1", "../data", id="above the bucket"),
        pytest.param("b-1", "data/../other", id="a step back"),
        pytest.param("b-1", "data/./x", id="a dot folder"),
        pytest.param("b-1", "data//x", id="an empty folder"),
        pytest.param("b-1", "data/%2e%2e", id="an encoded step back"),
        pytest.param("b-1", "data\\x", id="a backslash"),
        pytest.param("b-1", "data/{date}/{bucket}", id="another placeholder"),
        pytest.param("b-1", "data/{date:%Y}/{date:%m}/", id="no day"),
        pytest.param("b-1", "s3://other/data", id="a whole address"),
        pytest.param("b-1", "data/\x00", id="a zero byte"),
        pytest.param("b-1", "d" * 800, id="too long"),
        pytest.param("arn:aws:s3:us-east-1:111122223333:accesspoint/x", "data", id="an access point"),
        pytest.param("../x", "data", id="a folder as bucket"),
        pytest.param("", "data", id="no bucket"),
    ],
)
def test_an_invalid_bucket_or_prefix_is_refused_before_any_call(bucket: str, prefix: str, tmp_path: Path) -> None:
    class Untouched:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"S3 was called: {name}")

    file = tmp_path / "x.csv"
    file.write_text("a;b\n1;2\n")
    with pytest.raises(LoadError):
        load(file, bucket, prefix, Untouched())
