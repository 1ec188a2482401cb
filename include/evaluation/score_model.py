"""Loads one model and scores rows, in a process whose crash does not end the evaluation.

Called by model_archive.py as ``score_model.py MODEL FOLDER``; reads ``features.npy`` there, and
writes ``model_facts.json`` and ``scores.npy``. Must not import anything outside the standard
library, numpy and xgboost.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

_JSON_VERSION = re.compile(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)')
_UBJSON_VERSION = re.compile(rb"\x07version\[#L\x00{7}\x03i(.)i(.)", re.DOTALL)


def main(model: Path, folder: Path) -> int:
    """Score the rows; the last line on standard error says why it failed.

    :param model: File that XGBoost loads by its extension.
    :param folder: Holds ``features.npy`` of shape ``(rows, features)``, float32, ``nan`` for
        missing.
    :returns: The exit code.
    """
    features = np.load(str(folder / "features.npy"))
    written_by = version_that_wrote(model.read_bytes())
    if written_by is not None and written_by > tuple(int(part) for part in xgboost.__version__.split(".")[:2]):
        # An older release may load it silently and give wrong scores: 1.7 misreads the base score
        # of 3.2.
        print(f"XGBoost {written_by[0]}.{written_by[1]} wrote it, this is {xgboost.__version__}", file=sys.stderr)
        return 1
    booster = xgboost.Booster()
    try:
        booster.load_model(str(model))
        booster.set_param("nthread", 1)  # as the endpoint's container does
        count = int(booster.num_features())
        objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
        scored = count == features.shape[1]
        if scored:
            np.save(str(folder / "scores.npy"), _predict(booster, features))
    except (xgboost.core.XGBoostError, ValueError, TypeError, KeyError) as error:
        print(f"XGBoost {xgboost.__version__}: {_first_line(str(error))}", file=sys.stderr)
        return 1
    names = booster.feature_names
    facts = {
        "feature_count": count,
        "feature_names": list(names) if names else None,
        "objective": objective,
        "scored": scored,
    }
    (folder / "model_facts.json").write_text(json.dumps(facts), encoding="utf-8")
    return 0


def version_that_wrote(content: bytes) -> tuple[int, int] | None:
    """Find out which XGBoost wrote a model.

    The version is the last entry of the document
    (https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html).

    :param content: The model file.
    :returns: Major and minor version; ``None`` for the binary format before 2.1, which has none.
    """
    end = content[-200:]
    for found in _JSON_VERSION.finditer(end):
        return int(found.group(1)), int(found.group(2))
    for found in _UBJSON_VERSION.finditer(end):
        return found.group(1)[0], found.group(2)[0]
    return None


def _predict(booster: Any, features: np.ndarray) -> np.ndarray:
    options: dict[str, Any] = {}
    if "ntree_limit" in inspect.signature(booster.predict).parameters:
        # Up to XGBoost 1.7 the container serves the best iteration of an early stopped model;
        # later, all trees.
        options["ntree_limit"] = int(getattr(booster, "best_ntree_limit", 0) or 0)
    scores = booster.predict(xgboost.DMatrix(features, nthread=1), validate_features=False, **options)
    return np.asarray(scores, dtype=np.float64)


def _first_line(text: str) -> str:
    """Return XGBoost's message without its stack trace."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else "unknown error"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
