"""What goes into a pipeline: its daily partitions, its recipe, its label, and the bucket.

Must not import Airflow or boto3.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from string import Formatter
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from brewtrain.domain import names
from brewtrain.domain.pipeline.arrival import CompleteWhen, read_complete_when
from brewtrain.domain.pipeline.duration import Duration
from brewtrain.domain.pipeline.file_format import Delimiter, FileFormat, extension_of, name_problem
from brewtrain.domain.pipeline.layout import Layout
from brewtrain.domain.pipeline.plain_text import is_bucket_name, key_problem
from brewtrain.domain.pipeline.section import OneLine, Section, check_once_each, check_visible
from brewtrain.domain.run.days import WEEKDAYS, Weekday

KMS_KEY_PATTERN = r"^arn:aws(-[a-z]+)*:kms:[a-z0-9-]{1,30}:[0-9]{12}:key/[A-Za-z0-9-]{1,80}$"
LONGEST_WAIT = timedelta(days=7)
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_NUMBERED = re.compile(r"Column_[1-9][0-9]*")
_RECIPE_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,199}")


def _check_bucket(value: str) -> str:
    if not is_bucket_name(value):
        raise ValueError(
            "is not a valid bucket name; write the name of an S3 bucket: lower case letters, digits, '.' and '-', 3 to "
            "63 characters"
        )
    return value


def _check_column(value: str) -> str:
    if value.startswith("-"):
        raise ValueError("begins with '-', which Glue would read as an option; rename the column in the recipe")
    return check_visible(value)


def _check_recipe_file(value: str) -> str:
    if "/" in value or "\\" in value or value.startswith("."):
        raise ValueError("is not a plain file name; write only the file's name: recipes are in include/recipes/")
    if not value.endswith(".json"):
        raise ValueError("must end with .json")
    if not _RECIPE_FILE.fullmatch(value):
        raise ValueError(
            "has a character that is not allowed in a recipe's file name; write letters, digits, '_', '-', '.'"
        )
    return value


def _check_path(value: str) -> str:
    if not value.startswith("s3://"):
        raise ValueError("is not an S3 prefix; write one such as 's3://{bucket}/data/NAME/dt={date}/'")
    _check_braces(value)
    bucket, _, key = value.removeprefix("s3://").partition("/")
    if (placeholder := _PLACEHOLDER.search(bucket.replace("{bucket}", ""))) is not None:
        raise ValueError(f"has {placeholder[0]} in the bucket; partitions are prefixes inside one bucket")
    _check_key(key)
    if bucket != "{bucket}" and not is_bucket_name(bucket):
        raise ValueError("does not name a valid bucket; write {bucket}, or the name of an S3 bucket")
    return value


def _check_braces(path: str) -> None:
    if "{{" in path or "}}" in path:
        raise ValueError("has doubled braces; write {bucket} and {date} in single braces")
    try:
        list(Formatter().parse(path))
    except ValueError as error:
        raise ValueError(
            f"has unbalanced braces ({error}); only {{bucket}}, {{date}} and {{hour}} are allowed in braces"
        ) from None


def _check_key(key: str) -> None:
    layout = Layout(key)
    sample = layout.object_key(date(2024, 1, 31), "")
    if not layout.is_prefix and not extension_of(sample):
        raise ValueError("must end with '/' for a prefix, or with the extension of a file, such as '.csv'")
    if (problem := key_problem(sample)) is not None:
        raise ValueError(problem)
    if key.startswith(f"{names.PREFIX}/"):
        raise ValueError(f"is inside {names.PREFIX}/, where the pipelines keep their own files; store data elsewhere")


def _check_wait(value: timedelta) -> timedelta:
    if value > LONGEST_WAIT:
        raise ValueError(f"is longer than a run may wait; write at most {LONGEST_WAIT.days}d")
    return value


Bucket = Annotated[str, AfterValidator(_check_bucket)]
KmsKey = Annotated[str, Field(pattern=KMS_KEY_PATTERN)]
RecipeFile = Annotated[str, AfterValidator(_check_recipe_file)]


class Source(Section):
    """Where the data of one day is.

    :param path: S3 prefix of one day's partition, or one file a day, with the placeholders
        ``{bucket}``, ``{date}``, ``{date:FORMAT}`` and ``{hour}``; see :class:`Layout`.
    :param lag_days: Days by which the data is behind: 1 where yesterday's data arrives tomorrow.
    :param days: Days of the week that have a partition.
    :param format: ``csv``, ``json`` (JSON Lines: one object a line) or ``parquet``. Whether CSV
        and JSON files are compressed is said by their extension, such as ``.csv.gz``.
    :param delimiter: Column delimiter of CSV files, one of those DataBrew accepts.
    :param header: Whether the first row of each CSV file has the columns' names. Without it
        DataBrew names them ``Column_1``, ``Column_2`` and so on.
    :param wait: How long a run waits for the newest day's partition; not at all by default.
    :param complete_when: When that partition is complete.
    :param columns: Columns the files must have; checked against the newest file's header before
        anything starts.
    """

    path: Annotated[str, AfterValidator(_check_path)]
    lag_days: int = Field(default=0, ge=0, le=366)
    days: Annotated[tuple[Weekday, ...], Field(strict=False, min_length=1), AfterValidator(check_once_each)] = WEEKDAYS
    format: FileFormat = "csv"
    delimiter: Delimiter = ","
    header: bool = True
    wait: Annotated[Duration, AfterValidator(_check_wait)] | None = None
    complete_when: Annotated[CompleteWhen, BeforeValidator(read_complete_when)] = CompleteWhen()
    columns: Annotated[tuple[OneLine, ...], Field(strict=False)] = ()

    @field_validator("complete_when")
    @classmethod
    def _can_become_true(cls, value: CompleteWhen, info: ValidationInfo) -> CompleteWhen:
        if value.unchanged_for is not None and value.unchanged_for > (info.data.get("wait") or timedelta()):
            raise ValueError("has an unchanged_for that is longer than source.wait; write a longer source.wait")
        return value

    @field_validator("columns")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for column in value:
            if value.count(column) > 1:
                raise ValueError(f"names {column!r} twice; name each column once")
        return value

    @model_validator(mode="after")
    def _fields_of_the_format(self) -> Self:
        """Refuse what the format has not, and a file a day of another format."""
        if self.format != "csv" and (self.delimiter, self.header) != (",", True):
            field = "delimiter" if self.delimiter != "," else "header"
            raise ValueError(f"has {field!r}, which only csv has, and its format is {self.format}; remove {field!r}")
        if not self.header and (named := [one for one in self.columns if not _NUMBERED.fullmatch(one)]):
            raise ValueError(
                f"has no header and names the column {named[0]!r}; DataBrew names the columns of such files Column_1, "
                "Column_2 and so on: write these in columns, and rename them in the recipe"
            )
        name = self.path.rpartition("/")[2]
        if name and (problem := name_problem(name, self.format)) is not None:
            raise ValueError(f"has a path whose file {name!r} {problem}")
        return self

    def bucket(self, default: str) -> str:
        """Return the source's bucket.

        :param default: The pipeline's own bucket, which ``{bucket}`` names.
        """
        return self.path.removeprefix("s3://").partition("/")[0].replace("{bucket}", default)

    @property
    def layout(self) -> Layout:
        """How the path writes the days of its files."""
        return Layout(self.path.removeprefix("s3://").partition("/")[2])


class Label(Section):
    """What the model predicts.

    :param column: Column of the recipe's **output** that holds 0 and 1.
    """

    column: Annotated[str, AfterValidator(_check_column)] = Field(min_length=1, max_length=255)
