"""Make docs/permissions.md from the roles' template and :mod:`tools.permissions.use`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools import cloudformation
from tools.permissions.use import JOBS, ROOT, Use, airflow_use, states_use

PAGE = ROOT / "docs" / "permissions.md"
TEMPLATE = ROOT / "include" / "cloudformation" / "roles.yaml"
NOBODY = "—"

_HEAD = """\
# Permissions

Which principal may do what to what, and who uses it. Written by `make permissions` from
`include/cloudformation/roles.yaml`, the DAG files, the operators and hooks, and the state machine;
a test fails when it is not current. `make policy PIPELINE=…` prints the policies of one pipeline.

- `airflow` is the role of the Airflow connection; used by `<DAG>: <task>`. This is read from the
  source, so a task may be listed although it never makes the call.
- `states` is the role of the state machine; used by its states.
- `databrew`, `glue` and `sagemaker` are the roles of jobs and of the endpoint.
- "—" means that no call was found in the repository. AWS's own services make it, or a person may.
"""


class PageError(Exception):
    """The template has a role whose users are not declared."""


def page() -> str:
    """Return the page as Markdown.

    :raises PageError: The template has a role whose users are not declared.
    """
    resources = cloudformation.resolve(
        cloudformation.load(TEMPLATE),
        account_id="ACCOUNT",
        region="REGION",
        BucketName="BUCKET",
        SourceBucketName="SOURCE-BUCKET",
        EndpointNamePattern="ENDPOINT",
        KmsKeyArn="KEY",
    )
    uses = {"airflow": airflow_use(), "states": states_use()}
    roles = [_role(item, uses) for item in resources.values() if item["Type"] == "AWS::IAM::Role"]
    return "\n".join([_HEAD, *roles])


def _role(item: dict[str, Any], uses: dict[str, Use]) -> str:
    name = item["Properties"]["RoleName"].removeprefix("brewtrain-")
    if name not in uses and name not in JOBS:
        raise PageError(f"{TEMPLATE.name} has a role brewtrain-{name}; declare its users in tools/permissions/use.py")
    lines = [f"## `brewtrain-{name}`", "", item["Properties"]["Description"], ""]
    trust = item["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    who = sorted(f"`{value}`" for one in trust for value in one["Principal"].values())
    lines += [f"Assumed by {', '.join(who)}.", "", "| action | resource | used by |", "|---|---|---|"]
    for statement in cloudformation.statements(item):
        where = "<br>".join(f"`{one}`" for one in statement["Resource"])
        if "Condition" in statement:
            where += f"<br>if `{json.dumps(statement['Condition'], sort_keys=True)}`"
        by_user: dict[str, list[str]] = {}
        for action in statement["Action"]:
            by_user.setdefault(_users(name, action, statement["Resource"], uses), []).append(f"`{action}`")
        for users, actions in by_user.items():
            lines.append(f"| {'<br>'.join(actions)} | {where} | {users} |")
    return "\n".join(lines) + "\n"


def _users(role: str, action: str, resources: list[str], uses: dict[str, Use]) -> str:
    if role in JOBS:
        return JOBS[role]
    found = sorted({user for user, what in uses[role].get(action, ()) if any(what in one for one in resources)})
    return "<br>".join(found) if found else NOBODY


def is_current(path: Path = PAGE) -> bool:
    """Return whether a file is the page as it would be written now."""
    return path.is_file() and path.read_text("utf-8") == page()
