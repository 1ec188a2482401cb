"""Load the bank marketing data into a pipeline's source prefix, one partition a day:
``<prefix>/dt=YYYY-MM-DD/<digest>.csv``.

The file has neither year nor day. The rule that gives its rows a date:

1. *Year and month*: the month's name together with the consumer price index belongs to exactly one
   month of the campaign (see `tools.bank_marketing`); where the index is not one of the table's,
   the confidence index and then the number of employees decide. So the full file, its shuffled
   4,119-row sample and the output of `tools.sample_data` all work.
2. *Day*: the rows of one month, in the order of the file, are spread evenly over all days of that
   month: row i of n stands on day ⌊i · days / n⌋ + 1. A month with fewer rows than days leaves days
   without a partition.
3. A row that cannot be dated stays with the row before it. When more than half the rows cannot be
   dated, the file is not this data.

The lines of the file are not touched, so it can be taken back: the partitions in order of their
names, each without its first line, which is the header, are the file's rows in order of time. Of a
file that stands in order of time and has no empty lines, such as UCI's, that is the file byte for
byte, whatever its line ends; of a shuffled one, such as the 4,119-row sample, it is every row once,
sorted by month and within a month in the order of the file.

A file that cannot be dated at all (columns missing, another delimiter, not UTF-8, no rows) is
loaded byte for byte as the partition of the newest date: the pipeline itself then reports what is
wrong with it.

Partitions of one load carry the digest of the whole file in their names. They are complete or
absent: if an upload fails, those already made are deleted again; partitions of an earlier load are
deleted only after the last upload. Anything else below the prefix stays.

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

from tools.bank_marketing import CALL_MONTHS, DELIMITER, NEWEST_DATE

if TYPE_CHECKING:
    from collections.abc import Callable

UPLOADS_AT_ONCE = 8
_INDICATORS = ("cons.price.idx", "cons.conf.idx", "nr.employed")
_DATE = "{date}"


class LoadError(Exception):
    """The data could not be read or uploaded; the message is one sentence for the person who asked."""


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """What was loaded.

    `partitions` and `rows` are counts (rows without headers), `first_date` and `last_date` the
    oldest and newest partition, `dated` says whether the rows could be dated, `warnings` are
    sentences for the person who loaded.
    """

    partitions: int
    rows: int
    first_date: datetime.date
    last_date: datetime.date
    dated: bool
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Partitions:
    """The content of each partition by date, in order of time; other fields as in `LoadReport`."""

    content: dict[datetime.date, bytes]
    rows: int
    dated: bool
    warnings: tuple[str, ...]


class _NotDatableError(Exception):
    """Why a file's rows cannot be dated; never leaves this module."""


def partition(data: bytes, undated: datetime.date = NEWEST_DATE) -> Partitions:
    """Split a file's bytes into dated partitions by the rule in the module's docstring; pure.

    Parameters: `data`, the file's bytes; `undated`, the day under which a file without dates is
    put. Raises nothing: what cannot be dated becomes one partition, with a warning that says why.
    """
    try:
        return _dated(data)
    except _NotDatableError as error:
        lines = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
        warning = f"the rows cannot be dated ({error}), so the file was loaded as it is as the partition of {undated}."
        return Partitions({undated: data}, max(lines - 1, 0), dated=False, warnings=(warning,))


def _dated(data: bytes) -> Partitions:
    lines = _lines(data)
    header = lines["line"][0]
    names = [name.strip().strip('"') for name in header.removeprefix("\ufeff").rstrip("\r").split(DELIMITER)]
    if "month" not in names or not set(_INDICATORS) & set(names):
        raise _NotDatableError(
            f"only the bank marketing file can be: its header, split at {DELIMITER!r}, has the month and its figures"
        )
    body = lines.slice(1)
    if body.is_empty():
        raise _NotDatableError("it has a header and no rows")

    month_index = _month_indices(body, names)
    undated = month_index.null_count()
    if undated * 2 > len(month_index):
        raise _NotDatableError(
            f"{undated} of {len(month_index)} rows carry a month and indicators that are not in the campaign's table"
        )
    warnings: tuple[str, ...] = ()
    if undated:
        warnings = (f"{undated} of {len(month_index)} rows carry no known month; each was put with the row before it.",)

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
    """The non-empty lines of the file as one text column `line`; a carriage return stays part of its line."""
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
    """Index into CALL_MONTHS of every row, null where no rule of the table fits; shape (rows,)."""
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
    """Upload dated partitions under ``s3://<bucket>/<prefix>/``, complete or absent.

    Parameters: `path_or_frame`, a file, or a polars frame with the file's columns; `bucket` exists
    already; `prefix` with or without a slash at its end; `s3_client`, a boto3 S3 client;
    `on_progress(done, total)` is called with counts of partitions; `undated`, the day under which a
    file without dates is put. Raises LoadError if the path cannot be read, bucket or prefix is not
    plainly one, or if S3 refuses an upload (then nothing of this load is left behind). S3:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
    """
    folder = _folder(bucket, prefix)
    if isinstance(path_or_frame, pl.DataFrame):
        buffer = io.BytesIO()
        path_or_frame.write_csv(buffer, separator=DELIMITER, quote_style="non_numeric")
        data = buffer.getvalue()
    else:
        data = read_file(path_or_frame)
    partitions = partition(data, undated)
    digest = hashlib.sha256(data).hexdigest()[:12]
    keys = {f"{folder.replace(_DATE, str(date))}{digest}.csv": content for date, content in partitions.content.items()}
    try:
        before = _own_keys(s3_client, bucket, folder)
        _upload(s3_client, bucket, keys, before, on_progress or (lambda done, total: None))
        _delete(s3_client, bucket, sorted(before - keys.keys()))
    except Exception as error:
        if type(error).__module__.split(".")[0] not in {"botocore", "boto3", "urllib3"}:
            raise
        raise LoadError(
            f"s3://{bucket}/{folder} could not be loaded: {error}; "
            "check the bucket, the endpoint and the credentials, and load again."
        ) from error
    dates = list(partitions.content)
    return LoadReport(len(dates), partitions.rows, dates[0], dates[-1], partitions.dated, partitions.warnings)


def _folder(bucket: str, prefix: str) -> str:
    """The prefix with its date and a slash at its end. Raises LoadError if it would not be where it seems to be."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
        raise LoadError(f"{bucket!r} is not the name of a bucket; write one such as brewtrain-123456789012-us-east-1.")
    folder = f"{prefix.strip('/')}/".removeprefix("/")
    if _DATE not in folder:
        folder += f"dt={_DATE}/"
    plain = folder.replace(_DATE, "2024-01-31", 1)
    if not re.fullmatch(r"[A-Za-z0-9!\-_.'()=+,@/]{1,700}", plain) or {"", ".", ".."} & set(plain[:-1].split("/")):
        raise LoadError(
            f"the prefix {prefix!r} is not plainly one; write folders of letters, digits and ! - _ . ' ( ) = + , @, "
            f"with {_DATE} at most once."
        )
    return folder


def read_file(path: str | Path) -> bytes:
    """The bytes of `path`. Raises LoadError, in one sentence, if it is missing, a folder or not readable."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LoadError(
            f"{path} cannot be read ({reason}); name a CSV file that exists and that you may read."
        ) from error


def _own_keys(s3_client: Any, bucket: str, folder: str) -> set[str]:
    """Keys that earlier loads into `folder` made; other objects there are none of this module's business."""
    before, _, after = folder.partition(_DATE)
    own = re.compile(rf"{re.escape(before)}\d{{4}}-\d{{2}}-\d{{2}}{re.escape(after)}[0-9a-f]{{12}}\.csv")
    pages = s3_client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=before)
    return {item["Key"] for page in pages for item in page.get("Contents", ()) if own.fullmatch(item["Key"])}


def _upload(
    s3_client: Any, bucket: str, keys: dict[str, bytes], before: set[str], on_progress: Callable[[int, int], None]
) -> None:
    """Put every key; if one fails, delete those of them that were not there before."""
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
    """Delete keys that may or may not exist, 1,000 a call, which is the API's limit."""
    for start in range(0, len(keys), 1000):
        batch = [{"Key": key} for key in keys[start : start + 1000]]
        s3_client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})


def main(arguments: list[str] | None = None) -> int:
    """Load one file; answers the exit code: 0 loaded, 2 not."""
    parser = argparse.ArgumentParser(prog="python -m tools.load_data", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "file", type=Path, help="bank-additional-full.csv, bank-additional.csv or the output of tools.sample_data"
    )
    parser.add_argument("--bucket", required=True)
    parser.add_argument(
        "--prefix", default="data/bank_marketing", help="the source prefix of the pipeline (default %(default)s)"
    )
    parser.add_argument("--endpoint-url", help="an S3 endpoint other than AWS's own, such as local_aws")
    parser.add_argument("--region", default="us-east-1", help="default %(default)s")
    options = parser.parse_args(arguments)

    import boto3  # only the command line needs it: a caller of load() brings a client
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
