"""Deploy the CloudFormation stacks an account needs before the first DAG run: storage, then roles.

What belongs to the account (bucket, roles) is deployed by a person or this tool; what belongs to a
pipeline is deployed by its deploy DAG. Running it twice changes nothing. Against local_aws by
default; real AWS only when asked for by name.

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
    """What became of one stack: `action` is ``created``, ``updated`` or ``unchanged``; `changes`
    has a line a resource.
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
    """Deploy `stacks` in order through change sets, so that every change is told before it is made.

    Parameters: `client_for` gives a boto3 client by service name; `parameters`, template parameters
    by stack; `log` gets one line a change; `templates`, the folder of ``<stack>.yaml``. Returns one
    outcome a stack. Raises BootstrapError if a template is missing or AWS refuses or fails to
    deploy it; stacks before it stay deployed. CloudFormation:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
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
                f"stack {stack} is in {existing['StackStatus']} and cannot be updated; wait for it to end, "
                "or delete it in CloudFormation if it was never created whole, and run this again."
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
    # Named by content, so that a second try after a crash meets the change set of the first one.
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
    """A local endpoint is done at once; AWS takes minutes and throttles who asks too often."""
    return 5 if ".amazonaws.com" in str(client.meta.endpoint_url) else 1


def _wait_for_change_set(client: Any, where: dict[str, str]) -> dict[str, Any] | None:
    """The change set once it is ready, or None if it would change nothing."""
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
    # What an unfinished creation through a change set leaves behind; the next one starts over.
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
    """Deploy the stacks; answers the exit code: 0 done, 1 refused or failed, 2 wrong usage."""
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
        help="a template parameter; may be repeated",
    )
    options = parser.parse_args(arguments)
    parameters: dict[str, dict[str, str]] = {}
    for item in options.parameter:
        stack, _, pair = item.partition(":")
        key, equals, value = pair.partition("=")
        if stack not in STACKS or not equals:
            parser.error(f"--parameter {item} is not STACK:KEY=VALUE with STACK one of {', '.join(STACKS)}")
        parameters.setdefault(stack, {})[key] = value

    import boto3
    from botocore.exceptions import BotoCoreError

    from tools.airflow_env import LOCAL_ACCESS_KEY_ID, LOCAL_SECRET_ACCESS_KEY

    keys = (
        {}
        if options.aws
        else {"aws_access_key_id": LOCAL_ACCESS_KEY_ID, "aws_secret_access_key": LOCAL_SECRET_ACCESS_KEY}
    )
    session = boto3.Session(region_name=options.region, **keys)
    try:
        bootstrap(
            lambda service: session.client(service, endpoint_url=options.endpoint_url),
            parameters=parameters,
            log=lambda line: print(f"bootstrap: {line}", flush=True),
        )
    except (BootstrapError, BotoCoreError) as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
