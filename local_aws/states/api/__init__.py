"""The operations of the Step Functions API over the stored state machines and executions.

Every operation takes the request's members, the region and the account, and returns the response's
members. One module per resource. Follows botocore's model and
https://docs.aws.amazon.com/step-functions/latest/apireference/Welcome.html. Must not import moto.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from local_aws.states import executions
from local_aws.states.api.aliases import AliasOperations
from local_aws.states.api.execution_operations import ExecutionOperations
from local_aws.states.api.state_machines import StateMachineOperations
from local_aws.states.api.store import Store
from local_aws.states.api.tags import TagOperations
from local_aws.states.api.task_tokens import TaskTokenOperations
from local_aws.states.api.versions import VersionOperations
from local_aws.states.errors import validation
from local_aws.states.models import TERMINAL, Execution, StateMachine

__all__ = ["StatesApi"]


class StatesApi(
    StateMachineOperations,
    VersionOperations,
    AliasOperations,
    ExecutionOperations,
    TaskTokenOperations,
    TagOperations,
):
    """The operations on all state machines of this process, in every account and region."""

    def __init__(self) -> None:
        super().__init__(Store())

    def age(self, arn: str, seconds: float) -> Execution:
        """Make a closed execution older, for tests of what happens after days.

        :param arn: ARN of the execution.
        :param seconds: by how much.
        :raises ApiError: the execution does not exist or is running.
        """
        execution = self.store.execution(arn)
        with execution.lock:
            if execution.status not in TERMINAL or execution.stop_date is None:
                raise validation(f"Only a closed execution can be aged, and this one is {execution.status}: '{arn}'")
            execution.start_date -= seconds
            execution.stop_date -= seconds
        return execution

    def stop_all(self) -> None:
        """Stop every running execution because the server ends."""
        threads = [
            threading.Thread(target=executions.stop, args=(item, *executions.SERVER_STOPPED))
            for item in self._all_executions()
            if item.status not in TERMINAL
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def snapshot(self) -> dict[str, StateMachine]:
        """Return the state to save: ARN → state machine with its executions."""
        with self.store.lock:
            return dict(self.store.machines)

    def restore(self, machines: dict[str, StateMachine]) -> None:
        """Take over a saved state.

        :param machines: what ``snapshot`` returned; executions that were running become ABORTED and
            can be redriven.
        """
        with self.store.lock:
            self.store.machines = dict(machines)
            for execution in self._all_executions():
                executions.abort_interrupted(execution)

    def _all_executions(self) -> Iterable[Execution]:
        with self.store.lock:
            return [item for machine in self.store.machines.values() for item in machine.executions.values()]
