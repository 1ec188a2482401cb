"""What a failed DataBrew, Glue or SageMaker job says itself, and the end of its log.

For the on-call card alone: a job that cannot be asked leaves the card shorter, it never hides the
failure. Must not be imported while DAG files are parsed.

Source: DescribeJobRun (DataBrew), GetJobRun (Glue), DescribeTrainingJob and DescribeProcessingJob
(SageMaker), DescribeLogStreams and GetLogEvents (CloudWatch Logs) in their API references.
"""

from __future__ import annotations

from typing import Any

from brewtrain.domain.errors import BrewtrainError
from brewtrain.domain.failure.card import JobReport
from brewtrain.domain.links import LOG_GROUP, log_stream_prefix
from brewtrain.domain.run.execution_history import PROCESSING, JobReference
from brewtrain.hooks.connection import AwsClientHook

LOG_LINES = 15


class _DataBrew(AwsClientHook):
    service = "databrew"


class _Glue(AwsClientHook):
    service = "glue"


class _SageMaker(AwsClientHook):
    service = "sagemaker"


class _Logs(AwsClientHook):
    service = "logs"


class JobDiagnosticsHook:
    """Asks a failed job.

    :param aws_conn_id: Airflow connection of type ``aws``.
    """

    def __init__(self, aws_conn_id: str) -> None:
        self._aws_conn_id = aws_conn_id

    def report(self, job: JobReference) -> tuple[JobReport, list[str]]:
        """Return what the job says, and one line for each thing that could not be asked.

        :param job: The job that the failed state ran.
        """
        problems: list[str] = []
        status: str | None = None
        reason: str | None = None
        lines: list[str] = []
        try:
            status, reason = self._status(job)
        except BrewtrainError as error:
            problems.append(str(error))
        try:
            lines = self._log_lines(job)
        except BrewtrainError as error:
            problems.append(str(error))
        return JobReport(reference=job, status=status, reason=reason, log_lines=lines), problems

    def _status(self, job: JobReference) -> tuple[str | None, str | None]:
        subject = f"{job.service} job {job.name!r}"
        answer: dict[str, Any]
        if job.service == "sagemaker":
            training = _SageMaker(self._aws_conn_id)
            with training.errors(subject):
                answer = training.conn.describe_training_job(TrainingJobName=job.name)
            return answer["TrainingJobStatus"], answer.get("FailureReason")
        if job.service == PROCESSING:
            processing = _SageMaker(self._aws_conn_id)
            with processing.errors(subject):
                answer = processing.conn.describe_processing_job(ProcessingJobName=job.name)
            # What the container itself says, which SageMaker's reason may only repeat.
            return answer["ProcessingJobStatus"], answer.get("ExitMessage") or answer.get("FailureReason")
        if job.run_id is None:
            return None, None
        if job.service == "databrew":
            databrew = _DataBrew(self._aws_conn_id)
            with databrew.errors(subject):
                answer = databrew.conn.describe_job_run(Name=job.name, RunId=job.run_id)
            return answer.get("State"), answer.get("ErrorMessage")
        glue = _Glue(self._aws_conn_id)
        with glue.errors(subject):
            answer = glue.conn.get_job_run(JobName=job.name, RunId=job.run_id)["JobRun"]
        return answer.get("JobRunState"), answer.get("ErrorMessage")

    def _log_lines(self, job: JobReference) -> list[str]:
        logs = _Logs(self._aws_conn_id)
        group = LOG_GROUP[job.service]
        with logs.errors(f"log of {job.service} job {job.name!r}"):
            try:
                streams = logs.conn.describe_log_streams(
                    logGroupName=group, logStreamNamePrefix=log_stream_prefix(job), limit=10
                )["logStreams"]
            except logs.conn.exceptions.ResourceNotFoundException:
                return []
            if not streams:
                return []
            newest = max(streams, key=lambda stream: stream.get("lastEventTimestamp") or 0)
            events = logs.conn.get_log_events(
                logGroupName=group, logStreamName=newest["logStreamName"], limit=LOG_LINES, startFromHead=False
            )["events"]
        return [event["message"].rstrip() for event in events]
