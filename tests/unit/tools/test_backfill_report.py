"""The backfill report's page and what it is made of, without Airflow."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import yaml

from tools.backfill_report import __main__ as backfill_report
from tools.backfill_report.page import Measured, MonthOfData, MonthReport, months_of, render
from tools.bank_marketing import CALL_MONTHS
from tools.load_data import LoadError, partition
from tools.sample_data import write_csv

MAY, JUNE, JULY = (datetime.date(2008, month, 1) for month in (5, 6, 7))


def page(*months: MonthReport, plot: str | None = None) -> str:
    return render(
        months, data="D.", pipeline="p_monthly", settings=["one", "two"], machine="M.", seconds=120, plot=plot
    )


def test_the_page_has_a_row_for_each_month_and_sums_up_the_outcomes() -> None:
    text = page(
        MonthReport(
            MAY, MonthOfData(1000, 50), "success", "promoted", "Endpoint serves.", "3", Measured(0.8, 0.7, 0.9), 300
        ),
        MonthReport(JUNE, MonthOfData(), "failed", reason="check_input: no files"),
        MonthReport(JULY, MonthOfData(10, 1), "failed", reason="train: a | b"),
        plot="auc.png",
    )
    rows = [line for line in text.splitlines() if line.startswith("| 2008")]
    assert rows == [
        "| 2008-05 | 1,000 | 5.0% | 300 | 0.800 | 0.700 – 0.900 | promoted | Endpoint serves. | `3` |",
        "| 2008-06 | 0 | – | – | – | – | no data | check_input: no files | – |",
        "| 2008-07 | 10 | 10.0% | – | – | – | broken (failed) | train: a \\| b | – |",
    ]
    assert "3 intervals, all ended; 1 models recorded for 2 months with data (1 promoted)." in text
    assert "**Months without data**: 1." in text
    assert "**Broken**: 2008-07." in text
    assert "2 minutes for the backfill, 60 s a month" in text
    assert "![AUC over time](auc.png)" in text


def test_a_metric_without_an_interval_has_a_dash_in_its_place() -> None:
    text = page(MonthReport(MAY, MonthOfData(9, 1), "success", "rejected", "No.", "job", Measured(0.5), 3))
    assert "| 0.500 | – | rejected | No. | `job` |" in text
    assert "Months without data" not in text
    assert "Broken" not in text
    assert "![" not in text


def test_the_months_count_the_rows_and_positives_of_the_loaders_partitions(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "all.csv", rows=3000, seed=4).read_bytes()
    months = months_of(partition(data).content)
    assert (
        list(months)
        == [datetime.date(month.year, month.month, 1) for month in CALL_MONTHS if month.rows >= 10][: len(months)]
    )
    assert sum(month.rows for month in months.values()) == 3000
    assert sum(month.positives for month in months.values()) == data.count(b';"yes"\n')


def test_the_copied_pipeline_is_monthly_and_the_only_one(tmp_path: Path) -> None:
    name = backfill_report.monthly_include(backfill_report.ROOT / "include", "bank_marketing", tmp_path / "include")
    (file,) = (tmp_path / "include" / "pipelines").iterdir()
    document = yaml.safe_load(file.read_text())
    original = yaml.safe_load((backfill_report.ROOT / "include" / "pipelines" / "bank_marketing.yaml").read_text())
    assert (name, file.stem, document["name"]) == ("bank_marketing_monthly",) * 3
    assert (document["schedule"], document["pool"]) == ("@monthly", "retraining")
    assert document["endpoint"]["name"] != original["endpoint"]["name"]
    assert document["recipe"] == original["recipe"]
    assert (tmp_path / "include" / "recipes" / document["recipe"]).is_file()


def test_the_default_recipe_and_columns_leave_out_the_duration() -> None:
    include = backfill_report.ROOT / "include"
    document = yaml.safe_load((include / "pipelines" / "bank_marketing.yaml").read_text())
    assert "duration" not in document["source"]["columns"]
    recipe = (include / "recipes" / document["recipe"]).read_text()
    assert r"\"duration\"" in recipe, "the file has the column, so the recipe has to delete it"


def test_the_report_says_which_data_it_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_report, "FOLDER", tmp_path)
    monkeypatch.setattr(backfill_report, "FULL_FILE", tmp_path / "full.csv")
    data, said = backfill_report.choose_data(None)
    assert "invented by the sample generator (41,188 rows, seed" in said
    (tmp_path / "full.csv").write_bytes(data)
    assert "the full file (41,188 rows)" in backfill_report.choose_data(None)[1]
    few = tmp_path / "few.csv"
    few.write_bytes(b"\n".join(data.splitlines()[:4120]) + b"\n")
    assert "`few.csv` (4,119 rows)" in backfill_report.choose_data(few)[1]
    with pytest.raises(LoadError, match="cannot be read"):
        backfill_report.choose_data(tmp_path / "missing.csv")
