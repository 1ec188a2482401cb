"""The hyperparameters of SageMaker's built-in XGBoost: which names there are, and what may be set.

Must not import Airflow or boto3.

Sources: Amazon SageMaker AI Developer Guide, "XGBoost hyperparameters"; CreateTrainingJob in its
API reference.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

_NAMES = """
    alpha base_score booster colsample_bylevel colsample_bynode colsample_bytree csv_weights
    deterministic_histogram early_stopping_rounds eta eval_metric gamma grow_policy
    interaction_constraints lambda lambda_bias max_bin max_delta_step max_depth max_leaves
    min_child_weight monotone_constraints normalize_type nthread num_class num_round objective one_drop
    process_type rate_drop refresh_leaf sample_type save_model_on_termination scale_pos_weight seed
    single_precision_histogram sketch_eps skip_drop subsample tree_method tweedie_variance_power updater
    use_dask_gpu_training verbosity
"""
KNOWN = tuple(_NAMES.split())
"""Used to find a typo, not to forbid what is newer."""
OBJECTIVE = "binary:logistic"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
# Words, numbers, and the lists and tuples of constraints: '[[0, 1], [2]]', '(1,-1)',
# 'grow_colmaker,prune'.
_SETTING = re.compile(r"""[A-Za-z0-9_.,:+\-()\[\]{}"' ]*""")
# CreateTrainingJob's limit.
_MAX_LENGTH = 2500
_LEAST_NEARNESS = 0.85

_Setting = str | int | float


def _check_given(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError("is not a mapping; write one hyperparameter per line, e.g. 'num_round: 100'")
    for name, setting in value.items():
        if not isinstance(name, str):
            raise ValueError(f"has the name {name!r}, which YAML does not read as text; put it in quotes")
        if isinstance(setting, bool) or not isinstance(setting, str | int | float):
            raise ValueError(f"sets {name} to {setting!r}; write a number, or text in quotes")
        if isinstance(setting, float) and not math.isfinite(setting):
            raise ValueError(f"sets {name} to {setting}; write a finite number")
        _check_one(name, str(setting))
        near = difflib.get_close_matches(name, KNOWN, n=1, cutoff=_LEAST_NEARNESS)
        if near and near[0] != name:
            raise ValueError(f"sets {name!r}, which XGBoost does not have; did you mean {near[0]!r}?")
    return value


def _check_one(name: str, setting: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"has the name {name!r}; write a name of letters, digits and '_'")
    if name.startswith("sagemaker_"):
        # With them the container runs a script from any bucket instead of training (SageMaker
        # XGBoost, script mode).
        raise ValueError(f"sets {name}, which would run a script instead of the built-in algorithm; remove it")
    if not _SETTING.fullmatch(setting) or setting.startswith("arn:"):
        raise ValueError(f"sets {name} to {setting[:80]!r}, which XGBoost does not accept; write a number or words")
    if len(setting) > _MAX_LENGTH:
        raise ValueError(f"sets {name} to a text of {len(setting)} characters; SageMaker allows {_MAX_LENGTH}")


def _check_own(value: dict[str, _Setting]) -> dict[str, _Setting]:
    if "eval_metric" in value:
        raise ValueError("sets eval_metric, which brewtrain sets to the metrics that it reads; remove it")
    if "num_round" not in value:
        raise ValueError("has no num_round, the number of boosting rounds; add e.g. 'num_round: 100'")
    rounds = value["num_round"]
    if not re.fullmatch("[0-9]{1,9}", str(rounds)) or int(rounds) < 1:
        raise ValueError(f"sets num_round to {rounds!r}; write a whole number of at least 1")
    objective = value.get("objective", OBJECTIVE)
    if objective != OBJECTIVE:
        raise ValueError(f"sets objective to {objective!r}; write {OBJECTIVE!r}, which the gate's metrics are for")
    return value


Hyperparameters = Annotated[dict[str, _Setting], BeforeValidator(_check_given), AfterValidator(_check_own)]
