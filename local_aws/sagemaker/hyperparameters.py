"""Hyperparameters of SageMaker's built-in XGBoost: types, ranges, and the container's errors.

Facts from https://docs.aws.amazon.com/sagemaker/latest/dg/xgboost_hyperparameters.html and the
behaviour of the public container (github.com/aws/sagemaker-xgboost-container). Must not import
xgboost: it is checked before anything heavy happens.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from typing import Any

from local_aws.jobs.entry import JobError

NATIVE_METRICS = frozenset(
    [
        "auc",
        "aucpr",
        "map",
        "ndcg",
        "aft-nloglik",
        "cox-nloglik",
        "error",
        "gamma-deviance",
        "gamma-nloglik",
        "interval-regression-accuracy",
        "logloss",
        "mae",
        "mape",
        "merror",
        "mlogloss",
        "mphe",
        "poisson-nloglik",
        "rmse",
        "rmsle",
        "tweedie-nloglik",
    ]
)
OWN_METRICS = frozenset(
    [
        "accuracy",
        "balanced_accuracy",
        "f1",
        "f1_binary",
        "f1_macro",
        "mse",
        "precision",
        "precision_macro",
        "precision_micro",
        "r2",
        "recall",
        "recall_macro",
        "recall_micro",
    ]
)
OBJECTIVES = [
    "aft_loss_distribution",
    "binary:logistic",
    "binary:logitraw",
    "binary:hinge",
    "count:poisson",
    "multi:softmax",
    "multi:softprob",
    "rank:pairwise",
    "rank:ndcg",
    "rank:map",
    "reg:linear",
    "reg:squarederror",
    "reg:logistic",
    "reg:gamma",
    "reg:pseudohubererror",
    "reg:squaredlogerror",
    "reg:absoluteerror",
    "reg:tweedie",
    "survival:aft",
    "survival:cox",
]
_UPDATERS = [
    "grow_colmaker",
    "distcol",
    "grow_histmaker",
    "grow_skmaker",
    "sync",
    "refresh",
    "prune",
    "grow_quantile_histmaker",
    "shotgun",
    "coord_descent",
]
_ALIASES = {"learning_rate": "eta", "min_split_loss": "gamma", "reg_lambda": "lambda", "reg_alpha": "alpha"}


@dataclass(frozen=True)
class _Interval:
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below

    def __str__(self) -> str:
        low = "(-inf" if self.low == -math.inf else f"{'(' if self.open_low else '['}{self.low:g}"
        high = "+inf)" if self.high == math.inf else f"{self.high:g}{')' if self.open_high else ']'}"
        return f"{low}, {high}"


_AT_LEAST_0, _AT_LEAST_1, _UNIT = _Interval(0), _Interval(1), _Interval(0, 1)
_FRACTION = _Interval(0, 1, open_low=True)

_INTEGERS: dict[str, _Interval] = {
    "num_round": _AT_LEAST_1,
    "csv_weights": _UNIT,
    "early_stopping_rounds": _AT_LEAST_1,
    "verbosity": _Interval(0, 3),
    "nthread": _AT_LEAST_1,
    "max_depth": _AT_LEAST_0,
    "refresh_leaf": _UNIT,
    "max_leaves": _AT_LEAST_0,
    "max_bin": _AT_LEAST_0,
    "one_drop": _UNIT,
    "num_class": _Interval(2),
    "seed": _Interval(-(2**31), 2**31 - 1, open_low=True, open_high=True),
    "num_parallel_tree": _AT_LEAST_1,
    "prob_buffer_row": _Interval(1, open_low=True),
    "_kfold": _Interval(2),
    "_num_cv_round": _AT_LEAST_1,
}
_NUMBERS: dict[str, _Interval] = {
    "eta": _UNIT,
    "gamma": _AT_LEAST_0,
    "min_child_weight": _AT_LEAST_0,
    "max_delta_step": _AT_LEAST_0,
    "subsample": _FRACTION,
    "colsample_bytree": _FRACTION,
    "colsample_bylevel": _FRACTION,
    "colsample_bynode": _FRACTION,
    "lambda": _AT_LEAST_0,
    "alpha": _AT_LEAST_0,
    "sketch_eps": _Interval(0, 1, open_low=True, open_high=True),
    "scale_pos_weight": _Interval(0, open_low=True),
    "rate_drop": _UNIT,
    "skip_drop": _UNIT,
    "lambda_bias": _UNIT,
    "tweedie_variance_power": _Interval(1, 2, open_low=True, open_high=True),
    "base_score": _AT_LEAST_0,
    "aft_loss_distribution_scale": _AT_LEAST_0,
}
_CHOICES: dict[str, list[str]] = {
    "booster": ["gbtree", "gblinear", "dart"],
    "tree_method": ["auto", "exact", "approx", "hist", "gpu_hist"],
    "dsplit": ["row", "col"],
    "process_type": ["default", "update"],
    "grow_policy": ["depthwise", "lossguide"],
    "predictor": ["auto", "cpu_predictor", "gpu_predictor"],
    "sample_type": ["uniform", "weighted"],
    "normalize_type": ["tree", "forest"],
    "objective": OBJECTIVES,
    "save_model_on_termination": ["true", "false"],
    "aft_loss_distribution": ["normal", "logistic", "extreme"],
    "deterministic_histogram": ["true", "false"],
    "sampling_method": ["uniform", "gradient_based"],
    "use_dask_gpu_training": ["true", "false"],
}
_STRUCTURED = ("monotone_constraints", "interaction_constraints", "eval_metric", "updater", "_tuning_objective_metric")


def validate(given: dict[str, str]) -> dict[str, Any]:
    """Check a job's hyperparameters and convert them to xgboost's types.

    :param given: as in CreateTrainingJob: strings by name. Aliases are accepted.
    :returns: values by the container's names; ``eval_metric`` is a list of names.
    :raises JobError: ``ClientError`` in the container's words.
    """
    named = {_ALIASES.get(name, name): _unquote(str(value)) for name, value in given.items()}
    if "num_round" not in named:
        raise _client_error("Missing required hyperparameter: num_round")
    values = {name: _parse(name, text) for name, text in named.items()}
    for name, value in values.items():
        _check_range(name, value)
    _check_dependencies(values)
    return values


def _unquote(text: str) -> str:
    # The SDK's estimators send JSON-encoded values: "\"binary:logistic\"".
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1]
    return text


def _parse(name: str, text: str) -> Any:
    try:
        if name in _INTEGERS:
            return int(text)
        if name in _NUMBERS:
            return float(text)
        if name in ("eval_metric", "updater"):
            return [part.strip() for part in text.split(",")]
        if name in ("monotone_constraints", "interaction_constraints"):
            return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise _client_error(f"Hyperparameter {name}: could not parse value (caused by ValueError)") from None
    if name in _CHOICES or name in _STRUCTURED:
        return text
    raise _client_error(f"Extraneous hyperparameter found: {name}")


def _check_range(name: str, value: Any) -> None:
    interval = _INTEGERS.get(name) or _NUMBERS.get(name)
    if interval is not None and value not in interval:
        raise _client_error(f"Hyperparameter {name}: {value} is not in {interval}")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise _client_error(f"Hyperparameter {name}: {value} is not in {_CHOICES[name]}")
    if name == "updater" and any(entry not in _UPDATERS for entry in value):
        raise _client_error(f"Hyperparameter {name}: value {value} not in range {_UPDATERS}")
    if name == "eval_metric":
        for metric in value:
            _check_metric(metric, value)
    if name == "monotone_constraints" and not (
        isinstance(value, tuple) and all(entry in (-1, 0, 1) for entry in value)
    ):
        raise _client_error(f"Hyperparameter {name}: value {value} not in range [-1, 0, 1]")


def _check_metric(metric: str, all_metrics: list[str]) -> None:
    if "@" in metric:
        kind, _, threshold = metric.partition("@")
        if kind.strip() not in ("error", "ndcg", "map"):
            raise _client_error(
                f"Metric '{metric}' is not supported. Parameter 'eval_metric' with customized threshold should"
                f" be one of these options:"
                " 'error', 'ndcg', 'map'."
            )
        try:
            float(threshold)
        except ValueError:
            raise _client_error(f"Threshold value 't' in '{kind.strip()}@t' expects float input.") from None
    elif metric not in NATIVE_METRICS | OWN_METRICS:
        raise _client_error(
            f"Hyperparameter eval_metric: value {all_metrics} not in range {sorted(NATIVE_METRICS | OWN_METRICS)}"
        )


def _check_dependencies(values: dict[str, Any]) -> None:
    objective = values.get("objective")
    if objective in ("multi:softmax", "multi:softprob") and values.get("num_class") is None:
        raise _client_error("Require input for parameter 'num_class' for multi-classification")
    if objective is None and values.get("num_class") is not None:
        raise _client_error(
            "Do not need to setup parameter 'num_class' for learning task other than multi-classification."
        )
    metrics = values.get("eval_metric") or []
    if "auc" in metrics and not str(objective or "").startswith(("binary:", "rank:")):
        raise _client_error("Metric 'auc' can only be applied for classification and ranking problems.")
    if "aft-nloglik" in metrics and objective != "survival:aft":
        raise _client_error("Metric 'aft-nloglik' can only be applied for 'survival:aft' objective.")
    if "monotone_constraints" in values and values.get("tree_method") not in ("exact", "hist"):
        raise _client_error(
            "monotone_constraints can be used only when the tree_method parameter is set to either 'exact' or 'hist'."
        )
    if "interaction_constraints" in values and values.get("tree_method") not in ("exact", "hist", "approx"):
        raise _client_error(
            "interaction_constraints can be used only when the tree_method parameter is set to either 'exact',"
            " 'hist' or 'approx'."
        )


def _client_error(message: str) -> JobError:
    return JobError(message, "ClientError")
