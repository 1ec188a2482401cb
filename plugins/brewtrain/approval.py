"""The question whether a model may be deployed, and a person's answer to it.

Imported while DAG files are parsed: must not import a hook or boto3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

from brewtrain import run_context
from brewtrain.notifiers.approval import ApprovalNotifier


def ask_approval(*, task_id: str, choose_task: str, response_timeout: timedelta) -> ApprovalOperator:
    """Make the task that asks a person about what was chosen; no answer in time is a no.

    :param task_id: Id of the task.
    :param choose_task: Task that chose, and returned the question's ``subject`` and ``body``.
    :param response_timeout: How long a person has to answer.
    """
    return ApprovalOperator(
        task_id=task_id,
        subject=run_context.pulled(choose_task, "subject"),
        body=run_context.pulled(choose_task, "body"),
        defaults=ApprovalOperator.REJECT,
        response_timeout=response_timeout,
        notifiers=ApprovalNotifier(),
    )


@dataclass(frozen=True)
class Answer:
    """What a person answered.

    :param approved: Whether the person said yes.
    :param user: Name of the person; ``None`` if nobody answered in time.
    """

    approved: bool
    user: str | None

    @classmethod
    def of(cls, returned: Mapping[str, Any] | None) -> Answer | None:
        """Read the answer from what Airflow's ApprovalOperator returned.

        :param returned: ``None`` if nobody was asked; so is the answer then.
        """
        if returned is None:
            return None
        user = returned.get("responded_by_user")
        return cls(
            approved=ApprovalOperator.APPROVE in (returned.get("chosen_options") or ()),
            user=str(user.get("name") or user.get("id")) if isinstance(user, Mapping) else None,
        )
