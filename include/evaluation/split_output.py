"""Reads what the run's split left: the validation rows, the whole window and the features' names.

Must not import anything outside the standard library and numpy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from evaluation_errors import DataError, OneClassError
from labelled_csv import LabelledRows, read_labelled_csv


@dataclass(frozen=True)
class SplitOutput:
    """The rows of one run.

    :param features: Names of the features, in the order of the rows' columns.
    :param validation: Rows that no model of this run was trained on; both classes are present.
    :param window: Training and validation rows together.
    """

    features: list[str]
    validation: LabelledRows
    window: LabelledRows


def read_split_output(*, train: Path, validation: Path, summary: Path) -> SplitOutput:
    """Read the split's output.

    :param train: Folder with the training rows.
    :param validation: Folder with the validation rows.
    :param summary: The split's ``split.json``.
    :raises OneClassError: If the validation rows have only one label.
    :raises DataError: If a file is absent, broken or does not fit the others.
    """
    rows = read_labelled_csv(validation, what="validation")
    if rows.positives in (0, rows.rows):
        raise OneClassError(
            f"all {rows.rows} validation rows have the label {int(rows.positives > 0)}, so that no model "
            "can be judged on them; widen window_days or check the label"
        )
    if np.isnan(rows.features).all():
        raise DataError(
            f"none of {rows.rows} validation rows has a value in any feature, so that no model can be judged on them; "
            "check the source partitions and the recipe"
        )
    features = _feature_names(summary, rows)
    return SplitOutput(features, rows, _window(read_labelled_csv(train, what="train"), rows))


def _feature_names(summary: Path, validation: LabelledRows) -> list[str]:
    count = validation.features.shape[1]
    try:
        names = json.loads(summary.read_text(encoding="utf-8"))["features"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"{summary.name} does not exist or names no features; run the split again, which writes it"
        ) from None
    if not isinstance(names, list):
        raise DataError(f"{summary.name} has no list of features; run the split again, which writes it")
    if len(names) != count:
        raise DataError(
            f"{summary.name} names {len(names)} features and the validation rows have {count}; run the split again so "
            "that both come from one run"
        )
    return [str(name) for name in names]


def _window(train: LabelledRows, validation: LabelledRows) -> LabelledRows:
    if train.features.shape[1] != validation.features.shape[1]:
        raise DataError(
            f"the train rows have {train.features.shape[1]} features and the validation rows "
            f"{validation.features.shape[1]}; run the split again"
        )
    return LabelledRows(
        np.concatenate((train.labels, validation.labels)), np.concatenate((train.features, validation.features))
    )
