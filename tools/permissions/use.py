"""Find who uses an action: tasks and callbacks of the DAGs, states, jobs and the endpoint.

For the DAGs, this is read from the source: a DAG file names operators, an operator names hooks, and
a hook calls boto3. A method call counts for every class that the module knows and that has such a
method. So a task may be listed that never makes the call, but none is missing. Must not import
Airflow, boto3 or local_aws.
"""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.permissions.actions import POLLED, calls, declared_clients, iam_action, operations, state_actions

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
# By action: its users, each with the part of an ARN that the use concerns; "" for any resource.
Use = dict[str, set[tuple[str, str]]]

# Further actions that a request needs because of its fields, and on which resources.
IMPLIED: dict[str, dict[str, str]] = {
    "databrew:CreateDataset": {"databrew:TagResource": ":dataset/"},
    "databrew:CreateRecipe": {"databrew:TagResource": ":recipe/"},
    "databrew:CreateRecipeJob": {"databrew:TagResource": ":job/", "iam:PassRole": "brewtrain-databrew"},
    "databrew:CreateProfileJob": {"databrew:TagResource": ":job/", "iam:PassRole": "brewtrain-databrew"},
    "databrew:CreateRuleset": {"databrew:TagResource": ":ruleset/"},
    "databrew:UpdateProfileJob": {"iam:PassRole": "brewtrain-databrew"},
    "databrew:UpdateRecipeJob": {"iam:PassRole": "brewtrain-databrew"},
    "glue:CreateJob": {"glue:TagResource": ":job/", "iam:PassRole": "brewtrain-glue"},
    "glue:UpdateJob": {"iam:PassRole": "brewtrain-glue"},
    "states:CreateStateMachine": {"states:TagResource": "", "iam:PassRole": "brewtrain-states"},
    "states:UpdateStateMachine": {"iam:PassRole": "brewtrain-states"},
    "sagemaker:CreateModelPackage": {
        "sagemaker:AddTags": ":model-package",
        "ecr:BatchGetImage": "",
        "ecr:DescribeImages": "",
    },
    "sagemaker:CreateModelPackageGroup": {"sagemaker:AddTags": ":model-package"},
    "s3:GetObject": {"kms:Decrypt": ""},
    "s3:PutObject": {"kms:GenerateDataKey": "", "kms:Decrypt": ""},
}
# The resource that a request tags when it creates it.
_MADE = {
    "createTrainingJob": ":training-job/",
    "createProcessingJob": ":processing-job/",
    "createModel": ":model/",
    "createEndpointConfig": ":endpoint-config/",
    "createEndpoint": ":endpoint/",
    # The state "Tag Endpoint": the ARN comes from DescribeEndpoint.
    "addTags": ":endpoint/",
    "listTags": ":endpoint",
}
JOBS = {
    "databrew": "the run's DataBrew job",
    "glue": "the split job, `include/glue/split.py`",
    "sagemaker": "SageMaker's jobs and the endpoint",
}


@dataclass
class _Class:
    module: _Module
    node: ast.ClassDef
    methods: dict[str, ast.AST] = field(default_factory=dict)

    @property
    def is_hook(self) -> bool:
        """Whether the class is in one of the hooks' modules."""
        return ".hooks." in self.module.name

    @property
    def is_called_by_airflow(self) -> bool:
        """Whether Airflow calls its methods, so that no call of them is in the source."""
        return self.module.name.split(".")[1] in ("operators", "triggers", "notifiers", "deadlines", "retry_policy")


@dataclass
class _Module:
    name: str
    text: str
    tree: ast.Module
    classes: dict[str, _Class] = field(default_factory=dict)
    functions: dict[str, ast.AST] = field(default_factory=dict)
    # Name in this module: (module, name in that module).
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)


def _load() -> dict[str, _Module]:
    modules = {}
    for path in sorted((PLUGINS / "brewtrain").rglob("*.py")):
        name = ".".join(path.relative_to(PLUGINS).with_suffix("").parts).removesuffix(".__init__")
        text = path.read_text("utf-8")
        modules[name] = _read(name, text)
    return modules


def _read(name: str, text: str) -> _Module:
    module = _Module(name, text, ast.parse(text))
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            module.functions[node.name] = node
        elif isinstance(node, ast.ClassDef):
            found = module.classes[node.name] = _Class(module, node)
            for member in node.body:
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                    found.methods[member.name] = member
    for statement in ast.walk(module.tree):
        if isinstance(statement, ast.ImportFrom) and statement.module:
            for alias in statement.names:
                module.imports[alias.asname or alias.name] = (statement.module, alias.name)
    return module


class CallGraph:
    """Find the boto3 calls that a class or function of the package reaches."""

    def __init__(self) -> None:
        self._modules = _load()

    def classes(self, module: str) -> list[str]:
        """Return the names of a module's classes.

        :param module: E.g. ``brewtrain.hooks.s3_run``.
        """
        return [*self._modules[module].classes]

    def actions(self, module: str, name: str) -> set[str]:
        """Return the IAM actions that a function or any method of a class reaches.

        :param module: E.g. ``brewtrain.operators.record_result``.
        :param name: Name of the class or function in the module.
        :raises KeyError: The module has none of this name.
        """
        start = self._modules[module]
        nodes: list[tuple[_Module, _Class | None, ast.AST]] = []
        if name in start.classes:
            nodes += self._whole(start.classes[name])
        else:
            nodes.append((start, None, start.functions[name]))
        seen: set[int] = set()
        found: set[str] = set()
        while nodes:
            owner, inside, node = nodes.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            for candidates in calls(node, owner.text):
                found |= {iam_action(service, operation) for service, operation in candidates.items()}
            if "ProbeHook" in owner.text and not owner.name.startswith("brewtrain.hooks"):
                found |= _named(node, {"stepfunctions", "databrew", "sagemaker"})
            if _names_its_call(node):
                found |= _named(owner.tree, declared_clients(owner.text))
            nodes += self._next(owner, inside, node)
        return found

    def _whole(self, one: _Class) -> list[tuple[_Module, _Class | None, ast.AST]]:
        return [(owner.module, owner, node) for owner in self._lineage(one) for node in owner.methods.values()]

    def _lineage(self, one: _Class) -> Iterator[_Class]:
        yield one
        for base in one.node.bases:
            parent = self._class(one.module, base.id) if isinstance(base, ast.Name) else None
            if parent is not None:
                yield from self._lineage(parent)

    def _class(self, module: _Module, name: str) -> _Class | None:
        if name in module.classes:
            return module.classes[name]
        where, there = module.imports.get(name, ("", ""))
        return self._modules[where].classes.get(there) if where in self._modules else None

    def _known(self, module: _Module) -> Iterator[_Class]:
        """Yield the classes whose objects a module may use.

        They are its own, those it imports, and the hooks that those know.
        """
        direct = [self._class(module, name) for name in [*module.classes, *module.imports]]
        for one in direct:
            if one is None:
                continue
            yield from self._lineage(one)
            if not one.is_hook:
                for name in [*one.module.classes, *one.module.imports]:
                    other = self._class(one.module, name)
                    if other is not None and other.is_hook:
                        yield from self._lineage(other)

    def _next(
        self, module: _Module, inside: _Class | None, node: ast.AST
    ) -> Iterator[tuple[_Module, _Class | None, ast.AST]]:
        attributes: set[str] = set()
        own: set[str] = set()
        for one in ast.walk(node):
            if isinstance(one, ast.Name):
                target = self._class(module, one.id)
                if target is not None and target.is_called_by_airflow:
                    yield from self._whole(target)
                elif target is not None and "__init__" in target.methods:
                    yield target.module, target, target.methods["__init__"]
                where, there = module.imports.get(one.id, (module.name, one.id))
                if where in self._modules and there in self._modules[where].functions:
                    yield self._modules[where], None, self._modules[where].functions[there]
            elif isinstance(one, ast.Attribute):
                if isinstance(one.value, ast.Name) and one.value.id in ("self", "cls"):
                    own.add(one.attr)
                elif isinstance(one.value, ast.Name) and self._submodule(module, one.value.id) is not None:
                    other = self._submodule(module, one.value.id)
                    assert other is not None
                    if one.attr in other.functions:
                        yield other, None, other.functions[one.attr]
                else:
                    attributes.add(one.attr)
        if inside is not None:
            yield from (
                (owner.module, owner, owner.methods[name])
                for owner in self._lineage(inside)
                for name in own & owner.methods.keys()
            )
        for known in self._known(module):
            yield from ((known.module, known, known.methods[name]) for name in attributes & known.methods.keys())

    def _submodule(self, module: _Module, name: str) -> _Module | None:
        where, there = module.imports.get(name, ("", ""))
        return self._modules.get(f"{where}.{there}")


def _names_its_call(node: ast.AST) -> bool:
    """Return whether code calls boto3 by a name that it gets as a value."""
    return any(
        isinstance(one, ast.Call)
        and isinstance(one.func, ast.Attribute)
        and one.func.attr == "get_paginator"
        and not isinstance(one.args[0], ast.Constant)
        for one in ast.walk(node)
    )


def _named(node: ast.AST, clients: set[str]) -> set[str]:
    """Return the actions of operations whose names are texts in the code."""
    texts = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return {
        iam_action(service, operation)
        for text in texts & operations().keys()
        for service, operation in operations()[text].items()
        if service in clients
    }


def airflow_use() -> Use:
    """Return the tasks and callbacks that may use each action, as ``<DAG>: <task>``."""
    graph = CallGraph()
    used: Use = defaultdict(set)
    for path in sorted((ROOT / "dags").glob("*_dag.py")):
        module = _read(path.stem, path.read_text("utf-8"))
        dag = path.stem.removesuffix("_dag").removesuffix("_pipeline")
        for where, name, user in _tasks(module):
            for action in graph.actions(where, name):
                used[action].add((f"{dag}: {user}", ""))
                for more, what in IMPLIED.get(action, {}).items():
                    used[more].add((f"{dag}: {user}", what))
    return used


def _tasks(module: _Module) -> Iterator[tuple[str, str, str]]:
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
            continue
        where, name = module.imports.get(node.id, ("", ""))
        if where.startswith("brewtrain.notifiers"):
            yield where, name, "on-call"
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        where, name = module.imports.get(node.func.id, ("", ""))
        task_id = next((keyword.value for keyword in node.keywords if keyword.arg == "task_id"), None)
        if where.startswith("brewtrain.") and task_id is not None:
            yield where, name, str(task_id.value) if isinstance(task_id, ast.Constant) else "every stage"


def states_use() -> Use:
    """Return the states of the state machine that use each action."""
    document = json.loads((ROOT / "include" / "statemachine" / "retraining.asl.json").read_text("utf-8"))
    used: Use = defaultdict(set)
    for name, state in _states(document):
        wanted = state_actions(state)
        for call, more in POLLED.items():
            if call in state.get("Resource", ""):
                wanted |= more
        call = state.get("Resource", "").rpartition(":")[2].partition(".")[0]
        for action in wanted:
            used[action].add((name, _MADE.get(call, "") if action.endswith("Tags") else ""))
            if action == "s3:GetObject":
                used["kms:Decrypt"].add((name, ""))
    return used


def _states(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in document["States"].items():
        yield name, state
        for branch in state.get("Branches", ()):
            yield from _states(branch)
