"""Callbacks of tasks that wait for a token.

See https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token.
Must not import moto.
"""

from __future__ import annotations

import json

from local_aws.states import executions
from local_aws.states.api.store import Members, Operations
from local_aws.states.errors import ApiError
from local_aws.states.task_tokens import Callback


class TaskTokenOperations(Operations):
    """The operations on task tokens."""

    def send_task_success(self, members: Members, region: str, account: str) -> Members:
        """End a waiting task with a result.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html
        """
        try:
            output = json.loads(members["output"])
        except ValueError as error:
            raise ApiError("InvalidOutput", f"Invalid output: '{error}'") from error
        return _send(members["taskToken"], Callback("success", output=output))

    def send_task_failure(self, members: Members, region: str, account: str) -> Members:
        """End a waiting task with an error.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskFailure.html
        """
        callback = Callback("failure", error=members.get("error"), cause=members.get("cause"))
        return _send(members["taskToken"], callback)

    def send_task_heartbeat(self, members: Members, region: str, account: str) -> Members:
        """Begin the heartbeat interval of a waiting task anew.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskHeartbeat.html
        """
        return _send(members["taskToken"], Callback("heartbeat"))


def _send(token: str, callback: Callback) -> Members:
    if not executions.TOKENS.send(token, callback):
        raise ApiError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
    return {}
