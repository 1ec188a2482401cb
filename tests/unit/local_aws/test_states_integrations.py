"""Integrations without a server: ends of every job, failing polls, stops, errors, conversions."""

from __future__ import annotations

import datetime
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from local_aws.states import integrations, resources, service_calls, sync_jobs, task_tokens
from local_aws.states.asl.errors import RuntimeStateError, StateError

PREFIX = "arn:aws:states:::"


class Client:
    """A boto3 client that answers calls from a script.

    :param script: method → its answers in turn, the last one again and again.
    """

    def __init__(self, script: dict[str, list[Any]]) -> None:
        self.script, self.calls = script, []

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**members: Any) -> Any:
            self.calls.append((operation, members))
            answers = self.script[operation]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


class Context:
    """A task context that never waits."""

    region, task_token, execution_arn = "us-east-1", None, "arn:execution"

    def __init__(self, client: Client) -> None:
        self._client, self.tokens, self.outputs, self.waits = client, task_tokens.TaskTokens(), [], 0

    def client(self, service: str) -> Any:
        return self._client

    def wait(self, seconds: float) -> None:
        self.waits += 1
        assert self.waits < 50, "the job was never recognised as ended"

    def call(self, function: Callable[[], Any], late: Any = None) -> Any:
        return function()

    def submitted(self, output: Any) -> None:
        self.outputs.append(output)


def client_error(code: str, status: int = 400, message: str = "no") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r"}},
        "Call",
    )


def run(resource: str, arguments: Any, script: dict[str, list[Any]]) -> tuple[Any, Context, Client, list[Any]]:
    client = Client(script)
    context, jobs = Context(client), []
    output = integrations.run(resources.parse(PREFIX + resource), arguments, context, None, jobs.append)
    return output, context, client, jobs


@dataclass(frozen=True)
class Job:
    """How a job looks from outside: boto3's methods, and what they return.

    :param request: the task's parameters.
    :param start: method that starts the job.
    :param started: its response.
    :param describe: method that describes the job.
    :param described: returns the response for a status.
    :param succeeded: statuses with which the task succeeds.
    :param failed: statuses with which it fails.
    :param running: a status of a job that runs.
    """

    request: dict[str, Any]
    start: str
    started: dict[str, Any]
    describe: str
    described: Callable[[str], Any]
    succeeded: set[str]
    failed: set[str]
    running: str = "RUNNING"


def sagemaker_job(kind: str, **request: Any) -> Job:
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()
    return Job(
        {f"{kind}Name": "n", **request},
        f"create_{snake}",
        {f"{kind}Arn": "arn"},
        f"describe_{snake}",
        lambda status: {f"{kind}Status": status},
        {"Completed"},
        {"Failed", "Stopped"},
        "InProgress",
    )


JOBS = {
    "databrew:startJobRun": Job(
        {"Name": "job"},
        "start_job_run",
        {"RunId": "db_1"},
        "list_job_runs",
        lambda state: {"JobRuns": [{"RunId": "db_2", "State": "RUNNING"}, {"RunId": "db_1", "State": state}]},
        {"SUCCEEDED"},
        {"FAILED", "STOPPED", "TIMEOUT"},
    ),
    "glue:startJobRun": Job(
        {"JobName": "job"},
        "start_job_run",
        {"JobRunId": "jr_1"},
        "get_job_run",
        lambda state: {"JobRun": {"Id": "jr_1", "JobRunState": state}},
        {"SUCCEEDED"},
        {"FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"},
    ),
    "states:startExecution": Job(
        {"StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m", "Input": {"a": 1}},
        "start_execution",
        {"executionArn": "arn:x"},
        "describe_execution",
        lambda status: {"executionArn": "arn:x", "status": status},
        {"SUCCEEDED"},
        {"FAILED", "TIMED_OUT", "ABORTED"},
    ),
    "sagemaker:createTrainingJob": sagemaker_job(
        "TrainingJob",
        AlgorithmSpecification={"TrainingInputMode": "File"},
        RoleArn="r" * 20,
        OutputDataConfig={"S3OutputPath": "s3://b/"},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    ),
    "sagemaker:createProcessingJob": sagemaker_job("ProcessingJob"),
    "sagemaker:createTransformJob": sagemaker_job("TransformJob"),
    "sagemaker:createHyperParameterTuningJob": sagemaker_job("HyperParameterTuningJob"),
    "sagemaker:createLabelingJob": sagemaker_job("LabelingJob"),
}
SUCCESSES = [(name, status) for name, job in JOBS.items() for status in sorted(job.succeeded)]
FAILURES = [(name, status) for name, job in JOBS.items() for status in sorted(job.failed)]


def run_to(name: str, status: str) -> tuple[Any, Context, Client, list[Any]]:
    """Run a job that is running when it is first described and then has a status."""
    job = JOBS[name]
    script = {job.start: [job.started], job.describe: [job.described(job.running), job.described(status)]}
    return run(f"{name}.sync", job.request, script)


def test_the_table_covers_every_job_that_can_be_waited_for() -> None:
    assert {f"{service}:{action}" for service, action in sync_jobs.SYNC_JOBS} == set(JOBS)
    assert (len(SUCCESSES), len(FAILURES)) == (8, 21)


@pytest.mark.parametrize(("name", "status"), SUCCESSES)
def test_a_job_that_succeeds_is_the_result_of_the_task(name: str, status: str) -> None:
    output, context, _, jobs = run_to(name, status)
    assert status in json.dumps(output)
    assert len(context.outputs) == len(jobs) == 1


@pytest.mark.parametrize(("name", "status"), FAILURES)
def test_a_job_that_does_not_succeed_fails_the_task(name: str, status: str) -> None:
    with pytest.raises(StateError) as caught:
        run_to(name, status)
    assert caught.value.error == "States.TaskFailed"
    assert status in json.loads(caught.value.cause).values()


def test_every_terminal_state_of_the_models_is_known() -> None:
    for (service, action), job in sync_jobs.SYNC_JOBS.items():
        resource = resources.parse(f"{PREFIX}{service}:{action}.sync")
        shape = resources.service_model(resource.boto_service).operation_model(job.describe_operation).output_shape
        if job.description:
            shape = shape.members[job.description]
        if job.listed:
            shape = shape.members[job.listed[0]].member
        running = {
            "STARTING",
            "RUNNING",
            "STOPPING",
            "WAITING",
            "InProgress",
            "Stopping",
            "Initializing",
            "Deleting",
            "PENDING_REDRIVE",
            "DeleteFailed",
        }
        assert set(shape.members[job.status].enum) <= job.succeeded | job.failed | running, (service, action)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(client_error("ThrottlingException"), id="throttled"),
        pytest.param(client_error("InternalFailure", 500), id="internal failure"),
        pytest.param(client_error("SlowDown", 503), id="slow down"),
        pytest.param(EndpointConnectionError(endpoint_url="http://x"), id="no connection"),
    ],
)
def test_an_error_of_the_poll_does_not_fail_the_task(error: Exception) -> None:
    job = {"JobRun": {"Id": "jr_1", "JobRunState": "SUCCEEDED"}}
    output, *_ = run(
        "glue:startJobRun.sync",
        {"JobName": "j"},
        {"start_job_run": [{"JobRunId": "jr_1"}], "get_job_run": [error, error, job]},
    )
    assert output["JobRunState"] == "SUCCEEDED"


def test_a_role_that_may_not_describe_the_job_fails_the_task() -> None:
    with pytest.raises(StateError) as caught:
        run(
            "glue:startJobRun.sync",
            {"JobName": "j"},
            {
                "start_job_run": [{"JobRunId": "jr_1"}],
                "get_job_run": [client_error("AccessDeniedException", 400, "denied")],
            },
        )
    assert caught.value.error == "Glue.AccessDeniedException"


@pytest.mark.parametrize(
    ("name", "operation", "members"),
    [
        ("glue:startJobRun", "batch_stop_job_run", {"JobName": "job", "JobRunIds": ["jr_1"]}),
        ("databrew:startJobRun", "stop_job_run", {"Name": "job", "RunId": "db_1"}),
        ("sagemaker:createTrainingJob", "stop_training_job", {"TrainingJobName": "n"}),
        ("states:startExecution", "stop_execution", {"executionArn": "arn:x"}),
    ],
)
def test_a_throttled_stop_is_made_again(name: str, operation: str, members: dict[str, Any]) -> None:
    job = JOBS[name]
    (succeeded,) = job.succeeded
    script = {
        job.start: [job.started],
        job.describe: [job.described(succeeded)],
        operation: [client_error("ThrottlingException"), {}],
    }
    _, _, client, jobs = run(f"{name}.sync", job.request, script)
    jobs[0].stop()
    assert [call for call in client.calls if call[0] == operation] == [(operation, members)] * 2


@pytest.mark.parametrize(
    ("resource", "code", "error"),
    [
        ("sagemaker:createModel", "ValidationException", "SageMaker.AmazonSageMakerException"),
        ("sagemaker:createModel", "ThrottlingException", "SageMaker.AmazonSageMakerException"),
        ("sagemaker:createTrainingJob.sync", "ResourceInUse", "SageMaker.ResourceInUseException"),
        ("sagemaker:createTrainingJob.sync", "ResourceLimitExceeded", "SageMaker.ResourceLimitExceededException"),
        ("glue:startJobRun.sync", "ConcurrentRunsExceededException", "Glue.ConcurrentRunsExceededException"),
        ("glue:startJobRun", "EntityNotFoundException", "Glue.EntityNotFoundException"),
        ("databrew:startJobRun.sync", "ConflictException", "DataBrew.ConflictException"),
        ("databrew:startJobRun", "ThrottlingException", "DataBrew.AWSGlueDataBrewException"),
        ("lambda:invoke", "TooManyRequestsException", "Lambda.TooManyRequestsException"),
        ("lambda:invoke", "ResourceNotFoundException", "Lambda.ResourceNotFoundException"),
        ("sns:publish", "NotFound", "SNS.NotFoundException"),
        ("aws-sdk:sagemaker:describeEndpoint", "ValidationException", "SageMaker.SageMakerException"),
        ("aws-sdk:sagemaker:createModel", "ResourceLimitExceeded", "SageMaker.ResourceLimitExceededException"),
        ("aws-sdk:s3:getObject", "NoSuchKey", "S3.NoSuchKeyException"),
        ("aws-sdk:s3:getObject", "SignatureDoesNotMatch", "S3.S3Exception"),
        ("aws-sdk:dynamodb:getItem", "ResourceNotFoundException", "DynamoDb.ResourceNotFoundException"),
        ("aws-sdk:sfn:describeExecution", "ExecutionDoesNotExist", "Sfn.ExecutionDoesNotExistException"),
        (
            "aws-sdk:cloudwatchlogs:getLogEvents",
            "ResourceNotFoundException",
            "CloudWatchLogs.ResourceNotFoundException",
        ),
        ("aws-sdk:sagemakerruntime:invokeEndpoint", "ModelError", "SageMakerRuntime.ModelErrorException"),
        ("aws-sdk:iam:getRole", "NoSuchEntity", "Iam.NoSuchEntityException"),
    ],
)
def test_an_error_has_the_name_of_the_sdk_for_java(resource: str, code: str, error: str) -> None:
    failure = service_calls.error_of(client_error(code, 400, "Because."), resources.parse(PREFIX + resource))
    assert failure.error == error
    assert failure.cause.startswith("Because. (Service: ")
    assert "Status Code: 400" in failure.cause


def test_a_parameter_of_the_wrong_type_is_named_in_the_cause() -> None:
    with pytest.raises(RuntimeStateError) as caught:
        run("glue:startJobRun", {"JobName": 5}, {})
    assert caught.value.cause == (
        "The Parameters '{\"JobName\":5}' could not be used to start the Task: "
        "[The value for the field 'JobName' must be a STRING]"
    )


MOMENT = datetime.datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.UTC)


def test_an_sdk_integration_returns_the_response_with_iso_dates() -> None:
    response = {
        "EndpointName": "e",
        "CreationTime": MOMENT,
        "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}},
    }
    output, *_ = run("aws-sdk:sagemaker:describeEndpoint", {"EndpointName": "e"}, {"describe_endpoint": [response]})
    assert output == {"EndpointName": "e", "CreationTime": "2024-01-02T03:04:05.678Z"}


def test_an_sdk_integration_reads_streams() -> None:
    script = {"get_object": [{"Body": io.BytesIO(b'{"a":1}')}]}
    output, *_ = run("aws-sdk:s3:getObject", {"Bucket": "b", "Key": "k"}, script)
    assert output == {"Body": '{"a":1}'}


def test_an_optimised_integration_adds_http_metadata() -> None:
    script = {"create_endpoint": [{"EndpointArn": "a"}]}
    output, *_ = run("sagemaker:createEndpoint", {"EndpointName": "e", "EndpointConfigName": "c"}, script)
    assert output["EndpointArn"] == "a"
    assert output["SdkHttpMetadata"]["HttpStatusCode"] == 200


def test_the_description_of_a_job_has_dates_in_milliseconds() -> None:
    described = service_calls.describe_output({"TrainingEndTime": MOMENT}, "sagemaker", "DescribeTrainingJob")
    assert described == {"TrainingEndTime": 1704164645678}


def test_a_function_returns_its_payload_or_fails_with_its_error() -> None:
    answer = {"StatusCode": 200, "Payload": io.BytesIO(b'{"a": 1}')}
    output, _, client, _ = run("lambda:invoke", {"FunctionName": "f", "Payload": {"x": 1}}, {"invoke": [answer]})
    assert output["Payload"] == {"a": 1}
    assert client.calls == [("invoke", {"FunctionName": "f", "Payload": b'{"x":1}'})]
    failed = {
        "StatusCode": 200,
        "FunctionError": "Unhandled",
        "Payload": io.BytesIO(b'{"errorType":"KeyError","errorMessage":"k"}'),
    }
    with pytest.raises(StateError) as caught:
        run("lambda:invoke", {"FunctionName": "f"}, {"invoke": [failed]})
    assert caught.value.error == "KeyError"
    assert json.loads(caught.value.cause)["errorMessage"] == "k"


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:states:::nope:startJobRun",
        "arn:aws:states:::glue:startJobRun.sync:2",
        "arn:aws:states:::aws-sdk:nope:x",
        "arn:aws:states:::aws-sdk:s3:nope",
        "arn:aws:states:::aws-sdk:s3:GetObject",
        "nonsense",
        "arn:aws:states:::sagemaker:createModel.sync",
    ],
)
def test_an_unknown_resource_is_rejected(arn: str) -> None:
    with pytest.raises(resources.UnknownResourceError):
        resources.parse(arn)
