"""The metrics that SageMaker's XGBoost container adds to xgboost's own, on numpy alone.

Names as in https://docs.aws.amazon.com/sagemaker/latest/dg/xgboost-tuning.html. `precision`,
`recall` and `f1_binary` are of class 1; `f1` is the macro mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .hyperparameters import OWN_METRICS

Floats = NDArray[np.floating[Any]]


def own_metric(names: list[str]) -> Callable[[Floats, Any], list[tuple[str, float]]] | None:
    """Return a function with which xgboost computes the container's own metrics, if any is named.

    :param names: metric names of the job; xgboost's own are left to it.
    """
    wanted = [name for name in names if name in OWN_METRICS]
    if not wanted:
        return None

    def evaluate(predictions: Floats, matrix: Any) -> list[tuple[str, float]]:
        labels = matrix.get_label()
        return [(name, score(name, predictions, labels)) for name in wanted]

    return evaluate


def score(name: str, predictions: Floats, labels: Floats) -> float:
    """Compute one metric.

    :param name: metric name.
    :param predictions: (n,) probabilities or values, or (n, classes) probabilities.
    :param labels: (n,) labels.
    """
    if name == "mse":
        return float(np.mean((predictions - labels) ** 2))
    if name == "r2":
        spread = float(np.sum((labels - labels.mean()) ** 2))
        return 1.0 - float(np.sum((labels - predictions) ** 2)) / spread if spread else 0.0
    predicted = (
        predictions.argmax(axis=1)
        if predictions.ndim > 1
        else np.rint(predictions)
        if predictions.max(initial=0) > 1
        else predictions > 0.5
    )
    predicted, truth = predicted.astype(int), labels.astype(int)
    if name in ("accuracy", "precision_micro", "recall_micro"):
        return float(np.mean(predicted == truth))
    classes = np.union1d(predicted, truth)
    counts = [
        (int(np.sum((predicted == c) & (truth == c))), int(np.sum(predicted == c)), int(np.sum(truth == c)))
        for c in classes
    ]
    precisions = np.array([_ratio(hit, said) for hit, said, _ in counts])
    recalls = np.array([_ratio(hit, real) for hit, _, real in counts])
    f1s = np.array([_ratio(2 * hit, said + real) for hit, said, real in counts])
    if name == "balanced_accuracy":
        present = np.array([real > 0 for *_, real in counts])
        return float(recalls[present].mean())
    by_name = {"precision": precisions, "recall": recalls, "f1": f1s}
    family, _, average = name.partition("_")
    if average == "macro" or name == "f1":
        return float(by_name[family].mean())
    positive = np.flatnonzero(classes == 1)
    return float(by_name[family][positive[0]]) if positive.size else 0.0


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
