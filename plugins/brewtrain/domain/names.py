r"""Every name on AWS, built from the pipeline and the run's identity and from nothing else.

The one module that concatenates names: limits and alphabets are checked here, so that no call fails
on them later. Must not import Airflow or boto3, and must not use random numbers or the clock.

Limits: execution names ≤ 80 characters without ``< > { } [ ] ? * " # % \ ^ | ~ ` $ & , ; : /``
(StartExecution); SageMaker job, model and endpoint config names match
``[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}`` (CreateTrainingJob).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

PIPELINE_NAME_PATTERN = r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$"
PIPELINE_NAME_MAX_LENGTH = 24
SAGEMAKER_NAME_MAX_LENGTH = 63
PREFIX = "brewtrain"
CONNECTION_ID = "brewtrain_aws"
"""Airflow connection of type ``aws`` that every task uses."""
PIPELINE_TAG = f"{PREFIX}:pipeline"
RUN_TAG = f"{PREFIX}:run-id"
DATE_TAG = f"{PREFIX}:data-date"
CONTENT_HASH_TAG = f"{PREFIX}:content-hash"
ALIAS = "live"
ARRIVALS_QUEUE = f"{PREFIX}-arrivals"
"""What the names of the queues begin with that buckets tell of new source data."""
RESULT_FILE = "result.json"
INPUT_FILE = "input.json"
QUALITY_FILE = "quality.json"

_ATTEMPT_SUFFIX_LENGTH = len("-99-99")
_RUN_ID = re.compile(r"^(?P<slug>[a-z0-9-]+)-(?P<key>\d{8}T\d{4})-g(?P<generation>\d+(f[0-9a-f]{4})?)$")


def slug(pipeline: str) -> str:
    """Return the pipeline's name as AWS allows it: ``-`` for ``_``.

    :param pipeline: Name of the pipeline, see :data:`PIPELINE_NAME_PATTERN`.
    :raises ValueError: If the name does not match.
    """
    if not re.fullmatch(PIPELINE_NAME_PATTERN, pipeline) or len(pipeline) > PIPELINE_NAME_MAX_LENGTH:
        raise ValueError(
            f"pipeline name {pipeline!r} must be lower case words joined by single '_', "
            f"start with a letter and have at most {PIPELINE_NAME_MAX_LENGTH} characters"
        )
    return pipeline.replace("_", "-")


def generation(clear_number: int, *, fresh_key: str | None = None) -> str:
    """Return the generation of a run.

    :param clear_number: How often the DAG run had been cleared when ``start_execution`` ran (0 for
        never).
    :param fresh_key: The DAG run's own id when ``rerun_mode=fresh`` asks for an execution of its
        own even though another DAG run of the same interval has one; ``None`` otherwise.
    """
    if fresh_key is None:
        return str(clear_number)
    return f"{clear_number}f{hashlib.sha256(fresh_key.encode()).hexdigest()[:4]}"


@dataclass(frozen=True)
class RunIdentity:
    """Pipeline + data interval + generation: all that a run's names are made of.

    :param pipeline: Name of the pipeline.
    :param interval_start: Start of the data interval, inclusive, aware.
    :param interval_end: End of the data interval, exclusive, aware.
    :param generation: See :func:`generation`.
    :param newest_day: Newest day of data that the run reads
        (:meth:`brewtrain.domain.run.days.DataDays.newest`); by default the newest one that has
        ended in UTC.
    :raises ValueError: If an end is naive, the interval is empty, or the names would not fit.
    """

    pipeline: str
    interval_start: datetime
    interval_end: datetime
    generation: str
    newest_day: date | None = None

    def __post_init__(self) -> None:
        if self.interval_start.tzinfo is None or self.interval_end.tzinfo is None:
            raise ValueError("a data interval needs aware datetimes")
        if self.interval_end < self.interval_start:
            raise ValueError(f"data interval ends ({self.interval_end}) before it starts ({self.interval_start})")
        if len(self.job_name_prefix) + _ATTEMPT_SUFFIX_LENGTH > SAGEMAKER_NAME_MAX_LENGTH:
            raise ValueError(
                f"run {self.run_id!r} leaves no room for the attempt in SageMaker's {SAGEMAKER_NAME_MAX_LENGTH} "
                "characters: trigger a new DAG run instead of clearing this one again"
            )

    @property
    def run_id(self) -> str:
        """The run's id, which is also its execution's name."""
        key = self.interval_end.astimezone(UTC).strftime("%Y%m%dT%H%M")
        return f"{slug(self.pipeline)}-{key}-g{self.generation}"

    @property
    def job_name_prefix(self) -> str:
        """Name of the run's DataBrew dataset and job, and prefix of its SageMaker jobs."""
        return job_name_prefix(self.run_id)

    @property
    def data_date(self) -> str:
        """The newest day of data that the run's model has seen, ``YYYY-MM-DD``."""
        return (self.newest_day or self.interval_end.astimezone(UTC).date() - timedelta(days=1)).isoformat()

    def with_generation(self, value: str) -> RunIdentity:
        """Return the same pipeline and interval under another generation."""
        return replace(self, generation=value)


def generation_of(run_id: str) -> str:
    """Return the generation that a run id names.

    :raises ValueError: If the text is not a run id.
    """
    match = _RUN_ID.fullmatch(run_id)
    if match is None:
        raise ValueError(f"{run_id!r} is not a run id: expected <slug>-<YYYYMMDDTHHMM>-g<generation>")
    return match["generation"]


def interval_end_of(run_id: str) -> datetime:
    """Return the end of the data interval that a run id names, in UTC.

    :raises ValueError: If the text is not a run id.
    """
    match = _RUN_ID.fullmatch(run_id)
    if match is None:
        raise ValueError(f"{run_id!r} is not a run id: expected <slug>-<YYYYMMDDTHHMM>-g<generation>")
    return datetime.strptime(match["key"], "%Y%m%dT%H%M").replace(tzinfo=UTC)


def deployment_id(
    pipeline: str, entry: Literal["promote", "rollback"], run_after: datetime, *, dag_run_id: str, clear_number: int
) -> str:
    """Return the id of a deployment without a training: the name of its execution.

    :param pipeline: Name of the pipeline.
    :param entry: What the execution is started for.
    :param run_after: The DAG run's, aware.
    :param dag_run_id: The DAG run's id, which tells two of the same minute apart.
    :param clear_number: How often the DAG run has been cleared.
    :raises ValueError: If the time is naive, or the names made from the id would not fit.
    """
    if run_after.tzinfo is None:
        raise ValueError("a deployment's time must be aware")
    moment = run_after.astimezone(UTC).strftime("%Y%m%dT%H%M")
    key = hashlib.sha256(dag_run_id.encode()).hexdigest()[:4]
    made = f"{slug(pipeline)}-{entry[0]}{moment}-{key}-g{clear_number}"
    if len(job_name_prefix(made)) + _ATTEMPT_SUFFIX_LENGTH > SAGEMAKER_NAME_MAX_LENGTH:
        raise ValueError(
            f"deployment {made!r} leaves no room for the attempt in SageMaker's {SAGEMAKER_NAME_MAX_LENGTH} "
            "characters: trigger a new DAG run instead of clearing this one again"
        )
    return made


def job_name_prefix(execution_name: str) -> str:
    """Return the prefix of the names of what an execution makes on SageMaker.

    A run's DataBrew dataset and job have it as their name.
    """
    return f"{PREFIX}-{execution_name}"


def state_machine(pipeline: str) -> str:
    """Name of the pipeline's state machine."""
    return f"{PREFIX}-{slug(pipeline)}"


def recipe(pipeline: str) -> str:
    """Name of the pipeline's DataBrew recipe."""
    return f"{PREFIX}-{slug(pipeline)}"


def split_job(pipeline: str) -> str:
    """Name of the pipeline's Glue job."""
    return f"{PREFIX}-{slug(pipeline)}-split"


def model_package_group(pipeline: str) -> str:
    """Name of the pipeline's group in the model registry."""
    return f"{PREFIX}-{slug(pipeline)}"


def role(service: str) -> str:
    """Name of the role for ``airflow``, ``states``, ``databrew``, ``glue`` or ``sagemaker``."""
    return f"{PREFIX}-{service}"


def default_bucket(account_id: str, region: str) -> str:
    """Name of the bucket that include/cloudformation/storage.yaml makes."""
    return f"{PREFIX}-{account_id}-{region}"


def partition(region: str) -> str:
    """Return the ARN partition of a region (AWS General Reference, Amazon Resource Names)."""
    if region.startswith("cn-"):
        return "aws-cn"
    if region.startswith("us-gov-"):
        return "aws-us-gov"
    return "aws"


@dataclass(frozen=True)
class Account:
    """Where a pipeline is deployed.

    :param account_id: Twelve digits.
    :param region: For example ``eu-central-1``.
    """

    account_id: str
    region: str

    def _arn(self, service: str, resource: str, *, region: str | None = None) -> str:
        where = self.region if region is None else region
        return f"arn:{partition(self.region)}:{service}:{where}:{self.account_id}:{resource}"

    def role_arn(self, service: str) -> str:
        """ARN of :func:`role`."""
        return self._arn("iam", f"role/{role(service)}", region="")

    def recipe_arn(self, pipeline: str) -> str:
        """ARN of the pipeline's DataBrew recipe, without version."""
        return self._arn("databrew", f"recipe/{recipe(pipeline)}")

    def ruleset_arn(self, name: str) -> str:
        """ARN of a DataBrew ruleset.

        :param name: The ruleset's name.
        """
        return self._arn("databrew", f"ruleset/{name}")

    def dataset_arn(self, name: str) -> str:
        """ARN of a DataBrew dataset.

        :param name: The dataset's name.
        """
        return self._arn("databrew", f"dataset/{name}")

    def state_machine_arn(self, pipeline: str) -> str:
        """ARN of the pipeline's state machine, without version or alias."""
        return self._arn("states", f"stateMachine:{state_machine(pipeline)}")

    def alias_arn(self, pipeline: str) -> str:
        """ARN of the alias that executions are started on."""
        return f"{self.state_machine_arn(pipeline)}:{ALIAS}"

    def model_package_arn(self, pipeline: str, version: int) -> str:
        """ARN of a version in the pipeline's group."""
        return self._arn("sagemaker", f"model-package/{model_package_group(pipeline)}/{version}")

    def model_package_group_arn(self, pipeline: str) -> str:
        """ARN of the pipeline's group in the model registry."""
        return self._arn("sagemaker", f"model-package-group/{model_package_group(pipeline)}")

    def execution_arn(self, pipeline: str, run_id: str) -> str:
        """ARN of a run's execution; it never carries the version or alias it was started on."""
        return self._arn("states", f"execution:{state_machine(pipeline)}:{run_id}")


def code_prefix(pipeline: str) -> str:
    """S3 key prefix of the pipeline's deployed scripts, with a trailing slash."""
    return f"{PREFIX}/{pipeline}/code/"


def split_script_key(pipeline: str, content_sha256: str) -> str:
    """Return the S3 key of the Glue script with this content.

    Other content has another key, so that no running job sees a change.

    :param content_sha256: SHA-256 of the script, in hex.
    """
    return f"{code_prefix(pipeline)}split-{content_sha256[:12]}.py"


def evaluation_code_prefix(pipeline: str, content_sha256: str) -> str:
    """Return the S3 key prefix of the evaluation's files with this content, with its slash.

    :param content_sha256: SHA-256 of all of them, in hex.
    """
    return f"{code_prefix(pipeline)}evaluation-{content_sha256[:12]}/"


def run_prefix(identity: RunIdentity) -> str:
    """S3 key prefix of everything one run writes, with a trailing slash."""
    return f"{PREFIX}/{identity.pipeline}/runs/{identity.run_id}/"


def quality_job(identity: RunIdentity, dag_run_id: str) -> str:
    """Name of the DataBrew dataset, ruleset and profile job by which a DAG run's data is validated.

    Two DAG runs of one interval share an execution, but each looks at the data by itself.

    :param dag_run_id: The DAG run's id.
    """
    return f"{identity.job_name_prefix}-quality-{hashlib.sha256(dag_run_id.encode()).hexdigest()[:4]}"


def quality_reports_prefix(identity: RunIdentity) -> str:
    """S3 key prefix of what the run's profile job writes, with a trailing slash."""
    return f"{run_prefix(identity)}quality/"


def quality_memory_key(pipeline: str) -> str:
    """S3 key of what is known of the pipeline's days: which are validated, how many rows they have.

    :param pipeline: Name of the pipeline.
    """
    return f"{PREFIX}/{pipeline}/quality/days.json"


def quality_trend_key(pipeline: str) -> str:
    """S3 key of the last results of each quality rule.

    :param pipeline: Name of the pipeline.
    """
    return f"{PREFIX}/{pipeline}/quality/trend.json"


def quality_rules_key(pipeline: str) -> str:
    """S3 key of the quality rules that were deployed last.

    :param pipeline: Name of the pipeline.
    """
    return f"{PREFIX}/{pipeline}/quality/rules.json"


def tags(identity: RunIdentity) -> dict[str, str]:
    """Tags of everything that belongs to one run."""
    return model_tags(identity.pipeline, run_id=identity.run_id, data_date=identity.data_date)


def model_tags(pipeline: str, *, run_id: str, data_date: str) -> dict[str, str]:
    """Tags of a model, and of the endpoint that serves it.

    :param run_id: Id of the run that trained it.
    :param data_date: Date of the newest row it has seen, ``YYYY-MM-DD``.
    """
    return {PIPELINE_TAG: pipeline, RUN_TAG: run_id, DATE_TAG: data_date}


def runs_prefix(pipeline: str) -> str:
    """S3 key prefix below which every run has a folder of its own, with a trailing slash."""
    return f"{PREFIX}/{pipeline}/runs/"


def run_folder(pipeline: str, run_id: str) -> str:
    """S3 key prefix of everything that the run of this id wrote, with a trailing slash."""
    return f"{runs_prefix(pipeline)}{run_id}/"


def checked_key(pipeline: str) -> str:
    """S3 key of what the checks of the pipeline's input have seen so far.

    One object, whose days are bounded; no cleanup removes it.
    """
    return f"{PREFIX}/{pipeline}/checked/days.json.gz"


def deployments_prefix(pipeline: str) -> str:
    """S3 key prefix of the records of what was deployed when, with a trailing slash."""
    return f"{PREFIX}/{pipeline}/deployments/"


def deployment_key(pipeline: str, ended_at: datetime, execution_name: str) -> str:
    """S3 key of the record of one deployment; keys sort by time.

    :param ended_at: When the execution that deployed ended, aware.
    :param execution_name: Its name.
    """
    return f"{deployments_prefix(pipeline)}{ended_at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{execution_name}.json"


def run_of_job(pipeline: str, name: str) -> str | None:
    """Return the id of the execution that a job, model or endpoint config was made for.

    :param name: Name that begins with a job name prefix, such as ``brewtrain-<run id>-0-0``.
    :returns: ``None`` if the name is not one of this pipeline's.
    """
    start = f"{PREFIX}-{slug(pipeline)}-"
    match = re.match(r"[pr]?\d{8}T\d{4}(-[0-9a-f]{4})?-g\d+(f[0-9a-f]{4})?(?=-|$)", name.removeprefix(start))
    return f"{slug(pipeline)}-{match[0]}" if match and name.startswith(start) else None


def is_run_id(pipeline: str, text: str) -> bool:
    """Whether the text is the id of a run of this pipeline."""
    match = _RUN_ID.fullmatch(text)
    return match is not None and match["slug"] == slug(pipeline)
