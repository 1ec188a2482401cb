"""The metrics under their names in pipeline files, params and result documents: ``validation:auc``.

The gate and the evaluation job, which know no other rows, call the same metric ``auc``. Must not
import Airflow or boto3.
"""

from __future__ import annotations

from typing import Literal, get_args

from brewtrain.domain.evaluation import gate

METRIC_PREFIX = "validation:"
Metric = Literal[
    "validation:auc",
    "validation:aucpr",
    "validation:error",
    "validation:logloss",
    "validation:brier",
    "validation:ece",
    "validation:lift_top_decile",
]
METRICS: tuple[Metric, ...] = get_args(Metric)
"""What the evaluation measures on the validation rows, and a gate may name."""


def short_name(metric: str) -> str:
    """Return a metric's name in the gate and the evaluation, e.g. ``auc``."""
    return metric.removeprefix(METRIC_PREFIX)


def full_name(metric: str) -> str:
    """Return a metric's name everywhere else, e.g. ``validation:auc``."""
    return METRIC_PREFIX + short_name(metric)


def higher_is_better(metric: str) -> bool:
    """Whether more of a metric is better.

    :param metric: Its name, short or full.
    """
    return short_name(metric) in gate.HIGHER_IS_BETTER
