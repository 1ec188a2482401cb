"""What follows from the quality rules: stop or go on, what people read, what is kept.

Must not import Airflow or boto3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from brewtrain.domain.names import RunIdentity
from brewtrain.domain.quality.report import QualityReport, RuleResult
from brewtrain.domain.run.days import Window

Decision = Literal["passed", "warned", "accepted", "blocked"]
_WORST: tuple[Decision, ...] = ("passed", "warned", "accepted", "blocked")
_MARKS = {"passed": "ok", "warned": "warning", "blocked": "FAILED"}
# What is judged by the days before, and what DataBrew has looked at.
INPUT, DATA = "input", "data"
PARTS = (INPUT, DATA)
#: Of a run whose ``validate`` somebody has marked success: nobody knows what its data is like.
MARKED_SUCCESS: Mapping[str, Any] = {
    "outcome": "marked success by hand",
    "passed": 0,
    "warned": [],
    "blocked": [],
    "accepted": None,
}


@dataclass(frozen=True)
class Acceptance:
    """A person's word that a run may train on data that its rules block.

    :param reason: Why.
    :param user: Who started the DAG run; ``unknown`` if Airflow does not tell.
    """

    reason: str
    user: str


@dataclass(frozen=True)
class Verdict:
    """What follows from a report.

    :param report: What became of the rules.
    :param accepted: A person's word, if somebody gave it. It is about rules that fail: it does not
        help where nothing is known of the data.
    """

    report: QualityReport
    accepted: Acceptance | None = None

    @property
    def decision(self) -> Decision:
        """What follows."""
        if self.report.problems:
            return "blocked"
        if self.report.blocked:
            return "accepted" if self.accepted else "blocked"
        return "warned" if self.report.warned else "passed"

    @property
    def stops(self) -> bool:
        """Whether no model may be trained."""
        return self.decision == "blocked"


def summary(verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Return the verdicts in short, for a task's result: names and numbers, no value of the data.

    :param verdicts: By :data:`INPUT` and :data:`DATA`.
    """
    results = [result for verdict in verdicts.values() for result in verdict.report.results]
    accepted = next((one.accepted for one in verdicts.values() if one.decision == "accepted"), None)
    return {
        "outcome": worst([verdict.decision for verdict in verdicts.values()]),
        "passed": sum(result.outcome == "passed" for result in results),
        "warned": [name_of(result) for result in results if result.outcome == "warned"],
        "blocked": [name_of(result) for result in results if result.outcome == "blocked"],
        "accepted": None if accepted is None else {"reason": accepted.reason, "user": accepted.user},
    }


def merged(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return several tasks' summaries as one; ``None`` if there are none.

    :param summaries: From :func:`summary`.
    """
    if not summaries:
        return None
    return {
        "outcome": worst([one["outcome"] for one in summaries]),
        "passed": sum(one["passed"] for one in summaries),
        "warned": [name for one in summaries for name in one["warned"]],
        "blocked": [name for one in summaries for name in one["blocked"]],
        "accepted": next((one["accepted"] for one in summaries if one["accepted"]), None),
    }


def worst(decisions: Sequence[Any]) -> Any:
    """Return the decision that counts among several.

    :param decisions: At least one.
    """
    return max(decisions, key=lambda one: _WORST.index(one) if one in _WORST else len(_WORST))


def summary_line(found: Mapping[str, Any]) -> str:
    """Return a summary as one line of a log.

    :param found: From :func:`summary` or :func:`merged`.
    """
    parts = [f"{found['passed']} rules hold"]
    if found["warned"]:
        parts.append(f"warnings: {', '.join(found['warned'])}")
    if found["blocked"]:
        parts.append(f"failed: {', '.join(found['blocked'])}")
    if found["accepted"]:
        parts.append(f"accepted by {found['accepted']['user']}: {found['accepted']['reason']}")
    return f"quality {found['outcome']}: {'; '.join(parts)}"


def document(
    identity: RunIdentity,
    dag_run_id: str,
    verdicts: Mapping[str, Verdict],
    *,
    judged_at: datetime,
    days: Window | None = None,
    reports: Mapping[str, str] | None = None,
    earlier: object = None,
) -> dict[str, Any]:
    """Return what is kept of a run's quality in S3.

    :param identity: The run.
    :param dag_run_id: The DAG run's id.
    :param verdicts: By :data:`INPUT` and :data:`DATA`.
    :param judged_at: When; aware.
    :param days: The days that DataBrew looked at.
    :param reports: Address of DataBrew's ``validation`` and ``profile``.
    :param earlier: The document that the same DAG run has written before; it keeps those parts that
        are not judged again.
    """
    kept = earlier if isinstance(earlier, Mapping) and earlier.get("dag_run_id") == dag_run_id else {}
    parts = {name: part for name in PARTS if isinstance(part := kept.get(name), Mapping)}
    parts |= {name: {**verdict.report.document(), **summary({name: verdict})} for name, verdict in verdicts.items()}
    return {
        "run_id": identity.run_id,
        "pipeline": identity.pipeline,
        "data_date": identity.data_date,
        "dag_run_id": dag_run_id,
        "judged_at": judged_at.isoformat(),
        **(merged(list(parts.values())) or {}),
        "days": None if days is None else {"first": days.first.isoformat(), "last": days.last.isoformat()},
        "reports": dict(reports or {}),
        **parts,
    }


def name_of(result: RuleResult) -> str:
    """Return a rule's name, with its column where the name lacks it."""
    return result.rule if result.column is None or result.column in result.rule else f"{result.rule} · {result.column}"


def line_of(result: RuleResult) -> str:
    """Return what became of a rule as one line, without any value of the data."""
    text = f"{_MARKS[result.outcome]:<8}{name_of(result)}"
    if result.outcome == "passed":
        return text
    column = f" (column {result.column})" if result.column else ""
    share = ""
    if result.failing_rows is not None and result.failing_share is not None:
        share = f" {result.failing_rows:,} of {result.rows:,} rows fail ({_percent(result.failing_share)})."
    return f"{text}{column}: {result.reason}{share} Demanded: {result.expectation}."


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.1f}%" if percent >= 0.1 or not percent else "less than 0.1%"
