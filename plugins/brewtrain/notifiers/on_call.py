"""Sends whoever is on call the card of a failed task, or the news that a model is late.

It goes to Amazon SNS, topic ``brewtrain-on-call`` of the account, unless the Airflow variable
``brewtrain_on_call`` names another topic or another notifier. A notifier that fails is logged and
never fails the task a second time. Must not import a hook at module level.

``brewtrain_on_call`` is JSON, either ``{"sns_topic_arn": "arn:…"}`` or ``{"notifier":
"path.of.AnyNotifier", "arguments": {…}}``, whose arguments may use ``{{ on_call_subject }}`` and
``{{ on_call_card }}``.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

from brewtrain.airflow_names import CARD
from brewtrain.domain.errors import AlreadyToldError, BrewtrainError
from brewtrain.domain.names import CONNECTION_ID

if TYPE_CHECKING:
    from airflow.sdk import Context

VARIABLE = "brewtrain_on_call"

log = logging.getLogger(__name__)


class OnCallNotifier(BaseNotifier):
    """Sends the on-call card of the task that failed.

    :param aws_conn_id: Airflow connection of type ``aws``.
    """

    def __init__(self, aws_conn_id: str = CONNECTION_ID) -> None:
        super().__init__()
        self.aws_conn_id = aws_conn_id

    def notify(self, context: Context) -> None:
        """Send the card or, if the task has none, what it raised; but send nothing twice."""
        if isinstance(context.get("exception"), AlreadyToldError):
            self.log.info("on call has been told of the task that failed before this one")
            return
        try:
            subject, card = _message(context)
            send(subject, card, aws_conn_id=self.aws_conn_id, context=dict(context))
        except BrewtrainError as error:
            self.log.warning("on-call notification was not sent, see docs/runbooks/notification-failed.md: %s", error)
        except Exception:  # the task has failed already, and its own error must stay the last word
            self.log.exception("on-call notification was not sent; see docs/runbooks/notification-failed.md")


def _message(context: Context) -> tuple[str, str]:
    instance = context["ti"]
    card = None
    try:
        card = instance.xcom_pull(task_ids=instance.task_id, key=CARD, map_indexes=-1)
    except Exception:
        # Where the dag-processor runs the callback it cannot read an XCom.
        log.info("the task's card cannot be read here", exc_info=True)
    raised = context.get("exception")
    subject = f"{instance.dag_id}: {instance.task_id} failed"
    text = f"run {instance.run_id}, try {instance.try_number}\n\n{raised or 'see the task log'}"
    return subject, f"{card}\n" if card else text


def send(subject: str, card: str, *, aws_conn_id: str, context: dict[str, Any]) -> None:
    """Send a message to whoever the Airflow variable names.

    :param subject: One line.
    :param card: The text.
    :param aws_conn_id: Airflow connection of type ``aws``.
    :param context: Airflow's context, for another notifier's templates.
    :raises ValueError: If the variable is not what this module's docstring says.
    """
    from airflow.sdk import Variable

    text = Variable.get(VARIABLE, default="{}")
    try:
        settings = json.loads(text)
        unknown = set(settings) - {"sns_topic_arn", "notifier", "arguments"}
    except (TypeError, ValueError):
        raise ValueError(f"Airflow variable {VARIABLE} is not JSON; write it as docs/on-call.md shows") from None
    if unknown:
        raise ValueError(f"Airflow variable {VARIABLE} has an unknown key {sorted(unknown)[0]!r}; see docs/on-call.md")
    if "notifier" in settings:
        module, _, name = settings["notifier"].rpartition(".")
        other = getattr(importlib.import_module(module), name)(**settings.get("arguments", {}))
        other({**context, "on_call_subject": subject, "on_call_card": card})
        return
    from brewtrain.hooks.sns import SnsHook

    hook = SnsHook(aws_conn_id)
    topic = settings.get("sns_topic_arn") or hook.default_topic_arn()
    hook.publish(topic, subject=subject, message=card)
    log.info("told %s", topic)


async def tell_model_is_late(pipeline: str, hours: float, aws_conn_id: str = CONNECTION_ID, **more: Any) -> None:
    """Tell on call that a run takes too long; DeadlineAlert calls this in the triggerer.

    :param pipeline: Name of the pipeline.
    :param hours: How long the run may take.
    :param aws_conn_id: Airflow connection of type ``aws``.
    :param more: What Airflow adds: its ``context``.
    """
    context = more.get("context") or {}
    dag_run = context.get("dag_run") or {}
    run_id = dag_run.get("dag_run_id") or dag_run.get("run_id") or "unknown"
    subject = f"{pipeline}: the model is late"
    text = (
        f"{subject}\n  run         {run_id}\n  given       {hours:g} hours\n  runbook     docs/runbooks/model-late.md\n"
        "  what to do  open the run in the grid: the stage that still waits shows how far it is"
    )
    log.warning("%s", text)
    try:
        await asyncio.to_thread(send, subject, text, aws_conn_id=aws_conn_id, context=dict(context))
    except BrewtrainError as error:
        log.warning("on-call notification was not sent, see docs/runbooks/notification-failed.md: %s", error)
    except Exception:
        log.exception("on-call notification was not sent; see docs/runbooks/notification-failed.md")
