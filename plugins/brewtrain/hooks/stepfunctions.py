"""Step Functions executions: describe, start, redrive, stop, list, read their history.

Executions only; the state machine itself is deployed elsewhere. Must not be imported while DAG
files are parsed.

Source: AWS Step Functions API Reference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.run.execution_history import detail_of
from brewtrain.domain.run.ladder import Execution
from brewtrain.domain.run.stages import ACTIVE_STATUSES
from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.connection import AwsClientHook

_CAUSE_LIMIT = 32768
_HISTORY_PAGE = 100
_HISTORY_LIMIT = 1000


def _document(text: str | None) -> Mapping[str, Any] | None:
    if text is None:
        return None
    value = json.loads(text)
    return value if isinstance(value, dict) else {"value": value}


class StepFunctionsHook(AwsClientHook):
    """Executions of the retraining state machines."""

    service = "stepfunctions"

    def describe(self, execution_arn: str) -> Execution | None:
        """Describe an execution; ``None`` if there is none (never started, or gone after 90 days).

        :raises TransientError: If AWS could not be asked.
        :raises DeploymentError: If AWS refuses.
        """
        with self.errors(f"execution {execution_arn}"):
            try:
                answer = self.conn.describe_execution(executionArn=execution_arn)
            except ClientError as error:
                if error_code(error) == "ExecutionDoesNotExist":
                    return None
                raise
        return Execution(
            arn=answer["executionArn"],
            status=answer["status"],
            started_at=answer["startDate"],
            stopped_at=answer.get("stopDate"),
            redrive_status=answer.get("redriveStatus"),
            redrive_status_reason=answer.get("redriveStatusReason"),
            redrive_count=answer.get("redriveCount", 0),
            input=_document(answer.get("input")),
            output=_document(answer.get("output")),
            error=answer.get("error"),
            cause=answer.get("cause"),
        )

    def start(self, alias_arn: str, name: str, document: Mapping[str, Any]) -> bool:
        """Start an execution under a derived name.

        :param alias_arn: Alias of the state machine.
        :param name: Name of the execution.
        :param document: Its input.
        :returns: ``False`` if an execution of this name exists already: another caller was
            faster; describe it.
        :raises DeploymentError: If the state machine or its alias is not deployed, or AWS refuses.
        """
        with self.errors(f"execution {name!r}"):
            try:
                self.conn.start_execution(
                    stateMachineArn=alias_arn, name=name, input=json.dumps(document, sort_keys=True)
                )
            except ClientError as error:
                code = error_code(error)
                if code == "ExecutionAlreadyExists":
                    return False
                if code in ("StateMachineDoesNotExist", "ResourceNotFound", "StateMachineDeleting"):
                    raise DeploymentError(
                        f"execution {name!r} cannot start: {alias_arn} does not exist; run the pipeline's deploy DAG, "
                        "then clear this task"
                    ) from error
                raise
        return True

    def redrive(self, execution_arn: str, client_token: str) -> bool:
        """Redrive an execution from its failed state.

        :param client_token: Makes a repeated call of the same attempt the same redrive.
        :returns: ``False`` if the execution cannot be redriven: it runs already, or its time is
            over.
        """
        with self.errors(f"redrive of {execution_arn}"):
            try:
                self.conn.redrive_execution(executionArn=execution_arn, clientToken=client_token)
            except ClientError as error:
                if error_code(error) == "ExecutionNotRedrivable":
                    self.log.info("not redrivable: %s", error)
                    return False
                raise
        return True

    def stop(self, execution_arn: str, *, error: str, cause: str) -> bool:
        """Stop an execution, and with it the jobs that its ``.sync`` states run.

        :returns: ``False`` if there is none. Stopping one that has ended changes nothing.
        """
        with self.errors(f"execution {execution_arn}"):
            try:
                self.conn.stop_execution(executionArn=execution_arn, error=error, cause=cause[:_CAUSE_LIMIT])
            except ClientError as raised:
                if error_code(raised) == "ExecutionDoesNotExist":
                    return False
                # What AWS returns when the execution has ended meanwhile.
                if error_code(raised) == "ValidationException":
                    self.log.info("nothing to stop: %s", raised)
                    return True
                raise
        return True

    def version_of_alias(self, alias_arn: str) -> str:
        """Return the ARN of the version that an alias points to.

        :raises DeploymentError: If there is no such alias.
        """
        with self.errors(f"alias {alias_arn}"):
            try:
                answer = self.conn.describe_state_machine_alias(stateMachineAliasArn=alias_arn)
            except ClientError as error:
                if error_code(error) in ("ResourceNotFound", "StateMachineDoesNotExist"):
                    raise DeploymentError(f"{alias_arn} does not exist; run the pipeline's deploy DAG") from error
                raise
        return ", ".join(route["stateMachineVersionArn"] for route in answer["routingConfiguration"])

    def running(self, state_machine_arn: str) -> dict[str, int]:
        """Return ARN → redrive count of the executions that run.

        :param state_machine_arn: Without version or alias.
        """
        found: dict[str, int] = {}
        with self.errors(f"executions of {state_machine_arn}"):
            pages = self.conn.get_paginator("list_executions").paginate(
                stateMachineArn=state_machine_arn, statusFilter="RUNNING", PaginationConfig={"PageSize": 1000}
            )
            for page in pages:
                for item in page["executions"]:
                    found[item["executionArn"]] = item.get("redriveCount", 0)
        return found

    def unfinished(self, state_machine_arn: str, *, since: datetime) -> list[tuple[str, datetime | None]]:
        """Return ARN and end of the executions that run or failed lately and may be redriven.

        :param state_machine_arn: Without version or alias.
        :param since: Failures before this are left out, aware.
        :returns: Empty if there is no such state machine.
        """
        found: list[tuple[str, datetime | None]] = []
        with self.errors(f"executions of {state_machine_arn}"):
            try:
                # PENDING_REDRIVE is of Map Run children only; ListExecutions refuses it for a state
                # machine.
                for status in ("RUNNING", "FAILED", "TIMED_OUT", "ABORTED"):
                    pages = self.conn.get_paginator("list_executions").paginate(
                        stateMachineArn=state_machine_arn, statusFilter=status, PaginationConfig={"PageSize": 1000}
                    )
                    for page in pages:
                        for item in page["executions"]:
                            stopped = None if status in ACTIVE_STATUSES else item.get("stopDate")
                            if stopped is None or stopped >= since:
                                found.append((item["executionArn"], stopped))
            except ClientError as error:
                if error_code(error) == "StateMachineDoesNotExist":
                    return []
                raise
        return found

    def newest_events(self, execution_arn: str, *, limit: int) -> list[dict[str, Any]]:
        """Return the newest events without their data, newest first.

        :param limit: At most so many, 1–1000: one call.
        """
        with self.errors(f"history of {execution_arn}"):
            events: list[dict[str, Any]] = self.conn.get_execution_history(
                executionArn=execution_arn, reverseOrder=True, maxResults=limit, includeExecutionData=False
            )["events"]
        return events

    def events_of_failure(self, execution_arn: str) -> list[dict[str, Any]]:
        """Return the events since the failed state was entered, with their data, newest first."""
        return list(self._until_state_entered(execution_arn))

    def _until_state_entered(self, execution_arn: str) -> Iterator[dict[str, Any]]:
        seen = 0
        with self.errors(f"history of {execution_arn}"):
            pages = self.conn.get_paginator("get_execution_history").paginate(
                executionArn=execution_arn,
                reverseOrder=True,
                includeExecutionData=True,
                PaginationConfig={"PageSize": _HISTORY_PAGE},
            )
            for page in pages:
                for event in page["events"]:
                    yield event
                    seen += 1
                    if event["type"].endswith("StateEntered") and detail_of(event):
                        return
                    if seen >= _HISTORY_LIMIT:
                        return
