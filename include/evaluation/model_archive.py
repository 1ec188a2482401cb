"""Loads a model archive without trusting it: a champion may have been put there by anybody who can write to the bucket.

An archive is read in memory, never unpacked; members that are not plain files, or whose path leaves the archive, refuse
the whole archive; sizes are bounded while decompressing; pickles are refused, since loading one runs its author's code.
Must not import anything outside the standard library, numpy and xgboost.

Format: the built-in algorithm saves ``xgboost-model`` with ``Booster.save_model``
(https://docs.aws.amazon.com/sagemaker/latest/dg/xgboost.html); containers before 1.3 pickled it.
"""

from __future__ import annotations

import inspect
import json
import posixpath
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from evaluation_errors import FeatureMismatchError, ModelArchiveError, PickledModelError

MODEL_NAME = "xgboost-model"
_MOST_MEMBERS = 100
_MOST_BYTES = 2 * 1024**3
_OBJECTIVE = "binary:logistic"


class LoadedModel:
    """A booster that was loaded from an archive.

    :param booster: ``xgboost.Booster``.
    :param role: ``challenger`` or ``champion``, for messages.
    """

    def __init__(self, booster: Any, role: str) -> None:
        self.booster = booster
        self.role = role

    @property
    def feature_count(self) -> int:
        """Number of features that the model was trained on."""
        return int(self.booster.num_features())

    @property
    def feature_names(self) -> list[str] | None:
        """The features' names if the model carries them; models trained on CSV do not."""
        names = self.booster.feature_names
        return list(names) if names else None

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Score rows as the built-in container's endpoint does.

        :param features: Shape ``(rows, features)``, float32, ``nan`` for missing.
        :returns: Shape ``(rows,)``, float64: probability of class 1.
        :raises FeatureMismatchError: If the rows have another number of features than the model.
        """
        import xgboost

        if features.shape[1] != self.feature_count:
            raise FeatureMismatchError(
                f"the {self.role} was trained on {self.feature_count} features and the rows have {features.shape[1]}; "
                "train and evaluate on the same recipe's output"
            )
        matrix = xgboost.DMatrix(features)
        options: dict[str, Any] = {}
        if "ntree_limit" in inspect.signature(self.booster.predict).parameters:
            # Up to XGBoost 1.7 the container serves the best iteration of an early stopped model; later, all trees.
            options["ntree_limit"] = int(getattr(self.booster, "best_ntree_limit", 0) or 0)
        scores = np.asarray(self.booster.predict(matrix, validate_features=False, **options), dtype=np.float64)
        if scores.shape != (features.shape[0],) or not np.isfinite(scores).all():
            raise ModelArchiveError(
                f"the {self.role} gives {scores.shape} scores, or some that are not numbers, for {features.shape[0]} "
                f"rows; train it with objective {_OBJECTIVE}"
            )
        return scores


def load_model(archive: Path, *, role: str) -> LoadedModel:
    """Read the model of an archive.

    :param archive: A ``model.tar.gz`` as SageMaker's training writes it.
    :param role: ``challenger`` or ``champion``, for messages.
    :raises PickledModelError: If the model is a pickle.
    :raises ModelArchiveError: If the archive is not there, not whole, not trusted, or holds no binary XGBoost model.
    """
    content = _model_bytes(archive, role)
    booster = _booster(content, role)
    try:
        objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    except (ValueError, KeyError, TypeError):
        raise ModelArchiveError(f"the {role}'s model names no objective; train it again") from None
    if objective != _OBJECTIVE:
        raise ModelArchiveError(
            f"the {role} was trained for {objective!r}; the evaluation is of {_OBJECTIVE!r}: set it and retrain"
        )
    return LoadedModel(booster, role)


def _model_bytes(archive: Path, role: str) -> bytes:
    where = f"the {role}'s archive {archive.name}"
    if not archive.is_file():
        raise ModelArchiveError(f"{where} is not there; check the training job's output")
    files = {}
    left = _MOST_BYTES
    try:
        with tarfile.open(str(archive), mode="r:*") as opened:
            for count, member in enumerate(opened, start=1):
                if count > _MOST_MEMBERS:
                    raise ModelArchiveError(f"{where} holds more than {_MOST_MEMBERS} members; train the model again")
                _check_member(member, where)
                if member.isdir():
                    continue
                left -= member.size
                if left < 0:
                    raise ModelArchiveError(f"{where} unpacks to more than {_MOST_BYTES // 1024**2} MiB; it is refused")
                name = posixpath.normpath(member.name)
                if posixpath.basename(name).startswith("."):
                    continue
                reader = opened.extractfile(member)
                files[name] = reader.read() if reader is not None else b""
                if len(files[name]) != member.size:
                    raise ModelArchiveError(f"{where} ends too early; train the model again")
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        raise ModelArchiveError(f"{where} is not a whole tar.gz; train the model again") from None
    if MODEL_NAME in files:
        return files[MODEL_NAME]
    if any(name.startswith(MODEL_NAME + "-") for name in files):
        raise ModelArchiveError(
            f"{where} holds an ensemble of folds; train without the hyperparameter _kfold to get one model"
        )
    if len(files) == 1:
        return next(iter(files.values()))  # the container serves a lone file whatever its name is
    held = ", ".join(sorted(files)[:5]) or "nothing"
    raise ModelArchiveError(f"{where} holds no {MODEL_NAME} (it holds {held}); train with the built-in XGBoost")


def _check_member(member: tarfile.TarInfo, where: str) -> None:
    name = member.name
    if not (member.isfile() or member.isdir()) or member.issparse():
        raise ModelArchiveError(f"{where} holds {name!r}, which is a link or a device; it is refused")
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or "\0" in name:
        raise ModelArchiveError(f"{where} holds {name!r}, whose path leaves the archive; it is refused")


def _booster(content: bytes, role: str) -> Any:
    import xgboost

    if content[:1] == b"\x80" or content[:2] in (b"(c", b"cc"):
        raise PickledModelError(
            f"the {role}'s model is a pickle, as containers before 1.3 wrote it; loading one runs its code, so it is "
            "refused: train it again with image 1.3-1 or newer"
        )
    booster = xgboost.Booster()
    # XGBoost chooses the parser by the file's extension; without one, old and new releases expect different formats.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("model" + _extension(content))
        path.write_bytes(content)
        try:
            booster.load_model(str(path))
            booster.num_features()
        except (xgboost.core.XGBoostError, ValueError, TypeError, KeyError, UnicodeDecodeError) as error:
            first = next((line for line in str(error).splitlines() if "rror" in line), str(error)).strip()[:200]
            raise ModelArchiveError(
                f"the {role}'s model does not load with XGBoost {xgboost.__version__} ({first}); train it again with "
                "the image that evaluates"
            ) from None
    return booster


def _extension(content: bytes) -> str:
    head = content[:64].lstrip()
    if not head.startswith(b"{"):
        return ""
    after = head[1:].lstrip()
    return ".json" if after[:1] in (b'"', b"}") else ".ubj"
