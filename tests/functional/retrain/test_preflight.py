"""The preflight: one line a check, all checks made, and what is wrong says what to do."""

from __future__ import annotations

from typing import Any

import pytest

from brewtrain.domain.errors import DeploymentError, TransientError
from brewtrain.operators.preflight import CheckAccountOperator
from tests.fixtures.switched_execution import SwitchedExecution

# Dozens of probes a check.
pytestmark = pytest.mark.slow


def check(account: SwitchedExecution) -> list[str]:
    context: Any = {}
    return CheckAccountOperator(task_id="check_account", pipeline=account.pipeline).execute(context)


def test_a_good_account_passes_and_nothing_is_started(account: SwitchedExecution) -> None:
    lines = check(account)
    assert not [line for line in lines if line.startswith("FAIL")]
    for subject in (
        "credentials",
        "bucket",
        "role brewtrain-glue",
        "recipe",
        "evaluation code",
        "state machine",
        "states redrive_execution",
    ):
        assert any(line.startswith(f"ok    {subject}") for line in lines), (subject, lines)
    machine = account.account.state_machine_arn(account.pipeline.name)
    assert account.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"] == []


def test_every_problem_is_named_at_once(account: SwitchedExecution, local_aws_server: Any) -> None:
    rules = local_aws_server.front.fault_rules
    denied = {"effect": "error", "code": "AccessDeniedException", "message": "not authorized"}
    added = [
        rules.add({"service": "stepfunctions", "operation": "RedriveExecution", **denied}),
        rules.add({"service": "databrew", "operation": "DeleteJob", **denied}),
    ]
    try:
        with pytest.raises(DeploymentError) as raised:
            check(account)
    finally:
        for rule in added:
            rules.clear(rule)
    text = str(raised.value)
    assert text.startswith("2 of ")
    assert "FAIL  states redrive_execution" in text
    assert "states:RedriveExecution" in text
    assert "databrew:DeleteJob" in text
    assert "roles.yaml" in text


@pytest.mark.parametrize(
    ("code", "error"),
    [
        pytest.param("ThrottlingException", TransientError, id="throttled"),
        pytest.param("ExpiredTokenException", DeploymentError, id="expired-credentials"),
    ],
)
def test_an_answer_that_says_nothing_about_the_permission_is_no_permission(
    account: SwitchedExecution, local_aws_server: Any, code: str, error: type[Exception]
) -> None:
    from brewtrain.hooks.permission_probe import PermissionProbeHook

    rules = local_aws_server.front.fault_rules
    rule = rules.add({"service": "databrew", "operation": "DeleteJob", "effect": "error", "code": code, "status": 400,
                      "message": "no"})  # fmt: skip
    try:
        with pytest.raises(error):
            PermissionProbeHook("databrew", "brewtrain_aws").denied("delete_job", Name="nobody")
    finally:
        rules.clear(rule)


def test_what_was_never_deployed_is_named(account: SwitchedExecution) -> None:
    from tests.functional.retrain.conftest import make_pipeline

    context: Any = {}
    with pytest.raises(DeploymentError, match="checks failed") as raised:
        CheckAccountOperator(task_id="check_account", pipeline=make_pipeline("not_there")).execute(context)
    assert "run DAG not_there__deploy" in str(raised.value)
    assert "stateMachine:brewtrain-not-there:live does not exist; run the pipeline's deploy DAG" in str(raised.value)
