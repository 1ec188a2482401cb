"""The UCI bank marketing sample, in order of time, through the whole evaluation."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import evaluate
import numpy as np
import pytest

from tests.fixtures.evaluation_run import train, write_archive, write_rows

LEAK = "duration"  # known only after the call


def encoded(path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Numbers as they are, texts one-hot; without the leak."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    names, columns = [], []
    for column in rows[0]:
        values = [row[column] for row in rows]
        if column in (LEAK, "y"):
            continue
        try:
            columns.append(np.array(values, dtype=np.float32))
            names.append(column)
        except ValueError:
            for value in sorted(set(values)):
                columns.append(np.array([v == value for v in values], dtype=np.float32))
                names.append(f"{column}_{value}")
    return names, np.stack(columns, axis=1), np.array([row["y"] == "yes" for row in rows])


@pytest.mark.slow
@pytest.mark.usefixtures("scoring_in_process")
def test_the_gate_tells_a_real_model_from_a_chance_one(shared_dir: Path, tmp_path: Path) -> None:
    names, features, labels = encoded(shared_dir / "data" / "bank-additional.csv")
    digests = [hashlib.md5(row.tobytes()).hexdigest() for row in features]
    validation = np.array([digest < "4ccc" for digest in digests])
    write_rows(tmp_path / "validation", labels[validation], features[validation])
    write_rows(tmp_path / "train", labels[~validation], features[~validation])
    (tmp_path / "split.json").write_text(json.dumps({"features": names}))
    booster = train(
        features[~validation], labels[~validation], depth=4, rounds=60, eta=0.1, min_child_weight=6, gamma=4
    )
    chance = train(features[~validation], np.random.default_rng(5).permutation(labels[~validation]), rounds=10)
    for name, model in (("challenger", booster), ("chance", chance)):
        write_archive(tmp_path / name / "model.tar.gz", {"xgboost-model": bytes(model.save_raw("ubj"))})

    def judge(challenger: str, champion: str) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
        options = {
            "run-id": "bank-marketing-20101129T0000-g0",
            "pipeline": "bank_marketing",
            "data-date": "2010-11-28",
            "recipe-version": "1.0",
            "validation-fraction": "0.3",
            "champion": str(tmp_path / champion / "model.tar.gz"),
            "validation": str(tmp_path / "validation"),
            "train": str(tmp_path / "train"),
            "challenger": str(tmp_path / challenger / "model.tar.gz"),
            "summary": str(tmp_path / "split.json"),
            "output": str(tmp_path / "output"),
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        rules = ("floor.auc=0.7", "champion.auc=0.02", "better_than_majority=false")
        assert evaluate.main(arguments + [part for rule in rules for part in ("--rule", rule)]) == 0
        return json.loads((tmp_path / "output" / "evaluation.json").read_text())  # type: ignore[no-any-return]

    document = judge("challenger", "chance")
    metrics = document["challenger"]["metrics"]
    assert 0.72 < metrics["auc"]["value"] < 0.85  # about 0.80 without the leak
    assert metrics["auc"]["low"] > 0.7
    assert metrics["lift_top_decile"]["value"] > 3
    assert metrics["error"]["value"] < 0.115  # always "no" is wrong in 11 of 100
    low, high = (document["champion"]["metrics"]["auc"][end] for end in ("low", "high"))
    assert low < 0.6
    assert high < 0.7
    assert document["gate"]["outcome"] == "pass"  # type: ignore[comparison-overlap]
    assert judge("chance", "challenger")["gate"]["outcome"] == "refuse"  # type: ignore[comparison-overlap]
