"""Executes a processing job's Python script, with a private directory in place of /opt/ml.

A container sees /opt/ml/processing; here every run has a directory of its own, and the path is
replaced in the script's text, its arguments and its environment. That needs no root and no
namespace, and two jobs at once do not meet. Runs in a forked process with the job role's keys. Must
not import moto or anything of the server.
"""

from __future__ import annotations

import os
import re
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any

from local_aws.jobs import entry
from local_aws.jobs.entry import JobError, reports_result

_OPT_ML = re.compile(r"/opt/ml(?=/|[\"'\s:]|$)")
_PYTHON = re.compile(r"(.*/)?python(3(\.\d+)?)?")


def warm_up() -> None:
    """Import before the fork what scripts of processing jobs usually need."""
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401


@reports_result
def process(payload: dict[str, Any]) -> dict[str, Any]:
    """Execute a processing job; the worker's entry point.

    :param payload: ``inputs``, ``outputs``, ``entrypoint``, ``arguments``, ``environment``,
        ``image_problem``, as the service recorded them.
    :returns: ``exit_message``: what the script wrote to /opt/ml/output/message, if it did.
    """
    if payload["image_problem"]:
        raise JobError(payload["image_problem"], "ClientError")
    root = Path("opt-ml").absolute()
    s3 = entry.client("s3")
    for given in payload["inputs"]:
        _fetch(s3, given, root)
    for output in payload["outputs"]:
        _local(output["S3Output"]["LocalPath"], root).mkdir(parents=True, exist_ok=True)
    (root / "output").mkdir(parents=True, exist_ok=True)
    failure: JobError | None = None
    try:
        _run_script(
            [_rewrite(word, root) for word in [*payload["entrypoint"], *payload["arguments"]]],
            root,
            payload["environment"],
        )
    except JobError as error:
        failure = error
    _upload_outputs(s3, payload["outputs"], root)
    message = root / "output" / "message"
    text = message.read_text(errors="replace")[:1024] if message.is_file() else ""
    if failure is not None:
        raise JobError(f"{failure}; {text}" if text else str(failure), failure.kind, exit_message=text)
    return {"exit_message": text}


def _fetch(s3: Any, given: dict[str, Any], root: Path) -> None:
    from botocore.exceptions import ClientError

    source = given.get("S3Input")
    if not source:
        raise JobError(
            f"Input {given['InputName']} has no S3Input; local AWS reads processing inputs from S3 only", "ClientError"
        )
    target = _local(source.get("LocalPath") or f"/opt/ml/processing/input/{given['InputName']}", root)
    target.mkdir(parents=True, exist_ok=True)
    uri = source["S3Uri"]
    bucket, prefix = entry.split_s3_uri(uri)
    try:
        objects = [item for item in entry.list_objects(s3, bucket, prefix) if not item.key.endswith("/")]
        for item in objects:
            below = item.key[len(prefix) :].lstrip("/") if item.key != prefix else ""
            name = (
                below
                if below and (prefix.endswith("/") or item.key[len(prefix) : len(prefix) + 1] == "/" or not prefix)
                else Path(item.key).name
            )
            if ".." in Path(name).parts:
                raise JobError(
                    f"Input {given['InputName']} has an object with an unsafe name: {item.key}", "ClientError"
                )
            file = entry.download(s3, bucket, item.key, target / name)
            if file.suffix == ".py":
                file.write_text(_rewrite(file.read_text(encoding="utf-8"), root), encoding="utf-8")
    except ClientError as error:
        raise JobError(
            f"Data download failed:{error.response['Error']['Code']} for {uri}: {error}", "ClientError"
        ) from None
    if not objects:
        raise JobError(
            f'Data download failed:No S3 objects found under S3 URL "{uri}" given in input data source.', "ClientError"
        )


def _run_script(words: list[str], root: Path, environment: dict[str, str]) -> None:
    while words and _PYTHON.fullmatch(words[0]):
        words = words[1:]
    words = [word for number, word in enumerate(words) if not (number == 0 and word == "-u")]
    if not words or not words[0].endswith(".py"):
        raise JobError(
            f"the entrypoint {' '.join(words) or '(none)'} cannot run on local AWS; use python3 and a script of"
            f" an S3 input",
            "ClientError",
        )
    script = Path(words[0])
    if not script.is_file():
        raise JobError(
            f"the script {_restore(str(script), root)} does not exist in the container; check the inputs' LocalPath",
            "AlgorithmError",
        )
    os.environ.update(
        {name: _rewrite(value, root) for name, value in environment.items() if not name.startswith("AWS_")}
    )
    sys.argv = words
    entry.hide_this_repository()
    sys.path.insert(0, str(script.parent))
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as stop:
        if stop.code not in (None, 0):
            if isinstance(stop.code, str):
                print(stop.code, file=sys.stderr)
            raise JobError(f"SystemExit: {stop.code}", "AlgorithmError") from None
    except BaseException as error:  # noqa: BLE001  a script may raise anything
        traceback.print_exc()
        raise JobError(f"{type(error).__name__}: {_restore(str(error), root)}", "AlgorithmError") from None


def _upload_outputs(s3: Any, outputs: list[dict[str, Any]], root: Path) -> None:
    from botocore.exceptions import ClientError

    for output in outputs:
        target = output["S3Output"]
        folder = _local(target["LocalPath"], root)
        bucket, prefix = entry.split_s3_uri(target["S3Uri"])
        base = prefix.rstrip("/") + "/" if prefix.rstrip("/") else ""
        try:
            for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
                entry.upload(s3, file, bucket, base + file.relative_to(folder).as_posix())
        except ClientError as error:
            raise JobError(
                f"Upload of output {output['OutputName']} failed:{error.response['Error']['Code']}: {error}",
                "ClientError",
            ) from None


def _local(path: str, root: Path) -> Path:
    place = Path(os.path.normpath(_rewrite(path, root)))
    if not place.is_relative_to(root):
        raise JobError(f"the local path {path} is not below /opt/ml/processing", "ClientError")
    return place


def _rewrite(text: str, root: Path) -> str:
    return _OPT_ML.sub(str(root).replace("\\", "\\\\"), text)


def _restore(text: str, root: Path) -> str:
    return text.replace(str(root), "/opt/ml")
