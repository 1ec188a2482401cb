"""CONTRIBUTING's path "add a service to local AWS": a test fails where a step was forgotten."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.session import get_session

from local_aws.core.call_identity import Call, Principal
from local_aws.core.call_resources import ACTION_PREFIX
from local_aws.core.services import SERVICE_MODULES
from local_aws.iam.permissions import Permission, permissions_of
from local_aws.jobs import modelled
from local_aws.jobs.knobs import SERVICES as DELAYED
from local_aws.jobs.modelled import ModelledResponse
from local_aws.jobs.store import ServiceStore

REPOSITORY = Path(__file__).resolve().parents[3]
PACKAGES = [module.removeprefix("local_aws.") for module in SERVICE_MODULES]
#: botocore's name of each package's API, and what its ARNs and IAM actions call it.
APIS = {"states": "stepfunctions", "lambda_": "lambda"}
ROLE = "arn:aws:iam::123456789012:role/r"


def package(name: str) -> ModuleType:
    return importlib.import_module(f"local_aws.{name}")


def api(name: str) -> str:
    return APIS.get(name, name)


def served() -> dict[str, tuple[str, Any]]:
    """Every operation with a handler: ``service:Operation`` → botocore service name and handler."""
    for module in SERVICE_MODULES:
        importlib.import_module(f"{module}.responses")
    return {
        f"{service}:{operation}": (service, handler)
        for response in ModelledResponse.__subclasses__()
        for service in [response().boto3_service_name]
        for operation, handler in response.handlers.items()
    }


@lru_cache
def input_shape(service: str, operation: str) -> Any:
    return get_session().get_service_model(service).operation_model(operation).input_shape


class NothingStored:
    """S3 without any object."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"only S3 calls look at stored objects: {name}")


def needed(service: str, operation: str, params: dict[str, Any]) -> list[Permission]:
    """Return what IAM asks for a call with these members."""
    prefix = ACTION_PREFIX.get(service, service)
    action = f"{prefix}:{'InvokeFunction' if (service, operation) == ('lambda', 'Invoke') else operation}"
    principal = Principal("arn:aws:iam::123456789012:user/u", "123456789012")
    call = Call(service, operation, action, "us-east-1", principal, "*", "json", params)
    return permissions_of(call, NothingStored())  # type: ignore[arg-type]


def required_names(service: str, operation: str) -> dict[str, Any]:
    """Return a value for each required string member."""
    shape = input_shape(service, operation)
    return {
        member: f"arn:aws:{service}:us-east-1:123456789012:thing/n" if member.endswith("Arn") else "n"
        for member in shape.required_members
        if shape.members[member].type_name == "string"
    }


@pytest.mark.parametrize("name", PACKAGES)
def test_a_service_has_the_functions_that_the_server_calls(name: str) -> None:
    module = package(name)
    assert callable(module.register)
    stores = [
        value
        for path in (REPOSITORY / "local_aws" / name).glob("*.py")
        if "STORE = ServiceStore" in path.read_text()
        for value in vars(importlib.import_module(f"local_aws.{name}.{path.stem}")).values()
        if isinstance(value, ServiceStore)
    ]
    if stores:
        assert callable(module.snapshot), f"local_aws/{name} has a ServiceStore: add snapshot and restore"
        assert callable(module.restore)


def test_every_package_with_a_register_function_is_listed() -> None:
    found = {
        path.parent.name
        for path in (REPOSITORY / "local_aws").glob("*/__init__.py")
        if re.search(r"^def register\(", path.read_text(), re.MULTILINE)
    }
    assert found == set(PACKAGES), "list the package in SERVICE_MODULES of local_aws/core/services.py"


def test_every_service_has_a_row_in_the_manual() -> None:
    section = (REPOSITORY / "docs/local-aws.md").read_text().split("## Services", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `local_aws/(\w+)` \|", section, re.MULTILINE)
    assert sorted(rows) == sorted(PACKAGES), "docs/local-aws.md, Services: one row a package"


@pytest.mark.parametrize("name", PACKAGES)
def test_every_service_has_tests(name: str) -> None:
    folder = REPOSITORY / "tests/functional/local_aws"
    users = [path.name for path in folder.rglob("test_*.py") if f'aws_client("{api(name)}")' in path.read_text()]
    assert users, f"no test below {folder} calls {api(name)}"


@pytest.mark.parametrize("name", [name for name in PACKAGES if name != "lambda_"])
def test_iam_finds_the_tags_of_every_service(name: str) -> None:
    """Functions are moto's records, so Lambda's tags are not looked up (docs/local-aws.md)."""
    registered = re.findall(r'resource_tags\.register\("(\w+)"', inspect.getsource(package(name)))
    assert registered == [name], f"register() of local_aws/{name} must call resource_tags.register"


def test_every_kind_of_run_can_be_delayed_and_is_in_the_manual() -> None:
    manual = (REPOSITORY / "docs/local-aws-jobs.md").read_text()
    assert [kind for kind in DELAYED if f"`{kind}`" not in manual] == []


def test_the_operations_with_a_handler_are_counted() -> None:
    """So that the tests below are not run over an empty list; raise it with each operation."""
    assert len(served()) == 77


#: Operations on nothing that has an ARN of its own before the call, or on whole kinds of resources.
WITHOUT_RESOURCE = re.compile(r"^(databrew:Create|\w+:List|glue:(GetJobs|BatchGetJobs)$)")


@pytest.mark.parametrize("operation", sorted(served()))
def test_iam_knows_the_resource_of_every_operation(operation: str) -> None:
    service, name = operation.split(":")
    names = required_names(service, name)
    if WITHOUT_RESOURCE.match(operation) or not names:
        return
    first = needed(service, name, names)[0]
    assert first.resource != "*", f"add {operation} to local_aws/iam/permissions/resources.py"


def roles_in(shape: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of the members that hand a role to the service."""
    for name, member in shape.members.items():
        if name in ("Role", "RoleArn", "ExecutionRoleArn") and member.type_name == "string":
            yield (*path, name)
        elif member.type_name == "structure" and name == "JobUpdate":
            yield from roles_in(member, (*path, name))


@pytest.mark.parametrize("operation", sorted(served()))
def test_iam_asks_for_pass_role_where_a_role_is_handed_over(operation: str) -> None:
    service, name = operation.split(":")
    shape = input_shape(service, name)
    for path in roles_in(shape):
        params: dict[str, Any] = {path[-1]: ROLE}
        for member in reversed(path[:-1]):
            params = {member: params}
        permissions = needed(service, name, {**required_names(service, name), **params})
        passed = [one.resource for one in permissions if one.action == "iam:PassRole"]
        assert passed == [ROLE], f"add {operation} to local_aws/iam/permissions/passed_roles.py"


@pytest.mark.parametrize("operation", sorted(served()))
def test_no_member_of_a_request_is_silently_ignored(operation: str) -> None:
    """A member that AWS takes must be used, stored or refused by name in the handler's module."""
    service, handler = served()[operation]
    shape = input_shape(service, operation.split(":")[1])
    module = inspect.getmodule(handler)
    assert module is not None
    shared = Path(str(module.__file__)).with_name("records.py")
    known = words(Path(str(module.__file__))) | words(Path(modelled.__file__))
    known |= words(shared) if shared.exists() else frozenset()
    ignored = sorted(set(shape.members) - known - NOT_USED.get(operation, set()))
    assert ignored == [], f"{operation}: use these members, or name them in refuse_unsupported"


#: Members that make no difference here, with the reason.
NOT_USED: dict[str, set[str]] = {
    "glue:GetJobRun": {"PredecessorsIncluded"},  # there are no triggers, so no run has predecessors
    "lambda:Invoke": {"Payload"},  # the request's body
    "sagemaker-runtime:InvokeEndpoint": {
        "Body",
        "ContentType",  # headers and body as they are
        "CustomAttributes",  # the XGBoost container ignores it
        "InferenceId",  # names an entry of data capture, which is not written here
        "PrefixAwareId",  # routes to an instance; there is one process a variant
    },
    "sagemaker:DescribeModelPackage": {"IncludedData"},  # all data is returned
}


@lru_cache
def words(path: Path) -> frozenset[str]:
    """Every string that a module writes out; those of f-strings count as well."""
    tree = ast.parse(path.read_text())
    return frozenset(
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
