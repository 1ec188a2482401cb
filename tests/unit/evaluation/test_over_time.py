"""Metrics over time: a plot a metric and a table, from several evaluations of one pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import evaluate
import over_time
import pytest

from tests.fixtures.evaluation_run import PNG_SIGNATURE, Run, read_json

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("scoring_in_process")]


def evaluation(run: Run, folder: Path, date: str, rule: str, champion: str) -> str:
    """Evaluate once; returns the path of evaluation.json."""
    assert evaluate.main([*run.arguments(folder, data_date=date, champion=champion), "--rule", rule]) == 0
    return str(folder / "evaluation.json")


def test_runs_are_drawn_and_listed_in_order_of_data_date(run: Run, tmp_path: Path) -> None:
    champion = str(run.folder / "champion" / "model.tar.gz")
    files = [
        evaluation(run, tmp_path / date, date, rule, champion)
        for date, rule, champion in (
            ("2010-11-28", "floor.auc=0.5", champion),
            ("2010-10-28", "floor.auc=1.0", champion),
            ("2010-09-28", "floor.auc=0.5", "none"),
        )
    ]
    output = tmp_path / "plots"
    assert over_time.main([*files, "--output", str(output), "--metric", "auc"]) == 0
    assert {path.name for path in output.iterdir()} == {"auc_over_time.png", "over_time.csv"}
    assert (output / "auc_over_time.png").read_bytes().startswith(PNG_SIGNATURE)
    lines = (output / "over_time.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["2010-09-28", "2010-10-28", "2010-11-28"]
    assert [line.split(",")[4] for line in lines[1:]] == ["pass", "refuse", "pass"]


def test_what_cannot_be_drawn_is_named_and_nothing_is_written(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = evaluation(run, tmp_path / "run", "2010-11-28", "floor.auc=0.5", "none")
    other = read_json(Path(file))
    other["run"]["pipeline"] = "another"
    (tmp_path / "other.json").write_text(json.dumps(other))
    (tmp_path / "text.json").write_text("text")
    capsys.readouterr()
    for arguments, says in (
        ([file, str(tmp_path / "other.json")], "belong to several pipelines (another, bank_marketing)"),
        ([str(tmp_path / "text.json")], "is not readable JSON"),
        ([str(tmp_path / "run" / "verdict.json")], "is not an evaluation of layout 1"),
        ([file, "--metric", "f1"], "metric 'f1' is not known"),
    ):
        assert over_time.main([*arguments, "--output", str(tmp_path / "none")]) == 1
        assert says in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
