"""Executes a Glue job's Python script from S3, as ``__main__`` with the job's arguments.

`pyspark` and `awsglue` resolve to this package's shims over DuckDB (sqlframe). Must not import moto
or anything of the server.
"""

from __future__ import annotations

import runpy
import sys
import traceback
import zipfile
from pathlib import Path
from typing import Any

from local_aws.jobs import entry
from local_aws.jobs.entry import JobError, reports_result

_SITE = Path(__file__).parent / "spark_site"
# Arguments for the service itself; the script sees them as well, as on AWS.
_MODULES_ARGUMENT = "--additional-python-modules"
_PY_FILES_ARGUMENT = "--extra-py-files"


def warm_up() -> None:
    """Import what nearly every script needs, before the fork."""
    import duckdb  # noqa: F401
    import numpy as np  # noqa: F401  DuckDB imports it with the first result
    import sqlframe.base.function_alternatives
    import sqlframe.duckdb.functions  # noqa: F401
    import sqlglot
    from sqlglot.dialects.dialect import Dialect

    entry.warm_up()
    from .spark import reader, session, writer  # noqa: F401

    # sqlframe looks through every dialect to find the name of one; each is a module.
    for name in Dialect.classes:
        Dialect.get(name)
    sqlglot.parse_one("SELECT a FROM t WHERE MD5(a) < 'c'", dialect="spark").sql(dialect="duckdb")


@reports_result
def run_script(payload: dict[str, Any]) -> dict[str, Any]:
    """Execute a run's script; the worker's entry point.

    :param payload: ``job_name``, ``run_id``, ``arguments`` (``--name`` → value), ``command`` (Name,
        ScriptLocation).
    :returns: an empty object; what a script makes is in S3.
    """
    command = payload["command"]
    kind = command.get("Name", "glueetl")
    if kind not in ("glueetl", "pythonshell"):
        raise JobError(f"Glue jobs of type {kind} cannot run on local AWS; use glueetl or pythonshell")
    location = command.get("ScriptLocation")
    if not location:
        raise JobError("The job has no script; set Command.ScriptLocation to the S3 URI of a Python file")
    home = Path.cwd()
    s3 = entry.client("s3")
    bucket, key = entry.split_s3_uri(location)
    script = home / (Path(key).name or "script.py")
    _fetch(s3, bucket, key, script, f"The script {location}")
    arguments: dict[str, str] = payload["arguments"]
    entry.hide_this_repository()
    sys.path[:] = [str(home), *_libraries(s3, arguments, home), str(_SITE), *sys.path]
    if arguments.get(_MODULES_ARGUMENT):
        print(
            f"{_MODULES_ARGUMENT} {arguments[_MODULES_ARGUMENT]}: local AWS does not install packages; the script"
            " uses those of its environment.",
            file=sys.stderr,
        )
    sys.argv = [str(script), "--JOB_NAME", payload["job_name"], "--JOB_RUN_ID", payload["run_id"]]
    for name, value in arguments.items():
        if name not in ("--JOB_NAME", "--JOB_RUN_ID"):
            sys.argv += [name, str(value)] if value != "" else [name]
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as stop:
        if stop.code not in (None, 0):
            raise JobError(f"SystemExit: {stop.code}") from stop
    except BaseException as error:  # noqa: BLE001  a script may raise anything
        _print_script_traceback(error, script)
        text = " ".join(str(error).split())
        raise JobError(f"{type(error).__name__}: {text}" if text else type(error).__name__) from None
    return {}


def _fetch(s3: Any, bucket: str, key: str, target: Path, what: str) -> None:
    from botocore.exceptions import ClientError

    try:
        entry.download(s3, bucket, key, target)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("NoSuchKey", "NoSuchBucket", "404"):
            raise JobError(f"LAUNCH ERROR | {what} does not exist ({code})") from None
        raise JobError(f"LAUNCH ERROR | {what} cannot be read: {error}") from None


def _libraries(s3: Any, arguments: dict[str, str], home: Path) -> list[str]:
    paths = []
    for number, uri in enumerate(filter(None, arguments.get(_PY_FILES_ARGUMENT, "").split(","))):
        bucket, key = entry.split_s3_uri(uri.strip())
        name = Path(key).name
        folder = home / f"extra_py_files_{number}"
        target = folder / name
        _fetch(s3, bucket, key, target, f"{_PY_FILES_ARGUMENT} {uri}")
        if name.endswith((".zip", ".egg", ".whl")):
            if not zipfile.is_zipfile(target):
                raise JobError(f"LAUNCH ERROR | {_PY_FILES_ARGUMENT} {uri} is not a zip archive")
            paths.append(str(target))
        else:
            paths.append(str(folder))
    return paths


def _print_script_traceback(error: BaseException, script: Path) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    first = next((number for number, frame in enumerate(frames) if frame.filename == str(script)), 0)
    lines = traceback.format_list(frames[first:]) + traceback.format_exception_only(error)
    sys.stdout.flush()
    print("Traceback (most recent call last):\n" + "".join(lines), file=sys.stderr)
