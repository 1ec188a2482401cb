"""Reads the rows that the split job writes and the training job reads.

They are CSV without header, label first, empty for missing. Must not import anything outside the
standard library and numpy. Format:
https://docs.aws.amazon.com/sagemaker/latest/dg/cdf-training.html
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from evaluation_errors import DataError

# numpy reads "nan" but not an empty field.
_EMPTY_FIELD = re.compile(rb"(?:^|(?<=,))(?=,|\r?$)", re.MULTILINE)
_BLANK_LINES = re.compile(rb"^[ \t]*\r?\n|^[ \t]+\Z", re.MULTILINE)


@dataclass(frozen=True)
class LabelledRows:
    """Rows of one data set.

    :param labels: Shape ``(rows,)``, bool.
    :param features: Shape ``(rows, features)``, float32, ``nan`` for missing: the type that XGBoost
        scores.
    """

    labels: np.ndarray
    features: np.ndarray

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.labels.size)

    @property
    def positives(self) -> int:
        """Number of rows whose label is 1."""
        return int(self.labels.sum())


def read_labelled_csv(folder: Path, *, what: str) -> LabelledRows:
    """Read every data file below a folder, in order of name.

    Names that start with ``.`` or ``_`` are skipped, as Spark and SageMaker do (``_SUCCESS``).

    :param folder: Where the processing job has put the files of one S3 prefix.
    :param what: What the rows are, for messages, e.g. ``validation``.
    :raises DataError: If there is no row, a field is not a number, a label is not 0 or 1, or rows
        differ in width.
    """
    folder = Path(folder)
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    )
    parts: list[np.ndarray] = []
    for path in files:
        part = _read_file(path, what)
        if part is None:
            continue
        if parts and part.shape[1] != parts[0].shape[1]:
            raise DataError(
                f"{what} file {path.name} has {part.shape[1]} columns where the files before have "
                f"{parts[0].shape[1]}; run the split again so that all files come from one run"
            )
        parts.append(part)
    if not parts:
        raise DataError(f"the {what} data has no rows; check the split's output and the window of the run")
    table = np.concatenate(parts) if len(parts) > 1 else parts[0]
    if table.shape[1] < 2:
        raise DataError(f"the {what} rows have no feature besides the label; check the recipe's output")
    if np.isinf(table).any():
        row, column = np.argwhere(np.isinf(table))[0] + 1
        raise DataError(
            f"the {what} data has an infinite number in row {row}, column {column}, which XGBoost does not take; "
            "fix it in the recipe"
        )
    labels = table[:, 0]
    strange = ~np.isin(labels, (0.0, 1.0))
    if strange.any():
        raise DataError(
            f"the {what} data has the label {labels[strange][0]:g} in row {int(np.argmax(strange)) + 1}; "
            "the first column must be 0 or 1"
        )
    features = np.ascontiguousarray(table[:, 1:], dtype=np.float32)
    return LabelledRows(labels.astype(bool), features)


def _read_file(path: Path, what: str) -> np.ndarray | None:
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            raise DataError(f"{what} file {path.name} is incomplete or broken gzip; run the split again") from None
    content = _BLANK_LINES.sub(b"", content.replace(b'"', b"")).rstrip(b"\r\n")
    if not content.strip():
        return None
    if _may_have_empty_fields(content):
        content = _EMPTY_FIELD.sub(b"nan", content)
    try:
        return np.loadtxt(io.BytesIO(content), delimiter=",", dtype=np.float32, comments=None, ndmin=2)
    except ValueError:
        raise _complaint(path, what, content) from None


def _may_have_empty_fields(content: bytes) -> bool:
    # A search for fixed text takes a hundredth of the pattern's time, and most data has no empty
    # field.
    within = any(text in content for text in (b",,", b",\n", b",\r", b"\n,"))
    return within or content.startswith(b",") or content.endswith(b",")


def _complaint(path: Path, what: str, content: bytes) -> DataError:
    """Name the first field that is not a number, since numpy's message differs between versions."""
    width = None
    for number, line in enumerate(content.splitlines(), start=1):
        fields = line.split(b",")
        for column, text in enumerate(fields, start=1):
            try:
                float(text)
            except ValueError:  # noqa: PERF203 - one file, once, on the way to an error
                shown = text.decode("utf-8", "replace")[:40]
                return DataError(
                    f"{what} file {path.name} has {shown!r} in row {number}, column {column}, which is not a "
                    "number; encode every column as a number in the recipe"
                )
        if width is not None and len(fields) != width:
            return DataError(
                f"{what} file {path.name} has {len(fields)} columns in row {number} where the rows before have "
                f"{width}; run the split again"
            )
        width = len(fields)
    return DataError(f"{what} file {path.name} is not CSV of numbers; run the split again")
