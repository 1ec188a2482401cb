"""Jobs that a ``.sync`` integration starts and waits for, in one table.

See https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-sync. Must
not import moto.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local_aws.states.resources import TaskResource

_STOP_ATTEMPTS = 8
_FIRST_STOP_PAUSE_SECONDS = 0.05
_LONGEST_STOP_PAUSE_SECONDS = 1.0
_THROTTLING = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
    }
)


@dataclass(frozen=True, slots=True)
class SyncJob:
    """How Step Functions waits for a job, and stops it when the task is aborted.

    :param describe_operation: API operation that says what has become of the job.
    :param describe: makes its request from the start request and the start response.
    :param status: member of the description that holds the status.
    :param succeeded: statuses of a job that has succeeded.
    :param failed: statuses of a job that has not.
    :param stop_operation: API operation that stops the job.
    :param stop: makes its request from the start request and the start response.
    :param description: member of the describe response that holds the description; None if the
        response itself is it.
    :param listed: for operations that list: the member with the list, and the member by which an
        entry is recognised, which the start response has too.
    """

    describe_operation: str
    describe: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
    status: str
    succeeded: frozenset[str]
    failed: frozenset[str]
    stop_operation: str
    stop: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
    description: str | None = None
    listed: tuple[str, str] | None = None


def _sagemaker(kind: str, member: str) -> SyncJob:
    def name(request: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        return {member: request[member]}

    return SyncJob(
        describe_operation=f"Describe{kind}",
        describe=name,
        status=f"{kind}Status",
        succeeded=frozenset({"Completed"}),
        failed=frozenset({"Failed", "Stopped"}),
        stop_operation=f"Stop{kind}",
        stop=name,
    )


SYNC_JOBS: dict[tuple[str, str], SyncJob] = {
    ("databrew", "startJobRun"): SyncJob(
        # What AWS's policy for this integration allows is listing, not describing.
        describe_operation="ListJobRuns",
        describe=lambda request, response: {"Name": request["Name"]},
        listed=("JobRuns", "RunId"),
        status="State",
        succeeded=frozenset({"SUCCEEDED"}),
        failed=frozenset({"FAILED", "STOPPED", "TIMEOUT"}),
        stop_operation="StopJobRun",
        stop=lambda request, response: {"Name": request["Name"], "RunId": response["RunId"]},
    ),
    ("glue", "startJobRun"): SyncJob(
        describe_operation="GetJobRun",
        describe=lambda request, response: {"JobName": request["JobName"], "RunId": response["JobRunId"]},
        status="JobRunState",
        succeeded=frozenset({"SUCCEEDED"}),
        failed=frozenset({"FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"}),
        stop_operation="BatchStopJobRun",
        stop=lambda request, response: {"JobName": request["JobName"], "JobRunIds": [response["JobRunId"]]},
        description="JobRun",
    ),
    ("sagemaker", "createTrainingJob"): _sagemaker("TrainingJob", "TrainingJobName"),
    ("sagemaker", "createProcessingJob"): _sagemaker("ProcessingJob", "ProcessingJobName"),
    ("sagemaker", "createTransformJob"): _sagemaker("TransformJob", "TransformJobName"),
    ("sagemaker", "createHyperParameterTuningJob"): _sagemaker(
        "HyperParameterTuningJob", "HyperParameterTuningJobName"
    ),
    ("sagemaker", "createLabelingJob"): SyncJob(
        describe_operation="DescribeLabelingJob",
        describe=lambda request, response: {"LabelingJobName": request["LabelingJobName"]},
        status="LabelingJobStatus",
        succeeded=frozenset({"Completed"}),
        failed=frozenset({"Failed", "Stopped"}),
        stop_operation="StopLabelingJob",
        stop=lambda request, response: {"LabelingJobName": request["LabelingJobName"]},
    ),
    ("states", "startExecution"): SyncJob(
        describe_operation="DescribeExecution",
        describe=lambda request, response: {"executionArn": response["executionArn"]},
        status="status",
        succeeded=frozenset({"SUCCEEDED"}),
        failed=frozenset({"FAILED", "TIMED_OUT", "ABORTED"}),
        stop_operation="StopExecution",
        stop=lambda request, response: {"executionArn": response["executionArn"]},
    ),
}


def is_transient(error: Exception) -> bool:
    """Whether a failed call should be made again: throttling, a 5xx status or a lost connection."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        return code in _THROTTLING or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= 500
    return isinstance(error, ConnectionError | HTTPClientError)


class StartedJob:
    """A job that a ``.sync`` task has started.

    :param client: returns a boto3 client with the credentials of the state machine's role.
    :param resource: the task's ``Resource``, a key of ``SYNC_JOBS``.
    :param request: the request that started the job.
    :param response: boto3's response to it.
    """

    def __init__(self, client: Callable[[str], Any], resource: TaskResource, request: Any, response: Any) -> None:
        self._client, self._resource = client, resource
        self._job = SYNC_JOBS[(resource.service, resource.action)]
        self._request, self._response = request, response

    def _call(self, operation: str, members: dict[str, Any]) -> Any:
        from botocore import xform_name

        client = self._client(self._resource.boto_service)
        return getattr(client, xform_name(operation))(**members)

    def describe(self) -> dict[str, Any]:
        """Return the describe response; a list in it is reduced to this job."""
        members = self._job.describe(self._request, self._response)
        response: dict[str, Any] = self._call(self._job.describe_operation, members)
        if self._job.listed is None:
            return response
        items, identity = self._job.listed
        while True:
            found = [item for item in response[items] if item[identity] == self._response[identity]]
            token = response.get("NextToken")
            if found or not token:
                return {items: found}
            response = self._call(self._job.describe_operation, {**members, "NextToken": token})

    def stop(self) -> None:
        """Stop the job as well as possible; never raise.

        As on AWS, a failure is ignored; but a throttled call is made again, because otherwise the
        job would run on with nobody waiting for it.
        """
        for attempt in range(_STOP_ATTEMPTS):
            try:
                self._call(self._job.stop_operation, self._job.stop(self._request, self._response))
            except Exception as error:  # noqa: BLE001 - a job that has just ended cannot be stopped, which is fine
                if not is_transient(error):
                    return
                time.sleep(min(_FIRST_STOP_PAUSE_SECONDS * 2**attempt, _LONGEST_STOP_PAUSE_SECONDS))
            else:
                return
