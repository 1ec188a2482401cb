"""Divide the transformed rows of one run into a training and a validation part.

Script of the Glue job ``brewtrain-<slug>-split``. A row's side is a pure function of its values, so
that a retry, a redrive and a backfill divide the same rows in the same way, and equal rows are
never on both sides. Plain PySpark 3.5 with boto3 (Glue 5.0 has both): no awsglue, so that the same
text runs wherever the DataFrame API does. Must not import anything of this project.

Input is what DataBrew writes: CSV with a header in every file, empty for null. Output is what
SageMaker's built-in XGBoost reads: CSV without header, label first, empty for missing
(https://docs.aws.amazon.com/sagemaker/latest/dg/xgboost.html). The summary object is written last:
where it exists, both parts are complete.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal, InvalidOperation, localcontext
from typing import Any, NamedTuple

# Around every value of a joined row; no number has them.
OPEN, CLOSE = "<", ">"
HEADER_BYTES = 1 << 20
METRIC_DECIMALS = 5
NUMBER = r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"
COLUMNS_AT_ONCE = 100
COLUMNS_NAMED = 10
SUMMARY_BYTES = 200 * 1024
ZERO = r"^[-+]?0+(\.0*)?$"
ONE = r"^\+?0*1(\.0*)?$"


class SplitError(ValueError):
    """The rows cannot be divided: one sentence with what, where and what to do."""


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the job's arguments and ignore those that Glue adds.

    :param arguments: ``--source``, ``--train``, ``--validation`` (S3 prefixes), ``--summary`` (S3
        object), ``--label`` (column name), ``--validation-fraction`` (0 < fraction < 1).
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("source", "train", "validation", "summary", "label", "validation-fraction"):
        parser.add_argument(f"--{name}", required=True)
    options, _ = parser.parse_known_args(arguments)
    return options


def hash_threshold(fraction: str) -> str:
    """Return the smallest MD5 digest, in hex, that does not belong to the validation part.

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
    """Return the column names of a CSV file.

    :param first_line: Its first line, which may start with a byte order mark.
    """
    rows = list(csv.reader([first_line.removeprefix("\ufeff")]))
    return rows[0] if rows else []


def check_header(columns: list[str], label: str, where: str) -> None:
    """Check that the header has the label and a feature, and no name twice.

    :param columns: Column names.
    :param label: Name of the label's column.
    :param where: Where the header was read, for messages.
    :raises SplitError: If it does not.
    """
    seen = ", ".join(columns) or "none"
    if label not in columns:
        raise SplitError(
            f"label column {label!r} is not in {where} (columns: {seen}); correct label.column or the recipe"
        )
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise SplitError(f"column {twice[0]!r} appears more than once in {where}; rename one of them in the recipe")
    if len(columns) < 2:
        raise SplitError(f"{where} has no column besides the label {label!r}; keep at least one feature in the recipe")


def check_names(columns: list[str], where: str) -> None:
    """Check that the summary, which has every name, fits the state of an execution.

    A state's input and output may have 256 KiB
    (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html), and holds more than
    the summary.

    :param columns: Column names.
    :param where: Where the header was read, for messages.
    :raises SplitError: If it does not.
    """
    size = len(json.dumps(columns, indent=2).encode("utf-8"))
    if size > SUMMARY_BYTES:
        raise SplitError(
            f"the names of the {len(columns)} columns of {where} take {size // 1024} KiB of the run's summary, which "
            f"may have {SUMMARY_BYTES // 1024}; delete columns in the recipe or give them shorter names"
        )


def split_uri(uri: str) -> tuple[str, str]:
    """Split an S3 URI into bucket and key.

    :param uri: ``s3://bucket/key`` or ``s3a://bucket/key``.
    :raises SplitError: If it is not an S3 URI.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme not in ("s3", "s3a") or not bucket:
        raise SplitError(f"{uri!r} is not an S3 URI; write s3://bucket/prefix/")
    return bucket, key


def read_header(s3: Any, source: str) -> list[str]:
    """Read the header of every file below the source, which must be the same.

    :param s3: S3 client.
    :param source: S3 prefix.
    :returns: Column names.
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
                raise SplitError(f"{where} is not UTF-8; fix the encoding of the source data") from None
            if header is None:
                header, first = names, where
            elif names != header:
                raise SplitError(f"{where} has other columns than {first}; empty the prefix and transform again")
    if header is None:
        raise SplitError(f"{source} has no data; check the transform's output and its source partition")
    return header


def mark_rows(rows: Any, functions: Any, *, label_index: int, width: int, threshold: str) -> Any:
    """Mark every row with its side and its label as 0 or 1.

    :param rows: DataFrame of strings, columns ``c0`` … by position.
    :param functions: ``pyspark.sql.functions``.
    :param label_index: Position of the label.
    :param width: Number of columns.
    :param threshold: From :func:`hash_threshold`.
    :returns: DataFrame with the same columns, ``target`` (``0`` or ``1``, or the label as it was
        where it is neither), ``joined`` (the features, each in brackets) and ``side`` (1:
        validation, 0: training).
    """
    f = functions
    names = [f"c{index}" for index in range(width)]
    label = f.col(names[label_index])
    target = f.when(label.rlike(ZERO), f.lit("0")).when(label.rlike(ONE), f.lit("1")).otherwise(label)
    features = [f.coalesce(f.col(name), f.lit("")) for index, name in enumerate(names) if index != label_index]
    joined = f.concat(f.lit(OPEN), f.concat_ws(CLOSE + OPEN, *features), f.lit(CLOSE))
    digest = f.md5(f.concat(f.coalesce(target, f.lit("")), joined))
    side = f.when(digest < f.lit(threshold), f.lit(1)).otherwise(f.lit(0))
    return rows.select(*names, target.alias("target"), joined.alias("joined"), side.alias("side"))


def count_rows(marked: Any, functions: Any) -> dict[str, int]:
    """Count what the checks and the summary need, in one pass over the rows.

    The number of expressions does not grow with the number of columns.

    :param marked: From :func:`mark_rows`.
    :param functions: ``pyspark.sql.functions``.
    :returns: ``rows_0``, ``rows_1``, ``positives_0``, ``positives_1`` by side; ``bad_labels`` and
        ``bad_features``: rows whose label is neither 0 nor 1, and rows with a feature that is not a
        number; ``longest``: characters of the longest ``joined``.
    """
    f = functions
    left_over = f.regexp_replace(f.col("joined"), f"{OPEN}({NUMBER})?{CLOSE}", "")
    conditions = {
        "bad_labels": f.coalesce(f.col("target"), f.lit("")).isin("0", "1") == f.lit(False),
        "bad_features": left_over != f.lit(""),
    }
    for number in (0, 1):
        here = f.col("side") == f.lit(number)
        conditions[f"rows_{number}"] = here
        conditions[f"positives_{number}"] = here & (f.col("target") == f.lit("1"))
    wanted = [
        f.sum(f.when(condition, f.lit(1)).otherwise(f.lit(0))).alias(name) for name, condition in conditions.items()
    ]
    longest = f.max(f.length(f.col("joined"))).alias("longest")
    row = marked.agg(*wanted, longest).collect()[0]
    return {name: int(row[name] or 0) for name in (*conditions, "longest")}


class ColumnCounts(NamedTuple):
    """What one column holds.

    :param position: Its position.
    :param bad: Rows with a value that is not a number, or for the label not 0 or 1.
    :param values: Two of those values, for a message; empty if there is none.
    :param filled: Rows with a value.
    """

    position: int
    bad: int
    values: str
    filled: int


def count_columns(marked: Any, functions: Any, *, label_index: int, width: int) -> list[ColumnCounts]:
    """Count in every column what a model cannot be trained on.

    Called only where :func:`count_rows` has found such a value somewhere. Columns are counted a
    hundred at a time, since Spark compiles the expressions of one pass together.

    :param marked: From :func:`mark_rows`.
    :param functions: ``pyspark.sql.functions``.
    :param label_index: Position of the label.
    :param width: Number of columns.
    :returns: One entry a column, the label first.
    """
    f = functions
    order = [label_index, *(index for index in range(width) if index != label_index)]
    counted = []
    for start in range(0, width, COLUMNS_AT_ONCE):
        batch = order[start : start + COLUMNS_AT_ONCE]
        wanted = []
        for index in batch:
            text = f.coalesce(f.col(f"c{index}"), f.lit(""))
            if index == label_index:
                good = f.coalesce(f.col("target"), f.lit("")).isin("0", "1")
            else:
                good = text.rlike(f"^({NUMBER})?$")
            bad = f.when(good == f.lit(False), f.coalesce(f.col(f"c{index}"), f.lit("(empty)")))
            wanted += [
                f.count(bad).alias(f"bad_{index}"),
                f.min(bad).alias(f"low_{index}"),
                f.max(bad).alias(f"high_{index}"),
                f.count(f.when(text != f.lit(""), f.lit(1))).alias(f"filled_{index}"),
            ]
        row = marked.agg(*wanted).collect()[0]
        for index in batch:
            edges = {row[f"{edge}_{index}"] for edge in ("low", "high")} - {None}
            values = " and ".join(sorted(repr(value[:40]) for value in edges))
            counted.append(ColumnCounts(index, int(row[f"bad_{index}"]), values, int(row[f"filled_{index}"])))
    return counted


def check_counts(
    counts: dict[str, int], columns: list[str], label: str, where: str, count: Callable[[], list[ColumnCounts]]
) -> None:
    """Check that the rows can be learned from, and say everything that is wrong at once.

    :param counts: From :func:`count_rows`.
    :param columns: Column names.
    :param label: Name of the label's column.
    :param where: Where the rows were read, for messages.
    :param count: Counts the columns, see :func:`count_columns`.
    :raises SplitError: If there are no rows, the label is not 0 and 1, a feature is not a number,
        no feature has a value, or a side lacks a class.
    """
    total = counts["rows_0"] + counts["rows_1"]
    if total == 0:
        raise SplitError(f"{where} has a header but no rows; check the source partition and the recipe's filters")
    if counts["longest"] == len(OPEN + CLOSE) * (len(columns) - 1):
        raise SplitError(
            f"no feature of {where} has a value in any of {total} rows; check the source partition and the recipe"
        )
    problems = []
    if counts["bad_labels"] or counts["bad_features"]:
        problems += unusable_columns(count(), columns, label, total)
    if not counts["bad_labels"]:
        problems += missing_classes(counts, where)
    if problems:
        raise SplitError("; ".join(problems))


def unusable_columns(counted: list[ColumnCounts], columns: list[str], label: str, total: int) -> list[str]:
    """Say which columns a model cannot be trained on, and what to do.

    :param counted: From :func:`count_columns`.
    :param columns: Column names.
    :param label: Name of the label's column.
    :param total: Number of rows.
    :returns: At most one sentence about the label, one about text and one about empty columns.
    """
    sentences = []
    words, empty = [], []
    for column in counted:
        name = repr(columns[column.position])
        if columns[column.position] == label:
            if column.bad:
                sentences.append(
                    f"label column {name} has {column.bad} of {total} rows that are neither 0 nor 1, such as "
                    f"{column.values}; map the label to 0 and 1 in the recipe"
                )
        elif column.bad:
            words.append(
                f"column {name} has {column.bad} of {total} rows that are not numbers, such as {column.values}"
            )
        elif not column.filled:
            empty.append(name)
    if words:
        it = "the column" if len(words) == 1 else "these columns"
        sentences.append(f"{listed(words)}; encode or delete {it} in the recipe")
    if empty and sentences:
        have = "column {} has" if len(empty) == 1 else "columns {} have"
        sentences.append(f"besides, {have.format(listed(empty))} no value in any row")
    return sentences


def listed(parts: list[str]) -> str:
    """Join the first ten parts, and count the rest.

    :param parts: At least one.
    """
    more = len(parts) - COLUMNS_NAMED
    return ", ".join(parts[:COLUMNS_NAMED]) + (f" and {more} more" if more > 0 else "")


def missing_classes(counts: dict[str, int], where: str) -> list[str]:
    """Say which part lacks a class.

    :param counts: From :func:`count_rows`, with labels of 0 and 1 only.
    :param where: Where the rows were read, for messages.
    :returns: At most one sentence.
    """
    lacking = []
    for number, name in ((0, "training"), (1, "validation")):
        rows, positives = counts[f"rows_{number}"], counts[f"positives_{number}"]
        if positives in (0, rows):
            seen = "no rows" if rows == 0 else f"{rows} rows, all labelled {int(positives > 0)}"
            lacking.append(f"the {name} part of {where} has {seen}")
    if not lacking:
        return []
    return [
        f"{' and '.join(lacking)}; both classes are needed on both sides: widen window_days or change "
        "split.validation_fraction"
    ]


def summary(counts: dict[str, int], features: list[str]) -> dict[str, Any]:
    """Build the document that the state machine and the evaluation read.

    ``error_to_beat`` is the majority class's error as XGBoost would report it, less half of the
    last digit: XGBoost logs five decimals and SageMaker keeps a metric as a 32-bit number, so a
    model that always predicts the majority class could seem to beat the exact value.

    :param counts: From :func:`count_rows`.
    :param features: Names of the features, in the order of the written columns.
    """
    rows, positives = counts["rows_1"], counts["positives_1"]
    majority_class_error = min(positives, rows - positives) / rows
    return {
        "train_rows": counts["rows_0"],
        "validation_rows": rows,
        "train_positives": counts["positives_0"],
        "validation_positives": positives,
        "majority_class_error": majority_class_error,
        "error_to_beat": round(round(majority_class_error, METRIC_DECIMALS) - 0.5 * 10**-METRIC_DECIMALS, 9),
        "features": features,
    }


def main(arguments: list[str]) -> None:
    """Run the job.

    :param arguments: See :func:`parse_arguments`.
    :raises SplitError: If the data cannot be divided; part files may have been written then, and
        no summary.
    """
    import boto3
    from pyspark.sql import SparkSession, functions

    options = parse_arguments(arguments)
    threshold = hash_threshold(options.validation_fraction)
    summary_bucket, summary_key = split_uri(options.summary)
    s3 = boto3.client("s3")
    columns = read_header(s3, options.source)
    check_header(columns, options.label, options.source)
    check_names(columns, options.source)
    label_index, width = columns.index(options.label), len(columns)

    spark = SparkSession.builder.appName("brewtrain-split").getOrCreate()
    # Names by position: a feature may be called emp.var.rate, and a dot means a field to Spark.
    schema = ", ".join(f"c{index} STRING" for index in range(width))
    rows = spark.read.csv(options.source, schema=schema, header=True)
    marked = mark_rows(rows, functions, label_index=label_index, width=width, threshold=threshold).cache()
    counts = count_rows(marked, functions)
    check_counts(
        counts,
        columns,
        options.label,
        options.source,
        lambda: count_columns(marked, functions, label_index=label_index, width=width),
    )

    features = [index for index in range(width) if index != label_index]
    for number, target in ((0, options.train), (1, options.validation)):
        part = marked.filter(functions.col("side") == functions.lit(number))
        part.select("target", *[f"c{index}" for index in features]).write.csv(target, mode="overwrite", header=False)
    document = summary(counts, [columns[index] for index in features])
    body = json.dumps(document, indent=2).encode("utf-8")
    s3.put_object(Bucket=summary_bucket, Key=summary_key, Body=body, ContentType="application/json")
    print(json.dumps({key: value for key, value in document.items() if key != "features"}))


if __name__ == "__main__":
    main(sys.argv[1:])
