"""The pipeline file: everything a user decides about one retraining pipeline, validated.

Must not import Airflow or boto3, and reads no file itself: :mod:`brewtrain.resources` does. What a
user reads when a file is not valid is worded in :mod:`brewtrain.domain.pipeline.messages`; the text
of a ``ValueError`` here goes on from "field 'x' …".
"""

from __future__ import annotations

import difflib
import math
import re
from datetime import UTC, date, datetime, timedelta
from string import Formatter
from typing import Annotated, Literal, get_args

from croniter import croniter
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from brewtrain.domain import names
from brewtrain.domain.errors import PipelineFileError
from brewtrain.domain.evaluation import gate as quality_gate
from brewtrain.domain.pipeline.messages import sentences
from brewtrain.domain.pipeline.plain_text import hidden_character, is_bucket_name, key_problem

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
METRIC_PREFIX = "validation:"
PRESET_SCHEDULES = ("@hourly", "@daily", "@weekly", "@monthly")
_PRESET_CRON = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *"}
_SOURCE_FIELDS = {"bucket", "date"}
_HYPERPARAMETER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
# Words, numbers, and the lists and tuples of constraints: '[[0, 1], [2]]', '(1,-1)',
# 'grow_colmaker,prune'.
_HYPERPARAMETER = re.compile(r"""[A-Za-z0-9_.,:+\-()\[\]{}"' ]*""")
# CreateTrainingJob's limit.
_MAX_HYPERPARAMETER = 2500
ENDPOINT_NAME_PATTERN = r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"
INSTANCE_TYPE_PATTERN = r"^ml\.[a-z0-9-]{1,30}\.[a-z0-9]{1,30}$"
KMS_KEY_PATTERN = r"^arn:aws(-[a-z]+)*:kms:[a-z0-9-]{1,30}:[0-9]{12}:key/[A-Za-z0-9-]{1,80}$"
IMAGE_VERSION_PATTERN = r"^[0-9]{1,4}\.[0-9]{1,4}-[0-9]{1,4}$"
# Not * ? $, which would be a pattern in a policy that names the alarm.
ALARM_PATTERN = r"^[^*?$]*[^*?$\s][^*?$]*$"
# Amazon SageMaker AI Developer Guide, "XGBoost hyperparameters". Used to name a typo, not to forbid
# what is newer.
_KNOWN_HYPERPARAMETERS = (
    "alpha",
    "base_score",
    "booster",
    "colsample_bylevel",
    "colsample_bynode",
    "colsample_bytree",
    "csv_weights",
    "deterministic_histogram",
    "early_stopping_rounds",
    "eta",
    "eval_metric",
    "gamma",
    "grow_policy",
    "interaction_constraints",
    "lambda",
    "lambda_bias",
    "max_bin",
    "max_delta_step",
    "max_depth",
    "max_leaves",
    "min_child_weight",
    "monotone_constraints",
    "normalize_type",
    "nthread",
    "num_class",
    "num_round",
    "objective",
    "one_drop",
    "process_type",
    "rate_drop",
    "refresh_leaf",
    "sample_type",
    "save_model_on_termination",
    "scale_pos_weight",
    "seed",
    "single_precision_histogram",
    "sketch_eps",
    "skip_drop",
    "subsample",
    "tree_method",
    "tweedie_variance_power",
    "updater",
    "use_dask_gpu_training",
    "verbosity",
)


def _check_schedule(value: str) -> str:
    if value in PRESET_SCHEDULES:
        return value
    advice = f"write one of {', '.join(PRESET_SCHEDULES)} or cron of five fields such as '0 4 * * *'"
    if len(value.split()) != 5 or not croniter.is_valid(value):
        raise ValueError(f"is not a schedule; {advice}")
    try:
        croniter(value, datetime(2024, 1, 1, tzinfo=UTC)).get_next()
    except ValueError:
        raise ValueError(f"names a day that never comes; {advice}") from None
    return value


def _check_day(value: object) -> object:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    if type(value) is date:
        return value
    raise ValueError(f"is {str(value)!r}; write a day such as 2024-01-31")


def _check_hyperparameters(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError("is not a mapping; write one hyperparameter a line, e.g. 'num_round: 100'")
    for name, setting in value.items():
        if not isinstance(name, str):
            raise ValueError(f"has the name {name!r}, which YAML does not read as text; put it in quotes")
        if isinstance(setting, bool) or not isinstance(setting, str | int | float):
            raise ValueError(f"sets {name} to {setting!r}; write a number or a text in quotes")
        if isinstance(setting, float) and not math.isfinite(setting):
            raise ValueError(f"sets {name} to {setting}; write a finite number")
        _check_hyperparameter(name, str(setting))
        near = difflib.get_close_matches(name, _KNOWN_HYPERPARAMETERS, n=1, cutoff=0.85)
        if near and near[0] != name:
            raise ValueError(f"knows no {name!r}; did you mean {near[0]!r}?")
    return value


def _check_hyperparameter(name: str, setting: str) -> None:
    if not _HYPERPARAMETER_NAME.fullmatch(name):
        raise ValueError(f"has the name {name!r}; write letters, digits and '_', as XGBoost's hyperparameters have it")
    if name.startswith("sagemaker_"):
        # With them the container runs a script from any bucket instead of training (SageMaker
        # XGBoost, script mode).
        raise ValueError(f"sets {name}, which would run another script than the built-in algorithm; remove it")
    if not _HYPERPARAMETER.fullmatch(setting) or setting.startswith("arn:"):
        raise ValueError(
            f"sets {name} to {setting[:80]!r}, which no hyperparameter of XGBoost is; write a number or words"
        )
    if len(setting) > _MAX_HYPERPARAMETER:
        raise ValueError(f"sets {name} to {len(setting)} characters; SageMaker takes {_MAX_HYPERPARAMETER}")


def _check_visible(value: str) -> str:
    if (hidden := hidden_character(value)) is not None:
        raise ValueError(f"has the character {hidden}, which cannot be seen; remove it")
    return value


def _check_lines(value: str) -> str:
    if (hidden := hidden_character(value, allowed="\n\t")) is not None:
        raise ValueError(f"has the character {hidden}, which cannot be seen; remove it")
    return value


def _check_column(value: str) -> str:
    if value.startswith("-"):
        raise ValueError("begins with '-', so that Glue would take it for an option; rename the column in the recipe")
    return _check_visible(value)


def _check_bucket(value: str) -> str:
    if not is_bucket_name(value):
        raise ValueError(
            "names no valid bucket; write the name of an S3 bucket: lower case letters, digits, '.' and '-', 3 to 63 "
            "characters"
        )
    return value


def _check_source_path(value: str) -> str:
    if not value.startswith("s3://"):
        raise ValueError("is not an S3 prefix; write one such as 's3://{bucket}/data/NAME/dt={date}/'")
    if "{{" in value or "}}" in value:
        raise ValueError("has doubled braces; write {bucket} and {date} in single ones")
    try:
        found = {field for _, field, spec, conversion in Formatter().parse(value) if field is not None}
    except ValueError as error:
        raise ValueError(f"has unbalanced braces ({error}); only {{bucket}} and {{date}} may stand in braces") from None
    unknown = found - _SOURCE_FIELDS
    if unknown:
        raise ValueError(
            f"knows no placeholder {{{sorted(unknown)[0]}}}; only {{bucket}} and {{date}} may stand in braces"
        )
    bucket, _, key = value.removeprefix("s3://").partition("/")
    if "{date}" in bucket:
        raise ValueError("has {date} in the bucket; partitions are prefixes inside one bucket")
    if key.count("{date}") != 1:
        raise ValueError("must contain {date} once, where the day of a partition stands, e.g. 'dt={date}/'")
    if not key.endswith("/"):
        raise ValueError("must end with '/': a partition is a prefix, not a file")
    if any(brace in key.replace("{date}", "") for brace in "{}"):
        raise ValueError("has braces in its key besides {date}; {bucket} stands only for the bucket's name")
    if (problem := key_problem(key.replace("{date}", "2024-01-31"))) is not None:
        raise ValueError(problem)
    if key.startswith(f"{names.PREFIX}/"):
        raise ValueError(f"lies in {names.PREFIX}/, where the pipelines keep their own files; keep data elsewhere")
    if bucket != "{bucket}" and not is_bucket_name(bucket):
        raise ValueError("names no valid bucket; write {bucket}, or the name of an S3 bucket")
    return value


def _check_plain_file_name(value: str) -> str:
    if "/" in value or "\\" in value or value.startswith("."):
        raise ValueError("is not a plain file name; write only the file's name, recipes live in include/recipes/")
    if not value.endswith(".json"):
        raise ValueError("must end with .json")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,199}", value):
        raise ValueError("has a character that a recipe's file name may not have; write letters, digits, '_', '-', '.'")
    return value


Schedule = Annotated[str, AfterValidator(_check_schedule)]


class _Section(BaseModel):
    # Strict: YAML has types of its own, so that a number given as text, or yes for 1, is a mistake.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Source(_Section):
    """Where the data of one day lies.

    :param path: S3 prefix of one day's partition; ``{bucket}`` and ``{date}`` (YYYY-MM-DD, UTC)
        stand for themselves.
    :param delimiter: Column delimiter of the CSV files, one of those DataBrew accepts.
    :param columns: Columns the files must have; checked against the newest file's header before
        anything starts.
    """

    path: Annotated[str, AfterValidator(_check_source_path)]
    delimiter: Literal[",", ";", "|", "\t", " "] = ","
    columns: Annotated[tuple[Annotated[str, AfterValidator(_check_visible)], ...], Field(strict=False)] = ()

    @field_validator("columns")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for column in value:
            if value.count(column) > 1:
                raise ValueError(f"names {column!r} twice; name each column once")
        return value

    def bucket(self, default: str) -> str:
        """Bucket of the source, ``{bucket}`` being the pipeline's own."""
        return self.path.removeprefix("s3://").partition("/")[0].replace("{bucket}", default)

    def key(self, day: str) -> str:
        """Key prefix of one day's partition.

        :param day: ``YYYY-MM-DD``, or DataBrew's ``{parameter}`` when a dataset's path is built.
        """
        return self.path.removeprefix("s3://").partition("/")[2].replace("{date}", day)


class Label(_Section):
    """What the model predicts.

    :param column: Column of the recipe's **output** that holds 0 and 1.
    """

    column: Annotated[str, AfterValidator(_check_column)] = Field(min_length=1, max_length=255)


class Split(_Section):
    """How rows are divided into training and validation.

    :param method: ``hash``: a pure function of the row, so that a retry divides the same way.
    :param validation_fraction: Share of rows that go to validation, between 0.05 and 0.5.
    """

    method: Literal["hash"] = "hash"
    validation_fraction: float = Field(default=0.3, ge=0.05, le=0.5)


class Training(_Section):
    """The SageMaker training job (CreateTrainingJob).

    :param image_version: Version of SageMaker's built-in XGBoost image, e.g. ``1.7-1``.
    :param instance_type: For example ``ml.m5.xlarge``.
    :param hyperparameters: As the built-in algorithm documents them. ``eval_metric`` is set by
        brewtrain: the gate needs all of its metrics.
    :param max_runtime_seconds: StoppingCondition; the job is stopped after this long.
    """

    image_version: str = Field(default="1.7-1", pattern=IMAGE_VERSION_PATTERN)
    instance_type: str = Field(default="ml.m5.xlarge", pattern=INSTANCE_TYPE_PATTERN)
    instance_count: int = Field(default=1, ge=1, le=20)
    volume_gb: int = Field(default=10, ge=1, le=16384)
    max_runtime_seconds: int = Field(default=3600, ge=60, le=432000)
    hyperparameters: Annotated[dict[str, str | int | float], BeforeValidator(_check_hyperparameters)]

    @field_validator("hyperparameters")
    @classmethod
    def _own_hyperparameters(cls, value: dict[str, str | int | float]) -> dict[str, str | int | float]:
        if "eval_metric" in value:
            raise ValueError(
                "set eval_metric, which brewtrain sets so that every metric of the gate is there; remove it"
            )
        if "num_round" not in value:
            raise ValueError("lack num_round, the number of boosting rounds; add e.g. 'num_round: 100'")
        rounds = value["num_round"]
        if not re.fullmatch("[0-9]{1,9}", str(rounds)) or int(rounds) < 1:
            raise ValueError(f"set num_round to {rounds!r}; write a whole number of at least 1")
        objective = value.get("objective", "binary:logistic")
        if objective != "binary:logistic":
            raise ValueError(f"have objective {objective!r}; the gate's metrics are those of 'binary:logistic'")
        return value


class Threshold(_Section):
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


def _check_metric_names(value: object) -> object:
    if isinstance(value, dict):
        for key in value:
            if key not in METRICS:
                raise ValueError(f"knows no metric {key!r}; write one of {', '.join(METRICS)}")
    return value


def _check_once_each(value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if value.count(name) > 1:
            raise ValueError(f"names {name!r} twice; name each once")
    return value


class ChampionBound(_Section):
    """How much worse than the serving model a candidate may be in one metric.

    :param max_drop: Largest loss that is still accepted, in the metric's unit; of error, log loss,
        brier and ece it is the largest rise.
    :param evidence: ``interval``: the whole interval of the paired difference must keep the bound,
        so that doubt counts against the candidate; ``point``: only the difference itself must.
    """

    max_drop: float = Field(ge=0)
    evidence: Literal["interval", "point"] = "interval"


class Gate(_Section):
    """When a model may serve (docs/evaluation.md has the rules).

    :param metrics: Bounds by the metric's name, never by its position.
    :param better_than_majority: Whether ``validation:error`` must be below that of always answering
        with the commoner class.
    :param champion: Rules against the model that serves, by metric; none: the candidate is not held
        against it.
    :param minimum_rows: Fewest validation rows on which a model may be judged.
    :param minimum_positives: Fewest validation rows of the rarer class on which a model may be
        judged.
    :param first_run: Nothing serves yet: ``pass`` leaves it to the other rules, ``refuse`` waits
        for a person.
    :param champion_not_comparable: The serving model cannot be scored on the same rows: ``refuse``,
        or ``ignore`` the rules against it.
    :param on_reject: ``skip``: a refused model leaves the run green with ``deploy`` skipped;
        ``fail``: red; ``fail_below_bounds``: red only where a bound or the majority class was
        missed.
    """

    metrics: Annotated[dict[Metric, Threshold], BeforeValidator(_check_metric_names)] = Field(min_length=1)
    better_than_majority: bool = True
    champion: Annotated[dict[Metric, ChampionBound], BeforeValidator(_check_metric_names)] = {}
    minimum_rows: int = Field(default=200, ge=0)
    minimum_positives: int = Field(default=20, ge=0)
    first_run: Literal["pass", "refuse"] = "pass"
    champion_not_comparable: Literal["refuse", "ignore"] = "refuse"
    on_reject: Literal["skip", "fail", "fail_below_bounds"] = "skip"

    @field_validator("metrics")
    @classmethod
    def _direction(cls, value: dict[Metric, Threshold]) -> dict[Metric, Threshold]:
        for metric, threshold in value.items():
            more_is_better = metric.removeprefix(METRIC_PREFIX) in quality_gate.HIGHER_IS_BETTER
            if more_is_better and threshold.max is not None:
                raise ValueError(f"sets max for {metric}, of which more is better; write 'min'")
            if not more_is_better and threshold.min is not None:
                raise ValueError(f"sets min for {metric}, of which less is better; write 'max'")
        return value

    @property
    def rules(self) -> quality_gate.GateRules:
        """The gate as the evaluation decides by it."""
        bounds = {metric.removeprefix(METRIC_PREFIX): threshold for metric, threshold in self.metrics.items()}
        return quality_gate.GateRules(
            floors={metric: bound.min for metric, bound in bounds.items() if bound.min is not None},
            ceilings={metric: bound.max for metric, bound in bounds.items() if bound.max is not None},
            better_than_majority=self.better_than_majority,
            champion=tuple(
                quality_gate.ChampionRule(metric.removeprefix(METRIC_PREFIX), bound.max_drop, bound.evidence)
                for metric, bound in self.champion.items()
            ),
            minimum_rows=self.minimum_rows,
            minimum_positives=self.minimum_positives,
            first_run=self.first_run,
            champion_not_comparable=self.champion_not_comparable,
            on_reject=self.on_reject,
        )


class EndpointUpdate(_Section):
    """How traffic moves to a new model: SageMaker's DeploymentConfig of UpdateEndpoint, always blue/green.

    Source: "Update models in production" in the Amazon SageMaker AI Developer Guide;
    DeploymentConfig in its API reference.

    :param traffic: ``all_at_once``; ``canary``: a part, then the rest; ``linear``: in equal steps.
        The last two need two instances or more.
    :param step_percent: Size of the canary (5 to 50) or of a step (10 to 50), in percent of the
        capacity.
    :param wait_seconds: Between two shifts of traffic, while the alarms are watched; ``canary`` and
        ``linear`` only.
    :param termination_wait_seconds: After the last shift, before the old instances go, while the
        alarms are watched.
    :param max_execution_seconds: SageMaker rolls back what takes longer.
    :param alarms: CloudWatch alarms that roll the update back.
    """

    traffic: Literal["all_at_once", "canary", "linear"] = "all_at_once"
    step_percent: int = Field(default=10, ge=1, le=50)
    wait_seconds: int = Field(default=300, ge=0, le=3600)
    termination_wait_seconds: int = Field(default=0, ge=0, le=3600)
    max_execution_seconds: int = Field(default=1800, ge=600, le=28800)
    alarms: Annotated[
        tuple[
            Annotated[str, Field(min_length=1, max_length=255, pattern=ALARM_PATTERN), AfterValidator(_check_visible)],
            ...,
        ],
        Field(strict=False, max_length=10),
        AfterValidator(_check_once_each),
    ] = ()

    @property
    def waits_seconds(self) -> int:
        """Seconds that an update waits by plan, without those that instances take to start."""
        shifts = {"all_at_once": 0, "canary": 1, "linear": math.ceil(100 / self.step_percent) - 1}[self.traffic]
        return shifts * self.wait_seconds + self.termination_wait_seconds

    @model_validator(mode="after")
    def _possible(self) -> EndpointUpdate:
        if self.traffic == "linear" and self.step_percent < 10:
            raise ValueError(f"has linear steps of {self.step_percent} %; SageMaker takes 'step_percent' 10 to 50")
        if self.waits_seconds >= self.max_execution_seconds:
            raise ValueError(
                f"waits {self.waits_seconds} s by plan, and 'max_execution_seconds' is {self.max_execution_seconds}: "
                "every update would be rolled back; raise it, or wait less"
            )
        return self


class Endpoint(_Section):
    """The SageMaker endpoint that serves.

    :param name: Name of the endpoint; default: the pipeline's name with ``-`` for ``_``.
    :param instance_type: For example ``ml.m5.large``.
    :param instance_count: Instances of a new endpoint; an existing one keeps the count that
        autoscaling set.
    :param ready_minutes: How long the endpoint may take until it serves the new model.
    :param update: How traffic moves to a new model; none: all at once, as SageMaker does it by
        itself.
    """

    name: str | None = Field(default=None, pattern=ENDPOINT_NAME_PATTERN)
    instance_type: str = Field(default="ml.m5.large", pattern=INSTANCE_TYPE_PATTERN)
    instance_count: int = Field(default=1, ge=1, le=100)
    ready_minutes: int = Field(default=60, ge=5, le=480)
    update: EndpointUpdate | None = None

    @model_validator(mode="after")
    def _instances_to_shift(self) -> Endpoint:
        # The first shift may take half of the instances at most (TrafficRoutingConfig), and takes
        # one at least.
        if self.update is not None and self.update.traffic != "all_at_once" and self.instance_count < 2:
            raise ValueError(
                f"has 'instance_count' {self.instance_count} and an update with traffic {self.update.traffic!r}, which "
                "SageMaker refuses: half of the instances at most may go first; write at least 2, or 'all_at_once'"
            )
        return self

    @model_validator(mode="after")
    def _ready_after_the_update(self) -> Endpoint:
        if self.update is not None and self.update.waits_seconds >= self.ready_minutes * 60:
            raise ValueError(
                f"has 'ready_minutes' {self.ready_minutes} and an update that waits {self.update.waits_seconds} s by "
                "plan, so that every update would count as stuck; raise 'ready_minutes', or wait less"
            )
        return self


class Evaluation(_Section):
    """The SageMaker processing job that scores the candidate and the serving model (CreateProcessingJob).

    :param instance_type: Rows × features × 4 bytes, about five times over, must fit its memory.
    :param volume_gb: Must hold the run's train and validation parts.
    :param max_runtime_seconds: StoppingCondition; the job is stopped after this long.
    """

    instance_type: str = Field(default="ml.m5.xlarge", pattern=INSTANCE_TYPE_PATTERN)
    volume_gb: int = Field(default=10, ge=1, le=16384)
    max_runtime_seconds: int = Field(default=3600, ge=60, le=432000)


class Retention(_Section):
    """What is kept.

    :param run_days: Days that the files of a run stay in S3.
    :param rollback_targets: Endpoint configs kept, newest first, besides the one that serves.
    """

    run_days: int = Field(default=90, ge=1, le=3650)
    rollback_targets: int = Field(default=3, ge=1, le=100)


class Limits(_Section):
    """How long a stage may take before it counts as failed, in minutes.

    :param transform_minutes: DataBrew job.
    :param split_minutes: Glue job.
    """

    transform_minutes: int = Field(default=120, ge=5, le=2880)
    split_minutes: int = Field(default=60, ge=1, le=2880)


class Transform(_Section):
    """Capacity of the DataBrew recipe job (CreateRecipeJob).

    :param max_capacity: DataBrew nodes.
    """

    max_capacity: int = Field(default=5, ge=2, le=149)


class Pipeline(_Section):
    """One retraining pipeline.

    :param name: Lower case words joined by ``_``, at most 24 characters; part of every name on AWS.
    :param schedule: ``@hourly``, ``@daily``, ``@weekly``, ``@monthly`` or cron, in UTC.
    :param start_date: First day that may be trained on; backfills reach no further.
    :param window_days: Days of data, up to the interval's end, that a model is trained on.
    :param recipe: File name in include/recipes/.
    :param approval: ``required``: a person approves a model that passed the gate before it is
        deployed.
    :param pool: Airflow pool whose slots the stage tasks take; bounds how many runs work at once.
    :param kms_key: ARN of the key that encrypts the bucket, where storage.yaml was given one.
        DataBrew has to be told: what it is not told it encrypts with S3's own key, whatever the
        bucket's default is.
    """

    name: str = Field(min_length=1, max_length=names.PIPELINE_NAME_MAX_LENGTH, pattern=names.PIPELINE_NAME_PATTERN)
    description: Annotated[str, AfterValidator(_check_lines)] = Field(default="", max_length=500)
    owner: Annotated[str, AfterValidator(_check_visible)] = Field(
        default="data-engineering", min_length=1, max_length=100
    )
    schedule: Schedule = "@daily"
    start_date: Annotated[date, BeforeValidator(_check_day)]
    bucket: Annotated[str, AfterValidator(_check_bucket)] | None = None
    kms_key: str | None = Field(default=None, pattern=KMS_KEY_PATTERN)
    source: Source
    window_days: int = Field(default=365, ge=1, le=36500)
    recipe: Annotated[str, AfterValidator(_check_plain_file_name)]
    label: Label
    split: Split = Split()
    transform: Transform = Transform()
    training: Training
    evaluation: Evaluation = Evaluation()
    gate: Gate
    approval: Literal["none", "required"] = "none"
    endpoint: Endpoint = Endpoint()
    pool: Annotated[str, AfterValidator(_check_visible)] = Field(default="default_pool", min_length=1, max_length=256)
    retention: Retention = Retention()
    limits: Limits = Limits()

    @property
    def endpoint_name(self) -> str:
        """Name of the endpoint that serves this pipeline's model."""
        return self.endpoint.name or names.slug(self.name)

    @property
    def cron(self) -> str:
        """The schedule as a cron expression of five fields."""
        return _PRESET_CRON.get(self.schedule, self.schedule)

    def window_start(self, interval_end: datetime) -> datetime:
        """First instant (inclusive) of the training window that ends with ``interval_end`` (exclusive)."""
        return interval_end.astimezone(UTC) - timedelta(days=self.window_days)

    def bucket_name(self, account: names.Account) -> str:
        """Bucket that the pipeline writes to and, unless its source says otherwise, reads from."""
        return self.bucket or names.default_bucket(account.account_id, account.region)


def parse_pipeline(document: object, *, source: str) -> Pipeline:
    """Validate one pipeline file's content.

    :param document: What the YAML parser returned.
    :param source: The file's path, for messages.
    :raises PipelineFileError: With one sentence per problem: field, what is wrong, what to write
        instead.
    """
    if not isinstance(document, dict):
        what = "is empty" if document is None else "is not a mapping"
        raise PipelineFileError(source, [f"{what}; start it with 'name: …' as the files in include/pipelines/ do"])
    try:
        return Pipeline.model_validate(document)
    except ValidationError as error:
        raise PipelineFileError(source, sentences(error, Pipeline)) from None
