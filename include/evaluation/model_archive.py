"""Loads a model archive without trusting it.

Anybody who can write to the bucket may have put a champion there. An archive is read in memory and
never unpacked; it is refused as a whole if a member is not a plain file or its path leaves the
archive; sizes are bounded while decompressing; pickles are refused, since loading one runs its
author's code. Must not import anything outside the standard library and numpy: score_model.py, a
process of its own, runs XGBoost.

Format: the built-in algorithm saves ``xgboost-model`` with ``Booster.save_model``
(https://docs.aws.amazon.com/sagemaker/latest/dg/xgboost.html); containers before 1.3 pickled it.
"""

from __future__ import annotations

import gzip
import json
import posixpath
import subprocess
import sys
import tarfile
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from evaluation_errors import ModelArchiveError, PickledModelError

MODEL_NAME = "xgboost-model"
#: Bytes that an archive may have unpacked.
MOST_BYTES = 2 * 1024**3
_MOST_MEMBERS = 100
_OBJECTIVE = "binary:logistic"


@dataclass(frozen=True)
class ScoredModel:
    """The model of an archive, and its scores of the rows.

    :param feature_count: Number of features that the model was trained on.
    :param feature_names: Their names if the model carries them; models trained on CSV do not.
    :param scores: Shape ``(rows,)``, float64, probability of class 1; ``None`` if the rows have
        another number of features.
    """

    feature_count: int
    feature_names: list[str] | None
    scores: np.ndarray | None


def score_archive(archive: Path, features: np.ndarray, *, role: str) -> ScoredModel:
    """Score rows with an archive's model, as the built-in container's endpoint would.

    XGBoost works in a process of its own: it does not check a UBJSON model's sizes, and a damaged
    one ends the process.

    :param archive: A ``model.tar.gz`` as SageMaker's training writes it.
    :param features: Shape ``(rows, features)``, float32, ``nan`` for missing.
    :param role: ``challenger`` or ``champion``, for messages.
    :raises PickledModelError: If the model is a pickle.
    :raises ModelArchiveError: If the archive does not exist, is incomplete, is not trusted, or
        holds no binary XGBoost model.
    """
    content = _model_bytes(archive, role)
    if content[:1] == b"\x80" or content[:2] in (b"(c", b"cc"):
        raise PickledModelError(
            f"the {role}'s model is a pickle, as containers before 1.3 wrote it; loading one runs its code, so it is "
            "refused: train it again with image 1.3-1 or newer"
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # XGBoost chooses the parser by the extension; without one, old and new releases expect
        # different formats.
        model = folder / ("model" + _extension(content))
        model.write_bytes(content)
        np.save(str(folder / "features.npy"), features)
        script = Path(__file__).resolve().with_name("score_model.py")
        ended = subprocess.run(
            [sys.executable, str(script), str(model), str(folder)],
            capture_output=True,
            check=False,
        )
        if ended.returncode:
            raise ModelArchiveError(
                f"the {role}'s model does not load ({_cause(ended)}); train it again with the image that evaluates"
            )
        found = json.loads((folder / "model_facts.json").read_text(encoding="utf-8"))
        scores = np.load(str(folder / "scores.npy")) if found["scored"] else None
    if found["objective"] != _OBJECTIVE:
        raise ModelArchiveError(
            f"the {role} was trained for {found['objective']!r}, but the evaluation needs {_OBJECTIVE!r}; set it"
        )
    if scores is not None and (scores.shape != (features.shape[0],) or not np.isfinite(scores).all()):
        raise ModelArchiveError(
            f"the {role} gives {scores.shape} scores, or some that are not numbers, for {features.shape[0]} rows; "
            f"train it with objective {_OBJECTIVE}"
        )
    return ScoredModel(found["feature_count"], found["feature_names"], scores)


def _cause(ended: subprocess.CompletedProcess[bytes]) -> str:
    if ended.returncode < 0:
        return f"XGBoost was ended by signal {-ended.returncode}"
    lines = ended.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else f"exit code {ended.returncode}"


def _model_bytes(archive: Path, role: str) -> bytes:
    where = f"the {role}'s archive {archive.name}"
    if not archive.is_file():
        raise ModelArchiveError(f"{where} does not exist; check the training job's output")
    files = _files(archive, where)
    if MODEL_NAME in files:
        return files[MODEL_NAME]
    if any(name.startswith(MODEL_NAME + "-") for name in files):
        raise ModelArchiveError(
            f"{where} holds an ensemble of folds; train without the hyperparameter _kfold to get one model"
        )
    if len(files) == 1:
        return next(iter(files.values()))  # the container serves a single file under any name
    held = ", ".join(sorted(files)[:5]) or "nothing"
    raise ModelArchiveError(f"{where} holds no {MODEL_NAME} (it holds {held}); train with the built-in XGBoost")


def _files(archive: Path, where: str) -> dict[str, bytes]:
    """Read every file of an archive, hidden ones left out."""
    files = {}
    try:
        with gzip.open(str(archive)) as unpacked:
            stream: Any = _Bounded(unpacked, where)  # typeshed asks for a whole file; tarfile only reads
            with tarfile.open(fileobj=stream, mode="r|") as opened:
                for count, member in enumerate(opened, start=1):
                    if count > _MOST_MEMBERS:
                        raise ModelArchiveError(
                            f"{where} holds more than {_MOST_MEMBERS} members; train the model again"
                        )
                    _check_member(member, where)
                    name = posixpath.normpath(member.name)
                    if member.isdir() or posixpath.basename(name).startswith("."):
                        continue
                    reader = opened.extractfile(member)
                    files[name] = reader.read() if reader is not None else b""
                    if len(files[name]) != member.size:
                        raise ModelArchiveError(f"{where} ends too early; train the model again")
            # gzip compares its checksum only at the end of the stream, before which tar stops.
            rest = _Bounded(unpacked, where)
            while rest.read(1 << 20):
                pass
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        raise ModelArchiveError(f"{where} is not a complete tar.gz; train the model again") from None
    return files


class _Bounded:
    """A stream that fails once it has given more bytes than a model may have.

    It counts what is read, not the sizes that members claim: headers are read whole, and a small
    archive can hold very long ones.

    :param stream: The decompressed archive.
    :param where: The archive, for the message.
    """

    def __init__(self, stream: gzip.GzipFile, where: str) -> None:
        self._stream = stream
        self._where = where
        self._left = MOST_BYTES

    def read(self, size: int) -> bytes:
        """Read up to ``size`` bytes.

        :param size: Bytes wanted.
        :raises ModelArchiveError: If that is more than a model may have.
        """
        data = self._stream.read(min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise ModelArchiveError(f"{self._where} unpacks to more than {MOST_BYTES // 1024**2} MiB; it is refused")
        return data


def _check_member(member: tarfile.TarInfo, where: str) -> None:
    name = member.name
    if not (member.isfile() or member.isdir()) or member.issparse():
        raise ModelArchiveError(f"{where} holds {name!r}, which is a link or a device; it is refused")
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or "\0" in name:
        raise ModelArchiveError(f"{where} holds {name!r}, whose path leaves the archive; it is refused")
    if member.size > MOST_BYTES:
        raise ModelArchiveError(f"{where} unpacks to more than {MOST_BYTES // 1024**2} MiB; it is refused")


def _extension(content: bytes) -> str:
    head = content[:64].lstrip()
    if not head.startswith(b"{"):
        return ""
    after = head[1:].lstrip()
    return ".json" if after[:1] in (b'"', b"}") else ".ubj"
