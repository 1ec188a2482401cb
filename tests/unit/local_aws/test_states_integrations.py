"""Integrations without a server: every terminal state of every job, failing polls, stops, error names, conversions."""

from __future__ import annotations

import datetime
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from local_aws.states import integrations, resources, service_calls, sync_jobs, task_tokens
from local_aws.states.asl.errors import RuntimeStateError, StateError

PREFIX = "arn:aws:states:::"


class Client:
    """Answers calls from a script: operation → answers in turn, the last one for ever."""

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


JOBS: dict[str, tuple[dict[str, Any], str, dict[str, Any], str, Callable[[str], Any], set[str], set[str]]] = {
    "databrew:startJobRun": (
        {"Name": "job"},
        "start_job_run",
        {"RunId": "db_1"},
        "list_job_runs",
        lambda state: {"JobRuns": [{"RunId": "db_2", "State": "RUNNING"}, {"RunId": "db_1", "State": state}]},
        {"SUCCEEDED"},
        {"FAILED", "STOPPED", "TIMEOUT"},
    ),
    "glue:startJobRun": (
        {"JobName": "job"},
        "start_job_run",
        {"JobRunId": "jr_1"},
        "get_job_run",
        lambda state: {"JobRun": {"Id": "jr_1", "JobRunState": state}},
        {"SUCCEEDED"},
        {"FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"},
    ),
    "states:startExecution": (
        {"StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m", "Input": {"a": 1}},
        "start_execution",
        {"executionArn": "arn:x"},
        "describe_execution",
        lambda state: {"executionArn": "arn:x", "status": state},
        {"SUCCEEDED"},
        {"FAILED", "TIMED_OUT", "ABORTED"},
    ),
}
for _kind, _arguments in {
    "TrainingJob": {
        "TrainingJobName": "t",
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "RoleArn": "r" * 20,
        "OutputDataConfig": {"S3OutputPath": "s3://b/"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    },
    "ProcessingJob": {"ProcessingJobName": "p"},
    "TransformJob": {"TransformJobName": "x"},
    "HyperParameterTuningJob": {"HyperParameterTuningJobName": "h"},
    "LabelingJob": {"LabelingJobName": "l"},
}.items():
    _snake = {
        "TrainingJob": "training_job",
        "ProcessingJob": "processing_job",
        "TransformJob": "transform_job",
        "HyperParameterTuningJob": "hyper_parameter_tuning_job",
        "LabelingJob": "labeling_job",
    }[_kind]
    JOBS[f"sagemaker:create{_kind}"] = (
        _arguments,
        f"create_{_snake}",
        {f"{_kind}Arn": "arn"},
        f"describe_{_snake}",
        lambda state, kind=_kind: {f"{kind}Status": state},
        {"Completed"},
        {"Failed", "Stopped"},
    )

ENDS = [(name, state, state in job[5]) for name, job in JOBS.items() for state in sorted(job[5] | job[6])]


def test_the_table_covers_every_job_that_can_be_waited_for() -> None:
    assert {f"{service}:{action}" for service, action in sync_jobs.SYNC_JOBS} == set(JOBS)
    assert len(ENDS) == 29


@pytest.mark.parametrize(("name", "state", "succeeds"), ENDS)
def test_every_terminal_state(name: str, state: str, succeeds: bool) -> None:
    arguments, start, started, describe, described, _, _ = JOBS[name]
    running = {"databrew:startJobRun": "RUNNING", "glue:startJobRun": "RUNNING", "states:startExecution": "RUNNING"}
    script = {start: [started], describe: [described(running.get(name, "InProgress")), described(state)]}
    if succeeds:
        output, context, _, jobs = run(f"{name}.sync", arguments, script)
        assert state in json.dumps(output)
        assert len(context.outputs) == len(jobs) == 1
    else:
        with pytest.raises(StateError) as caught:
            run(f"{name}.sync", arguments, script)
        assert caught.value.error == "States.TaskFailed"
        assert state in json.loads(caught.value.cause).values()


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
        client_error("ThrottlingException"),
        client_error("InternalFailure", 500),
        client_error("SlowDown", 503),
        EndpointConnectionError(endpoint_url="http://x"),
    ],
)
def test_an_error_of_the_poll_is_no_failure_of_the_job(error: Exception) -> None:
    job = {"JobRun": {"Id": "jr_1", "JobRunState": "SUCCEEDED"}}
    output, *_ = run(
        "glue:startJobRun.sync",
        {"JobName": "j"},
        {"start_job_run": [{"JobRunId": "jr_1"}], "get_job_run": [error, error, job]},
    )
    assert output["JobRunState"] == "SUCCEEDED"


def test_a_poll_that_may_not_describe_fails_the_task() -> None:
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
        ("sagemaker:createTrainingJob", "stop_training_job", {"TrainingJobName": "t"}),
        ("states:startExecution", "stop_execution", {"executionArn": "arn:x"}),
    ],
)
def test_stopping_retries_until_it_is_heard(name: str, operation: str, members: dict[str, Any]) -> None:
    arguments, start, started, describe, described, succeeded, _ = JOBS[name]
    script = {
        start: [started],
        describe: [described(next(iter(succeeded)))],
        operation: [client_error("ThrottlingException"), {}],
    }
    _, _, client, jobs = run(f"{name}.sync", arguments, script)
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
def test_error_names(resource: str, code: str, error: str) -> None:
    failure = service_calls.error_of(client_error(code, 400, "Because."), resources.parse(PREFIX + resource))
    assert failure.error == error
    assert failure.cause.startswith("Because. (Service: ")
    assert "Status Code: 400" in failure.cause


def test_parameters_of_the_wrong_type_are_named() -> None:
    with pytest.raises(RuntimeStateError) as caught:
        run("glue:startJobRun", {"JobName": 5}, {})
    assert caught.value.cause == (
        "The Parameters '{\"JobName\":5}' could not be used to start the Task: "
        "[The value for the field 'JobName' must be a STRING]"
    )


def test_results_of_sdk_and_optimised_integrations() -> None:
    moment = datetime.datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.UTC)
    response = {
        "EndpointName": "e",
        "CreationTime": moment,
        "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}},
    }
    sdk, *_ = run("aws-sdk:sagemaker:describeEndpoint", {"EndpointName": "e"}, {"describe_endpoint": [response]})
    assert sdk == {"EndpointName": "e", "CreationTime": "2024-01-02T03:04:05.678Z"}
    started, *_ = run(
        "sagemaker:createEndpoint",
        {"EndpointName": "e", "EndpointConfigName": "c"},
        {"create_endpoint": [{"EndpointArn": "a"}]},
    )
    assert started["EndpointArn"] == "a"
    assert started["SdkHttpMetadata"]["HttpStatusCode"] == 200
    described = service_calls.describe_output({"TrainingEndTime": moment}, "sagemaker", "DescribeTrainingJob")
    assert described == {"TrainingEndTime": 1704164645678}
    read, *_ = run(
        "aws-sdk:s3:getObject", {"Bucket": "b", "Key": "k"}, {"get_object": [{"Body": io.BytesIO(b'{"a":1}')}]}
    )
    assert read == {"Body": '{"a":1}'}


def test_lambda_payload_and_function_error() -> None:
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
def test_unknown_resources(arn: str) -> None:
    with pytest.raises(resources.UnknownResourceError):
        resources.parse(arn)
