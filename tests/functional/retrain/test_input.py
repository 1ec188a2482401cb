"""The check of the input: one sentence for each kind of bad data: what, where and what to do."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from brewtrain.domain.errors import DeploymentError, InputError
from brewtrain.domain.input.file_head import HEAD_BYTES
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run.interval import DataInterval
from brewtrain.hooks.s3_run import S3RunHook
from brewtrain.hooks.s3_source import S3SourceHook
from tests.fixtures.switched_execution import SwitchedExecution

DAY = date(2024, 2, 1)
INTERVAL = DataInterval(datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 2, 2, tzinfo=UTC))
MONTH = DataInterval(datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 2, 2, tzinfo=UTC))
GOOD = b'age;job;"y"\n30;admin;no\n'


@pytest.fixture(autouse=True)
def _empty_partition(account: SwitchedExecution) -> None:
    s3 = account.client("s3")
    prefix = account.pipeline.source.layout.literal_prefix + "2024-"
    for item in s3.list_objects_v2(Bucket=account.bucket, Prefix=prefix).get("Contents", ()):
        s3.delete_object(Bucket=account.bucket, Key=item["Key"])


def check(
    account: SwitchedExecution, interval: DataInterval = INTERVAL, pipeline: Pipeline | None = None
) -> dict[str, object]:
    hook = S3SourceHook("brewtrain_aws")
    return hook.check_window(pipeline or account.pipeline, interval, bucket=account.bucket).summary


@pytest.mark.parametrize(
    "body",
    [
        GOOD,
        b"\xef\xbb\xbfage;job;y\r\n30;admin;no\r\n",
        b"extra;y;job;age\n1;no;admin;30\n",
        # A character cut by the range's end is no error.
        b"age;job;y\n" + b"x" * (HEAD_BYTES - 11) + "é".encode() + b"\n",
    ],
    ids=["quoted", "bom-crlf", "other-order", "cut-character"],
)
def test_good_data_passes(account: SwitchedExecution, body: bytes) -> None:
    account.deliver(DAY, body=body)
    assert check(account)["files"] == 1


BAD = {
    "other-delimiter": (b"age,job,y\n30,admin,no\n", r"delimited by ',', not by ';' as source.delimiter says"),
    "tab": (b"age\tjob\ty\n", "delimited by a tab, not by ';'"),
    "missing-column": (b"age;y\n", r"lacks the column\(s\) 'job' that source.columns"),
    "several": (b"a;b\n", r"lacks the column\(s\) 'age', 'job', 'y'"),
    "twice": (b"age;job;y;y\n", "has the column 'y' twice"),
    "latin-1": ("age;job;y\n30;gärtner;no\n".encode("latin-1"), r"is not UTF-8 \(byte 0xe4 at position 14\)"),
    "utf-16": ("age;job;y\n".encode("utf-16-le"), "contains NUL bytes"),
    "gzip": (b"\x1f\x8b\x08\x00rest", "compressed or binary"),
    "parquet": (b"PAR1rest", "compressed or binary"),
    "blanks-in-a-name": (b" age;job;y\n1;2;3\n", r"\(it has ' age', 'job', 'y'; ' age' is not 'age': blanks and case"),
    "zip": (b"PK\x03\x04rest", "a zip archive"),
    "no-header": (b"\nage;job;y\n", "begins with an empty line instead of a header"),
    "empty": (b"", "all of them empty"),
    "header-only": (b"age;job;y\n\r\n", "has a header but no rows"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_data_is_one_sentence(account: SwitchedExecution, name: str) -> None:
    body, message = BAD[name]
    account.deliver(DAY, body=body)
    with pytest.raises(InputError, match=message) as raised:
        check(account)
    text = str(raised.value)
    assert text.startswith(f"s3://{account.bucket}/data/{account.pipeline.name}/dt=2024-02-01/")
    assert "\n" not in text


def test_a_run_whose_evaluation_is_not_deployed_is_one_sentence(account: SwitchedExecution) -> None:
    from brewtrain.domain.evaluation.job import Code
    from brewtrain.resources import evaluation_code

    hook = S3RunHook("brewtrain_aws")
    hook.check_evaluation_code(account.pipeline, evaluation_code(), bucket=account.bucket)
    newer = Code(files={"gate.py": b"", "evaluate.py": b"# of a newer release"})
    with pytest.raises(
        DeploymentError, match=rf"evaluate\.py does not exist: .* run {account.pipeline.name}__deploy, then"
    ):
        hook.check_evaluation_code(account.pipeline, newer, bucket=account.bucket)


def test_the_bad_cases_are_all_there() -> None:
    assert len(BAD) == 14


def test_a_missing_partition_is_one_sentence(account: SwitchedExecution) -> None:
    with pytest.raises(InputError, match=r"dt=2024-02-01/ has no files: .* deliver it, then clear check_input"):
        check(account)


def test_the_newest_partition_of_a_month_counts(account: SwitchedExecution) -> None:
    account.deliver(date(2024, 1, 12), body=b"an older day is not looked at")
    account.deliver(date(2024, 1, 30), body=GOOD)
    assert str(check(account, MONTH)["path"]).endswith("/dt=2024-01-30/")
    account.deliver(DAY, body=b"age;job;y\n")
    assert str(check(account, MONTH)["path"]).endswith("/dt=2024-01-30/"), "a day without business is passed over"
    account.deliver(DAY, body=b"age;y\n30;no\n")
    with pytest.raises(InputError, match=r"dt=2024-02-01/part\.csv \(2024-02-01\) lacks the column"):
        check(account, MONTH)
    account.deliver(DAY, body=b"")
    with pytest.raises(InputError, match=r"dt=2024-02-01/ has 1 file\(s\), all of them empty"):
        check(account, MONTH)


def test_a_month_without_a_partition_or_a_row_is_one_sentence(account: SwitchedExecution) -> None:
    account.deliver(date(2024, 1, 1), body=GOOD)
    account.deliver(date(2024, 2, 2), body=GOOD)
    monthly = changed(account, window_days=31)
    with pytest.raises(
        InputError, match=r"dt=2024-02-01/ has no files, and neither has any partition since 2024-01-02: no day"
    ):
        check(account, MONTH, monthly)
    account.deliver(date(2024, 1, 2), body=b"age;job;y\n")
    with pytest.raises(
        InputError, match=r"no rows, and neither has any other partition from 2024-01-02 to 2024-02-01; deliver"
    ):
        check(account, MONTH, monthly)


def test_a_day_before_the_window_is_no_days_data(account: SwitchedExecution) -> None:
    account.deliver(date(2024, 1, 12), body=GOOD)
    with pytest.raises(InputError, match=r"neither has any partition since 2024-01-30: no day"):
        check(account, MONTH)


def test_a_partition_that_comes_late_is_used(account: SwitchedExecution) -> None:
    with pytest.raises(InputError, match="has no files"):
        check(account)
    account.deliver(DAY, body=GOOD)
    assert check(account)["files"] == 1


def test_folder_markers_are_no_data(account: SwitchedExecution) -> None:
    account.client("s3").put_object(Bucket=account.bucket, Key=f"data/{account.pipeline.name}/dt=2024-02-01/")
    with pytest.raises(InputError, match="has no files"):
        check(account)


def test_the_newest_file_is_looked_at(account: SwitchedExecution) -> None:
    account.deliver(DAY, body=GOOD)
    key = f"data/{account.pipeline.name}/dt=2024-02-01/zzz.csv"
    account.client("s3").put_object(Bucket=account.bucket, Key=key, Body=b"age;y\n")
    with pytest.raises(InputError, match=r"zzz\.csv \(2024-02-01\) lacks"):
        check(account)


def test_a_missing_bucket_is_the_deployments_fault(account: SwitchedExecution) -> None:
    hook = S3SourceHook("brewtrain_aws")
    with pytest.raises(DeploymentError, match=r"bucket 'no-such-bucket-here' does not exist; deploy"):
        hook.check_window(account.pipeline, INTERVAL, bucket="no-such-bucket-here")


def changed(account: SwitchedExecution, **fields: object) -> Pipeline:
    """Return the account's pipeline with some fields changed, and some of its source."""
    document = account.pipeline.model_dump(exclude_none=True)
    document["source"] |= fields.pop("source", {})
    return Pipeline.model_validate(document | fields)


def check_at(account: SwitchedExecution, pipeline: Pipeline, due: datetime) -> dict[str, object]:
    interval = pipeline.run_schedule.newest_complete(due)
    return S3SourceHook("brewtrain_aws").check_window(pipeline, interval, bucket=account.bucket).summary


def test_a_morning_run_needs_yesterdays_partition_and_no_other(account: SwitchedExecution) -> None:
    morning = changed(account, schedule="0 4 * * *")
    due = datetime(2024, 2, 2, 4, tzinfo=UTC)
    account.deliver(date(2024, 2, 2), body=GOOD)
    with pytest.raises(InputError, match=r"dt=2024-02-01/ has no files: the partition of 2024-02-01 was not delivered"):
        check_at(account, morning, due)
    account.deliver(date(2024, 2, 1), body=GOOD)
    assert str(check_at(account, morning, due)["path"]).endswith("dt=2024-02-01/")


def test_an_hourly_run_needs_the_partition_of_the_day_before(account: SwitchedExecution) -> None:
    account.deliver(date(2024, 2, 1), body=GOOD)
    hourly = changed(account, schedule="@hourly")
    for hour in (0, 1, 23):
        found = check_at(account, hourly, datetime(2024, 2, 2, hour, tzinfo=UTC))
        assert str(found["path"]).endswith("dt=2024-02-01/")


def test_a_run_of_late_data_needs_an_earlier_partition(account: SwitchedExecution) -> None:
    account.deliver(date(2024, 1, 30), body=GOOD)
    behind = changed(account, source={"lag_days": 2})
    assert str(check_at(account, behind, datetime(2024, 2, 2, tzinfo=UTC))["path"]).endswith("dt=2024-01-30/")


def test_a_mondays_run_of_working_days_needs_fridays_partition(account: SwitchedExecution) -> None:
    account.deliver(date(2024, 2, 4), body=GOOD)
    working = changed(account, schedule="0 6 * * 1-5", source={"days": ["mon", "tue", "wed", "thu", "fri"]})
    monday = datetime(2024, 2, 5, 6, tzinfo=UTC)
    with pytest.raises(InputError, match=r"dt=2024-02-02/ has no files"):
        check_at(account, working, monday)
    account.deliver(date(2024, 2, 2), body=GOOD)
    assert str(check_at(account, working, monday)["path"]).endswith("dt=2024-02-02/")


def test_a_day_ends_in_the_pipelines_time_zone(account: SwitchedExecution) -> None:
    account.deliver(date(2024, 2, 1), body=GOOD)
    tokyo = changed(account, schedule="0 0 * * *", timezone="Asia/Tokyo")
    assert str(check_at(account, tokyo, datetime(2024, 2, 1, 15, tzinfo=UTC))["path"]).endswith("dt=2024-02-01/")


def test_a_run_before_the_start_date_is_refused(account: SwitchedExecution) -> None:
    late = changed(account, start_date=date(2024, 2, 2))
    with pytest.raises(InputError) as raised:
        check_at(account, late, datetime(2024, 2, 2, tzinfo=UTC))
    assert str(raised.value) == (
        f"the newest day of this run is 2024-02-01, before start_date 2024-02-02 of pipeline {late.name}; "
        "run a later interval, or change start_date in the pipeline file"
    )
