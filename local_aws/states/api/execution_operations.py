"""Operations on executions: start, describe, list, read the history, stop and redrive.

See https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-executions.html.
Must not import moto.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from local_aws.states import executions
from local_aws.states.api.paging import page
from local_aws.states.api.store import Members, Operations, check_name
from local_aws.states.asl.texts import random_id
from local_aws.states.errors import ApiError, validation
from local_aws.states.interpreter import MAX_PAYLOAD_BYTES, Frame
from local_aws.states.models import TERMINAL, Alias, Execution, StateMachine, Version

_CLIENT_TOKENS_KEPT = 10
_CLIENT_TOKEN_SECONDS = 15 * 60
# Closed executions kept per state machine; the oldest are forgotten first so that memory stays
# bounded.
_MAX_CLOSED_EXECUTIONS = 10_000
_EXECUTION_DATA = ("input", "output", "parameters", "inputDetails", "outputDetails", "assignedVariables")


class ExecutionOperations(Operations):
    """The operations on executions."""

    def start_execution(self, members: Members, region: str, account: str) -> Members:
        """Start an execution; while it runs, the same request made again returns it.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
        """
        name = members.get("name") or random_id()
        check_name(name)
        text = members.get("input", "{}")
        value = _input(text)
        with self.store.lock:
            machine, version, alias = self.store.route(members["stateMachineArn"])
            if machine.status == "DELETING":
                raise ApiError("StateMachineDeleting", f"State machine is being deleted: '{machine.arn}'")
            arn = f"{machine.arn.replace(':stateMachine:', ':execution:')}:{name}"
            existing = machine.executions.get(name)
            if existing is not None:
                same = existing.status == "RUNNING" and json.loads(existing.input) == value
                if not same:
                    raise ApiError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
                return {"executionArn": arn, "startDate": existing.start_date}
            definition = version.definition if version else machine.definition
            execution = Execution(
                arn=arn,
                name=name,
                state_machine_arn=machine.arn,
                definition=definition,
                role_arn=version.role_arn if version else machine.role_arn,
                input=text,
                start_date=time.time(),
                frame=Frame(state=json.loads(definition)["StartAt"], input=value),
                version_arn=version.arn if version else None,
                alias_arn=alias.arn if alias else None,
                trace_header=members.get("traceHeader"),
            )
            machine.executions[name] = execution
            _forget_oldest(machine)
            executions.start(execution)
        return {"executionArn": arn, "startDate": execution.start_date}

    def describe_execution(self, members: Members, region: str, account: str) -> Members:
        """Describe an execution, and say whether it can be redriven.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
        """
        execution = self.store.execution(members["executionArn"])
        with execution.lock:
            reason = execution.not_redrivable_reason
            included = members.get("includedData") != "METADATA_ONLY"
            answer = {
                "executionArn": execution.arn,
                "stateMachineArn": execution.state_machine_arn,
                "name": execution.name,
                "status": execution.status,
                "startDate": execution.start_date,
                "stopDate": execution.stop_date,
                "input": execution.input if included else None,
                "inputDetails": {"included": included},
                "output": execution.output if included else None,
                "outputDetails": {"included": included} if execution.output is not None else None,
                "error": execution.error,
                "cause": execution.cause,
                "traceHeader": execution.trace_header,
                "stateMachineVersionArn": execution.version_arn,
                "stateMachineAliasArn": execution.alias_arn,
                "redriveCount": execution.redrive_count,
                "redriveDate": execution.redrive_date,
                "redriveStatus": "REDRIVABLE" if reason is None else "NOT_REDRIVABLE",
                "redriveStatusReason": reason,
            }
        return _without_none(answer)

    def list_executions(self, members: Members, region: str, account: str) -> Members:
        """List the executions of a state machine, version or alias, newest first.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html
        """
        if members.get("mapRunArn"):
            raise ApiError("ResourceNotFound", f"Map Run does not exist: '{members['mapRunArn']}'")
        if not members.get("stateMachineArn"):
            raise validation("Must provide a valid state machine ARN or map run ARN", "MISSING_REQUIRED_PARAMETER")
        if members.get("statusFilter") == "PENDING_REDRIVE":
            raise validation("A statusFilter of PENDING_REDRIVE needs a mapRunArn")
        with self.store.lock:
            machine, version, alias = self.store.resolve(members["stateMachineArn"])
            found = list(machine.executions.values())
        if machine.type == "EXPRESS":
            raise ApiError(
                "StateMachineTypeNotSupported", "This operation is not supported by this type of state machine"
            )
        rows = [
            _row(item)
            for item in sorted(found, key=lambda item: (item.sort_date, item.arn), reverse=True)
            if _fits_filters(item, members) and _belongs_to(item, version, alias)
        ]
        return page(rows, members, "executions")

    def get_execution_history(self, members: Members, region: str, account: str) -> Members:
        """List the events of an execution, with or without their data.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html
        """
        execution = self.store.execution(members["executionArn"])
        events: Iterable[Members] = execution.history.read()
        if members.get("reverseOrder"):
            events = reversed(list(events))
        rows = list(events)
        if members.get("includeExecutionData") is False:
            rows = [_without_data(event) for event in rows]
        return page(rows, members, "events")

    def stop_execution(self, members: Members, region: str, account: str) -> Members:
        """Stop an execution and the job it waits for.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html
        """
        execution = self.store.execution(members["executionArn"])
        return {"stopDate": executions.stop(execution, members.get("error"), members.get("cause"))}

    def redrive_execution(self, members: Members, region: str, account: str) -> Members:
        """Continue an unsuccessful execution; a client token makes the request idempotent.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html
        """
        execution = self.store.execution(members["executionArn"])
        token = members.get("clientToken")
        with self.store.lock, execution.lock:
            now = time.time()
            used = {
                key: value for key, value in execution.client_tokens.items() if value[0] > now - _CLIENT_TOKEN_SECONDS
            }
            if token in used:
                return {"redriveDate": used[token][1]}
            reason = execution.not_redrivable_reason
            machine = self.store.machines.get(execution.state_machine_arn)
            if machine is not None and machine.status == "DELETING":
                reason = "State machine is in DELETING status"
            if reason is not None:
                raise ApiError(
                    "ExecutionNotRedrivable", f"The execution '{execution.arn}' cannot be redriven: {reason}."
                )
            executions.redrive(execution)
            if token:
                used[token] = (now, execution.redrive_date or now)
                execution.client_tokens = dict(list(used.items())[-_CLIENT_TOKENS_KEPT:])
            return {"redriveDate": execution.redrive_date}


def _input(text: str) -> Any:
    if len(text.encode()) > MAX_PAYLOAD_BYTES:
        raise ApiError(
            "InvalidExecutionInput",
            f"Invalid State Machine Execution Input: the input exceeds the maximum of {MAX_PAYLOAD_BYTES} bytes",
        )
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        raise ApiError("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'") from error


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _forget_oldest(machine: StateMachine) -> None:
    if len(machine.executions) <= _MAX_CLOSED_EXECUTIONS:
        return
    for name, execution in list(machine.executions.items()):
        if execution.status in TERMINAL:
            del machine.executions[name]
            return


def _fits_filters(execution: Execution, members: Members) -> bool:
    status, redriven = members.get("statusFilter"), members.get("redriveFilter")
    if status is not None and execution.status != status:
        return False
    return redriven is None or (execution.redrive_count > 0) == (redriven == "REDRIVEN")


def _belongs_to(execution: Execution, version: Version | None, alias: Alias | None) -> bool:
    if alias is not None:
        return execution.alias_arn == alias.arn
    return version is None or execution.version_arn == version.arn


def _row(execution: Execution) -> Members:
    return _without_none(
        {
            "executionArn": execution.arn,
            "stateMachineArn": execution.state_machine_arn,
            "name": execution.name,
            "status": execution.status,
            "startDate": execution.start_date,
            "stopDate": execution.stop_date,
            "stateMachineVersionArn": execution.version_arn,
            "stateMachineAliasArn": execution.alias_arn,
            "redriveCount": execution.redrive_count,
            "redriveDate": execution.redrive_date,
        }
    )


def _without_none(answer: Members) -> Members:
    return {key: value for key, value in answer.items() if value is not None}


def _without_data(event: Members) -> Members:
    return {
        key: {name: item for name, item in value.items() if name not in _EXECUTION_DATA}
        if isinstance(value, dict)
        else value
        for key, value in event.items()
    }
