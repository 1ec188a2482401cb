"""`make days`: the days of one run, without AWS and without Airflow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.days import main

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def churn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a pipeline of working days in Berlin."""
    include = tmp_path / "include"
    (include / "recipes").mkdir(parents=True)
    (include / "pipelines").mkdir()
    (include / "recipes" / "churn.json").write_text("[]")
    text = (ROOT / "include" / "pipelines" / "bank_marketing.yaml").read_text("utf-8")
    text = text.replace("name: bank_marketing", "name: churn").replace("bank_marketing.json", "churn.json")
    text = text.replace('schedule: "@daily"', 'schedule: "0 6 * * 1-5"\ntimezone: Europe/Berlin')
    text = text.replace("source:\n", "source:\n  days: [mon, tue, wed, thu, fri]\n")
    (include / "pipelines" / "churn.yaml").write_text(text)
    monkeypatch.setenv("BREWTRAIN_INCLUDE", str(include))
    return include


def test_a_line_a_value(churn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["churn", "--at", "2026-11-30T05:00"]) == 0
    assert capsys.readouterr().out == (
        "interval_start: 2026-11-27T05:00:00Z\n"
        "interval_end: 2026-11-30T05:00:00Z\n"
        "newest_day: 2026-11-27\n"
        "first_day: 2024-03-03\n"
        "last_day: 2026-11-27\n"
    )


@pytest.mark.parametrize(
    "at", ["2026-11-30T05:00Z", "2026-11-30T06:00+01:00"], ids=["in UTC", "with an offset of its own"]
)
def test_a_time_may_say_its_zone(churn: Path, at: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["churn", "--at", at]) == 0
    assert "newest_day: 2026-11-27\n" in capsys.readouterr().out


def test_an_unknown_pipeline_is_named(churn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chrun"]) == 2
    assert capsys.readouterr().err == "days: include/pipelines/chrun.yaml: does not exist; pipelines here: churn\n"


def test_a_time_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["churn", "--at", "yesterday"])
    assert raised.value.code == 2
    assert "'yesterday' is no time; write one such as 2026-11-30T04:00" in capsys.readouterr().err


def test_neither_airflow_nor_boto3_is_loaded() -> None:
    code = (
        "import sys; from tools.days import main; main(['bank_marketing', '--at', '2026-11-30T04:00']); "
        "print([name for name in ('airflow', 'boto3', 'botocore') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("at", ["0001-01-01", "1969-12-31", "9999-12-31T23:59"])
def test_a_time_that_no_schedule_reaches_is_refused(at: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["churn", "--at", at])
    assert raised.value.code == 2
    assert f"{at!r} is outside the years 1970 to 9998" in capsys.readouterr().err


def test_a_run_that_is_refused_for_its_day_is_told(churn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["churn", "--at", "2001-01-01"]) == 0
    printed = capsys.readouterr()
    assert "newest_day: 2000-12-28\n" in printed.out
    assert printed.err.startswith("days: this run is refused: 2000-12-28 is before start_date ")
