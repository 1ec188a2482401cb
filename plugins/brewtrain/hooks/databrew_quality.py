"""The DataBrew dataset, ruleset and profile job by which a DAG run's data is validated.

A ruleset belongs to one dataset, so each DAG run has all three, under one name. Must not be
imported while DAG files are parsed.

Source: CreateRuleset, CreateProfileJob, StartJobRun, DescribeJobRun in the AWS Glue DataBrew API
Reference.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from brewtrain.domain import names
from brewtrain.domain.errors import TransientError
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run import quality_job, transform_job
from brewtrain.domain.run.days import Window
from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.databrew_resource import DataBrewResourceHook, contains


class DataBrewQualityHook(DataBrewResourceHook):
    """Makes, runs and removes what validates the data of a DAG run."""

    def prepare(
        self, pipeline: Pipeline, identity: names.RunIdentity, days: Window, *, name: str, bucket: str
    ) -> list[str]:
        """Make sure that dataset, ruleset and job exist as they should.

        :param days: The days that are validated.
        :param name: Their name.
        :param bucket: The pipeline's bucket.
        :returns: One line per resource, what was done.
        """
        tags = names.tags(identity)
        lines = [self.prepare_dataset(name, transform_job.dataset_of(pipeline, days, bucket=bucket), tags)]
        if rules := quality_job.rules(pipeline):
            lines.append(self._prepare_ruleset(name, rules, tags))
        job = quality_job.job(pipeline, identity, self.account, name=name, bucket=bucket)
        return [*lines, self._prepare_job(name, job, tags)]

    def _prepare_ruleset(self, name: str, rules: list[dict[str, Any]], tags: dict[str, str]) -> str:
        with self.errors(f"DataBrew ruleset {name!r}"):
            found = self.describe(self.conn.describe_ruleset, name)
            if found is None:
                target = self.account.dataset_arn(name)
                if self.create(self.conn.create_ruleset, Name=name, TargetArn=target, Rules=rules, Tags=tags):
                    return f"+ ruleset {name}"
                found = self.describe(self.conn.describe_ruleset, name)
            if contains(found, {"Rules": rules}):
                return f"= ruleset {name}"
            self.conn.update_ruleset(Name=name, Rules=rules)
            return f"~ ruleset {name}"

    def _prepare_job(self, name: str, wanted: dict[str, Any], tags: dict[str, str]) -> str:
        with self.errors(f"DataBrew job {name!r}"):
            found = self.describe(self.conn.describe_job, name)
            if found is None:
                if self.create(self.conn.create_profile_job, Name=name, Tags=tags, **wanted):
                    return f"+ job {name}"
                found = self.describe(self.conn.describe_job, name)
            if contains(found, quality_job.described(wanted)):
                return f"= job {name}"
            self.conn.update_profile_job(
                Name=name, **{key: value for key, value in wanted.items() if key != "DatasetName"}
            )
            return f"~ job {name}"

    def release(self, name: str) -> list[str]:
        """Remove job, ruleset and dataset, in the order in which one uses the other.

        :param name: Their name.
        :returns: One line per resource, what was done.
        :raises TransientError: If AWS still uses one of them: a job run is stopping. Trying again
            helps.
        """
        return [
            self.delete("job", name, self.conn.delete_job),
            self.delete("ruleset", name, self.conn.delete_ruleset),
            self.delete("dataset", name, self.conn.delete_dataset),
        ]

    def start(self, job: str) -> str | None:
        """Start a run of the job.

        :param job: Name of the job.
        :returns: The run's id; ``None`` if another run of the job has not ended.
        :raises TransientError: If the account runs as many jobs at a time as it may.
        """
        with self.errors(f"DataBrew job {job!r}"):
            try:
                return str(self.conn.start_job_run(Name=job)["RunId"])
            except ClientError as error:
                if error_code(error) == "ConflictException":
                    return None
                if error_code(error) == "ServiceQuotaExceededException":
                    raise TransientError(
                        f"DataBrew did not start job {job!r}: the account's quota of concurrent jobs is used up; "
                        "trying again helps when one has ended, and Service Quotas raises it"
                    ) from error
                raise

    def describe_run(self, job: str, run_id: str) -> dict[str, Any] | None:
        """Return what DescribeJobRun says; ``None`` if the run does not exist any more.

        :param job: Name of the job.
        :param run_id: The run's id.
        """
        with self.errors(f"DataBrew job {job!r}, run {run_id}"):
            try:
                answer: dict[str, Any] = self.conn.describe_job_run(Name=job, RunId=run_id)
            except ClientError as error:
                if error_code(error) == "ResourceNotFoundException":
                    return None
                raise
        return answer
