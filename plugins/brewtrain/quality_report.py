"""Judges a run's data, keeps what came of it, and writes the on-call card about it.

Called by tasks when they run: must not be imported while DAG files are parsed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from brewtrain.domain import names
from brewtrain.domain.failure import error_names
from brewtrain.domain.failure.card import Card, Finding
from brewtrain.domain.failure.diagnosis import RUNBOOKS, class_of
from brewtrain.domain.links import job_link, log_link, object_link
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.quality.history import DayRows, judge_freshness, judge_row_count
from brewtrain.domain.quality.memory import StoredFile, day_files, digest_of
from brewtrain.domain.quality.report import QualityReport, RuleResult
from brewtrain.domain.quality.rules import failing_values
from brewtrain.domain.quality.trend import with_results
from brewtrain.domain.quality.verdict import Acceptance, Verdict, document, line_of, name_of, summary
from brewtrain.domain.run.days import Window
from brewtrain.domain.run.execution_history import JobReference
from brewtrain.domain.run.stages import Stage
from brewtrain.hooks.job_diagnostics import JobDiagnosticsHook
from brewtrain.links.retraining import JOB, LOG, QUALITY

if TYPE_CHECKING:
    from brewtrain.hooks.s3_quality import S3QualityHook
    from brewtrain.run_context import RunContext

log = logging.getLogger(__name__)

RUNBOOK = f"{RUNBOOKS}data-quality.md"
SAMPLED_FILES = 8
SAMPLED_VALUES = 5
_VALUE_LIMIT = 60


@dataclass(frozen=True)
class JudgedRun:
    """A run whose data is judged.

    :param pipeline: The pipeline file.
    :param run: The DAG run.
    :param identity: The run's identity.
    :param s3: A hook of the task.
    """

    pipeline: Pipeline
    run: RunContext
    identity: names.RunIdentity
    s3: S3QualityHook
    _first_rows: dict[str, list[dict[str, str]]] = field(default_factory=dict, init=False, repr=False)

    @property
    def bucket(self) -> str:
        """The pipeline's bucket."""
        return self.pipeline.bucket_name(self.s3.account)

    @property
    def acceptance(self) -> Acceptance | None:
        """A person's word that the data is good enough, if the DAG run was started with one."""
        reason = self.run.accept_quality
        return None if reason is None else Acceptance(reason, self.run.user or "unknown")

    @property
    def key(self) -> str:
        """Key of the document in which the results are kept."""
        return f"{names.run_prefix(self.identity)}{names.QUALITY_FILE}"

    def keep(
        self, verdicts: Mapping[str, Verdict], *, days: Window | None = None, reports: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Write the results to S3 and into the trend, and log them.

        :param verdicts: By ``INPUT`` and ``DATA`` of :mod:`brewtrain.domain.quality.verdict`.
        :param days: The days that DataBrew looked at.
        :param reports: Addresses of DataBrew's reports.
        :returns: The results in short, with the address of the document.
        """
        written = document(
            self.identity,
            self.run.dag_run_id,
            verdicts,
            judged_at=datetime.now(UTC),
            days=days,
            reports=reports,
            earlier=self.s3.read_document(f"s3://{self.bucket}/{self.key}"),
        )
        address = self.s3.put_document(self.bucket, self.key, written)
        data_date = date.fromisoformat(self.identity.data_date)
        for verdict in verdicts.values():
            report = verdict.report
            self.s3.update_document(
                self.bucket,
                names.quality_trend_key(self.pipeline.name),
                lambda trend, report=report: with_results(  # type: ignore[misc]
                    trend, report, run_id=self.identity.run_id, data_date=data_date
                ),
            )
            for line in [*report.problems, *(line_of(result) for result in report.results)]:
                log.info("%s", line)
            if verdict.decision == "accepted" and verdict.accepted is not None:
                log.warning("accepted by %s although rules fail: %s", verdict.accepted.user, verdict.accepted.reason)
        log.info("quality results: %s", address)
        return {**summary(verdicts), "document": address}

    def judge_newest_day(self) -> Verdict:
        """Judge the newest day by the days before: how many rows it has, and whether it is new.

        What is learnt of a good day is remembered.

        :raises InputError: If its rows cannot be counted.
        """
        quality = self.pipeline.quality
        assert quality is not None
        newest = date.fromisoformat(self.identity.data_date)
        window = self.pipeline.data_days.window(newest)
        oldest = window.first if quality.freshness is not None else self._days_of_interval()[-1]
        files = self.s3.files(self.pipeline, Window(oldest, newest), bucket=self.bucket)
        # The last days of an interval need no data: the newest that has some counts.
        newest = max(files, default=newest)
        results: list[RuleResult] = []
        rows: int | None = None
        own = files.get(newest, [])
        if quality.row_count is not None and own:
            memory = self.s3.memory(self.pipeline.name, bucket=self.bucket)
            rows = memory.rows_of(newest, digest_of(own))
            if rows is None:
                rows = self.s3.count_rows(self.pipeline, own, bucket=self.bucket)
            results.append(judge_row_count(quality.row_count, DayRows(newest, rows), memory.history))
        if quality.freshness is not None and own:
            earlier = [day_files(day, some) for day, some in files.items() if day < newest]
            results.append(
                judge_freshness(quality.freshness, day_files(newest, own), earlier, due=self.identity.interval_end)
            )
        verdict = Verdict(QualityReport(rows or 0, tuple(results)), self.acceptance)
        if rows is not None and not verdict.report.blocked:
            counted = rows
            self.s3.update_memory(
                self.pipeline.name,
                lambda known: known.with_rows(newest, digest_of(own), counted),
                bucket=self.bucket,
            )
        return verdict

    def _days_of_interval(self) -> list[date]:
        return self.pipeline.data_days.of_interval(self.run.interval)

    def card(self, task_id: str, verdict: Verdict, files: Mapping[date, Sequence[StoredFile]]) -> Card:
        """Return the on-call card about data that stops the run.

        :param task_id: The task that fails.
        :param verdict: What came of the rules.
        :param files: The files that were looked at, for values that fail; empty for none.
        """
        report = verdict.report
        findings = [Finding(problem) for problem in report.problems]
        findings += [
            Finding(line_of(result), self._values(result, files) if result.outcome == "blocked" else ())
            for result in (*report.blocked, *report.warned)
        ]
        dag_id = f"{self.pipeline.name}__retrain"
        again = f"Deliver the data again, then clear `{task_id}`."
        accept = f" To train on it as it is, trigger {dag_id} for this interval with the param accept_quality."
        return Card(
            pipeline=self.pipeline.name,
            stage=task_id,
            run_id=self.identity.run_id,
            subject="data",
            status=f"up to {self.identity.data_date}, blocked; nothing was started, the last good model stays",
            error=error_names.DATA_QUALITY_FAILED,
            cause=_cause(report),
            advice=again if report.problems else again + accept,
            runbook=RUNBOOK,
            links={QUALITY: object_link(f"s3://{self.bucket}/{self.key}", region=self.s3.account.region)},
            findings=findings,
        )

    def _values(self, result: RuleResult, files: Mapping[date, Sequence[StoredFile]]) -> list[str]:
        """Return a few values that fail a rule, of the first rows of a few files, newest first."""
        quality = self.pipeline.quality
        rule = next((one for one in quality.databrew_rules if one.name == result.rule), None) if quality else None
        if rule is None or failing_values(rule, []) is None:
            return []
        found: list[str] = []
        newest_first = [file for day in sorted(files, reverse=True) for file in files[day] if file.size]
        sampled = newest_first[:SAMPLED_FILES]
        for file in sampled:
            if file.key not in self._first_rows:
                self._first_rows[file.key] = self.s3.first_rows(self.pipeline, file, bucket=self.bucket)
            some = failing_values(rule, self._first_rows[file.key], SAMPLED_VALUES - len(found)) or []
            found += [f"{_shown(one.value)} in row {one.row} of {file.key}" for one in some]
            if len(found) >= SAMPLED_VALUES:
                break
        return found or [f"no failing value in the first rows of {len(sampled)} file(s)"]


def _cause(report: QualityReport) -> str:
    if report.problems:
        return " ".join(report.problems)
    return f"{len(report.blocked)} rule(s) fail: {', '.join(name_of(result) for result in report.blocked)}"


def _shown(value: str) -> str:
    if not value:
        return "a missing value"
    return repr(value if len(value) <= _VALUE_LIMIT else f"{value[: _VALUE_LIMIT - 1]}…")


def job_failure_card(judged: JudgedRun, task_id: str, *, job: str, run_id: str, state: str) -> tuple[Card, bool]:
    """Return the card about a profile job that did not succeed, and whether a retry may help.

    :param task_id: The task that fails.
    :param job: Name of the job.
    :param run_id: Id of the job run.
    :param state: Its state; ``OVERDUE`` if it was stopped because it took too long.
    """
    reference = JobReference("databrew", job, run_id)
    report, problems = JobDiagnosticsHook(str(judged.s3.aws_conn_id)).report(reference)
    for problem in problems:
        log.warning("The failure card is incomplete: %s", problem)
    account = judged.s3.account
    where = {"partition": names.partition(account.region), "region": account.region}
    found = class_of(error_names.TASK_FAILED, report.reason or "", status="FAILED", stage=Stage.TRANSFORM)
    clear = f"clear `{task_id}`: the data is looked at again"
    advice, runbook = f"Fix what the job reports. Then {clear}.", RUNBOOK
    if state == "STOPPED":
        advice = f"Somebody stopped the job run. To go on, {clear}."
    elif state in ("TIMEOUT", "OVERDUE"):
        advice = f"Find out why it took so long, or raise limits.quality_minutes in the pipeline file. Then {clear}."
    elif found.kind in ("access-denied", "aws-unavailable"):
        advice, runbook = found.advice.format(clear=clear, fresh=clear), f"{RUNBOOKS}{found.kind}.md"
    return (
        Card(
            pipeline=judged.pipeline.name,
            stage=task_id,
            run_id=judged.identity.run_id,
            subject="data",
            status=f"not validated: profile job run {state}",
            job=report,
            advice=advice,
            runbook=runbook,
            links={JOB: job_link(reference, **where), LOG: log_link(reference, **where)},
        ),
        state == "FAILED" and found.retryable,
    )
