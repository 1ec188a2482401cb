"""Rules learnt from good data by DataBrew's profile jobs catch data that is not good."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from brewtrain.domain.names import Account
from brewtrain.domain.quality.learning import GoodWindow
from brewtrain.domain.quality.rules import Rule
from tests.fixtures.job_services import BUCKET, error_of
from tests.fixtures.pipelines import CHURN, pipeline_of
from tests.fixtures.profile_jobs import Profile
from tools.learn.__main__ import proposed_text
from tools.learn.kept_profiles import kept_profiles
from tools.learn.profile_job import profile_window

LAST_GOOD = "2018-11"
PIPELINE = CHURN.replace('delimiter: ";"\n  columns: [age, plan, y]', 'delimiter: ","')


def months(path: Path) -> Iterator[tuple[str, str]]:
    """Iterate over the months of a file of loans, each with its rows as CSV."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        header = next(lines)
        place = header.rstrip().split(",").index("timestamp")
        parts: dict[str, list[str]] = {}
        for line in lines:
            parts.setdefault(line.split(",")[place][:7], [header]).append(line)
    return ((month, "".join(rows)) for month, rows in parts.items())


@pytest.fixture
def learnt(shared_dir: Path, make_profile: Callable[..., Profile]) -> tuple[Rule, ...]:
    """Learn from the first ten months, as `make learn` does."""
    good = [
        GoodWindow(date.fromisoformat(f"{month}-28"), make_profile(rows).profiled())
        for month, rows in months(shared_dir / "data" / "car_loan.csv.gz")
        if month < LAST_GOOD
    ]
    assert len(good) == 10
    quality = pipeline_of(proposed_text(pipeline_of(PIPELINE), PIPELINE, good)).quality
    assert quality is not None
    return quality.databrew_rules


@pytest.mark.slow
def test_rules_learnt_from_good_months_catch_every_fault_and_nothing_else(
    learnt: tuple[Rule, ...], shared_dir: Path, make_profile: Callable[..., Profile]
) -> None:
    expected = {"salary_range not_null", "driver_tenure not_null", "size_of_downpayment in"}
    caught = 0
    for month, rows in months(shared_dir / "data" / "car_loan_dirty.csv.gz"):
        run, report = make_profile(rows).checked(*learnt)
        assert run["State"] == "SUCCEEDED", run.get("ErrorMessage")
        assert expected <= {result.rule for result in report.blocked}, month
        caught += 1
    assert caught == 11
    for month, rows in months(shared_dir / "data" / "car_loan.csv.gz"):
        if month in ("2018-11", "2019-08"):
            report = make_profile(rows).checked(*learnt)[1]
            assert (report.outcome, month) == ("passed", month), report.blocked


def test_kept_profiles_are_read_from_the_bucket(s3: Any) -> None:
    for day, outcome in ((4, "passed"), (5, "blocked"), (6, "warned")):
        prefix = f"brewtrain/kept/runs/kept-202403{day:02}T0400-g0/"
        result = {
            "outcome": outcome,
            "data_date": f"2024-03-{day:02}",
            "days": None,
            "reports": {"profile": f"s3://{BUCKET}/{prefix}quality/profile.json"},
        }
        s3.put_object(Bucket=BUCKET, Key=f"{prefix}quality.json", Body=json.dumps(result).encode())
        s3.put_object(Bucket=BUCKET, Key=f"{prefix}quality/profile.json", Body=b'{"sampleSize": 7}')
    s3.put_object(Bucket=BUCKET, Key="brewtrain/kept/runs/kept-20240307T0400-g0/result.json", Body=b"{}")
    found = kept_profiles(s3, BUCKET, "kept", 30)
    assert [(one.newest_day.day, one.rows, one.days) for one in found] == [(4, 7, None), (6, 7, None)]


def test_a_window_is_profiled_now_for_a_pipeline_without_good_runs(
    aws_client: Callable[..., Any], s3: Any, roles: dict[str, str]
) -> None:
    pipeline = pipeline_of(f"{PIPELINE}bucket: {BUCKET}\n".replace("window_days: 30", "window_days: 3"))
    account = Account("123456789012", "us-east-1")
    iam = aws_client("iam")
    name = account.role_arn("databrew").rpartition("/")[2]
    if name not in [role["RoleName"] for page in iam.get_paginator("list_roles").paginate() for role in page["Roles"]]:
        trust = iam.get_role(RoleName=roles["databrew"].rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    interval = pipeline.run_schedule.newest_complete(datetime(2024, 3, 8, tzinfo=UTC))
    for number in range(4):
        day = date(2024, 3, 4 + number)
        s3.put_object(
            Bucket=BUCKET, Key=pipeline.source.layout.object_key(day, "a.csv"), Body=f"age\n{number}\n".encode()
        )  # fmt: skip
    said: list[str] = []
    found = profile_window(aws_client, pipeline, account, interval, poll_seconds=0.05, say=said.append)
    assert (found.newest_day, found.days, found.rows) == (date(2024, 3, 7), 3, 3)
    assert (found.profile["columns"][0]["min"], found.profile["columns"][0]["max"]) == (1, 3)
    assert said[0].startswith("DataBrew profiles 2024-03-05 to 2024-03-07: job brewtrain-churn-learn, run db_")
    databrew = aws_client("databrew")
    assert error_of(lambda: databrew.describe_job(Name="brewtrain-churn-learn"))[0] == "ResourceNotFoundException"
    assert error_of(lambda: databrew.describe_dataset(Name="brewtrain-churn-learn"))[0] == "ResourceNotFoundException"
