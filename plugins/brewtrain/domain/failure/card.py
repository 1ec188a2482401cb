"""The on-call card: one block of text that says what failed, why, and what to do.

The failed task's log ends with it, and the notifier sends it. Must not import Airflow or boto3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from brewtrain.domain.run.execution_history import JobReference

_WIDTH = 100
_CAUSE_LIMIT = 1500
_SENTENCE_LIMIT = 400
_LOG_LINES = 15
_LOG_LINE_LIMIT = 300


@dataclass(frozen=True)
class JobReport:
    """What AWS tells of the job that failed.

    :param reference: Which job.
    :param status: The job's status.
    :param reason: Why it failed: ErrorMessage of DataBrew and Glue, FailureReason of SageMaker.
    :param log_lines: Last lines of the job's CloudWatch log, oldest first.
    """

    reference: JobReference
    status: str | None = None
    reason: str | None = None
    log_lines: Sequence[str] = ()


@dataclass(frozen=True)
class Finding:
    """One thing that was found wrong with the data.

    :param text: What it is, in one line, without a value of the data.
    :param values: Values of the data that show it, for the task's log alone.
    """

    text: str
    values: Sequence[str] = ()


@dataclass(frozen=True)
class Card:
    """What the card tells; :func:`render` writes it as text.

    :param pipeline: Name of the pipeline.
    :param stage: Airflow task that failed.
    :param run_id: The run's id.
    :param status: Status of what failed.
    :param subject: What failed: the execution, or the data before there was one.
    :param advice: What to do, in whole sentences.
    :param runbook: Page that says more.
    :param state: State that failed.
    :param error: Error name.
    :param cause: AWS's text.
    :param job: The job that the state ran, if it ran one.
    :param redrivable_until: Until when a clear of the task redrives the execution; ``None`` if it
        cannot be redriven.
    :param links: Label → address.
    :param findings: What is wrong with the data.
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
    subject: Literal["execution", "data"] = "execution"
    findings: Sequence[Finding] = ()

    @property
    def without_values(self) -> Card:
        """The card as it may leave the task's log: it has no value of the data."""
        return replace(self, findings=[Finding(one.text) for one in self.findings])


def _one_line(text: str, limit: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def headline(card: Card) -> str:
    """Return what failed in one line, for a subject."""
    where = f" in state {card.state!r}" if card.state else ""
    return f"{card.pipeline}: {card.stage} failed{where} ({card.error or card.status})"


def sentence(card: Card) -> str:
    """Return what failed, why, and what to do in one line: what the failed task raises.

    The job's own reason is preferred to the execution's cause, which is a long document.
    """
    why = (card.job.reason if card.job is not None else None) or card.cause
    said = f": {_one_line(why, _SENTENCE_LIMIT)}" if why else ""
    return f"{headline(card)}{said.removesuffix('.')}. {card.advice}"


def render(card: Card) -> str:
    """Return the card as a block of text with a line for each fact."""
    rows: list[tuple[str, str]] = [("run", card.run_id), (card.subject, card.status)]
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
    if card.subject == "execution":
        rows.append(("redrivable", _until(card)))
    rows.extend((label, address) for label, address in card.links.items())
    rows.append(("runbook", card.runbook))
    rows.append(("what to do", card.advice))
    lines: list[str] = []
    for finding in card.findings:
        lines.append(f"  │ {_one_line(finding.text, _CAUSE_LIMIT)}")
        lines += [f"  │     {_one_line(value, _LOG_LINE_LIMIT)}" for value in finding.values]
    if card.job is not None and card.job.log_lines:
        lines.append("  last lines of the job's log:")
        lines += [f"  │ {_one_line(line, _LOG_LINE_LIMIT)}" for line in card.job.log_lines[-_LOG_LINES:]]
    return block(headline(card), rows, lines)


def block(title: str, rows: Sequence[tuple[str, str]], lines: Sequence[str] = ()) -> str:
    """Return a card's text: a title, a line for each fact, and more lines.

    :param title: What failed.
    :param rows: Label and value of each fact.
    :param lines: What follows.
    """
    width = max(len(label) for label, _ in rows)
    facts = [f"  {label:<{width}}  {value}" for label, value in rows]
    rule = "─" * _WIDTH
    return "\n".join([rule, f"ON CALL ┄ {title}", *facts, *lines, rule])


def _until(card: Card) -> str:
    if card.redrivable_until is None:
        return "no"
    return f"until {card.redrivable_until.astimezone(UTC):%Y-%m-%d %H:%M} UTC, by clearing this task"
