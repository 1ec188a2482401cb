"""Names on AWS: their form, their limits, and that only the run's identity decides them."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brewtrain.domain import names
from tests.fixtures.time_zones import machine_in

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
    with pytest.raises(ValueError, match=r"^a deployment's time must be aware$"):
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


def test_arns_of_the_registry() -> None:
    start = "arn:aws:sagemaker:eu-central-1:123456789012"
    assert ACCOUNT.model_package_group_arn("bank_loans") == f"{start}:model-package-group/brewtrain-bank-loans"
    assert ACCOUNT.model_package_arn("bank_loans", 7) == f"{start}:model-package/brewtrain-bank-loans/7"
    assert names.model_package_group("bank_loans") == "brewtrain-bank-loans"


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        pytest.param("eu-central-1", "aws", id="Europe"),
        pytest.param("cn-north-1", "aws-cn", id="China"),
        pytest.param("us-gov-west-1", "aws-us-gov", id="GovCloud"),
        pytest.param("us-east-1", "aws", id="another region of the United States"),
    ],
)
def test_a_region_has_its_partition(region: str, partition: str) -> None:
    assert names.partition(region) == partition


def test_keys_of_a_pipelines_own_files() -> None:
    assert names.code_prefix("bank_loans") == "brewtrain/bank_loans/code/"
    assert names.evaluation_code_prefix("bank_loans", "0123456789abcdef") == (
        "brewtrain/bank_loans/code/evaluation-0123456789ab/"
    )
    assert names.runs_prefix("bank_loans") == "brewtrain/bank_loans/runs/"
    assert names.run_folder("bank_loans", "r") == "brewtrain/bank_loans/runs/r/"
    assert names.deployments_prefix("bank_loans") == "brewtrain/bank_loans/deployments/"


def test_records_of_deployments_are_in_order_of_time() -> None:
    ended = datetime(2024, 1, 2, 5, 30, 1, 250_000, tzinfo=timezone(timedelta(hours=2)))
    assert names.deployment_key("bank_loans", ended, "x") == (
        "brewtrain/bank_loans/deployments/20240102T033001250000Z-x.json"
    )


JOBS = {
    "a model": ("brewtrain-bank-loans-20240102T0000-g0-0-0", "bank-loans-20240102T0000-g0"),
    "a job without an attempt": ("brewtrain-bank-loans-20240102T0000-g0", "bank-loans-20240102T0000-g0"),
    "of a cleared run": ("brewtrain-bank-loans-20240102T0000-g12-0-0", "bank-loans-20240102T0000-g12"),
    "of a fresh run": ("brewtrain-bank-loans-20240102T0000-g0fa0b1-0-0", "bank-loans-20240102T0000-g0fa0b1"),
    "of a promotion": (
        "brewtrain-bank-loans-p20240102T0000-a0b1-g0-0-0",
        "bank-loans-p20240102T0000-a0b1-g0",
    ),
    "of a rollback": ("brewtrain-bank-loans-r20240102T0000-a0b1-g0-0-0", "bank-loans-r20240102T0000-a0b1-g0"),
    "of another pipeline": ("brewtrain-bank-20240102T0000-g0-0-0", None),
    "of a pipeline with a longer name": ("brewtrain-bank-loans-eu-20240102T0000-g0-0-0", None),
    "of somebody's own": ("20240102T0000-g0-0-0", None),
    "with a generation that goes on": ("brewtrain-bank-loans-20240102T0000-g0x-0-0", None),
    "with a prefix of somebody's own": ("my-brewtrain-bank-loans-20240102T0000-g0", None),
}


@pytest.mark.parametrize(("name", "run"), JOBS.values(), ids=JOBS)
def test_the_run_of_a_job_is_in_its_name(name: str, run: str | None) -> None:
    assert names.run_of_job("bank_loans", name) == run


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        pytest.param("bank-loans-20240102T0000-g0", True, id="a run"),
        pytest.param("bank-loans-20240102T0000-g1fa0b1", True, id="a fresh run"),
        pytest.param("bank-20240102T0000-g0", False, id="another pipeline's"),
        pytest.param("bank-loans-p20240102T0000-a0b1-g0", False, id="a promotion"),
        pytest.param("notes", False, id="something else"),
    ],
)
def test_a_run_id_is_known_by_its_form(text: str, is_one: bool) -> None:
    assert names.is_run_id("bank_loans", text) is is_one


def test_the_date_of_a_run_is_its_newest_day_by_default_the_last_that_has_ended_in_utc() -> None:
    assert names.RunIdentity("p", END, END, "0").data_date == "2024-01-01"
    assert names.RunIdentity("p", START, END + timedelta(hours=23), "0").data_date == "2024-01-01"
    assert names.RunIdentity("p", START, END, "0", date(2023, 12, 30)).data_date == "2023-12-30"


def test_the_same_interval_can_have_another_generation() -> None:
    again = names.RunIdentity("p", START, END, "0", date(2023, 12, 30)).with_generation("3")
    assert again == names.RunIdentity("p", START, END, "3", date(2023, 12, 30))


def test_the_longest_names_that_fit_are_taken_and_longer_ones_refused_with_what_to_do() -> None:
    longest = names.RunIdentity("a" * 24, START, END, "9" * 7)
    assert len(f"{longest.job_name_prefix}-99-99") == 63
    with pytest.raises(ValueError, match="leaves no room") as caught:
        names.RunIdentity("a" * 24, START, END, "9" * 8)
    assert str(caught.value) == (
        f"run '{'a' * 24}-20240102T0000-g99999999' leaves no room for the attempt in SageMaker's 63 characters: "
        "trigger a new DAG run instead of clearing this one again"
    )
    made = names.deployment_id("a" * 24, "promote", END, dag_run_id="m", clear_number=9)
    assert len(f"{names.job_name_prefix(made)}-99-99") == 63
    with pytest.raises(ValueError, match="leaves no room") as caught:
        names.deployment_id("a" * 24, "promote", END, dag_run_id="m", clear_number=10)
    assert str(caught.value) == (
        f"deployment '{made.removesuffix('-g9')}-g10' leaves no room for the attempt in SageMaker's 63 characters: "
        "trigger a new DAG run instead of clearing this one again"
    )


def test_a_generation_counts_clears_and_hashes_the_run_it_is_fresh_for() -> None:
    assert names.generation(3) == "3"
    assert names.generation(3, fresh_key="manual__a") == f"3f{hashlib.sha256(b'manual__a').hexdigest()[:4]}"
    assert names.generation_of("p-20240102T0000-g3fa0b1") == "3fa0b1"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("Bank", id="an upper case letter"),
        pytest.param("1bank", id="a digit first"),
        pytest.param("bank-loans", id="a hyphen"),
        pytest.param("bank__loans", id="two underscores"),
        pytest.param("bank_", id="an underscore last"),
        pytest.param("_bank", id="an underscore first"),
        pytest.param("a" * 25, id="too long"),
        pytest.param("bänk", id="an umlaut"),
        pytest.param("a\n", id="a line break"),
    ],
)
def test_what_is_no_pipeline_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must be lower case words joined by single '_'") as caught:
        names.slug(name)
    assert str(caught.value) == (
        f"pipeline name {name!r} must be lower case words joined by single '_', start with a letter and have at most "
        "24 characters"
    )


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


def test_names_are_in_utc_wherever_they_are_made() -> None:
    with machine_in("Asia/Tokyo"):
        identity = names.RunIdentity("p", START, END, "0")
        assert (identity.run_id, identity.data_date) == ("p-20240102T0000-g0", "2024-01-01")
        assert names.RunIdentity("p", END, END, "0").data_date == "2024-01-01"
        made = names.deployment_id("p", "promote", END, dag_run_id="m", clear_number=0)
        assert made.startswith("p-p20240102T0000-")
        assert names.deployment_key("p", END, "x") == "brewtrain/p/deployments/20240102T000000000000Z-x.json"


def test_a_fresh_generation_is_the_runs_own() -> None:
    one, other = names.generation(0, fresh_key="manual__a"), names.generation(0, fresh_key="manual__b")
    assert one != other
    assert one == names.generation(0, fresh_key="manual__a")


def test_an_interval_without_zone_or_the_wrong_way_round_is_refused() -> None:
    for start, end in ((datetime(2024, 1, 1), END), (START, datetime(2024, 1, 2))):
        with pytest.raises(ValueError, match=r"^a data interval needs aware datetimes$"):
            names.RunIdentity("p", start, end, "0")
    with pytest.raises(ValueError, match="before it starts") as caught:
        names.RunIdentity("p", END, START, "0")
    assert str(caught.value) == f"data interval ends ({START}) before it starts ({END})"


def test_too_many_clears_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="trigger a new DAG run"):
        names.RunIdentity("a" * 24, START, END, "9" * 12)


def test_what_is_no_run_id_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a run id") as caught:
        names.generation_of("something-else")
    assert str(caught.value) == ("'something-else' is not a run id: expected <slug>-<YYYYMMDDTHHMM>-g<generation>")
