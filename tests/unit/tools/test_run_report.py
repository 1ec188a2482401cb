"""The summary of `make run`: the JSON for scripts, the exit code, and the page for people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from tools.run.report import RunReport, show, write

PROMOTED = RunReport(
    outcome="promoted",
    reason="Endpoint shop serves model m-1, trained on data up to 2026-01-31.",
    pipeline="shop",
    interval="2026-01-31 → 2026-02-01",
    execution_arn="arn:aws:states:us-east-1:123456789012:execution:brewtrain-shop:shop-20260201T0000-g0",
    stages=[{"name": "transform", "seconds": 0.5}, {"name": "split", "seconds": 2.0}],
    metrics={"validation:auc": 0.81, "validation:error": 0.1},
    thresholds={"validation:auc": {"min": 0.7}},
    majority_class_error=0.11,
    endpoint={"name": "shop", "config": "c-1", "model": "m-1"},
    predictions=[{"label": 1.0, "score": 0.7}, {"label": 0.0, "score": 0.04}],
    seconds={"setup": 9.0, "deploy": 3.0, "retrain": 12.0, "total": 24.0},
)


def rendered(report: RunReport, detail: str = "") -> str:
    """Return the summary at 100 columns, without colour."""
    console = Console(width=100, force_terminal=False)
    with console.capture() as captured:
        show(report, console, where_next=["make up"], detail=detail)
    return captured.get()


@pytest.mark.parametrize(("outcome", "code"), [("promoted", 0), ("rejected", 0), ("pending", 0), ("broken", 1)])
def test_only_a_broken_run_exits_with_1(outcome: str, code: int) -> None:
    assert RunReport(outcome=outcome, reason="", pipeline="shop").exit_code == code  # type: ignore[arg-type]


def test_the_file_has_every_field_a_script_reads(tmp_path: Path) -> None:
    target = tmp_path / "var" / "last_run.json"
    write(PROMOTED, target)
    document = json.loads(target.read_text())
    assert document["outcome"] == "promoted"
    assert document["stages"] == [{"name": "transform", "seconds": 0.5}, {"name": "split", "seconds": 2.0}]
    assert document["endpoint"] == {"name": "shop", "config": "c-1", "model": "m-1"}
    assert document["predictions"][0] == {"label": 1.0, "score": 0.7}
    assert set(document["seconds"]) == {"setup", "deploy", "retrain", "total"}
    assert {
        "evaluation",
        "reason",
        "pipeline",
        "interval",
        "execution_arn",
        "metrics",
        "thresholds",
        "majority_class_error",
    } <= set(document)


def test_a_report_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    broken = RunReport(outcome="broken", reason="", pipeline="shop", metrics={"validation:auc": object()})  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        write(broken, tmp_path / "last_run.json")
    assert list(tmp_path.iterdir()) == []


def test_the_page_shows_metrics_against_thresholds_and_predictions() -> None:
    page = rendered(PROMOTED)
    for text in (
        "PROMOTED",
        "validation:auc",
        "0.8100",
        "≥ 0.7",
        "✓",
        "majority class error",
        "m-1",
        "0.7000",
        "make up",
    ):
        assert text in page


def test_a_missed_threshold_is_marked() -> None:
    page = rendered(
        RunReport("rejected", "no", "shop", metrics={"validation:auc": 0.6}, thresholds=PROMOTED.thresholds)
    )
    assert "✗" in page


def test_the_page_of_a_broken_run_shows_the_whole_card() -> None:
    page = rendered(RunReport("broken", "train: AlgorithmError", "shop"), detail="what to do: clear this task")
    assert "BROKEN" in page
    assert "what to do: clear this task" in page


def test_brackets_in_a_message_are_text() -> None:
    page = rendered(RunReport("broken", "column [bold]x[/] is gone", "shop"))
    assert "[bold]x[/]" in page
