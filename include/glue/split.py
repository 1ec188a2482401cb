"""Divide the transformed rows of one run into a training and a validation part (Glue job ``brewtrain-<slug>-split``).

A row's side is a pure function of its values, so that a retry, a redrive and a backfill divide the same rows in the
same way, and equal rows never sit on both sides. Plain PySpark 3.5 with boto3 (Glue 5.0 has both): no awsglue, so that
the same text runs wherever the DataFrame API does. Must not import anything of this project.

Input is what DataBrew writes: CSV with a header in every file, empty for null. Output is what SageMaker's built-in
XGBoost reads: CSV without header, label first, empty for missing
(https://docs.aws.amazon.com/sagemaker/latest/dg/xgboost.html). The summary object is written last: where it exists,
both parts are complete.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from decimal import ROUND_CEILING, Decimal, InvalidOperation, localcontext
from typing import Any

# Not printable and not part of any number, so that joined values cannot be mistaken for others.
SEPARATOR = "\x1f"
NULL_MARKER = "\\N"
HEADER_BYTES = 1 << 20
NUMBER = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"
MISSING = ("", "nan")
ZERO = r"^[-+]?0+(\.0*)?$"
ONE = r"^\+?0*1(\.0*)?$"


class SplitError(ValueError):
    """The rows cannot be divided as asked: one sentence with what, where and what to do."""


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the job's arguments; those that Glue adds on its own are ignored.

    :param arguments: ``--source``, ``--train``, ``--validation`` (S3 prefixes), ``--summary`` (S3 object),
        ``--label`` (column name), ``--validation-fraction`` (0 < fraction < 1).
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("source", "train", "validation", "summary", "label", "validation-fraction"):
        parser.add_argument(f"--{name}", required=True)
    options, _ = parser.parse_known_args(arguments)
    return options


def hash_threshold(fraction: str) -> str:
    """Smallest MD5 digest (32 hexadecimal digits) that does not belong to the validation part.

    :param fraction: Share of validation rows as a decimal number, taken exactly.
    :raises SplitError: If it is not between 0 and 1.
    """
    problem = f"--validation-fraction is {fraction!r}; write a number above 0 and below 1, such as 0.3"
    try:
        share = Decimal(fraction)
    except InvalidOperation:
        raise SplitError(problem) from None
    if not share.is_finite() or not 0 < share < 1:
        raise SplitError(problem)
    with localcontext() as context:
        context.prec = 100
        bound = (share * Decimal(16**32)).to_integral_value(rounding=ROUND_CEILING)
    return f"{min(int(bound), 16**32 - 1):032x}"


def parse_header(first_line: str) -> list[str]:
    """Column names of a CSV file's first line."""
    rows = list(csv.reader([first_line.removeprefix("\ufeff")]))
    return rows[0] if rows else []


def check_header(columns: list[str], label: str, where: str) -> None:
    """Check that the label and at least one feature are there, and that no name comes twice.

    :raises SplitError: Otherwise.
    """
    seen = ", ".join(columns) or "none"
    if label not in columns:
        raise SplitError(f"label column {label!r} is not in {where} (columns: {seen}); mend label.column or the recipe")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise SplitError(f"column {twice[0]!r} comes more than once in {where}; rename one of them in the recipe")
    if len(columns) < 2:
        raise SplitError(f"{where} has no column but the label {label!r}; keep at least one feature in the recipe")


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an S3 URI."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme not in ("s3", "s3a") or not bucket:
        raise SplitError(f"{uri!r} is not an S3 URI; write s3://bucket/prefix/")
    return bucket, key


def read_header(s3: Any, source: str) -> list[str]:
    """Read the header of every file below the source; they must agree.

    :param s3: S3 client.
    :param source: S3 prefix.
    :raises SplitError: If there is no file, a file is not UTF-8, or headers differ.
    """
    bucket, prefix = split_uri(source)
    header: list[str] | None = None
    first = ""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            if entry["Size"] == 0:
                continue
            where = f"s3://{bucket}/{entry['Key']}"
            answer = s3.get_object(Bucket=bucket, Key=entry["Key"], Range=f"bytes=0-{HEADER_BYTES - 1}")
            line = answer["Body"].read().split(b"\n", 1)[0].rstrip(b"\r")
            try:
                names = parse_header(line.decode("utf-8"))
            except UnicodeDecodeError:
                raise SplitError(f"{where} is not UTF-8; mend the source data's encoding") from None
            if header is None:
                header, first = names, where
            elif names != header:
                raise SplitError(f"{where} has other columns than {first}; empty the prefix and transform again")
    if header is None:
        raise SplitError(f"{source} holds no data; look at the transform's output and its source partition")
    return header


def mark_rows(rows: Any, functions: Any, *, label_index: int, width: int, threshold: str) -> Any:
    """Clean the values and mark every row with its side.

    :param rows: DataFrame of strings, columns ``c0`` … by position.
    :param functions: ``pyspark.sql.functions``.
    :param label_index: Position of the label.
    :param width: Number of columns.
    :param threshold: From :func:`hash_threshold`.
    :returns: DataFrame with the same columns and ``side`` (1: validation, 0: training).
    """
    f = functions
    names = [f"c{index}" for index in range(width)]
    cleaned = []
    for index, name in enumerate(names):
        column = f.col(name)
        trimmed = f.trim(column)
        value = f.when(f.lower(trimmed).isin(*MISSING), f.lit(None)).otherwise(trimmed)
        if index == label_index:
            value = f.when(column.rlike(ZERO), f.lit("0")).when(column.rlike(ONE), f.lit("1")).otherwise(value)
        cleaned.append(value.alias(name))
    table = rows.select(*cleaned)
    joined = f.concat_ws(SEPARATOR, *[f.coalesce(f.col(name), f.lit(NULL_MARKER)) for name in names])
    side = f.when(f.md5(joined) < f.lit(threshold), f.lit(1)).otherwise(f.lit(0))
    return table.select(*[f.col(name) for name in names], side.alias("side"))


def count_rows(marked: Any, functions: Any, *, label_index: int, width: int) -> dict[str, Any]:
    """Count, in one pass, what the checks and the summary need.

    :returns: ``rows_0``, ``rows_1``, ``positives_0``, ``positives_1`` by side, and by column ``bad_<i>`` (values that
        are no number; for the label: anything but 0 and 1, null too), ``low_<i>`` and ``high_<i>`` (two of them).
    """
    f = functions

    def count_where(condition: Any) -> Any:
        return f.sum(f.when(condition, f.lit(1)).otherwise(f.lit(0)))

    side, label = f.col("side"), f.col(f"c{label_index}")
    wanted = []
    for number in (0, 1):
        wanted.append(count_where(side == f.lit(number)).alias(f"rows_{number}"))
        wanted.append(count_where((side == f.lit(number)) & (label == f.lit("1"))).alias(f"positives_{number}"))
    for index in range(width):
        column = f.col(f"c{index}")
        if index == label_index:
            bad = column.isNull() | ~((column == f.lit("0")) | (column == f.lit("1")))
        else:
            bad = column.isNotNull() & ~column.rlike(NUMBER)
        shown = f.when(bad, f.coalesce(column, f.lit("(empty)")))
        wanted += [
            count_where(bad).alias(f"bad_{index}"),
            f.min(shown).alias(f"low_{index}"),
            f.max(shown).alias(f"high_{index}"),
        ]
    row = marked.agg(*wanted).collect()[0]
    return {key: row[key] for key in row.asDict()}


def check_counts(counts: dict[str, Any], columns: list[str], label: str, where: str) -> None:
    """Check that the rows can be learned from.

    :raises SplitError: If there are none, the label is not 0 and 1, a feature is not a number, or a side lacks a class.
    """
    total = int(counts["rows_0"] or 0) + int(counts["rows_1"] or 0)
    if total == 0:
        raise SplitError(f"{where} has a header and no row; look at the source partition and the recipe's filters")
    order = sorted(range(len(columns)), key=lambda index: columns[index] != label)
    for index in order:
        bad = int(counts[f"bad_{index}"] or 0)
        if not bad:
            continue
        values = " and ".join(sorted({repr(str(counts[f"{edge}_{index}"])[:40]) for edge in ("low", "high")}))
        if columns[index] == label:
            raise SplitError(
                f"label column {label!r} has {bad} of {total} rows that are neither 0 nor 1, such as {values}; "
                "map the label to 0 and 1 in the recipe"
            )
        raise SplitError(
            f"column {columns[index]!r} has {bad} of {total} rows that are no number, such as {values}; "
            "encode or delete the column in the recipe"
        )
    for number, name in ((0, "training"), (1, "validation")):
        rows, positives = int(counts[f"rows_{number}"] or 0), int(counts[f"positives_{number}"] or 0)
        if positives in (0, rows):
            seen = "no row" if rows == 0 else f"{rows} rows, all labelled {int(positives > 0)}"
            raise SplitError(
                f"the {name} part of {where} has {seen}; both classes are needed on both sides: widen window_days or "
                "change split.validation_fraction"
            )


def summary(counts: dict[str, Any], features: list[str]) -> dict[str, Any]:
    """Build the document that the state machine and the gate read."""
    rows, positives = int(counts["rows_1"]), int(counts["positives_1"])
    return {
        "train_rows": int(counts["rows_0"]),
        "validation_rows": rows,
        "train_positives": int(counts["positives_0"]),
        "validation_positives": positives,
        "majority_class_error": min(positives, rows - positives) / rows,
        "features": features,
    }


def main(arguments: list[str]) -> None:
    """Run the job.

    :raises SplitError: If the data cannot be divided; nothing but part files may have been written then.
    """
    import boto3
    from pyspark.sql import SparkSession, functions

    options = parse_arguments(arguments)
    threshold = hash_threshold(options.validation_fraction)
    summary_bucket, summary_key = split_uri(options.summary)
    s3 = boto3.client("s3")
    columns = read_header(s3, options.source)
    check_header(columns, options.label, options.source)
    label_index, width = columns.index(options.label), len(columns)

    spark = SparkSession.builder.appName("brewtrain-split").getOrCreate()
    # Names by position: a feature may be called emp.var.rate, and a dot means a field to Spark.
    schema = ", ".join(f"c{index} STRING" for index in range(width))
    rows = spark.read.csv(options.source, schema=schema, header=True)
    marked = mark_rows(rows, functions, label_index=label_index, width=width, threshold=threshold).cache()
    counts = count_rows(marked, functions, label_index=label_index, width=width)
    check_counts(counts, columns, options.label, options.source)

    ordered = [label_index, *(index for index in range(width) if index != label_index)]
    for number, target in ((0, options.train), (1, options.validation)):
        part = marked.filter(functions.col("side") == functions.lit(number))
        part.select(*[functions.col(f"c{index}") for index in ordered]).write.csv(
            target, mode="overwrite", header=False
        )
    document = summary(counts, [columns[index] for index in ordered[1:]])
    s3.put_object(
        Bucket=summary_bucket,
        Key=summary_key,
        Body=json.dumps(document, indent=2).encode("utf-8"),
        ContentType="application/json",
    )
    print(json.dumps({key: value for key, value in document.items() if key != "features"}))


if __name__ == "__main__":
    main(sys.argv[1:])
