"""The on-call card: the one block of text that says what failed, why, and what to do.

It ends the failed task's log and is what the notifier sends. Must not import Airflow or boto3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from brewtrain.domain.run.execution_history import JobReference

_WIDTH = 100
_CAUSE_LIMIT = 1500
_SENTENCE_LIMIT = 400
_LOG_LINES = 15
_LOG_LINE_LIMIT = 300


@dataclass(frozen=True)
class JobReport:
    """What the failed job itself says.

    :param reference: Which job.
    :param status: Its status.
    :param reason: Its own failure reason: DataBrew's and Glue's ErrorMessage, SageMaker's
        FailureReason.
    :param log_lines: Last lines of its CloudWatch log, oldest first.
    """

    reference: JobReference
    status: str | None = None
    reason: str | None = None
    log_lines: Sequence[str] = ()


@dataclass(frozen=True)
class Card:
    """See :func:`render`.

    :param pipeline: Name of the pipeline.
    :param stage: Airflow task that failed.
    :param run_id: The run's id.
    :param status: Status of the execution.
    :param state: State that failed.
    :param error: Error name.
    :param cause: AWS's text.
    :param advice: What to do.
    :param runbook: Page that says more.
    :param redrivable_until: Until when clearing the task redrives.
    :param links: Label → address.
    """

    pipeline: str
    stage: str
    run_id: str
    status: str
    advice: str
    runbook: str
    state: str | None = None
    error: str | None = None
    cause: str | None = None
    job: JobReport | None = None
    redrivable_until: datetime | None = None
    links: dict[str, str] = field(default_factory=dict)


def _one_line(text: str, limit: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def headline(card: Card) -> str:
    """Return the card in one line, for a subject."""
    where = f" in state {card.state!r}" if card.state else ""
    return f"{card.pipeline}: {card.stage} failed{where} ({card.error or card.status})"


def sentence(card: Card) -> str:
    """Return what failed, why in the job's own words where it has some, and what to do, in one line."""
    why = (card.job.reason if card.job is not None else None) or card.cause
    return f"{headline(card)}{f': {_one_line(why, _SENTENCE_LIMIT)}' if why else ''}; {card.advice}"


def render(card: Card) -> str:
    """Return the card as text."""
    rows: list[tuple[str, str]] = [("run", card.run_id), ("execution", card.status)]
    if card.state:
        rows.append(("state", card.state))
    if card.error:
        rows.append(("error", card.error))
    if card.cause:
        rows.append(("cause", _one_line(card.cause, _CAUSE_LIMIT)))
    if card.job is not None:
        reference = card.job.reference
        run = f" run {reference.run_id}" if reference.run_id else ""
        status = f" ({card.job.status})" if card.job.status else ""
        rows.append((f"{reference.service} job", f"{reference.name}{run}{status}"))
        if card.job.reason:
            rows.append(("job says", _one_line(card.job.reason, _CAUSE_LIMIT)))
    rows.append(("redrivable", _until(card)))
    rows.extend((label, address) for label, address in card.links.items())
    rows.append(("runbook", card.runbook))
    rows.append(("what to do", card.advice))
    width = max(len(label) for label, _ in rows)
    lines = [f"ON CALL ┄ {headline(card)}"]
    lines += [f"  {label:<{width}}  {value}" for label, value in rows]
    if card.job is not None and card.job.log_lines:
        lines.append("  last lines of the job's log:")
        lines += [f"  │ {_one_line(line, _LOG_LINE_LIMIT)}" for line in card.job.log_lines[-_LOG_LINES:]]
    rule = "─" * _WIDTH
    return "\n".join([rule, *lines, rule])


def _until(card: Card) -> str:
    if card.redrivable_until is None:
        return "no"
    return f"until {card.redrivable_until.astimezone(UTC):%Y-%m-%d %H:%M} UTC, by clearing this task"
