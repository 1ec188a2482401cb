"""Executes a training job of the built-in XGBoost: S3 channels in, model and metrics out.

Runs in a forked process with the job role's keys. Must not import moto or anything of the server.
"""

from __future__ import annotations

import io
import math
import os
import re
import tarfile
from pathlib import Path
from typing import Any

from local_aws.jobs import entry
from local_aws.jobs.entry import JobError, reports_result

from . import hyperparameters

# What xgboost says when the user's data or settings are at fault; the container turns these into a
# ClientError.
_CUSTOMER_ERRORS = (
    "label must be in [0,1] for logistic regression",
    "label must be in [0, num_class)",
    "feature_names mismatch",
    "Check failed: preds.size() == info.labels",
    "the dataset only contains pos or neg samples",
    "base_score must be in (0,1)",
    "label must be nonnegative",
    "Parameter reg_lambda should be greater equal to 0",
)
METRICS_NAMESPACE = "/aws/sagemaker/TrainingJobs"
_CELLS_FOR_THREADS = 2_000_000
_CHANNELS = ("train", "validation", "code")
#: Settings of other xgboost versions or of the container itself.
_CONTAINER_SETTINGS = frozenset(
    {
        "save_model_on_termination",
        "use_dask_gpu_training",
        "_num_cv_round",
        "dsplit",
        "predictor",
        "sketch_eps",
        "deterministic_histogram",
        "prob_buffer_row",
    }
)


def warm_up() -> None:
    """Import xgboost and boto3 before the fork."""
    import numpy as np
    import xgboost

    from . import matrices, metrics, processing_worker, serving_worker  # noqa: F401

    entry.warm_up()
    # A fork must not happen after xgboost has started threads, so nothing is trained here; one
    # matrix loads the library's lazy parts.
    xgboost.DMatrix(np.zeros((2, 2), dtype=np.float32), label=np.zeros(2), nthread=1)


@reports_result
def train(payload: dict[str, Any]) -> dict[str, Any]:
    """Execute a training job; the worker's entry point.

    :param payload: ``job_name``, ``image_problem``, ``hyperparameters``, ``channels``,
        ``model_uri``, as the service recorded them.
    :returns: ``metrics``: last value of every metric, as ``train:auc``, ``validation:auc``.
    """
    if payload["image_problem"]:
        raise JobError(payload["image_problem"], "ClientError")
    given = payload["hyperparameters"]
    if "sagemaker_program" in given:
        raise JobError(
            "script mode (hyperparameter sagemaker_program) cannot run on local AWS; use the built-in algorithm",
            "ClientError",
        )
    values = hyperparameters.validate(given)
    channels = _check_channels(payload["channels"], payload["input_mode"])
    s3 = entry.client("s3")
    files = {name: _download(s3, name, channel, payload) for name, channel in channels.items() if name != "code"}
    model, metrics = _train(files, channels, values)
    _upload_model(s3, model, payload["model_uri"])
    _publish(metrics, payload["job_name"])
    return {"metrics": metrics}


def _publish(metrics: dict[str, float], job_name: str) -> None:
    """Put the algorithm's metrics into CloudWatch, with the job's role.

    A role that may not do that loses the metrics; the job goes on.
    https://docs.aws.amazon.com/sagemaker/latest/dg/training-metrics.html
    """
    from botocore.exceptions import ClientError

    dimensions = [{"Name": "TrainingJobName", "Value": job_name}]
    data = [{"MetricName": name, "Value": value, "Dimensions": dimensions} for name, value in metrics.items()]
    if not data:
        return
    try:
        entry.client("cloudwatch").put_metric_data(Namespace=METRICS_NAMESPACE, MetricData=data)
    except ClientError as error:
        print(f"[WARNING] metrics were not published: {error}", flush=True)


def _check_channels(channels: list[dict[str, Any]], input_mode: str) -> dict[str, dict[str, Any]]:
    by_name = {channel["ChannelName"]: channel for channel in channels}
    if "train" not in by_name:
        raise JobError("Missing required channel: train", "ClientError")
    for name, channel in by_name.items():
        if name not in _CHANNELS:
            raise JobError(f"Extraneous channel found: {name}", "ClientError")
        if not (channel.get("DataSource") or {}).get("S3DataSource"):
            raise JobError(
                f"Channel {name} has no S3DataSource; local AWS reads training data from S3 only", "ClientError"
            )
        if (channel.get("InputMode") or input_mode) == "Pipe":
            raise JobError(
                "Pipe mode is no longer supported. Please use Fast File mode (default) instead.", "ClientError"
            )
    return by_name


def _download(s3: Any, name: str, channel: dict[str, Any], payload: dict[str, Any]) -> list[Path]:
    from botocore.exceptions import ClientError

    source = channel["DataSource"]["S3DataSource"]
    uri = source["S3Uri"]
    bucket, prefix = entry.split_s3_uri(uri)
    try:
        if source["S3DataType"] == "ManifestFile":
            keys = _manifest_keys(s3, bucket, prefix)
        elif source["S3DataType"] == "S3Prefix":
            keys = [(bucket, item.key) for item in entry.list_objects(s3, bucket, prefix)]
        else:
            raise JobError(
                f"Channel {name}: S3DataType {source['S3DataType']} cannot be read on local AWS; use S3Prefix",
                "ClientError",
            )
        wanted = [
            (where, key) for where, key in keys if not key.endswith("/") and not Path(key).name.startswith(("_", "."))
        ]
        files = [
            entry.download(s3, where, key, Path(name).absolute() / f"{number:05d}-{Path(key).name}")
            for number, (where, key) in enumerate(wanted)
        ]
    except ClientError as error:
        raise JobError(
            f"Data download failed:{error.response['Error']['Code']} for {uri}: {error}", "ClientError"
        ) from None
    if not files:
        raise JobError(
            f'Data download failed:No S3 objects found under S3 URL "{uri}" given in input data source. Please'
            f" ensure that the bucket exists in the"
            f" selected region ({payload['region']}), that objects exist under that S3 prefix, and that the"
            f' role "{payload["role_arn"]}" has'
            f' "s3:ListBucket" permissions on bucket "{bucket}".',
            "ClientError",
        )
    print(f"[INFO] channel {name}: {len(files)} files, {sum(file.stat().st_size for file in files)} bytes")
    return [file for file in files if file.stat().st_size > 0]


def _manifest_keys(s3: Any, bucket: str, key: str) -> list[tuple[str, str]]:
    import json

    prefix, *names = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    where, base = entry.split_s3_uri(prefix["prefix"])
    return [(where, base + name) for name in names]


def _train(
    files: dict[str, list[Path]], channels: dict[str, dict[str, Any]], values: dict[str, Any]
) -> tuple[bytes, dict[str, float]]:
    """Train on the channels' files.

    :param files: local files by channel.
    :param channels: the job's channels by name.
    :param values: validated hyperparameters.
    :returns: the model in xgboost's UBJ format, and the last finite value of every metric.
    """
    watched = _matrices(files, channels, weights=values.pop("csv_weights", 0) == 1)
    if values.pop("_kfold", None) is not None:
        raise JobError("cross validation (hyperparameter _kfold) cannot run on local AWS; leave it out", "ClientError")
    booster, history = _boost(watched, values)
    final = {
        f"{channel}:{metric}": round(series[-1], 5)
        for channel, found in history.items()
        for metric, series in found.items()
    }
    finite = {name: value for name, value in final.items() if math.isfinite(value)}
    return bytes(booster.save_raw(raw_format="ubj")), finite


def _matrices(
    files: dict[str, list[Path]], channels: dict[str, dict[str, Any]], *, weights: bool
) -> list[tuple[Any, str]]:
    """Read the channels into matrices with their names, ``train`` first."""
    from . import matrices

    kind = matrices.content_type(channels["train"].get("ContentType"))
    for name, paths in files.items():
        if not paths:
            raise JobError(
                f"No data in {'training' if name == 'train' else name} channel path /opt/ml/input/data/{name}",
                "ClientError",
            )
    train_matrix = matrices.training_matrix(files["train"], kind, weights)
    watched = [(train_matrix, "train")]
    if "validation" in files:
        watched.append((matrices.training_matrix(files["validation"], kind, weights), "validation"))
        print(f"[INFO] Validation matrix has {watched[1][0].num_row()} rows")
    print(f"[INFO] Train matrix has {train_matrix.num_row()} rows and {train_matrix.num_col()} columns")
    return watched


def _boost(watched: list[tuple[Any, str]], values: dict[str, Any]) -> tuple[Any, dict[str, dict[str, list[float]]]]:
    """Call xgboost.

    :param watched: matrices with their channels; the first one is trained on.
    :param values: validated hyperparameters; those of the container itself are taken out.
    :returns: the booster, and every metric's series by channel.
    """
    import xgboost

    from .metrics import own_metric

    rounds = values.pop("num_round")
    stopping = values.pop("early_stopping_rounds", None)
    metrics: list[str] = list(values.pop("eval_metric", []))
    tuning = values.pop("_tuning_objective_metric", None)
    if tuning and tuning.split(":")[-1] not in metrics:
        metrics.append(tuning.split(":")[-1])
    callbacks: list[Any] = [_log_callback()]
    if stopping:
        callbacks.append(
            xgboost.callback.EarlyStopping(
                stopping, metric_name=metrics[-1] if metrics else None, data_name=watched[-1][1], save_best=True
            )
        )
    own = own_metric(metrics)
    history: dict[str, dict[str, list[float]]] = {}
    try:
        booster = xgboost.train(
            _parameters(watched[0][0], values, metrics, own_only=own is not None),
            watched[0][0],
            num_boost_round=rounds,
            evals=watched,
            evals_result=history,
            custom_metric=own,
            callbacks=callbacks,
            verbose_eval=False,
        )
    except (xgboost.core.XGBoostError, ValueError, TypeError) as error:
        raise _training_error(str(error)) from None
    return booster, history


def _parameters(matrix: Any, values: dict[str, Any], metrics: list[str], *, own_only: bool) -> dict[str, Any]:
    """Return xgboost's own parameters.

    :param metrics: names of all metrics of the job.
    :param own_only: whether xgboost computes no metric if none of ``metrics`` is its own.
    """
    given = {name: value for name, value in values.items() if name not in _CONTAINER_SETTINGS}
    # Threads cost more than they bring on small data.
    threads = 1 if matrix.num_row() * matrix.num_col() < _CELLS_FOR_THREADS else os.cpu_count() or 1
    parameters = {"seed": 0, "nthread": threads, "verbosity": 1, **given}
    if parameters.get("tree_method") == "gpu_hist":
        parameters["tree_method"] = "hist"
    if isinstance(parameters.get("updater"), list):
        parameters["updater"] = ",".join(parameters["updater"])
    native = [name for name in metrics if name in hyperparameters.NATIVE_METRICS or "@" in name]
    if native:
        parameters["eval_metric"] = native
    elif own_only:
        parameters["disable_default_eval_metric"] = True
    return parameters


def _training_error(message: str) -> JobError:
    # xgboost 3 words it differently from the versions in the container. Its messages end with a C++
    # stack trace that nobody needs.
    text = re.split(r"\n\s*Stack trace", message)[0].strip()
    text = text.replace("label must be in (0, 1)", "label must be in [0,1]")
    if any(known in text for known in _CUSTOMER_ERRORS):
        return JobError(text, "ClientError")
    return JobError(f"XGB train call failed with exception:\n {text}", "AlgorithmError")


def _log_callback() -> Any:
    import xgboost

    class Log(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        """Prints one line per round, in the container's form."""

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            """Print the round's metrics and continue training."""
            parts = [
                f"{channel}-{name}:{series[-1]:.5f}"
                for channel, found in evals_log.items()
                for name, series in found.items()
            ]
            print("#011".join([f"[{epoch}]", *parts]))
            return False

    return Log()


def _upload_model(s3: Any, model: bytes, uri: str) -> None:
    from botocore.exceptions import ClientError

    archive = Path("model.tar.gz")
    with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
        member = tarfile.TarInfo("xgboost-model")
        member.size = len(model)
        member.mode = 0o644
        tar.addfile(member, io.BytesIO(model))
    bucket, key = entry.split_s3_uri(uri)
    try:
        entry.upload(s3, archive, bucket, key, ContentType="application/x-tar")
    except ClientError as error:
        raise JobError(
            f"Artifact upload failed:{error.response['Error']['Code']} for {uri}: {error}", "ClientError"
        ) from None
