"""Training and inference data of the built-in XGBoost: CSV (no header, label first) or libsvm.

Format: https://docs.aws.amazon.com/sagemaker/latest/dg/xgboost.html#InputOutput-XGBoost. An empty
CSV cell is a missing value.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local_aws.jobs.entry import JobError

CSV, LIBSVM = "csv", "libsvm"
_TYPES = {"csv": CSV, "text/csv": CSV, "libsvm": LIBSVM, "text/libsvm": LIBSVM, "text/x-libsvm": LIBSVM}
_ACCEPTED = (
    "csv, libsvm, parquet, recordio-protobuf, text/csv, text/libsvm, text/x-libsvm, application/x-parquet,"
    " application/x-recordio-protobuf"
)


def content_type(text: str | None) -> str:
    """Return the kind of data of a content type; without one libsvm, as in the container.

    :raises JobError: not a type that can be read.
    """
    if text is None:
        return LIBSVM
    kind, *options = [part.strip() for part in text.lower().split(";")]
    if kind in _TYPES:
        for option in options:
            if option.startswith("label_size") and option.partition("=")[2] != "1":
                raise _client_error(
                    f"{text} is not an accepted csv ContentType. Optional parameter label_size must be equal to 1"
                )
        return _TYPES[kind]
    if kind in ("parquet", "application/x-parquet", "recordio-protobuf", "application/x-recordio-protobuf"):
        raise _client_error(f"{text} data cannot be read on local AWS; use text/csv or text/libsvm")
    raise _client_error(f"{text} is not an accepted ContentType: {_ACCEPTED}.")


def training_matrix(files: list[Path], kind: str, csv_weights: bool) -> Any:
    """Return a channel's files as a DMatrix.

    :param files: local files, in order.
    :param kind: `CSV` or `LIBSVM`.
    :param csv_weights: whether the second CSV column is the row's weight.
    :raises JobError: a file is not of its kind, or has cells that are not numbers.
    """
    import xgboost

    parts = [_read_csv(file) if kind == CSV else _read_libsvm(file) for file in files]
    widths = {part.shape[1] for part in parts}
    if kind == CSV and len(widths) > 1:
        raise _client_error(
            f"Failed to load csv data with exception:\nthe files have different numbers of columns: {sorted(widths)}"
        )
    if kind == LIBSVM:
        parts = [np.pad(part, ((0, 0), (0, max(widths) - part.shape[1])), constant_values=np.nan) for part in parts]
    table = np.concatenate(parts)
    first = 2 if csv_weights else 1
    if table.shape[1] <= first:
        raise _client_error(
            f"Failed to load csv data with exception:\nthe data has {table.shape[1]} columns; a label and at"
            f" least one feature are needed"
        )
    labels = table[:, 0]
    if np.isnan(labels).any():
        raise _client_error(
            f"Failed to load csv data with exception:\nrow {int(np.flatnonzero(np.isnan(labels))[0]) + 1} has no label"
        )
    return xgboost.DMatrix(table[:, first:], label=labels, weight=table[:, 1] if csv_weights else None)


def csv_delimiter(line: str) -> str:
    """Return the delimiter of a first line, as the container finds it.

    :raises JobError: it cannot be determined.
    """
    try:
        return csv.Sniffer().sniff(line[:2048], delimiters=",;\t| ").delimiter
    except csv.Error as error:
        raise _client_error(f"Could not determine delimiter on line {line[:50].strip()}:\n{error}") from None


def parse_csv(text: str, delimiter: str) -> NDArray[np.float32]:
    """Return the numbers of CSV lines; empty cells are NaN.

    :raises ValueError: a cell is not a number, or the lines differ in length.
    """
    sign = re.escape(delimiter)
    # numpy's fast reader does not accept empty cells.
    filled = re.sub(
        rf"(?m)(?:^|(?<={sign}))[ \t]*(?={sign}|\r?$)"
        if delimiter not in (" ", "\t")
        else rf"(?m)(?:^|(?<={sign}))(?={sign}|\r?$)",
        "nan",
        text,
    )
    return np.loadtxt(io.StringIO(filled), delimiter=delimiter, dtype=np.float32, comments=None, ndmin=2, quotechar='"')


def _read_csv(file: Path) -> NDArray[np.float32]:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _client_error(f"Failed to load csv data with exception:\n{file.name} is not UTF-8: {error}") from None
    text = text.removeprefix("\ufeff").strip("\r\n")
    first = text.split("\n", 1)[0]
    delimiter = csv_delimiter(first)
    try:
        return parse_csv(text, delimiter)
    except ValueError as error:
        raise _client_error(f"Failed to load csv data with exception:\n{file.name}: {error}") from None


def _read_libsvm(file: Path) -> NDArray[np.float32]:
    text = file.read_text(encoding="utf-8", errors="replace")
    try:
        return parse_libsvm(text, labelled=True)
    except (ValueError, IndexError):
        first = text.split("\n", 1)[0]
        raise _client_error(
            f"First line '{first[:50]}...' of file '{file.name}' is not 'LIBSVM' format. Please ensure the file"
            f" is in 'LIBSVM' format."
        ) from None


def parse_libsvm(text: str, *, labelled: bool) -> NDArray[np.float32]:
    """Return the rows of libsvm lines; absent indices are NaN.

    :raises ValueError: A line is not libsvm.
    """
    rows: list[dict[int, float]] = []
    labels: list[float] = []
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        if ":" not in words[0]:
            labels.append(float(words.pop(0)))
        elif labelled:
            raise ValueError("a line has no label")
        row: dict[int, float] = {}
        for word in words:
            index, value = word.split(":")
            row[int(index)] = float(value)
        rows.append(row)
    indices = [index for row in rows for index in row]
    base = 1 if indices and min(indices) >= 1 else 0
    width = max(indices, default=base - 1) - base + 1
    table = np.full((len(rows), width), np.nan, dtype=np.float32)
    for number, row in enumerate(rows):
        for position, number_there in row.items():
            table[number, position - base] = number_there
    return np.column_stack([np.array(labels, dtype=np.float32), table]) if labelled else table


def _client_error(message: str) -> JobError:
    return JobError(message, "ClientError")
