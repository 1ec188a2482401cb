"""Deploy the CloudFormation stacks that an account needs before the first DAG run.

They are the storage and the roles. What belongs to a pipeline is deployed by its deploy DAG. A
second run changes nothing. It deploys to real AWS only with ``--aws``.

    python -m tools.bootstrap --endpoint-url http://127.0.0.1:4566
    python -m tools.bootstrap --aws [--region eu-west-1]

Must not import Airflow.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TEMPLATES = Path(__file__).resolve().parent.parent / "include" / "cloudformation"
STACKS = ("storage", "roles")
"""Templates in order of deployment; the stack of ``storage.yaml`` is ``brewtrain-storage``."""

_NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")


class BootstrapError(Exception):
    """A stack could not be deployed; the message is one sentence for the person who asked."""


@dataclasses.dataclass(frozen=True)
class StackOutcome:
    """What was done to one stack.

    :ivar action: ``created``, ``updated`` or ``unchanged``.
    :ivar changes: One line per resource.
    """

    stack: str
    action: str
    changes: tuple[str, ...] = ()


def bootstrap(
    client_for: Callable[[str], Any],
    *,
    parameters: Mapping[str, Mapping[str, str]] | None = None,
    log: Callable[[str], None] = lambda line: None,
    stacks: Sequence[str] = STACKS,
    templates: Path = TEMPLATES,
) -> list[StackOutcome]:
    """Deploy stacks in order through change sets, so that each change is logged before it is made.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html

    :param client_for: Makes a boto3 client by service name.
    :param parameters: Template parameters by stack.
    :param log: Gets one line per change.
    :param templates: Folder of ``<stack>.yaml``.
    :returns: One outcome per stack.
    :raises BootstrapError: A template is missing, or AWS cannot deploy it. Earlier stacks stay
        deployed.
    """
    client = client_for("cloudformation")
    return [
        _deploy(client, name, templates / f"{name}.yaml", dict((parameters or {}).get(name, {})), log)
        for name in stacks
    ]


def _deploy(
    client: Any, name: str, template: Path, parameters: dict[str, str], log: Callable[[str], None]
) -> StackOutcome:
    stack = f"brewtrain-{name}"
    try:
        body = template.read_text(encoding="utf-8")
    except OSError as error:
        raise BootstrapError(f"{template} cannot be read ({(error.strerror or str(error)).lower()}).") from error
    try:
        existing = _describe(client, stack)
        if existing is not None and not _can_be_updated(existing["StackStatus"]):
            raise BootstrapError(
                f"stack {stack} is in {existing['StackStatus']} and cannot be updated; wait until that ends, "
                "or delete the stack in CloudFormation if its creation failed, and run this again."
            )
        if (
            existing is not None
            and _deployed_template(client, stack) == body
            and _same_parameters(existing, parameters)
        ):
            log(f"stack {stack}: unchanged")
            return StackOutcome(stack, "unchanged")
        return _apply(client, stack, body, parameters, existing, log)
    except Exception as error:
        if type(error).__module__.split(".")[0] != "botocore":
            raise
        raise BootstrapError(f"stack {stack} could not be deployed from {template.name}: {error}") from error


def _apply(
    client: Any,
    stack: str,
    body: str,
    parameters: dict[str, str],
    existing: dict[str, Any] | None,
    log: Callable[[str], None],
) -> StackOutcome:
    # Named after its content, so that a retry after a crash finds the change set of the first try.
    digest = hashlib.sha256(
        "\0".join([body, *(f"{key}={value}" for key, value in sorted(parameters.items()))]).encode()
    )
    change_set = f"brewtrain-{digest.hexdigest()[:12]}"
    where = {"StackName": stack, "ChangeSetName": change_set}
    request = {
        **where,
        "TemplateBody": body,
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "ChangeSetType": "CREATE" if existing is None else "UPDATE",
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in sorted(parameters.items())],
        "Tags": [{"Key": "brewtrain:managed-by", "Value": "tools/bootstrap.py"}],
    }
    try:
        client.create_change_set(**request)
    except client.exceptions.AlreadyExistsException:
        client.delete_change_set(**where)
        client.create_change_set(**request)
    description = _wait_for_change_set(client, where)
    if description is None:
        client.delete_change_set(**where)
        log(f"stack {stack}: unchanged")
        return StackOutcome(stack, "unchanged")
    changes = tuple(
        f"{change['Action'].lower()} {change['ResourceType']} {change['LogicalResourceId']}"
        for change in (item["ResourceChange"] for item in description.get("Changes", ()))
    )
    for line in changes:
        log(f"stack {stack}: {line}")
    client.execute_change_set(**where)
    waiter = client.get_waiter("stack_create_complete" if existing is None else "stack_update_complete")
    waiter.wait(StackName=stack, WaiterConfig={"Delay": _poll_seconds(client), "MaxAttempts": 240})
    action = "created" if existing is None else "updated"
    log(f"stack {stack}: {action}")
    return StackOutcome(stack, action, changes)


def _poll_seconds(client: Any) -> int:
    """Return a long pause for AWS, which takes minutes and throttles, and a short one otherwise."""
    return 5 if ".amazonaws.com" in str(client.meta.endpoint_url) else 1


def _wait_for_change_set(client: Any, where: dict[str, str]) -> dict[str, Any] | None:
    """Wait for the change set and return it, or ``None`` if it would change nothing."""
    from botocore.exceptions import WaiterError

    try:
        client.get_waiter("change_set_create_complete").wait(
            **where, WaiterConfig={"Delay": _poll_seconds(client), "MaxAttempts": 120}
        )
    except WaiterError as error:
        reason = str((error.last_response or {}).get("StatusReason", ""))
        if any(text in reason for text in _NOTHING_TO_DO):
            return None
        raise BootstrapError(f"the change set of stack {where['StackName']} failed: {reason or error}") from error
    description: dict[str, Any] = client.describe_change_set(**where)
    return description


def _describe(client: Any, stack: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        found: dict[str, Any] = client.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    # An unfinished creation through a change set leaves this; the next creation starts over.
    return None if found["StackStatus"] == "REVIEW_IN_PROGRESS" else found


def _can_be_updated(status: str) -> bool:
    return status.endswith("_COMPLETE") and status not in {"ROLLBACK_COMPLETE", "DELETE_COMPLETE"}


def _deployed_template(client: Any, stack: str) -> str:
    body = client.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    return body if isinstance(body, str) else ""


def _same_parameters(existing: dict[str, Any], parameters: dict[str, str]) -> bool:
    deployed = {item["ParameterKey"]: item.get("ParameterValue") for item in existing.get("Parameters", ())}
    return all(deployed.get(key) == value for key, value in parameters.items())


def main(arguments: list[str] | None = None) -> int:
    """Deploy the stacks.

    :returns: The exit code: 0 deployed, 1 failed, 2 wrong usage.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.bootstrap", description=(__doc__ or "").split("\n")[0])
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--endpoint-url", help="local_aws, for example http://127.0.0.1:4566")
    target.add_argument("--aws", action="store_true", help="real AWS, with boto3's own credentials")
    parser.add_argument("--region", default="us-east-1", help="default %(default)s")
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="STACK:KEY=VALUE",
        help="set a template parameter; may be repeated",
    )
    options = parser.parse_args(arguments)
    parameters: dict[str, dict[str, str]] = {}
    for item in options.parameter:
        stack, _, pair = item.partition(":")
        key, equals, value = pair.partition("=")
        if stack not in STACKS or not equals:
            parser.error(f"--parameter {item} is not STACK:KEY=VALUE; STACK is one of {', '.join(STACKS)}")
        parameters.setdefault(stack, {})[key] = value

    import boto3
    from botocore.exceptions import BotoCoreError

    from tools.local_aws_clients import local_clients

    try:
        bootstrap(
            boto3.Session(region_name=options.region).client
            if options.aws
            else local_clients(options.endpoint_url, options.region),
            parameters=parameters,
            log=lambda line: print(f"bootstrap: {line}", flush=True),
        )
    except (BootstrapError, BotoCoreError) as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
