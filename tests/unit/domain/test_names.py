"""Names on AWS: their form, their limits, and that only the run's identity decides them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brewtrain.domain import names

ACCOUNT = names.Account("123456789012", "eu-central-1")
START = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2024, 1, 2, tzinfo=UTC)
# CreateTrainingJob, CreateModel, CreateEndpointConfig.
SAGEMAKER_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
# StartExecution.
EXECUTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
PIPELINE_NAMES = st.from_regex(names.PIPELINE_NAME_PATTERN, fullmatch=True).filter(
    lambda name: len(name) <= names.PIPELINE_NAME_MAX_LENGTH and name.isascii()
)


def test_names_of_a_run() -> None:
    identity = names.RunIdentity("bank_loans", START, END, names.generation(0))
    assert identity.run_id == "bank-loans-20240102T0000-g0"
    assert identity.job_name_prefix == "brewtrain-bank-loans-20240102T0000-g0"
    assert identity.data_date == "2024-01-01"
    assert names.run_prefix(identity) == "brewtrain/bank_loans/runs/bank-loans-20240102T0000-g0/"
    assert names.tags(identity) == {
        "brewtrain:pipeline": "bank_loans",
        "brewtrain:run-id": identity.run_id,
        "brewtrain:data-date": "2024-01-01",
    }
    assert names.generation_of(identity.run_id) == "0"


def test_names_of_a_deployment() -> None:
    moment = datetime(2024, 1, 2, 5, 30, tzinfo=timezone(timedelta(hours=2)))
    made = names.deployment_id("bank_loans", "promote", moment, dag_run_id="manual__1", clear_number=0)
    assert re.fullmatch(r"bank-loans-p20240102T0330-[0-9a-f]{4}-g0", made)
    assert made == names.deployment_id("bank_loans", "promote", moment, dag_run_id="manual__1", clear_number=0)
    other = [
        names.deployment_id("bank_loans", "rollback", moment, dag_run_id="manual__1", clear_number=0),
        names.deployment_id("bank_loans", "promote", moment, dag_run_id="manual__2", clear_number=0),
        names.deployment_id("bank_loans", "promote", moment, dag_run_id="manual__1", clear_number=1),
    ]
    assert len({made, *other}) == 4


@given(PIPELINE_NAMES, st.sampled_from(["promote", "rollback"]), st.text(), st.integers(0, 9))
def test_a_deployments_names_fit(pipeline: str, entry: Literal["promote", "rollback"], key: str, clears: int) -> None:
    made = names.deployment_id(pipeline, entry, END, dag_run_id=key, clear_number=clears)
    assert EXECUTION_NAME.fullmatch(made)
    assert SAGEMAKER_NAME.fullmatch(f"{names.job_name_prefix(made)}-99-99")
    assert names.run_of_job(pipeline, f"{names.job_name_prefix(made)}-0-0") == made


def test_a_deployment_that_was_cleared_too_often_is_refused() -> None:
    with pytest.raises(ValueError, match="trigger a new DAG run"):
        names.deployment_id("a" * 24, "promote", END, dag_run_id="m", clear_number=10)
    with pytest.raises(ValueError, match="aware"):
        names.deployment_id("a", "promote", END.replace(tzinfo=None), dag_run_id="m", clear_number=0)


def test_names_of_a_pipeline() -> None:
    assert names.state_machine("bank_loans") == "brewtrain-bank-loans"
    assert names.recipe("bank_loans") == "brewtrain-bank-loans"
    assert names.split_job("bank_loans") == "brewtrain-bank-loans-split"
    assert names.split_script_key("bank_loans", "0123456789abcdef") == "brewtrain/bank_loans/code/split-0123456789ab.py"
    assert names.default_bucket("123456789012", "eu-central-1") == "brewtrain-123456789012-eu-central-1"


def test_arns() -> None:
    machine = "arn:aws:states:eu-central-1:123456789012:stateMachine:brewtrain-bank-loans"
    assert ACCOUNT.state_machine_arn("bank_loans") == machine
    assert ACCOUNT.alias_arn("bank_loans") == f"{machine}:live"
    assert ACCOUNT.role_arn("glue") == "arn:aws:iam::123456789012:role/brewtrain-glue"
    assert ACCOUNT.recipe_arn("bank_loans") == "arn:aws:databrew:eu-central-1:123456789012:recipe/brewtrain-bank-loans"
    assert ACCOUNT.execution_arn("bank_loans", "r") == (
        "arn:aws:states:eu-central-1:123456789012:execution:brewtrain-bank-loans:r"
    )
    assert names.Account("1", "cn-north-1").role_arn("glue").startswith("arn:aws-cn:iam::")
    assert names.Account("1", "us-gov-west-1").role_arn("glue").startswith("arn:aws-us-gov:iam::")


@pytest.mark.parametrize(
    "name", ["", "Bank", "1bank", "bank-loans", "bank__loans", "bank_", "_bank", "a" * 25, "bänk", "a\n"]
)
def test_what_is_no_pipeline_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must be lower case words joined by single '_'"):
        names.slug(name)


@given(
    pipeline=PIPELINE_NAMES,
    end=st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)),
    hours=st.integers(0, 24 * 31),
    clears=st.integers(0, 99),
    fresh=st.none() | st.text(max_size=20),
)
def test_every_name_fits_where_it_goes(
    pipeline: str, end: datetime, hours: int, clears: int, fresh: str | None
) -> None:
    identity = names.RunIdentity(pipeline, end - timedelta(hours=hours), end, names.generation(clears, fresh_key=fresh))
    assert EXECUTION_NAME.fullmatch(identity.run_id)
    assert SAGEMAKER_NAME.fullmatch(f"{identity.job_name_prefix}-99-99")
    assert len(names.state_machine(pipeline)) <= 80
    assert names.generation_of(identity.run_id) == identity.generation


@given(one=PIPELINE_NAMES, other=PIPELINE_NAMES)
def test_two_pipelines_share_no_name(one: str, other: str) -> None:
    assert (names.slug(one) == names.slug(other)) == (one == other)


def test_the_interval_is_the_same_whatever_its_zone() -> None:
    there = timezone(timedelta(hours=9))
    here = names.RunIdentity("p", START, END, "0")
    assert names.RunIdentity("p", START.astimezone(there), END.astimezone(there), "0").run_id == here.run_id
    assert names.RunIdentity("p", START.astimezone(there), END.astimezone(there), "0").data_date == here.data_date


def test_a_fresh_generation_is_the_runs_own() -> None:
    one, other = names.generation(0, fresh_key="manual__a"), names.generation(0, fresh_key="manual__b")
    assert one != other
    assert one == names.generation(0, fresh_key="manual__a")


def test_an_interval_without_zone_or_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ValueError, match="aware datetimes"):
        names.RunIdentity("p", datetime(2024, 1, 1), END, "0")
    with pytest.raises(ValueError, match="before it starts"):
        names.RunIdentity("p", END, START, "0")


def test_too_many_clears_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="trigger a new DAG run"):
        names.RunIdentity("a" * 24, START, END, "9" * 12)


def test_what_is_no_run_id_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a run id"):
        names.generation_of("something-else")
