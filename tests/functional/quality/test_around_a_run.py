"""What stands around the runs of a pipeline with quality rules: deployment, preflight, the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from brewtrain.domain.errors import AlreadyToldError, DeploymentError, InputError
from brewtrain.domain.run.identity import identity_of_run
from tests.fixtures.quality_runs import QualityRun, csv_of
from tests.fixtures.recorded_run import RecordedRun
from tests.fixtures.switched_execution import SwitchedExecution
from tests.functional.quality.conftest import make_pipeline

NewRun = Callable[..., QualityRun]


def test_a_deployment_shows_what_changes_in_the_rules(account: SwitchedExecution) -> None:
    from brewtrain.deployment.quality_rules import QualityRules
    from brewtrain.hooks.s3_deployment import S3DeploymentHook

    name = "deployed_rules"
    s3 = S3DeploymentHook("brewtrain_aws")
    rules = QualityRules(make_pipeline(name), account.bucket, s3)
    assert rules.plan().line.startswith("+ create     quality rules deployed_rules: age between: none → age must be")
    rules.apply()
    assert rules.plan().line == "= unchanged  quality rules deployed_rules"
    changed = QualityRules(make_pipeline(name, quality={"rules": [{"not_null": "age"}]}), account.bucket, s3)
    line = changed.plan().line
    assert line.startswith(
        "~ update     quality rules deployed_rules: age between: age must be between 17 and 98 (block)"
    )
    assert "age not_null: age must not be missing (warn) → age must not be missing (block)" in line
    without = QualityRules(make_pipeline(name).model_copy(update={"quality": None}), account.bucket, s3)
    assert without.plan().action.value == "update", "rules that are gone altogether are told too"
    without.apply()
    assert without.plan().line == "= unchanged  quality rules deployed_rules"


def test_a_pipeline_that_never_had_rules_has_nothing_to_deploy(account: SwitchedExecution) -> None:
    from brewtrain.deployment.quality_rules import QualityRules
    from brewtrain.hooks.s3_deployment import S3DeploymentHook

    plain = make_pipeline("never_had").model_copy(update={"quality": None})
    rules = QualityRules(plain, account.bucket, S3DeploymentHook("brewtrain_aws"))
    assert rules.plan().line == "= unchanged  quality rules never_had"


@pytest.mark.slow
def test_the_preflight_asks_for_what_the_validation_needs(account: SwitchedExecution) -> None:
    from brewtrain.operators.preflight import CheckAccountOperator

    context: Any = {}
    lines = CheckAccountOperator(task_id="check_account", pipeline=account.pipeline).execute(context)
    for operation in ("start_job_run", "describe_ruleset", "delete_ruleset"):
        assert f"ok    databrew {operation}: allowed" in lines


def test_the_end_of_a_run_names_the_validation_that_stopped_it(new_run: NewRun) -> None:
    run = new_run()
    identity = identity_of_run(run.pipeline, run.interval, run.account.run_id(run.interval.end.date()))
    ended = RecordedRun(
        run.pipeline, identity, "arn", states={"validate": "failed", "start_execution": "upstream_failed"}
    )
    with pytest.raises(AlreadyToldError, match="broken: validate is failed, so there is nothing to record"):
        ended.record()


def test_no_execution_is_started_without_the_runs_job(new_run: NewRun) -> None:
    from brewtrain.hooks.databrew_run import DataBrewRunHook

    run = new_run()
    run.account.deliver(run.day, body=csv_of(30))
    run.prepare()
    hook = DataBrewRunHook("brewtrain_aws")
    hook.check_job(run.prepared["job_name"])
    run.release()
    with pytest.raises(DeploymentError, match=r"does not exist: release_run has removed it .*; clear this task"):
        hook.check_job(run.prepared["job_name"])


REASONS = {
    "one-line": ("A census, 5% more (see wiki/dq-12)!", "A census, 5% more (see wiki/dq-12)!"),
    "another-language": ("Zähler geprüft", "Zähler geprüft"),
    "blanks": ("  two  words ", "two words"),
    "none": (None, None),
}


@pytest.mark.parametrize(("given", "read"), REASONS.values(), ids=REASONS)
def test_a_reason_is_one_line_of_text(new_run: NewRun, given: str | None, read: str | None) -> None:
    from brewtrain import run_context

    run = new_run(accept_quality=given)
    assert run_context.read(run.context("validate"), run.pipeline).accept_quality == read


@pytest.mark.parametrize("given", ["", "  ", "a\nb", "<b>", "{{ var.value.x }}", "x" * 501, True, 1, "\u202eabc"])
def test_anything_else_is_refused(new_run: NewRun, given: Any) -> None:
    from brewtrain import run_context

    run = new_run(accept_quality=given)
    with pytest.raises(InputError, match=r"param accept_quality is .*write why the data may be used"):
        run_context.read(run.context("validate"), run.pipeline)
