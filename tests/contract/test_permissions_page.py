"""docs/permissions.md is what the template, the DAGs and the state machine say today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.permissions import __main__ as command
from tools.permissions import page as pages
from tools.permissions import use


@pytest.fixture(scope="module")
def page() -> str:
    return pages.page()


def rows(page: str, role: str) -> list[tuple[set[str], str, set[str]]]:
    """Actions, resource cell and users of each row of a role."""
    section = page.partition(f"## `brewtrain-{role}`")[2].partition("\n## ")[0]
    found = []
    for line in section.splitlines():
        if line.startswith("| `"):
            actions, resource, users = line.strip("| ").split(" | ")
            found.append((set(re.findall("`([^`]+)`", actions)), resource, set(users.split("<br>"))))
    return found


def users(page: str, role: str, action: str, resource: str = "") -> set[str]:
    return set().union(
        *(users for actions, where, users in rows(page, role) if action in actions and resource in where)
    )


def test_the_page_is_current(page: str) -> None:
    assert pages.PAGE.read_text("utf-8") == page, "run make permissions and commit docs/permissions.md"


def test_every_role_and_action_is_there(page: str) -> None:
    text = pages.TEMPLATE.read_text("utf-8")
    assert re.findall(r"^## `(brewtrain-\w+)`", page, re.MULTILINE) == re.findall(r"RoleName: (\S+)", text)
    written = set(re.findall(r"^\s+(?:-|Action:) ([a-z0-9]+:[A-Z]\w+)$", text, re.MULTILINE))
    written.discard("sts:AssumeRole")
    assert len(written) > 80
    assert written <= set(re.findall(r"`([a-z0-9]+:[A-Z]\w+)`", page))


# What is known of the DAGs and the state machine, written by hand.
@pytest.mark.parametrize(
    ("role", "action", "expected"),
    [
        ("airflow", "states:StartExecution", {"preflight: check_account", "retrain: start_execution"}),
        ("airflow", "states:UpdateStateMachine", {"deploy: apply_deployment"}),
        ("airflow", "databrew:CreateRecipeJob", {"retrain: prepare_run"}),
        ("airflow", "sns:Publish", {"retrain: on-call"}),
        ("airflow", "iam:SimulatePrincipalPolicy", {"preflight: check_account"}),
        ("states", "glue:StartJobRun", {"Split Train & Test DataSet"}),
        ("states", "events:PutRule", {"Model Training"}),
        ("states", "sagemaker:UpdateEndpoint", {"Update Model Endpoint"}),
    ],
)
def test_who_uses_what(page: str, role: str, action: str, expected: set[str]) -> None:
    assert expected <= users(page, role, action)


def test_a_task_that_only_reads_is_not_named_for_writing(page: str) -> None:
    for action in ("states:UpdateStateMachine", "databrew:UpdateRecipe", "glue:CreateJob", "s3:PutObject"):
        assert not users(page, "airflow", action) & {"deploy: plan_deployment", "deploy: validate_deployment"}


def test_a_role_is_passed_by_who_passes_it(page: str) -> None:
    assert users(page, "airflow", "iam:PassRole", "role/brewtrain-databrew") == {"retrain: prepare_run"}
    assert users(page, "airflow", "iam:PassRole", "role/brewtrain-glue") == {"deploy: apply_deployment"}


def test_a_call_that_the_page_cannot_place_is_found_again(page: str) -> None:
    """A call that no DAG reaches means that the reader is wrong or the hook is dead code."""
    reached = use.airflow_use().keys()
    graph = use.CallGraph()
    missing = []
    for path in sorted((use.PLUGINS / "brewtrain" / "hooks").glob("[!_]*.py")):
        module = f"brewtrain.hooks.{path.stem}"
        for name in graph.classes(module):
            missing += [(path.name, name, action) for action in graph.actions(module, name) if action not in reached]
    assert missing == []


def test_a_role_that_nobody_declared_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    template = tmp_path / "roles.yaml"
    template.write_text(
        pages.TEMPLATE.read_text("utf-8").replace("RoleName: brewtrain-glue", "RoleName: brewtrain-lambda")
    )
    monkeypatch.setattr(pages, "TEMPLATE", template)
    assert command.main(["--check"]) == 2
    assert "brewtrain-lambda" in capsys.readouterr().err


def test_a_page_that_is_not_current_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                    capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    old = pages.PAGE.read_text("utf-8")
    changed = tmp_path / "permissions.md"
    changed.write_text(old.replace("glue:", "glu:"), "utf-8")
    assert not pages.is_current(changed)
    assert pages.is_current(pages.PAGE)
    monkeypatch.setattr(command, "is_current", lambda: False)
    assert command.main(["--check"]) == 1
    assert "make permissions" in capsys.readouterr().err
