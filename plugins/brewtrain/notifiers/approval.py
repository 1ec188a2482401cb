"""Tells a person that a task waits for a decision, through the same channel as failures.

Must not import a hook at module level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

from brewtrain.domain.errors import BrewtrainError
from brewtrain.domain.names import CONNECTION_ID
from brewtrain.notifiers.on_call import send

if TYPE_CHECKING:
    from airflow.sdk import Context


class ApprovalNotifier(BaseNotifier):
    """Sends the question of an approval task, with the address of the page to answer it on.

    A question that cannot be sent still waits in the UI: this is logged, and fails nothing.

    :param aws_conn_id: Airflow connection of type ``aws``.
    """

    def __init__(self, aws_conn_id: str = CONNECTION_ID) -> None:
        super().__init__()
        self.aws_conn_id = aws_conn_id

    def notify(self, context: Context) -> None:
        """Send the question of the task in the context."""
        task: Any = context["task"]
        subject, body = str(getattr(task, "subject", task.task_id)), str(getattr(task, "body", "") or "")
        try:
            link = task.generate_link_to_ui_from_context(context=context)
        except ValueError:
            # No api.base_url is configured.
            link = f"task {task.task_id} of {context['ti'].dag_id}, run {context['ti'].run_id}"
        try:
            send(subject, f"{body}\n\nAnswer: {link}\n", aws_conn_id=self.aws_conn_id, context=dict(context))
        except BrewtrainError as error:
            self.log.warning("the question was not sent, see docs/runbooks/notification-failed.md: %s", error)
        except Exception:  # the question itself waits in the UI
            self.log.exception("the question was not sent; see docs/runbooks/notification-failed.md")
