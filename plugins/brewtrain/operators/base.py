"""What every task of the package has in common.

Imported while DAG files are parsed: must not import a hook or boto3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from airflow.sdk import BaseOperator

from brewtrain.airflow_names import CARD
from brewtrain.domain.failure.card import Card, render, sentence
from brewtrain.domain.names import CONNECTION_ID

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.domain.pipeline.file import Pipeline


class BrewtrainOperator(BaseOperator):
    """A task of one pipeline that works through the Airflow connection.

    Subclasses import the hooks they use inside their methods and build them with
    :attr:`aws_conn_id`.

    :param pipeline: The pipeline file.
    :param aws_conn_id: Airflow connection of type ``aws``.
    """

    template_fields: Sequence[str] = ()

    def __init__(self, *, pipeline: Pipeline, aws_conn_id: str = CONNECTION_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.aws_conn_id = aws_conn_id
        # Read by the links of brewtrain.links.retraining, where a subclass shows them.
        self.links: dict[str, str] = {}

    def as_setup(self) -> Self:
        """Make the task a setup, as Airflow's method does, which has no types."""
        super().as_setup()  # type: ignore[no-untyped-call]
        return self

    def report(self, context: Context, card: Card) -> str:
        """Log the on-call card, keep it for the notifier, and show its links on the task's page.

        Values of the data are in the log alone.

        :returns: The card in one line, to raise.
        """
        self.links = card.links
        self.keep_card(context, render(card), kept=render(card.without_values))
        return sentence(card)

    def keep_card(self, context: Context, text: str, *, kept: str | None = None) -> None:
        """Log the text of an on-call card, and keep it for the notifier.

        :param text: The card as it stands in the log.
        :param kept: The card as it may leave the log; the same by default.
        """
        context["ti"].xcom_push(key=CARD, value=text if kept is None else kept)
        self.log.error("%s", text)
