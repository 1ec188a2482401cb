"""The pipeline file: everything a user decides about one retraining pipeline, validated.

A field stands in the module of its section; docs/pipelines.md lists all of them. Must not import
Airflow or boto3, and reads no file itself: :mod:`brewtrain.resources` does. What a user reads when
a file is not valid is worded in :mod:`brewtrain.domain.pipeline.messages`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError

from brewtrain.domain import names
from brewtrain.domain.errors import PipelineFileError
from brewtrain.domain.pipeline.endpoint import Endpoint
from brewtrain.domain.pipeline.jobs import Evaluation, Limits, Split, Training, Transform
from brewtrain.domain.pipeline.messages import sentences
from brewtrain.domain.pipeline.quality import Quality, learn_alone
from brewtrain.domain.pipeline.quality_gate import Gate
from brewtrain.domain.pipeline.schedule import Day, Schedule, TimeZone, cron_of
from brewtrain.domain.pipeline.section import Lines, OneLine, Section
from brewtrain.domain.pipeline.source import Bucket, KmsKey, Label, RecipeFile, Source
from brewtrain.domain.run.days import DataDays
from brewtrain.domain.run.interval import Schedule as RunSchedule


class Retention(Section):
    """What is kept.

    :param run_days: Days that the files of a run stay in S3.
    :param rollback_targets: Endpoint configs kept, newest first, besides the one that serves.
    """

    run_days: int = Field(default=90, ge=1, le=3650)
    rollback_targets: int = Field(default=3, ge=1, le=100)


class Pipeline(Section):
    """One retraining pipeline.

    :param name: Lower case words joined by ``_``, at most 24 characters; part of every name on AWS.
    :param schedule: ``@hourly``, ``@daily``, ``@weekly``, ``@monthly`` or cron, in ``timezone``.
    :param timezone: IANA time zone of the schedule and of the days that partitions are named after.
    :param start_date: First day that may be trained on; backfills reach no further.
    :param window_days: Days of data, up to the run's newest day, that a model is trained on.
    :param recipe: File name in include/recipes/.
    :param quality: What the data must be like before it is trained on; ``learn``: profile it, so
        that rules can be proposed.
    :param approval: ``required``: a person approves a model that passed the gate before it is
        deployed.
    :param pool: Airflow pool whose slots the stage tasks take; bounds how many runs work at once.
    :param kms_key: ARN of the key that encrypts the bucket, where storage.yaml was given one.
        DataBrew has to be told: it encrypts with S3's own key otherwise, whatever the bucket's
        default is.
    """

    name: str = Field(min_length=1, max_length=names.PIPELINE_NAME_MAX_LENGTH, pattern=names.PIPELINE_NAME_PATTERN)
    description: Lines = Field(default="", max_length=500)
    owner: OneLine = Field(default="data-engineering", min_length=1, max_length=100)
    schedule: Schedule = "@daily"
    timezone: TimeZone = "UTC"
    start_date: Day
    bucket: Bucket | None = None
    kms_key: KmsKey | None = None
    source: Source
    window_days: int = Field(default=365, ge=1, le=36500)
    quality: Annotated[Quality | None, BeforeValidator(learn_alone)] = None
    recipe: RecipeFile
    label: Label
    split: Split = Split()
    transform: Transform = Transform()
    training: Training
    evaluation: Evaluation = Evaluation()
    gate: Gate
    approval: Literal["none", "required"] = "none"
    endpoint: Endpoint = Endpoint()
    pool: OneLine = Field(default="default_pool", min_length=1, max_length=256)
    retention: Retention = Retention()
    limits: Limits = Limits()

    @property
    def endpoint_name(self) -> str:
        """Name of the endpoint that serves this pipeline's model."""
        return self.endpoint.name or names.slug(self.name)

    @property
    def cron(self) -> str:
        """The schedule as a cron expression of five fields."""
        return cron_of(self.schedule)

    @property
    def run_schedule(self) -> RunSchedule:
        """When the pipeline's data intervals begin and end."""
        return RunSchedule(self.cron, self.timezone)

    @property
    def data_days(self) -> DataDays:
        """Which days of data its runs read."""
        return DataDays(
            timezone=self.timezone,
            lag_days=self.source.lag_days,
            weekdays=self.source.days,
            window_days=self.window_days,
            start_date=self.start_date,
        )

    def bucket_name(self, account: names.Account) -> str:
        """Return the bucket that the pipeline writes to and, by default, reads from."""
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
