"""Read the project's CloudFormation templates without deploying them.

It knows the part of the language that they use. ``python -m tools.policy``, docs/permissions.md and
the contract tests read policies with it. Must not import Airflow, boto3 or local_aws.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
ABSENT = object()


class Tagged:
    """A short-form intrinsic function such as ``!Sub``."""

    def __init__(self, name: str, value: Any) -> None:
        self.name, self.value = name, value


class _Loader(yaml.SafeLoader):
    pass


def _construct(loader: _Loader, suffix: str, node: yaml.Node) -> Tagged:
    if isinstance(node, yaml.ScalarNode):
        return Tagged(suffix, loader.construct_scalar(node))
    if isinstance(node, yaml.SequenceNode):
        return Tagged(suffix, loader.construct_sequence(node, deep=True))
    assert isinstance(node, yaml.MappingNode)
    return Tagged(suffix, loader.construct_mapping(node, deep=True))


_Loader.add_multi_constructor("!", _construct)


def load(path: Path) -> dict[str, Any]:
    """Return a template, its functions unresolved."""
    document: dict[str, Any] = yaml.load(path.read_text("utf-8"), Loader=_Loader)
    return document


def resolve(
    template: dict[str, Any],
    *,
    account_id: str = ACCOUNT_ID,
    region: str = REGION,
    partition: str = "aws",
    **parameters: str,
) -> dict[str, Any]:
    """Return the template's resources with all functions resolved.

    :param account_id: Value of ``AWS::AccountId``.
    :param region: Value of ``AWS::Region``.
    :param partition: Value of ``AWS::Partition``.
    :param parameters: Template parameters; the others keep their defaults.
    :raises ValueError: The template uses a function that this module does not know.
    """
    pseudo = {
        "AWS::AccountId": account_id,
        "AWS::Region": region,
        "AWS::Partition": partition,
        "AWS::StackName": "stack",
    }
    values = {name: str(declared.get("Default", "")) for name, declared in template.get("Parameters", {}).items()}
    values |= parameters | pseudo

    def walk(node: Any) -> Any:
        if isinstance(node, Tagged):
            return call(node.name, node.value)
        if isinstance(node, dict):
            walked = {key: walk(value) for key, value in node.items()}
            return {key: value for key, value in walked.items() if value is not ABSENT}
        if isinstance(node, list):
            return [value for value in map(walk, node) if value is not ABSENT]
        return node

    def call(name: str, value: Any) -> Any:
        if name == "Ref":
            return ABSENT if value == "AWS::NoValue" else values.get(value, value)
        if name == "GetAtt":
            return f"<{value}>"
        if name == "Sub":
            text, extra = (value, {}) if isinstance(value, str) else (value[0], walk(value[1]))
            return re.sub(r"\$\{([^}]+)\}", lambda match: str({**values, **extra}.get(match[1], f"<{match[1]}>")), text)
        if name == "If":
            return walk(value[1] if walk(template["Conditions"][value[0]]) else value[2])
        if name == "Equals":
            left, right = walk(value)
            return left == right
        if name == "Not":
            return not walk(value[0])
        raise ValueError(f"tools/cloudformation.py does not know the function !{name}; add it there.")

    resources: dict[str, Any] = walk(template["Resources"])
    return resources


def statements(role: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all statements of a role's inline policies, actions and resources as lists."""
    found = []
    for policy in role["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            listed = {key: [statement[key]] if isinstance(statement[key], str) else statement[key]
                      for key in ("Action", "Resource")}  # fmt: skip
            found.append({**statement, **listed})
    return found
