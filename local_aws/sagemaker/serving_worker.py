"""An endpoint's container: answers invocations as SageMaker's XGBoost container does.

Runs in a forked process with the model's execution role's keys. An archive is untrusted: only
regular files with plain relative names are taken out, their size is bounded, and nothing is ever
unpickled. Must not import moto or anything of the server.

Protocol on the Unix socket, one request a connection: a JSON line ``{"content_type", "accept",
"length"}`` and the body; back a JSON line ``{"status", "content_type", "length"}`` and the body.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from local_aws.jobs import entry
from local_aws.jobs.entry import JobError, reports_result

MAX_MODEL_BYTES = 2 * 1024**3
MAX_MEMBERS = 1000
_ACCEPTED = ["application/json", "application/jsonlines", "application/x-recordio-protobuf", "text/csv"]


@reports_result
def serve(payload: dict[str, Any]) -> dict[str, Any]:
    """Answer invocations until the process is ended; the worker's entry point.

    :param payload: ``model_uri``, ``image_problem``, ``socket_path``, ``ready_path``.
    """
    if payload["image_problem"]:
        raise JobError(payload["image_problem"], "image")
    booster, objective = _load(payload["model_uri"])
    print(f"Model objective : {objective}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(payload["socket_path"])
        os.chmod(payload["socket_path"], 0o600)
        listener.listen(64)
        Path(payload["ready_path"]).touch()
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as stream:
                try:
                    _answer(stream, booster)
                except (OSError, ValueError) as error:
                    print(f"connection lost: {error}")


class _Bounded:
    """The decompressed archive, up to a model's greatest size.

    Headers count too: a small file can hold many.

    :param stream: the decompressed archive.
    """

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._left = MAX_MODEL_BYTES

    def read(self, size: int) -> bytes:
        """Read at most ``size`` bytes."""
        data = self._stream.read(min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise JobError(f"the model archive unpacks to more than {MAX_MODEL_BYTES} bytes")
        return data


def unpack_model(archive: Path, folder: Path) -> Path:
    """Take the model file out of an archive.

    :param archive: ``model.tar.gz``.
    :param folder: where it goes.
    :returns: the model file: ``xgboost-model`` when there is one, otherwise the first by name.
    :raises JobError: the archive is none, has a member that leads out of the folder or is no
        regular file, is too large or has no model.
    """
    files: list[Path] = []
    try:
        with gzip.open(archive) as stream, tarfile.open(fileobj=_Bounded(stream), mode="r|") as tar:  # type: ignore[call-overload]
            for count, member in enumerate(tar, start=1):
                if count > MAX_MEMBERS:
                    raise JobError(f"the model archive has more than {MAX_MEMBERS} members")
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts:
                    raise JobError(f"the model archive has a member with an unsafe name: {member.name}")
                if member.isdir():
                    continue
                # A sparse member claims a size that the archive does not hold.
                if not member.isreg() or member.issparse():
                    raise JobError(f"the model archive has a member that is not a regular file: {member.name}")
                if member.size > MAX_MODEL_BYTES:
                    raise JobError(f"the model archive unpacks to more than {MAX_MODEL_BYTES} bytes")
                if name.name.startswith("."):
                    continue
                source = tar.extractfile(member)
                if source is None:
                    raise JobError(f"the model archive's member {member.name} cannot be read")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                files.append(target)
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error) as error:
        raise JobError(f"the model archive cannot be unpacked: {error}") from None
    if not files:
        raise JobError("the model archive has no model file")
    return next((file for file in files if file.name == "xgboost-model"), sorted(files)[0])


def load_booster(path: Path) -> Any:
    """Load a booster from a model file in one of xgboost's own formats.

    :raises JobError: the file is a pickle or not a model.
    """
    import xgboost

    content = path.read_bytes()
    if content[:1] == b"\x80" or content[:2] in (b"(c", b"cc"):
        raise JobError(
            f"the model file {path.name} is a pickle, which local AWS does not load; save it with Booster.save_model"
        )
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(content))
    except xgboost.core.XGBoostError as error:
        first = str(error).split("\n", 1)[0]
        raise JobError(f"Model {path.name} cannot be loaded: {first}") from None
    booster.set_param("nthread", 1)
    return booster


def _load(uri: str) -> tuple[Any, str]:
    from botocore.exceptions import ClientError

    bucket, key = entry.split_s3_uri(uri)
    try:
        archive = entry.download(entry.client("s3"), bucket, key, Path("model.tar.gz").absolute())
    except ClientError as error:
        raise JobError(f"{uri}: {error}", "download") from None
    booster = load_booster(unpack_model(archive, Path("model").absolute()))
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    return booster, str(objective)


def _answer(stream: Any, booster: Any) -> None:
    request = json.loads(stream.readline())
    body = stream.read(request["length"])
    status, kind, answer = _invoke(booster, body, request["content_type"], request["accept"])
    if status >= 400:
        print(f"invocation failed with {status}: {answer.decode(errors='replace')}")
    stream.write(json.dumps({"status": status, "content_type": kind, "length": len(answer)}).encode() + b"\n" + answer)
    stream.flush()


def _invoke(booster: Any, body: bytes, content_type: str, accept: str) -> tuple[int, str, bytes]:
    import xgboost

    from . import matrices

    if not body:
        return 204, "text/plain", b""
    kind = content_type.split(";")[0].strip().lower()
    try:
        if kind not in ("text/csv", "csv", "text/libsvm", "libsvm", "text/x-libsvm"):
            raise ValueError(f"Content-type {content_type} is not supported.")
        name = "csv" if "csv" in kind else "libsvm"
        try:
            text = body.decode("utf-8").strip()
            if name == "csv":
                rows = matrices.parse_csv(text, _delimiter(text))
            else:
                rows = matrices.parse_libsvm(text, labelled=False)
        except ValueError as error:
            advice = f"Loading {name} data failed with Exception, please ensure data is in {name} format"
            raise ValueError(f"{advice}:\n {type(error)}\n {error}") from None
    except ValueError as error:
        return 415, "text/html; charset=utf-8", str(error).encode()
    features = booster.num_features()
    width = rows.shape[1]
    if (name == "csv" and width != features) or width > features:
        relation = "is larger than" if name == "libsvm" else "is not consistent with"
        message = f"Feature size of {name} inference data {width} {relation} feature size of trained model {features}."
        return 400, "text/html; charset=utf-8", f"Unable to evaluate payload provided: {message}".encode()
    try:
        predictions = booster.predict(xgboost.DMatrix(rows, nthread=1), validate_features=False).tolist()
    except xgboost.core.XGBoostError as error:
        return 400, "text/html; charset=utf-8", f"Unable to evaluate payload provided: {error}".encode()
    wanted = accept.split(";")[0].strip().lower()
    if wanted in ("", "*/*"):
        wanted = "text/csv"
    if wanted not in _ACCEPTED or wanted == "application/x-recordio-protobuf":
        message = f"Accept type {accept} is not supported. Please use supported accept types: {_ACCEPTED}."
        return 406, "text/html; charset=utf-8", message.encode()
    return 200, wanted, _encode(predictions, wanted)


def _delimiter(text: str) -> str:
    from . import matrices

    first = text.split("\n", 1)[0]
    try:
        found = matrices.csv_delimiter(first)
    except JobError:
        return ","  # a single column has none
    return "," if found.isalnum() else found


def _encode(predictions: list[Any], kind: str) -> bytes:
    if kind == "application/json":
        return json.dumps({"predictions": [{"score": value} for value in predictions]}).encode()
    if kind == "application/jsonlines":
        return "".join(json.dumps({"score": value}) + "\n" for value in predictions).encode()
    lines = [",".join(map(str, value)) if isinstance(value, list) else str(value) for value in predictions]
    return ("\n".join(lines) + "\n").encode()
