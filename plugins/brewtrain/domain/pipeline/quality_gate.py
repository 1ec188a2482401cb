"""The ``gate`` section: when a model may serve (docs/evaluation.md has the rules).

Must not import Airflow or boto3.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from brewtrain.domain.evaluation.gate import ChampionRule, GateRules
from brewtrain.domain.evaluation.metrics import METRICS, Metric, higher_is_better, short_name
from brewtrain.domain.pipeline.section import Section


def _check_metric_names(value: object) -> object:
    if isinstance(value, dict):
        for key in value:
            if key not in METRICS:
                raise ValueError(f"has the unknown metric {key!r}; write one of {', '.join(METRICS)}")
    return value


class Threshold(Section):
    """Bounds of one metric, both inclusive.

    :param min: Smallest value that passes.
    :param max: Largest value that passes.
    """

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Threshold:
        if self.min is None and self.max is None:
            raise ValueError("has no bound; write 'min' or 'max'")
        return self


class ChampionBound(Section):
    """How much worse than the serving model a candidate may be in one metric.

    :param max_drop: Largest loss that is still accepted, in the metric's unit; of error, log loss,
        brier and ece it is the largest rise.
    :param evidence: ``interval``: the whole interval of the paired difference must keep the bound,
        so that doubt counts against the candidate; ``point``: only the difference itself must.
    """

    max_drop: float = Field(ge=0)
    evidence: Literal["interval", "point"] = "interval"


class Gate(Section):
    """When a model may serve.

    :param metrics: Bounds by the metric's name.
    :param better_than_majority: Whether ``validation:error`` must be below that of always
        predicting the more common class.
    :param champion: Rules against the model that serves, by metric; empty: the candidate is not
        compared with it.
    :param minimum_rows: Fewest validation rows on which a model may be judged.
    :param minimum_positives: Fewest validation rows of the rarer class on which a model may be
        judged.
    :param first_run: Nothing serves yet: ``pass`` leaves it to the other rules, ``refuse`` waits
        for a person.
    :param champion_not_comparable: The serving model cannot be scored on the same rows: ``refuse``,
        or ``ignore`` the rules against it.
    :param features: A feature died or changed after the transform: ``refuse`` the model, ``warn``,
        or ``refuse_all_null``, which refuses where a feature has no value in any row, although the
        serving model had some, and else warns.
    :param max_psi: Population stability index up to which a feature's share of nulls, and the
        shares of its categories, are as in the serving model's window.
    :param on_reject: ``skip``: a refused model leaves the run green with ``deploy`` skipped;
        ``fail``: red; ``fail_below_bounds``: red only where a bound or the majority class was
        missed.
    """

    metrics: Annotated[dict[Metric, Threshold], BeforeValidator(_check_metric_names)] = Field(min_length=1)
    better_than_majority: bool = True
    champion: Annotated[dict[Metric, ChampionBound], BeforeValidator(_check_metric_names)] = Field(default={})
    minimum_rows: int = Field(default=200, ge=0)
    minimum_positives: int = Field(default=20, ge=0)
    first_run: Literal["pass", "refuse"] = "pass"
    champion_not_comparable: Literal["refuse", "ignore"] = "refuse"
    features: Literal["refuse", "refuse_all_null", "warn"] = "refuse_all_null"
    max_psi: float = Field(default=0.25, gt=0, lt=1000)
    on_reject: Literal["skip", "fail", "fail_below_bounds"] = "skip"

    @field_validator("metrics")
    @classmethod
    def _direction(cls, value: dict[Metric, Threshold]) -> dict[Metric, Threshold]:
        for metric, threshold in value.items():
            if higher_is_better(metric) and threshold.max is not None:
                raise ValueError(f"sets max for {metric}, where higher is better; write 'min'")
            if not higher_is_better(metric) and threshold.min is not None:
                raise ValueError(f"sets min for {metric}, where lower is better; write 'max'")
        return value

    @property
    def rules(self) -> GateRules:
        """The gate as the evaluation decides by it."""
        bounds = {short_name(metric): threshold for metric, threshold in self.metrics.items()}
        return GateRules(
            floors={metric: bound.min for metric, bound in bounds.items() if bound.min is not None},
            ceilings={metric: bound.max for metric, bound in bounds.items() if bound.max is not None},
            better_than_majority=self.better_than_majority,
            champion=tuple(
                ChampionRule(short_name(metric), bound.max_drop, bound.evidence)
                for metric, bound in self.champion.items()
            ),
            minimum_rows=self.minimum_rows,
            minimum_positives=self.minimum_positives,
            first_run=self.first_run,
            champion_not_comparable=self.champion_not_comparable,
            features=self.features,
            max_psi=self.max_psi,
            on_reject=self.on_reject,
        )
