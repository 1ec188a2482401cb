"""Load the bank marketing data into a pipeline's source prefix, with one partition per day.

A partition is ``<prefix>/dt=YYYY-MM-DD/<digest>.csv``. The file has neither year nor day. This rule
gives its rows a date:

1. *Year and month*: the month's name and the consumer price index together identify one month of
   the campaign (see `tools.bank_marketing`). Where the index is not in the table, the confidence
   index and then the number of employees decide. So the full file, its shuffled 4,119-row sample
   and the output of `tools.sample_data` all work.
2. *Day*: the rows of one month, in the order of the file, are spread evenly over all days of the
   month: row i of n gets day ⌊i · days / n⌋ + 1. In a month with fewer rows than days, some days
   have no partition.
3. A row that cannot be dated gets the date of the row before it. If more than half of the rows
   cannot be dated, the file is other data.

The lines of the file are not changed, so it can be restored: the partitions in order of their
names, each without its first line (the header), are the file's rows in order of time. If the file
is in order of time and has no empty lines, as UCI's, the result is the file byte for byte, whatever
its line ends. From a shuffled file, such as the 4,119-row sample, the result is every row once,
sorted by month and within a month in the order of the file.

A file that cannot be dated at all (missing columns, another delimiter, not UTF-8, no rows) is
loaded byte for byte as the partition of the newest date; the pipeline then reports what is wrong
with it.

The names of one load's partitions contain the digest of the whole file. A load is complete or
absent: if an upload fails, the uploaded partitions are deleted again; partitions of an earlier load
are deleted only after the last upload. Other objects below the prefix stay.

    python -m tools.load_data FILE --bucket BUCKET --prefix data/bank_marketing [--endpoint-url URL]

Must not import Airflow.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import hashlib
import io
import re
import sys
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from brewtrain.domain.pipeline.layout import Layout
from brewtrain.domain.pipeline.plain_text import is_bucket_name, key_problem
from tools.bank_marketing import CALL_MONTHS, DELIMITER, NEWEST_DATE

if TYPE_CHECKING:
    from collections.abc import Callable

UPLOADS_AT_ONCE = 8
_INDICATORS = ("cons.price.idx", "cons.conf.idx", "nr.employed")
_OWN_NAME = re.compile(r"/[0-9a-f]{12}\.csv$")


class LoadError(Exception):
    """The data could not be read or uploaded; the message is one sentence for the user."""


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """What was loaded.

    :ivar partitions: Number of partitions.
    :ivar rows: Number of rows, without headers.
    :ivar first_date: Date of the oldest partition.
    :ivar last_date: Date of the newest partition.
    :ivar dated: Whether the rows could be dated.
    :ivar warnings: Sentences for the user.
    """

    partitions: int
    rows: int
    first_date: datetime.date
    last_date: datetime.date
    dated: bool
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Partitions:
    """A file split by date; the other fields are those of :class:`LoadReport`.

    :ivar content: Content of each partition by date, in order of time.
    """

    content: dict[datetime.date, bytes]
    rows: int
    dated: bool
    warnings: tuple[str, ...]


class _NotDatableError(Exception):
    """The rows of a file cannot be dated; the message says why. It never leaves this module."""


def partition(data: bytes, undated: datetime.date = NEWEST_DATE) -> Partitions:
    """Split a file into dated partitions by the rule in the module's docstring.

    A file that cannot be dated becomes one partition, with a warning that says why.

    :param data: The file's bytes.
    :param undated: Date of the partition of a file that cannot be dated.
    """
    try:
        return _dated(data)
    except _NotDatableError as error:
        lines = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
        warning = f"the rows cannot be dated ({error}), so the whole file was loaded as the partition of {undated}."
        return Partitions({undated: data}, max(lines - 1, 0), dated=False, warnings=(warning,))


def _dated(data: bytes) -> Partitions:
    lines = _lines(data)
    header = lines["line"][0]
    names = [name.strip().strip('"') for name in header.removeprefix("\ufeff").rstrip("\r").split(DELIMITER)]
    if "month" not in names or not set(_INDICATORS) & set(names):
        raise _NotDatableError(
            f"this is not the bank marketing file: its header, split at {DELIMITER!r}, has no month or no indicators"
        )
    body = lines.slice(1)
    if body.is_empty():
        raise _NotDatableError("it has a header but no rows")

    month_index = _month_indices(body, names)
    undated = month_index.null_count()
    if undated * 2 > len(month_index):
        raise _NotDatableError(
            f"{undated} of {len(month_index)} rows have a month and indicators that are not in the campaign's table"
        )
    warnings: tuple[str, ...] = ()
    if undated:
        warnings = (f"{undated} of {len(month_index)} rows have no known month; each got the date of the row before.",)

    days = pl.Series([month.days for month in CALL_MONTHS], dtype=pl.Int64)
    starts = pl.Series([datetime.date(month.year, month.month, 1) for month in CALL_MONTHS])
    in_order = (
        body.with_columns(month=month_index.fill_null(strategy="forward").fill_null(strategy="backward"))
        .with_columns(place=pl.int_range(pl.len()).over("month"), of=pl.len().over("month"))
        .with_columns(day=pl.col("place") * pl.lit(days).gather(pl.col("month")) // pl.col("of"))
        .with_columns(date=pl.lit(starts).gather(pl.col("month")) + pl.duration(days=pl.col("day")))
        .group_by("date", maintain_order=True)
        .agg(pl.col("line").str.join("\n"))
        .sort("date")
    )
    top = header.encode() + b"\n"
    content = {date: top + text.encode() + b"\n" for date, text in in_order.select("date", "line").iter_rows()}
    return Partitions(content, body.height, dated=True, warnings=warnings)


def _lines(data: bytes) -> pl.DataFrame:
    """Return the file's non-empty lines as a column `line`; a carriage return stays in its line."""
    if not data.strip():
        raise _NotDatableError("it is empty")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _NotDatableError(f"it is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}") from None
    return pl.DataFrame({"line": pl.Series([text]).str.split("\n").explode(empty_as_null=True)}).filter(
        pl.col("line").str.strip_chars("\r") != ""
    )


def _month_indices(body: pl.DataFrame, names: list[str]) -> pl.Series:
    """Return each row's index into CALL_MONTHS, null where no rule applies; shape (rows,)."""
    fields = pl.col("line").str.strip_chars_end("\r").str.split(DELIMITER)

    def field(name: str) -> pl.Expr:
        return fields.list.get(names.index(name), null_on_oob=True).str.strip_chars(' "')

    present = [name for name in _INDICATORS if name in names]
    keys = body.select(
        field("month").str.to_lowercase().alias("month"),
        *(field(name).cast(pl.Float64, strict=False).alias(name) for name in present),
    )
    values = {
        "cons.price.idx": [month.consumer_price_index for month in CALL_MONTHS],
        "cons.conf.idx": [month.consumer_confidence_index for month in CALL_MONTHS],
        "nr.employed": [month.employees for month in CALL_MONTHS],
    }
    candidates = []
    for name in present:
        table = pl.DataFrame(
            {"month": [m.abbreviation for m in CALL_MONTHS], name: values[name], f"by {name}": range(len(CALL_MONTHS))}
        ).unique(["month", name], keep="none")
        keys = keys.join(table, on=["month", name], how="left", maintain_order="left")
        candidates.append(f"by {name}")
    return keys.select(pl.coalesce(candidates)).to_series()


def load(
    path_or_frame: str | Path | pl.DataFrame,
    bucket: str,
    prefix: str,
    s3_client: Any,
    on_progress: Callable[[int, int], None] | None = None,
    undated: datetime.date = NEWEST_DATE,
) -> LoadReport:
    """Upload dated partitions under ``s3://<bucket>/<prefix>/``, completely or not at all.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html

    :param path_or_frame: A file, or a polars frame with the file's columns.
    :param bucket: Must exist.
    :param prefix: With or without a slash at its end; may say where the date stands, as
        ``source.path`` of a pipeline file does.
    :param s3_client: A boto3 S3 client.
    :param on_progress: Called with the number of uploaded partitions and of all.
    :param undated: Date of the partition of a file that cannot be dated.
    :raises LoadError: The path cannot be read, the bucket or prefix is not valid, or S3 refuses an
        upload; then no object of this load remains.
    """
    layout = _layout(bucket, prefix)
    if isinstance(path_or_frame, pl.DataFrame):
        buffer = io.BytesIO()
        path_or_frame.write_csv(buffer, separator=DELIMITER, quote_style="non_numeric")
        data = buffer.getvalue()
    else:
        data = read_file(path_or_frame)
    partitions = partition(data, undated)
    digest = hashlib.sha256(data).hexdigest()[:12]
    keys = {layout.object_key(day, f"{digest}.csv"): content for day, content in partitions.content.items()}
    try:
        before = _own_keys(s3_client, bucket, layout)
        _upload(s3_client, bucket, keys, before, on_progress or (lambda done, total: None))
        _delete(s3_client, bucket, sorted(before - keys.keys()))
    except Exception as error:
        if type(error).__module__.split(".")[0] not in {"botocore", "boto3", "urllib3"}:
            raise
        raise LoadError(
            f"s3://{bucket}/{layout.pattern} could not be loaded: {error}; "
            "check the bucket, the endpoint and the credentials, and load again."
        ) from error
    dates = list(partitions.content)
    return LoadReport(len(dates), partitions.rows, dates[0], dates[-1], partitions.dated, partitions.warnings)


def _layout(bucket: str, prefix: str) -> Layout:
    """Return the layout of a prefix; one without a date gets ``dt={date}/``.

    :raises LoadError: Bucket or prefix is not valid, or could lead to another place than it shows.
    """
    if not is_bucket_name(bucket):
        raise LoadError(f"{bucket!r} is not a valid bucket name; use one such as brewtrain-123456789012-us-east-1.")
    pattern = prefix.lstrip("/")
    if "{" not in pattern:
        pattern = f"{pattern.rstrip('/')}/dt={{date}}/".lstrip("/")
    elif not pattern.endswith("/") and "." not in pattern.rpartition("/")[2]:
        pattern += "/"
    try:
        layout = Layout(pattern)
        problem = key_problem(layout.object_key(NEWEST_DATE, ""))
    except ValueError as error:
        problem = str(error)
    if problem is not None:
        raise LoadError(f"the prefix {prefix!r} is not valid: it {problem}.")
    return layout


def read_file(path: str | Path) -> bytes:
    """Return the bytes of a file.

    :raises LoadError: It does not exist, is a folder, or cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LoadError(
            f"{path} cannot be read ({reason}); name a CSV file that exists and that you may read."
        ) from error


def _own_keys(s3_client: Any, bucket: str, layout: Layout) -> set[str]:
    """Return the keys that earlier loads of a layout wrote."""
    pages = s3_client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=layout.literal_prefix)
    keys = (item["Key"] for page in pages for item in page.get("Contents", ()))
    return {key for key in keys if layout.day_of(key) and (not layout.is_prefix or _OWN_NAME.search(key))}


def _upload(
    s3_client: Any, bucket: str, keys: dict[str, bytes], before: set[str], on_progress: Callable[[int, int], None]
) -> None:
    """Put all keys; if one fails, delete those that did not exist before."""
    done = 0
    with ThreadPoolExecutor(UPLOADS_AT_ONCE, thread_name_prefix="load") as pool:
        pending = {
            pool.submit(s3_client.put_object, Bucket=bucket, Key=key, Body=content) for key, content in keys.items()
        }
        try:
            while pending:
                finished, pending = wait(pending, return_when=FIRST_EXCEPTION, timeout=0.2)
                for upload in finished:
                    upload.result()
                if finished:
                    done += len(finished)
                    on_progress(done, len(keys))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            _delete(s3_client, bucket, sorted(keys.keys() - before))
            raise


def _delete(s3_client: Any, bucket: str, keys: list[str]) -> None:
    """Delete keys, whether they exist or not, 1,000 per call, which is the API's limit."""
    for start in range(0, len(keys), 1000):
        batch = [{"Key": key} for key in keys[start : start + 1000]]
        s3_client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})


def main(arguments: list[str] | None = None) -> int:
    """Load one file.

    :returns: The exit code: 0 loaded, 2 not.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.load_data", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "file", type=Path, help="bank-additional-full.csv, bank-additional.csv or the output of tools.sample_data"
    )
    parser.add_argument("--bucket", required=True, help="bucket to load into; must exist")
    parser.add_argument(
        "--prefix", default="data/bank_marketing", help="the source prefix of the pipeline (default %(default)s)"
    )
    parser.add_argument("--endpoint-url", help="S3 endpoint, e.g. of local_aws (default: AWS)")
    parser.add_argument("--region", default="us-east-1", help="AWS region (default %(default)s)")
    options = parser.parse_args(arguments)

    import boto3  # only the command line needs it: callers of load() pass a client
    from botocore.config import Config

    client = boto3.client(
        "s3",
        region_name=options.region,
        endpoint_url=options.endpoint_url,
        config=Config(max_pool_connections=UPLOADS_AT_ONCE),
    )

    def show(done: int, total: int) -> None:
        print(f"\rload: {done} of {total} partitions", end="" if done < total else "\n", file=sys.stderr, flush=True)

    try:
        report = load(options.file, options.bucket, options.prefix, client, show if sys.stderr.isatty() else None)
    except LoadError as error:
        print(f"load: {error}", file=sys.stderr)
        return 2
    for warning in report.warnings:
        print(f"load: warning: {warning}", file=sys.stderr)
    print(
        f"load: {report.rows} rows in {report.partitions} partitions, {report.first_date} to {report.last_date}, "
        f"under s3://{options.bucket}/{options.prefix.strip('/')}/"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
