"""Which errors of which service are retried, how often and how fast.

Optimized integrations carry the names of the Java SDK 1, SDK integrations those of the Java SDK 2
(``SageMakerException``). ``AmazonSageMakerException`` is what SageMaker's optimized integration
reports for every error without a shape of its own: throttling and internal failures, but also
validation, which is why the retries on it are few.
"""

from __future__ import annotations

from parts.sdk import retry

DATABREW_RETRY = [
    # The run of an execution that was just stopped may still be stopping.
    retry(["DataBrew.ServiceQuotaExceededException", "DataBrew.ConflictException"], first=30, attempts=6, longest=300),
    retry(
        [
            "DataBrew.ThrottlingException",
            "DataBrew.TooManyRequestsException",
            "DataBrew.InternalServerException",
            "DataBrew.ServiceUnavailableException",
            "DataBrew.SdkClientException",
        ],
        first=2,
        attempts=8,
        longest=60,
    ),
    retry(["DataBrew.AWSGlueDataBrewException"], first=2, attempts=3, longest=30),
]
GLUE_RETRY = [
    retry(
        ["Glue.ConcurrentRunsExceededException", "Glue.ResourceNumberLimitExceededException"],
        first=30,
        attempts=8,
        longest=300,
    ),
    retry(
        [
            "Glue.ThrottlingException",
            "Glue.InternalServiceException",
            "Glue.OperationTimeoutException",
            "Glue.ServiceUnavailableException",
            "Glue.SdkClientException",
        ],
        first=2,
        attempts=8,
        longest=60,
    ),
    retry(["Glue.AWSGlueException"], first=2, attempts=3, longest=30),
]
SAGEMAKER_QUOTA = ["SageMaker.ResourceLimitExceededException", "SageMaker.ResourceLimitExceeded"]
SAGEMAKER_TRANSIENT = [
    "SageMaker.ThrottlingException",
    "SageMaker.ServiceUnavailableException",
    "SageMaker.InternalFailureException",
    "SageMaker.InternalServerException",
    "SageMaker.SdkClientException",
]
SAGEMAKER_JOB_RETRY = [
    retry(SAGEMAKER_QUOTA, first=60, attempts=6, longest=600),
    retry(SAGEMAKER_TRANSIENT, first=2, attempts=8, longest=60),
    retry(["SageMaker.AmazonSageMakerException"], first=2, attempts=3, longest=30),
]
SAGEMAKER_CALL_RETRY = [
    retry([*SAGEMAKER_TRANSIENT, "States.Timeout"], first=2, attempts=8, longest=60),
    retry(["SageMaker.AmazonSageMakerException", "SageMaker.SageMakerException"], first=2, attempts=3, longest=30),
]
# For calls where "could not find" is a valid answer: its error has the same name as throttling, so
# a Catch tells them apart by the text.
SAGEMAKER_LOOKUP_RETRY = [retry([*SAGEMAKER_TRANSIENT, "States.Timeout"], first=2, attempts=8, longest=60)]
S3_RETRY = [
    retry(
        [
            "S3.SlowDownException",
            "S3.InternalErrorException",
            "S3.ServiceUnavailableException",
            "S3.SdkClientException",
            "States.Timeout",
        ],
        first=2,
        attempts=8,
        longest=60,
    ),
    retry(["S3.S3Exception"], first=2, attempts=3, longest=30),
]
