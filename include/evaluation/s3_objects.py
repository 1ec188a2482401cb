"""Reads objects from S3 in the evaluation's container.

Must not import anything outside the standard library and boto3.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from evaluation_errors import DownloadError, MissingObjectError, ModelArchiveError

_LARGEST_DOWNLOAD = 2 * 1024**3


def download(uri: str, target: Path) -> None:
    """Copy one S3 object to a file.

    :param uri: ``s3://bucket/key``.
    :param target: The file; absent if this fails.
    :raises MissingObjectError: If the object does not exist.
    :raises DownloadError: If it cannot be read.
    :raises ModelArchiveError: If it is larger than 2 GiB.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, key = uri[len("s3://") :].partition("/")
    # The image sets AWS_REGION, which boto3 does not read.
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    try:
        answer = boto3.client("s3", region_name=region).get_object(Bucket=bucket, Key=key)
        if answer["ContentLength"] > _LARGEST_DOWNLOAD:
            raise ModelArchiveError(f"{uri} is larger than {_LARGEST_DOWNLOAD // 1024**2} MiB; it is refused")
        with target.open("wb") as file:
            shutil.copyfileobj(answer["Body"], file)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("NoSuchKey", "NoSuchBucket", "404"):
            raise MissingObjectError(f"{uri} no longer exists; promote a model whose archive exists") from None
        raise DownloadError(
            f"{uri} cannot be read ({code}); allow the SageMaker role s3:GetObject on it and s3:ListBucket on {bucket}"
        ) from None
    except (BotoCoreError, OSError) as error:
        raise DownloadError(f"{uri} cannot be read ({type(error).__name__}: {error}); run the job again") from None
