"""What each call needs: action, resource, tagging and PassRole, from requests made by boto3."""

from __future__ import annotations

import io
import json
import re
import urllib.parse
from pathlib import Path
from typing import Any

import boto3
import cfnlint
import pytest
from botocore.config import Config

from local_aws.core.call_identity import Call, identify
from local_aws.iam.permissions import Permission, permissions_of
from tools.cloudformation import load, resolve, statements
from tools.permissions import use

ROOT = Path(__file__).resolve().parents[3]
REGION, ACCOUNT = "us-east-1", "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"
TAGS = {"brewtrain:pipeline": "p"}
TAG_LIST = [{"Key": "brewtrain:pipeline", "Value": "p"}]


class Bucket:
    """Buckets in which ``there`` and ``secret`` exist, the second encrypted with a key."""

    def exists(self, bucket: str, key: str, version_id: str | None) -> bool:
        return key in ("there", "secret")

    def key_of_object(self, bucket: str, key: str, version_id: str | None) -> str | None:
        return KEY if key == "secret" else None

    def key_of_bucket(self, bucket: str) -> str | None:
        return KEY if bucket == "encrypted" else None

    def key_arn(self, key_id: str, bucket: str) -> str:
        return key_id


class NotSentError(Exception):
    """Raised when a request is complete, so that it is not sent."""


class Recorder:
    """boto3 clients whose requests are recorded and not sent."""

    def __init__(self) -> None:
        self._session = boto3.Session(aws_access_key_id=ACCOUNT, aws_secret_access_key="secret", region_name=REGION)
        self._clients: dict[str, Any] = {}
        self._request: Any = None

    def _catch(self, request: Any, **_: Any) -> None:
        self._request = request
        raise NotSentError

    def request(self, service: str, method: str, members: dict[str, Any]) -> Any:
        if service not in self._clients:
            config = Config(s3={"addressing_style": "path"}, proxies={}, parameter_validation=False)
            client = self._session.client(service, endpoint_url="http://127.0.0.1:1", config=config)
            client.meta.events.register("before-send", self._catch)
            self._clients[service] = client
        with pytest.raises(NotSentError):
            getattr(self._clients[service], method)(**members)
        return self._request


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


def call_of(recorder: Recorder, service: str, method: str, members: dict[str, Any]) -> Call:
    """Return the call that the front identifies in the request that boto3 would send."""
    request = recorder.request(service, method, members)
    url = urllib.parse.urlsplit(request.url)
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else body.read()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": urllib.parse.unquote(url.path),
        "QUERY_STRING": url.query,
        "REQUEST_URI": f"{url.path}?{url.query}",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in request.headers.items():
        text = value.decode() if isinstance(value, bytes) else str(value)
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = text
        if name.lower() == "content-type":
            environ["CONTENT_TYPE"] = text
    return identify(environ)


def needed(recorder: Recorder, service: str, method: str, members: dict[str, Any]) -> list[Permission]:
    return permissions_of(call_of(recorder, service, method, members), Bucket())


def aws(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


MACHINE = aws("states", "stateMachine:m")
EXECUTION = aws("states", "execution:m:e")
PASS = ("iam:PassRole", ROLE)
TRAINING = {
    "TrainingJobName": "Brew-1", "RoleArn": ROLE, "OutputDataConfig": {"S3OutputPath": "s3://b/m"},
    "AlgorithmSpecification": {"TrainingInputMode": "File"}, "ResourceConfig": {"VolumeSizeInGB": 1},
    "StoppingCondition": {},
}  # fmt: skip
VARIANT = {"VariantName": "v", "ModelName": "M", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
PROCESSING = {
    "ProcessingJobName": "p-1", "RoleArn": ROLE, "AppSpecification": {"ImageUri": "i"},
    "ProcessingResources": {
        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
    },
}  # fmt: skip
JOB = {"Name": "j", "Role": "worker", "Command": {"Name": "glueetl", "ScriptLocation": "s3://b/s.py"}}
RECIPE_JOB = {"Name": "j", "DatasetName": "d", "RecipeReference": {"Name": "r"}, "RoleArn": ROLE, "Outputs": []}
DATASET = {"Name": "d", "Input": {"S3InputDefinition": {"Bucket": "b"}}}
RULESET = {
    "Name": "q",
    "TargetArn": aws("databrew", "dataset/d"),
    "Rules": [{"Name": "r", "CheckExpression": "AGG(MISSING_VALUES_COUNT) <= :n"}],
}
PROFILE_JOB = {"Name": "j", "DatasetName": "d", "RoleArn": ROLE, "OutputLocation": {"Bucket": "b"}}
ROUTE = [{"stateMachineVersionArn": f"{MACHINE}:3", "weight": 100}]
OBJECT = "arn:aws:s3:::b/there"
ECR = f"683313688378.dkr.ecr.{REGION}.amazonaws.com"
REPOSITORY = f"arn:aws:ecr:{REGION}:683313688378:repository/sagemaker-xgboost"

#: service, method, request → (action, resource) in order. Resources: Service Authorization
#: Reference of each service.
QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/q"
CALLS: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    # Step Functions: versions and aliases by their state machine.
    ("stepfunctions", "create_state_machine",
     {"name": "m", "definition": "{}", "roleArn": ROLE, "tags": [{"key": "a", "value": "b"}], "publish": True},
     [("states:CreateStateMachine", MACHINE), ("states:TagResource", MACHINE),
      ("states:PublishStateMachineVersion", MACHINE), PASS]),
    ("stepfunctions", "update_state_machine", {"stateMachineArn": MACHINE, "definition": "{}", "roleArn": ROLE},
     [("states:UpdateStateMachine", MACHINE), PASS]),
    ("stepfunctions", "update_state_machine", {"stateMachineArn": MACHINE, "definition": "{}"},
     [("states:UpdateStateMachine", MACHINE)]),
    ("stepfunctions", "publish_state_machine_version", {"stateMachineArn": MACHINE},
     [("states:PublishStateMachineVersion", MACHINE)]),
    ("stepfunctions", "create_state_machine_alias", {"name": "live", "routingConfiguration": ROUTE},
     [("states:CreateStateMachineAlias", MACHINE)]),
    ("stepfunctions", "update_state_machine_alias", {"stateMachineAliasArn": f"{MACHINE}:live"},
     [("states:UpdateStateMachineAlias", MACHINE)]),
    ("stepfunctions", "delete_state_machine_version", {"stateMachineVersionArn": f"{MACHINE}:3"},
     [("states:DeleteStateMachineVersion", MACHINE)]),
    ("stepfunctions", "start_execution", {"stateMachineArn": f"{MACHINE}:live", "name": "e"},
     [("states:StartExecution", MACHINE)]),
    ("stepfunctions", "list_executions", {"stateMachineArn": MACHINE}, [("states:ListExecutions", MACHINE)]),
    ("stepfunctions", "describe_execution", {"executionArn": EXECUTION}, [("states:DescribeExecution", EXECUTION)]),
    ("stepfunctions", "redrive_execution", {"executionArn": EXECUTION}, [("states:RedriveExecution", EXECUTION)]),
    ("stepfunctions", "validate_state_machine_definition", {"definition": "{}"},
     [("states:ValidateStateMachineDefinition", "*")]),
    ("stepfunctions", "stop_execution", {"executionArn": EXECUTION}, [("states:StopExecution", EXECUTION)]),
    ("stepfunctions", "get_execution_history", {"executionArn": EXECUTION},
     [("states:GetExecutionHistory", EXECUTION)]),
    ("stepfunctions", "describe_state_machine", {"stateMachineArn": f"{MACHINE}:3"},
     [("states:DescribeStateMachine", MACHINE)]),
    ("stepfunctions", "describe_state_machine_alias", {"stateMachineAliasArn": f"{MACHINE}:live"},
     [("states:DescribeStateMachineAlias", MACHINE)]),
    ("stepfunctions", "list_state_machine_versions", {"stateMachineArn": MACHINE},
     [("states:ListStateMachineVersions", MACHINE)]),
    # DataBrew: creating has no resource type, the tags have.
    ("databrew", "create_recipe_job", {**RECIPE_JOB, "Tags": TAGS},
     [("databrew:CreateRecipeJob", "*"), ("databrew:TagResource", aws("databrew", "job/j")), PASS]),
    ("databrew", "update_recipe_job", {"Name": "j", "RoleArn": ROLE},
     [("databrew:UpdateRecipeJob", aws("databrew", "job/j")), PASS]),
    ("databrew", "create_dataset", {**DATASET, "Tags": TAGS},
     [("databrew:CreateDataset", "*"), ("databrew:TagResource", aws("databrew", "dataset/d"))]),
    ("databrew", "create_recipe", {"Name": "r", "Steps": []}, [("databrew:CreateRecipe", "*")]),
    ("databrew", "describe_recipe", {"Name": "r", "RecipeVersion": "1.0"},
     [("databrew:DescribeRecipe", aws("databrew", "recipe/r"))]),
    ("databrew", "list_recipe_versions", {"Name": "r"}, [("databrew:ListRecipeVersions", aws("databrew", "recipe/r"))]),
    ("databrew", "delete_recipe_version", {"Name": "r", "RecipeVersion": "1.0"},
     [("databrew:DeleteRecipeVersion", aws("databrew", "recipe/r"))]),
    ("databrew", "publish_recipe", {"Name": "r"}, [("databrew:PublishRecipe", aws("databrew", "recipe/r"))]),
    ("databrew", "describe_dataset", {"Name": "d"}, [("databrew:DescribeDataset", aws("databrew", "dataset/d"))]),
    ("databrew", "start_job_run", {"Name": "j"}, [("databrew:StartJobRun", aws("databrew", "job/j"))]),
    ("databrew", "describe_job_run", {"Name": "j", "RunId": "1"},
     [("databrew:DescribeJobRun", aws("databrew", "job/j"))]),
    ("databrew", "list_job_runs", {"Name": "j"}, [("databrew:ListJobRuns", aws("databrew", "job/j"))]),
    ("databrew", "delete_job", {"Name": "j"}, [("databrew:DeleteJob", aws("databrew", "job/j"))]),
    ("databrew", "list_jobs", {}, [("databrew:ListJobs", "*")]),
    ("databrew", "update_recipe", {"Name": "r"}, [("databrew:UpdateRecipe", aws("databrew", "recipe/r"))]),
    ("databrew", "batch_delete_recipe_version", {"Name": "r", "RecipeVersions": ["1.0"]},
     [("databrew:BatchDeleteRecipeVersion", aws("databrew", "recipe/r"))]),
    ("databrew", "list_recipes", {}, [("databrew:ListRecipes", "*")]),
    ("databrew", "update_dataset", DATASET, [("databrew:UpdateDataset", aws("databrew", "dataset/d"))]),
    ("databrew", "delete_dataset", {"Name": "d"}, [("databrew:DeleteDataset", aws("databrew", "dataset/d"))]),
    ("databrew", "describe_job", {"Name": "j"}, [("databrew:DescribeJob", aws("databrew", "job/j"))]),
    ("databrew", "stop_job_run", {"Name": "j", "RunId": "1"}, [("databrew:StopJobRun", aws("databrew", "job/j"))]),
    ("databrew", "list_datasets", {}, [("databrew:ListDatasets", "*")]),
    ("databrew", "list_rulesets", {}, [("databrew:ListRulesets", "*")]),
    ("databrew", "create_ruleset", {**RULESET, "Tags": TAGS},
     [("databrew:CreateRuleset", "*"), ("databrew:TagResource", aws("databrew", "ruleset/q"))]),
    ("databrew", "update_ruleset", {"Name": "q", "Rules": RULESET["Rules"]},
     [("databrew:UpdateRuleset", aws("databrew", "ruleset/q"))]),
    ("databrew", "describe_ruleset", {"Name": "q"}, [("databrew:DescribeRuleset", aws("databrew", "ruleset/q"))]),
    ("databrew", "delete_ruleset", {"Name": "q"}, [("databrew:DeleteRuleset", aws("databrew", "ruleset/q"))]),
    ("databrew", "create_profile_job", {**PROFILE_JOB, "Tags": TAGS},
     [("databrew:CreateProfileJob", "*"), ("databrew:TagResource", aws("databrew", "job/j")), PASS]),
    ("databrew", "update_profile_job", {key: PROFILE_JOB[key] for key in ("Name", "RoleArn", "OutputLocation")},
     [("databrew:UpdateProfileJob", aws("databrew", "job/j")), PASS]),
    ("databrew", "tag_resource", {"ResourceArn": aws("databrew", "recipe/r"), "Tags": TAGS},
     [("databrew:TagResource", aws("databrew", "recipe/r"))]),
    # Glue
    ("glue", "create_job", {**JOB, "Tags": TAGS},
     [("glue:CreateJob", aws("glue", "job/j")), ("glue:TagResource", aws("glue", "job/j")), PASS]),
    ("glue", "update_job", {"JobName": "j", "JobUpdate": {"Role": ROLE}},
     [("glue:UpdateJob", aws("glue", "job/j")), PASS]),
    ("glue", "start_job_run", {"JobName": "j"}, [("glue:StartJobRun", aws("glue", "job/j"))]),
    ("glue", "get_job_run", {"JobName": "j", "RunId": "1"}, [("glue:GetJobRun", aws("glue", "job/j"))]),
    ("glue", "batch_stop_job_run", {"JobName": "j", "JobRunIds": ["1"]},
     [("glue:BatchStopJobRun", aws("glue", "job/j"))]),
    ("glue", "get_job_runs", {"JobName": "j"}, [("glue:GetJobRuns", aws("glue", "job/j"))]),
    ("glue", "get_job", {"JobName": "j"}, [("glue:GetJob", aws("glue", "job/j"))]),
    ("glue", "get_tags", {"ResourceArn": aws("glue", "job/j")}, [("glue:GetTags", aws("glue", "job/j"))]),
    # SageMaker: ARNs in lower case.
    ("sagemaker", "create_training_job", {**TRAINING, "Tags": TAG_LIST},
     [("sagemaker:CreateTrainingJob", aws("sagemaker", "training-job/brew-1")),
      ("sagemaker:AddTags", aws("sagemaker", "training-job/brew-1")), PASS]),
    ("sagemaker", "create_processing_job", PROCESSING,
     [("sagemaker:CreateProcessingJob", aws("sagemaker", "processing-job/p-1")), PASS]),
    ("sagemaker", "create_model", {"ModelName": "m", "ExecutionRoleArn": ROLE},
     [("sagemaker:CreateModel", aws("sagemaker", "model/m")), PASS]),
    ("sagemaker", "create_endpoint_config", {"EndpointConfigName": "c", "ProductionVariants": [VARIANT]},
     [("sagemaker:CreateEndpointConfig", aws("sagemaker", "endpoint-config/c"))]),
    ("sagemaker", "create_endpoint", {"EndpointName": "e", "EndpointConfigName": "c"},
     [("sagemaker:CreateEndpoint", aws("sagemaker", "endpoint/e")),
      ("sagemaker:CreateEndpoint", aws("sagemaker", "endpoint-config/c"))]),
    ("sagemaker", "update_endpoint", {"EndpointName": "e", "EndpointConfigName": "c"},
     [("sagemaker:UpdateEndpoint", aws("sagemaker", "endpoint/e")),
      ("sagemaker:UpdateEndpoint", aws("sagemaker", "endpoint-config/c"))]),
    ("sagemaker", "describe_endpoint", {"EndpointName": "E"},
     [("sagemaker:DescribeEndpoint", aws("sagemaker", "endpoint/e"))]),
    ("sagemaker", "add_tags", {"ResourceArn": aws("sagemaker", "endpoint/e"), "Tags": TAG_LIST},
     [("sagemaker:AddTags", aws("sagemaker", "endpoint/e"))]),
    ("sagemaker", "list_tags", {"ResourceArn": aws("sagemaker", "endpoint/e")},
     [("sagemaker:ListTags", aws("sagemaker", "endpoint/e"))]),
    ("sagemaker", "list_endpoint_configs", {}, [("sagemaker:ListEndpointConfigs", "*")]),
    ("sagemaker", "list_endpoints", {}, [("sagemaker:ListEndpoints", "*")]),
    ("sagemaker", "list_models", {}, [("sagemaker:ListModels", "*")]),
    ("sagemaker", "describe_training_job", {"TrainingJobName": "T"},
     [("sagemaker:DescribeTrainingJob", aws("sagemaker", "training-job/t"))]),
    ("sagemaker", "stop_training_job", {"TrainingJobName": "t"},
     [("sagemaker:StopTrainingJob", aws("sagemaker", "training-job/t"))]),
    ("sagemaker", "describe_processing_job", {"ProcessingJobName": "p"},
     [("sagemaker:DescribeProcessingJob", aws("sagemaker", "processing-job/p"))]),
    ("sagemaker", "stop_processing_job", {"ProcessingJobName": "p"},
     [("sagemaker:StopProcessingJob", aws("sagemaker", "processing-job/p"))]),
    ("sagemaker", "describe_model", {"ModelName": "m"}, [("sagemaker:DescribeModel", aws("sagemaker", "model/m"))]),
    ("sagemaker", "delete_model", {"ModelName": "m"}, [("sagemaker:DeleteModel", aws("sagemaker", "model/m"))]),
    ("sagemaker", "describe_endpoint_config", {"EndpointConfigName": "c"},
     [("sagemaker:DescribeEndpointConfig", aws("sagemaker", "endpoint-config/c"))]),
    ("sagemaker", "delete_endpoint_config", {"EndpointConfigName": "c"},
     [("sagemaker:DeleteEndpointConfig", aws("sagemaker", "endpoint-config/c"))]),
    ("sagemaker", "describe_model_package_group", {"ModelPackageGroupName": "g"},
     [("sagemaker:DescribeModelPackageGroup", aws("sagemaker", "model-package-group/g"))]),
    ("sagemaker", "create_model_package_group", {"ModelPackageGroupName": "g"},
     [("sagemaker:CreateModelPackageGroup", aws("sagemaker", "model-package-group/g"))]),
    ("sagemaker", "create_model_package", {"ModelPackageGroupName": "g"},
     [("sagemaker:CreateModelPackage", aws("sagemaker", "model-package/g/*"))]),
    ("sagemaker", "create_model_package",
     {"ModelPackageGroupName": "g",
      "InferenceSpecification": {"Containers": [{"Image": f"{ECR}/sagemaker-xgboost:1"}]}},
     [("sagemaker:CreateModelPackage", aws("sagemaker", "model-package/g/*")), ("ecr:BatchGetImage", REPOSITORY),
      ("ecr:DescribeImages", REPOSITORY)]),
    ("sagemaker", "describe_model_package", {"ModelPackageName": aws("sagemaker", "model-package/g/1")},
     [("sagemaker:DescribeModelPackage", aws("sagemaker", "model-package/g/1"))]),
    ("sagemaker", "update_model_package", {"ModelPackageArn": aws("sagemaker", "model-package/g/1")},
     [("sagemaker:UpdateModelPackage", aws("sagemaker", "model-package/g/1"))]),
    ("sagemaker", "list_model_packages", {"ModelPackageGroupName": "g"},
     [("sagemaker:ListModelPackages", aws("sagemaker", "model-package/g/*"))]),
    ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "e", "Body": b"1"},
     [("sagemaker:InvokeEndpoint", aws("sagemaker", "endpoint/e"))]),
    # S3
    ("s3", "get_object", {"Bucket": "b", "Key": "there"}, [("s3:GetObject", OBJECT)]),
    ("s3", "head_object", {"Bucket": "b", "Key": "there"}, [("s3:GetObject", OBJECT)]),
    ("s3", "get_object", {"Bucket": "b", "Key": "none"},
     [("s3:GetObject", "arn:aws:s3:::b/none"), ("s3:ListBucket", "arn:aws:s3:::b")]),
    ("s3", "get_object", {"Bucket": "b", "Key": "there", "VersionId": "1"}, [("s3:GetObjectVersion", OBJECT)]),
    ("s3", "get_object", {"Bucket": "b", "Key": "secret"},
     [("s3:GetObject", "arn:aws:s3:::b/secret"), ("kms:Decrypt", KEY)]),
    ("s3", "put_object", {"Bucket": "b", "Key": "there", "Body": b"1"}, [("s3:PutObject", OBJECT)]),
    ("s3", "put_object", {"Bucket": "b", "Key": "there", "Body": b"1", "Tagging": "a=b"},
     [("s3:PutObject", OBJECT), ("s3:PutObjectTagging", OBJECT)]),
    ("s3", "put_object", {"Bucket": "encrypted", "Key": "k", "Body": b"1"},
     [("s3:PutObject", "arn:aws:s3:::encrypted/k"), ("kms:GenerateDataKey", KEY)]),
    ("s3", "put_object",
     {"Bucket": "b", "Key": "there", "Body": b"1", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY},
     [("s3:PutObject", OBJECT), ("kms:GenerateDataKey", KEY)]),
    ("s3", "copy_object", {"Bucket": "b", "Key": "there", "CopySource": {"Bucket": "o", "Key": "there"}},
     [("s3:PutObject", OBJECT), ("s3:GetObject", "arn:aws:s3:::o/there")]),
    ("s3", "create_multipart_upload", {"Bucket": "b", "Key": "there"}, [("s3:PutObject", OBJECT)]),
    ("s3", "abort_multipart_upload", {"Bucket": "b", "Key": "there", "UploadId": "u"},
     [("s3:AbortMultipartUpload", OBJECT)]),
    ("s3", "delete_object", {"Bucket": "b", "Key": "there"}, [("s3:DeleteObject", OBJECT)]),
    ("s3", "delete_object", {"Bucket": "b", "Key": "there", "VersionId": "1"}, [("s3:DeleteObjectVersion", OBJECT)]),
    ("s3", "delete_objects", {"Bucket": "b", "Delete": {"Objects": [{"Key": "x"}, {"Key": "y", "VersionId": "1"}]}},
     [("s3:DeleteObject", "arn:aws:s3:::b/x"), ("s3:DeleteObjectVersion", "arn:aws:s3:::b/y")]),
    ("s3", "list_objects_v2", {"Bucket": "b", "Prefix": "p/"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
    ("s3", "list_object_versions", {"Bucket": "b"}, [("s3:ListBucketVersions", "arn:aws:s3:::b")]),
    ("s3", "head_bucket", {"Bucket": "b"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
    ("s3", "get_bucket_location", {"Bucket": "b"}, [("s3:GetBucketLocation", "arn:aws:s3:::b")]),
    ("s3", "get_bucket_versioning", {"Bucket": "b"}, [("s3:GetBucketVersioning", "arn:aws:s3:::b")]),
    ("s3", "get_bucket_encryption", {"Bucket": "b"}, [("s3:GetEncryptionConfiguration", "arn:aws:s3:::b")]),
    # The rest of what a run touches
    ("logs", "put_log_events", {"logGroupName": "/aws/x", "logStreamName": "s", "logEvents": []},
     [("logs:PutLogEvents", aws("logs", "log-group:/aws/x:log-stream:s"))]),
    ("logs", "create_log_stream", {"logGroupName": "/aws/x", "logStreamName": "s"},
     [("logs:CreateLogStream", aws("logs", "log-group:/aws/x:log-stream:s"))]),
    ("logs", "get_log_events", {"logGroupName": "/aws/x", "logStreamName": "s"},
     [("logs:GetLogEvents", aws("logs", "log-group:/aws/x:log-stream:s"))]),
    ("logs", "describe_log_streams", {"logGroupName": "/aws/x"},
     [("logs:DescribeLogStreams", aws("logs", "log-group:/aws/x:log-stream:"))]),
    ("logs", "create_log_group", {"logGroupName": "/aws/x"},
     [("logs:CreateLogGroup", aws("logs", "log-group:/aws/x:log-stream:"))]),
    ("sqs", "get_queue_url", {"QueueName": "q"}, [("sqs:GetQueueUrl", aws("sqs", "q"))]),
    ("sqs", "receive_message", {"QueueUrl": QUEUE_URL}, [("sqs:ReceiveMessage", aws("sqs", "q"))]),
    ("sqs", "delete_message_batch",
     {"QueueUrl": QUEUE_URL, "Entries": [{"Id": "1", "ReceiptHandle": "r"}]},
     [("sqs:DeleteMessage", aws("sqs", "q"))]),
    ("s3", "get_bucket_notification_configuration", {"Bucket": "b"},
     [("s3:GetBucketNotification", "arn:aws:s3:::b")]),
    ("sns", "publish", {"TopicArn": aws("sns", "t"), "Message": "arn:aws:x"}, [("sns:Publish", aws("sns", "t"))]),
    ("iam", "get_role", {"RoleName": "r"}, [("iam:GetRole", f"arn:aws:iam::{ACCOUNT}:role/r")]),
    ("iam", "simulate_principal_policy", {"PolicySourceArn": ROLE, "ActionNames": ["s3:GetObject"]},
     [("iam:SimulatePrincipalPolicy", ROLE)]),
    ("sts", "assume_role", {"RoleArn": ROLE, "RoleSessionName": "me"}, [("sts:AssumeRole", ROLE)]),
    ("sts", "get_caller_identity", {}, []),
    ("service-quotas", "list_service_quotas", {"ServiceCode": "sagemaker"}, [("servicequotas:ListServiceQuotas", "*")]),
    ("cloudwatch", "put_metric_data", {"Namespace": "n", "MetricData": [{"MetricName": "m"}]},
     [("cloudwatch:PutMetricData", "*")]),
    ("cloudwatch", "describe_alarms", {"AlarmNames": ["a"]},
     [("cloudwatch:DescribeAlarms", aws("cloudwatch", "alarm:a"))]),
    ("events", "put_rule", {"Name": "r"}, [("events:PutRule", aws("events", "rule/r"))]),
    ("events", "describe_rule", {"Name": "r"}, [("events:DescribeRule", aws("events", "rule/r"))]),
    ("events", "put_targets", {"Rule": "r", "Targets": []}, [("events:PutTargets", aws("events", "rule/r"))]),
    ("ecr", "get_authorization_token", {}, [("ecr:GetAuthorizationToken", "*")]),
    ("ecr", "batch_check_layer_availability", {"repositoryName": "i", "layerDigests": ["d"]},
     [("ecr:BatchCheckLayerAvailability", aws("ecr", "repository/i"))]),
    ("ecr", "get_download_url_for_layer", {"repositoryName": "i", "layerDigest": "d"},
     [("ecr:GetDownloadUrlForLayer", aws("ecr", "repository/i"))]),
    ("lambda", "invoke", {"FunctionName": "f"}, [("lambda:InvokeFunction", aws("lambda", "function:f"))]),
    ("lambda", "create_function",
     {"FunctionName": "f", "Role": ROLE, "Code": {"ZipFile": b"x"}, "Runtime": "python3.12", "Handler": "a.b"},
     [("lambda:CreateFunction", aws("lambda", "function:f")), PASS]),
]  # fmt: skip


def name_of(service: str, method: str, members: dict[str, Any]) -> str:
    return f"{service}.{method}({', '.join(members)})"


@pytest.mark.parametrize(
    ("service", "method", "members", "expected"), CALLS, ids=[name_of(*call[:3]) for call in CALLS]
)
def test_a_call_needs_these_actions_on_these_resources(
    recorder: Recorder, service: str, method: str, members: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    found = [(permission.action, permission.resource) for permission in needed(recorder, service, method, members)]
    assert found == expected


def test_actions_and_resource_types_are_those_of_the_service_authorization_reference() -> None:
    """Compare with the copy that cfn-lint ships."""
    services = json.loads((Path(cfnlint.__file__).parent / "data/AdditionalSpecs/Policies.json").read_text("utf-8"))
    wrong = []
    for action, resource in sorted({permission for call in CALLS for permission in call[3]}):
        service, _, name = action.partition(":")
        known = services[service]["Actions"].get(name.lower())
        if known is None:
            wrong.append(f"AWS does not know the action {action}")
            continue
        types = known.get("Resources") or []
        forms = {kind.lower(): entry["ARNFormats"] for kind, entry in services[service]["Resources"].items()}
        if action == "cloudwatch:PutMetricData":
            continue  # its resource type is a data set, which the classic call does not name
        patterns = [form for kind in types for form in forms[kind.lower()]]
        fits = any(
            re.fullmatch(re.sub(r"\$\{[^}]+\}", "[^:]*", pattern), resource) for pattern in patterns
        ) if types else resource == "*"  # fmt: skip
        if not fits:
            wrong.append(f"{action} is not checked on {resource}")
    assert wrong == []


def test_every_action_that_a_role_is_granted_has_a_case() -> None:
    roles = resolve(load(ROOT / "include" / "cloudformation" / "roles.yaml"))
    granted = {
        action
        for item in roles.values()
        if item["Type"] == "AWS::IAM::Role"
        for statement in statements(item)
        for action in statement["Action"]
    }
    assert len(granted) > 80
    missing = granted - {action for call in CALLS for action, _ in call[3]}
    assert missing == set(), "add a case of the call to CALLS, and its resource to local_aws/iam/permissions"


def test_what_the_call_of_a_hook_needs_besides_is_known_to_the_page() -> None:
    """S3 is left out: what its calls need besides depends on the object."""
    reached = use.airflow_use()
    missing = {
        (actions[0], action)
        for call in CALLS
        if (actions := [action for action, _ in call[3]]) and actions[0] in reached
        for action in actions[1:]
        if not action.startswith("s3:") and action not in reached and action not in use.IMPLIED.get(actions[0], {})
    }
    assert missing == set(), "add them to IMPLIED in tools/permissions/use.py, then make permissions"


def test_a_role_is_passed_to_the_service_of_the_call(recorder: Recorder) -> None:
    services = set()
    for service, method, members, expected in CALLS:
        if PASS not in expected:
            continue
        (passed,) = [one for one in needed(recorder, service, method, members) if one.action == "iam:PassRole"]
        assert passed.context == {"iam:passedtoservice": ({"stepfunctions": "states"}.get(service, service)
                                                          + ".amazonaws.com",)}  # fmt: skip
        services.add(service)
    assert services == {"stepfunctions", "databrew", "glue", "sagemaker", "lambda"}


@pytest.mark.parametrize(
    ("service", "method", "members", "key", "values"),
    [
        pytest.param(
            "databrew",
            "create_dataset",
            {**DATASET, "Tags": TAGS},
            "aws:requesttag/brewtrain:pipeline",
            ("p",),
            id="tag of a request",
        ),
        pytest.param(
            "sagemaker",
            "create_training_job",
            {**TRAINING, "Tags": TAG_LIST},
            "aws:tagkeys",
            ("brewtrain:pipeline",),
            id="tag keys of a request",
        ),
        pytest.param(
            "stepfunctions",
            "start_execution",
            {"stateMachineArn": f"{MACHINE}:live"},
            "states:statemachinequalifier",
            ("live",),
            id="alias of a state machine",
        ),
        pytest.param(
            "s3",
            "list_objects_v2",
            {"Bucket": "b", "Prefix": "p/", "Delimiter": "/"},
            "s3:prefix",
            ("p/",),
            id="prefix of a listing",
        ),
        pytest.param(
            "cloudwatch",
            "put_metric_data",
            {"Namespace": "n", "MetricData": [{"MetricName": "m"}]},
            "cloudwatch:namespace",
            ("n",),
            id="namespace of metrics",
        ),
        pytest.param(
            "s3",
            "get_object",
            {"Bucket": "b", "Key": "there", "VersionId": "1"},
            "s3:versionid",
            ("1",),
            id="version of an object",
        ),
        pytest.param(
            "sns",
            "create_topic",
            {"Name": "t", "Tags": TAG_LIST},
            "aws:requesttag/brewtrain:pipeline",
            ("p",),
            id="tag in a query request",
        ),
    ],
)
def test_a_call_has_this_condition_key(
    recorder: Recorder, service: str, method: str, members: dict[str, Any], key: str, values: tuple[str, ...]
) -> None:
    assert needed(recorder, service, method, members)[0].context[key] == values
