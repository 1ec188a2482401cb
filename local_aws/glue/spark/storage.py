"""Paths of Spark scripts: S3 with the run's keys, anything else on the local disk.

A folder is written to a private directory first and goes to its place file by file, the _SUCCESS
marker last.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from local_aws.jobs import entry

_S3_SCHEMES = ("s3://", "s3a://", "s3n://")


class PathNotFoundError(Exception):
    """A path that a script reads does not exist; Spark calls this AnalysisException."""


class PathExistsError(Exception):
    """A path exists already and the save mode is ``error``; Spark calls this AnalysisException."""


def is_s3(path: str) -> bool:
    """Whether the path lies on S3."""
    return path.startswith(_S3_SCHEMES)


def fetch(path: str) -> list[Path]:
    """Return local copies of a path's data files.

    :param path: file, folder, or pattern with ``*`` as Spark takes them.
    :returns: local files in the order of their names; names that begin with ``_`` or ``.`` are no
        data.
    :raises PathNotFoundError: there is nothing at the path.
    """
    files = _fetch_s3(path) if is_s3(path) else _find_local(path)
    if not files:
        raise PathNotFoundError(f"[PATH_NOT_FOUND] Path does not exist: {path}.")
    return files


def publish(folder: Path, path: str, mode: str) -> None:
    """Put a folder's files to a path under Spark's save modes.

    :param folder: part files and ``_SUCCESS``.
    :param path: where the script writes.
    :param mode: ``overwrite``, ``append``, ``ignore`` or ``error``.
    :raises PathExistsError: the mode is ``error`` and the path exists.
    """
    if mode not in ("overwrite", "append", "ignore", "error", "errorifexists", "default"):
        raise ValueError(
            f"Unknown save mode: {mode}. Accepted save modes are 'overwrite', 'append', 'ignore', 'error',"
            f" 'errorifexists', 'default'."
        )
    if is_s3(path):
        _publish_s3(folder, path, mode)
    else:
        _publish_local(folder, Path(path.removeprefix("file://")), mode)


def existing(path: str) -> bool:
    """Whether the path exists."""
    if not is_s3(path):
        return Path(path.removeprefix("file://")).exists()
    bucket, key = entry.split_s3_uri(path)
    s3 = entry.client("s3")
    prefix = key.rstrip("/") + "/"
    return next(entry.list_objects(s3, bucket, prefix), None) is not None


def _fetch_s3(path: str) -> list[Path]:
    from fnmatch import fnmatchcase

    bucket, key = entry.split_s3_uri(path)
    s3 = entry.client("s3")
    pattern = any(sign in key for sign in "*?[{")
    fixed = key[: min((key.index(sign) for sign in "*?[{" if sign in key), default=len(key))]
    target = Path(tempfile.mkdtemp(prefix="spark-read-"))
    found = []
    for number, item in enumerate(entry.list_objects(s3, bucket, fixed)):
        name = item.key.rsplit("/", 1)[-1]
        below = name if pattern else item.key.removeprefix(key.rstrip("/") + "/") if item.key != key else name
        if item.key.endswith("/") or not is_data(below):
            continue
        if pattern:
            wanted = fnmatchcase(item.key, key) or fnmatchcase(item.key, key.rstrip("/") + "/*")
        else:
            wanted = item.key == key or key in ("", "/") or item.key.startswith(key.rstrip("/") + "/")
        if wanted:
            found.append(entry.download(s3, bucket, item.key, target / f"{number:06d}" / name))
    return found


def _find_local(path: str) -> list[Path]:
    place = Path(path.removeprefix("file://"))
    if place.is_file():
        return [place]
    if place.is_dir():
        candidates = sorted(entry for entry in place.rglob("*") if entry.is_file())
    else:
        candidates = sorted(entry for entry in place.parent.glob(place.name) if entry.is_file())
    return [file for file in candidates if is_data(str(file.relative_to(place)) if place.is_dir() else file.name)]


def is_data(path: str) -> bool:
    """Whether Spark reads a file below the path that it was given.

    It leaves out hidden names and metadata such as ``_SUCCESS`` and what is in ``_temporary``;
    ``_a=b`` is a partition (``HadoopFSUtils.shouldFilterOutPathName`` of Apache Spark).

    :param path: The file's name below the path, with ``/`` between folders.
    """
    return not any(
        name.startswith(".") or (name.startswith("_") and "=" not in name) for name in path.split("/") if name
    )


def _publish_s3(folder: Path, path: str, mode: str) -> None:
    bucket, key = entry.split_s3_uri(path)
    prefix = key.rstrip("/") + "/" if key.rstrip("/") else ""
    s3: Any = entry.client("s3")
    old = [item.key for item in entry.list_objects(s3, bucket, prefix)]
    if old and mode in ("error", "errorifexists", "default"):
        raise PathExistsError(
            f"[PATH_ALREADY_EXISTS] Path {path} already exists. Set mode as 'overwrite' to overwrite the existing path."
        )
    if old and mode == "ignore":
        return
    if mode == "overwrite":
        for start in range(0, len(old), 1000):
            batch = [{"Key": name} for name in old[start : start + 1000]]
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
            if answer.get("Errors"):
                first = answer["Errors"][0]
                raise PermissionError(
                    f"s3://{bucket}/{first['Key']} cannot be deleted: {first['Code']}: {first['Message']}"
                )
    for file in _success_last(folder):
        entry.upload(s3, file, bucket, prefix + file.relative_to(folder).as_posix())


def _publish_local(folder: Path, place: Path, mode: str) -> None:
    if place.exists():
        if mode in ("error", "errorifexists", "default"):
            raise PathExistsError(
                f"[PATH_ALREADY_EXISTS] Path {place} already exists. Set mode as 'overwrite' to overwrite the"
                f" existing path."
            )
        if mode == "ignore":
            return
        if mode == "overwrite":
            shutil.rmtree(place)
    for file in _success_last(folder):
        target = place / file.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def _success_last(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return sorted(files, key=lambda file: file.name == "_SUCCESS")
