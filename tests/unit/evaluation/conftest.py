"""The evaluation script as it is shipped (its modules and the gate side by side), and a small run to evaluate."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
SOURCE = REPOSITORY / "include" / "evaluation"
SEED = 20101129

if str(SOURCE) not in sys.path:
    sys.path.insert(0, str(SOURCE))
# Shipped as gate.py; the same module object, so that classes are the same.
sys.modules.setdefault("gate", importlib.import_module("brewtrain.domain.evaluation.gate"))


def train(features: np.ndarray, labels: np.ndarray, *, depth: int = 3, rounds: int = 20, **parameters: Any) -> Any:
    """Train as the built-in algorithm does."""
    import xgboost

    settings = {"objective": "binary:logistic", "max_depth": depth, "eta": 0.2, "seed": 0, "nthread": 1, **parameters}
    return xgboost.train(settings, xgboost.DMatrix(features, labels), rounds)


def write_archive(path: Path, members: dict[str, bytes]) -> Path:
    """Write a model.tar.gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_rows(folder: Path, labels: np.ndarray, features: np.ndarray) -> Path:
    """Write rows as the split job does: no header, label first, empty for missing; with Spark's marker beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for label, row in zip(labels, features, strict=True):
        lines.append(",".join([str(int(label)), *("" if np.isnan(value) else repr(float(value)) for value in row)]))
    (folder / "part-00000.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "_SUCCESS").write_text("", encoding="utf-8")
    return folder


@pytest.fixture
def scoring_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call score_model.py here instead of starting Python for it, which takes most of a test's time."""
    import model_archive
    import score_model

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            code = score_model.main(Path(command[2]), Path(command[3]))
        return subprocess.CompletedProcess(command, code, b"", said.getvalue().encode())

    monkeypatch.setattr(model_archive.subprocess, "run", run)


@dataclass(frozen=True)
class Run:
    """What one run has left on S3, as the job finds it in its folders."""

    folder: Path
    names: list[str]
    labels: np.ndarray
    features: np.ndarray
    validation: np.ndarray
    booster: Any
    weaker: Any

    def arguments(self, output: Path, **changes: str) -> list[str]:
        """Arguments of the script; ``changes`` by option name with ``_`` for ``-``."""
        settings = {
            "run_id": "bank-marketing-20101129T0000-g0",
            "pipeline": "bank_marketing",
            "data_date": "2010-11-28",
            "recipe_version": "1.0",
            "validation_fraction": "0.3",
            "champion": "none",
            "resamples": "60",
            "validation": str(self.folder / "validation"),
            "train": str(self.folder / "train"),
            "challenger": str(self.folder / "challenger" / "model.tar.gz"),
            "summary": str(self.folder / "summary" / "split.json"),
            "output": str(output),
            **changes,
        }
        return [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", value)]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run over 900 made-up rows: the label depends on three of five features, one has gaps, one is of two values."""
    print(f"seed {SEED}")
    random = np.random.default_rng(SEED)
    features = random.normal(size=(900, 5)).astype(np.float32)
    features[:, 4] = features[:, 4] > 0
    labels = random.random(900) < 1 / (1 + np.exp(2 - 1.5 * features[:, 0] - features[:, 1] - features[:, 4]))
    features[random.random(900) < 0.1, 2] = np.nan
    validation = random.random(900) < 0.4
    folder = tmp_path_factory.mktemp("run")
    names = ["age", "campaign", "pdays", "euribor3m", "housing_yes"]
    write_rows(folder / "validation", labels[validation], features[validation])
    write_rows(folder / "train", labels[~validation], features[~validation])
    (folder / "summary").mkdir()
    (folder / "summary" / "split.json").write_text(json.dumps({"features": names}), encoding="utf-8")
    booster = train(features[~validation], labels[~validation])
    weaker = train(features[~validation][:60], labels[~validation][:60], depth=1, rounds=3)
    write_archive(folder / "challenger" / "model.tar.gz", {"xgboost-model": bytes(booster.save_raw("ubj"))})
    write_archive(folder / "champion" / "model.tar.gz", {"xgboost-model": bytes(weaker.save_raw("ubj"))})
    return Run(folder, names, labels, features, validation, booster, weaker)
