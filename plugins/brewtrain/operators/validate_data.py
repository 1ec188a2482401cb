"""The validation of a run's data by DataBrew, before anything is trained on it.

Imported while DAG files are parsed: hooks, and what calls them, are imported when a task runs.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from brewtrain import run_context
from brewtrain.airflow_names import PREPARE_RUN
from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError, RetrainingFailedError, TransientError
from brewtrain.domain.failure.diagnosis import TransientRetrainingError
from brewtrain.domain.links import object_link
from brewtrain.domain.quality.memory import DayMemory, StoredFile, digest_of, rules_digest
from brewtrain.domain.quality.report import QualityReport, read_report
from brewtrain.domain.quality.verdict import DATA, Verdict
from brewtrain.domain.run.days import Window
from brewtrain.domain.run.identity import identity_of_run
from brewtrain.domain.run.limits import DEADLINE_MARGIN, quality_limits
from brewtrain.links.retraining import QUALITY, QualityResultLink, RetrainingJobLink, RetrainingJobLogLink
from brewtrain.operators.base import BrewtrainOperator
from brewtrain.triggers.job_run import ENDED, ENDED_STATES, OVERDUE, REFUSED, JobRunTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.hooks.databrew_quality import DataBrewQualityHook
    from brewtrain.quality_report import JudgedRun

_START_LOOKS = 3
# In which a worker starts the job run, and judges what it wrote.
_WORK = timedelta(minutes=30)


class ValidateDataOperator(BrewtrainOperator):
    """Has DataBrew look at every row of the run's new days, and stops the run if rules fail.

    Each try starts a run of the profile job, so that clearing the task reads the data again; only a
    job run that has not ended is attached to, which a killed worker has left. The wait for it is in
    the triggerer. What counts is the validation report: the job itself succeeds although rules
    fail.
    """

    operator_extra_links = (RetrainingJobLink(), RetrainingJobLogLink(), QualityResultLink())

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limit = quality_limits(self.pipeline).state
        # The deferral has its own timeout: this one bounds a worker.
        self.execution_timeout = _WORK

    def execute(self, context: Context) -> dict[str, Any]:
        """Start a run of the profile job, or find the one that was started, and wait for it.

        :returns: As :meth:`resume`, at once, if good runs have validated all days.
        :raises DeploymentError: If the run has no profile job.
        :raises TransientError: If AWS was not available.
        """
        from brewtrain.hooks.databrew_quality import DataBrewQualityHook

        job, days = self._prepared(context)
        hook = DataBrewQualityHook(self.aws_conn_id)
        judged = self._judged_run(context, hook)
        if days is None:
            self.log.info("good runs have validated all days, with the same files and rules: there is nothing to do")
            return self._kept(judged, Verdict(QualityReport(0, ())))
        for _ in range(_START_LOOKS):
            active = sorted(hook.active_runs(job), key=lambda run: str(run.get("StartedOn", "")))
            if not active:
                seen = _digest(judged.s3.files(self.pipeline, days, bucket=judged.bucket))
                run_id = hook.start(job)
                if run_id is None:
                    continue
                self.log.info("started run %s of %s", run_id, job)
                self._wait(job, run_id, next_method="resume", seen=seen)
            run_id = active[-1]["RunId"]
            if active[-1]["State"] == "STOPPING":
                self.log.info("run %s of %s is stopping; another is started when it has ended", run_id, job)
                self._wait(job, run_id, next_method="begin_again")
            self.log.info("attached to run %s of %s", run_id, job)
            self._wait(job, run_id, next_method="resume")
        raise TransientError(f"DataBrew job {job!r} is started by somebody else all the time; trying again helps")

    def _wait(self, job: str, run_id: str, *, next_method: str, **kwargs: Any) -> NoReturn:
        deadline = datetime.now(UTC) + self.limit
        self.defer(
            trigger=JobRunTrigger(job, run_id, deadline.isoformat(), self.aws_conn_id),
            method_name=next_method,
            kwargs={"run_id": run_id, **kwargs},
            timeout=self.limit + DEADLINE_MARGIN,
        )
        raise AssertionError("defer raises")

    def begin_again(self, context: Context, event: dict[str, Any], run_id: str) -> dict[str, Any]:
        """Start another job run, after one of an earlier try has ended.

        :param event: What the trigger saw; another look tells.
        :param run_id: The job run that was stopping.
        """
        self.log.info("run %s has ended (%s)", run_id, event.get("why"))
        return self.execute(context)

    def resume(self, context: Context, event: dict[str, Any], run_id: str, seen: str | None = None) -> dict[str, Any]:
        """Judge the data when the job run is over.

        :param event: What the trigger saw.
        :param run_id: The job run.
        :param seen: Digest of the files before it began; ``None`` if an earlier try has started it.
        :returns: ``outcome``, how many rules ``passed``, the names of those that ``warned`` and
            ``blocked``, who ``accepted`` them and why, and the ``document`` with all results.
        :raises RetrainingFailedError: If rules fail that block, or nothing is known of the data;
            with the on-call card in the log.
        :raises TransientError: If the data changed while it was looked at, or AWS was not
            available.
        :raises DeploymentError: If AWS refuses to be asked.
        """
        from brewtrain.hooks.databrew_quality import DataBrewQualityHook

        job, days = self._prepared(context)
        assert days is not None
        if event.get("why") == REFUSED:
            raise DeploymentError(str(event.get("problem")))
        if event.get("why") not in (ENDED, OVERDUE):
            raise DeploymentError(f"task {self.task_id!r} was resumed by another trigger: {event!r}")
        hook = DataBrewQualityHook(self.aws_conn_id)
        found = hook.describe_run(job, run_id)
        if found is None:
            raise DeploymentError(
                f"run {run_id} of DataBrew job {job!r} does not exist any more: somebody deleted the job; clear this "
                "task to make it again"
            )
        state = str(found.get("State"))
        if state == "SUCCEEDED":
            judged = self._judged_run(context, hook)
            files = judged.s3.files(self.pipeline, days, bucket=judged.bucket)
            _check_unchanged(files, found["StartedOn"], seen)
            return self._judge(context, judged, files, run_id, days)
        if state not in ENDED_STATES:
            hook.stop_run(job, run_id)
            state = "OVERDUE"
        raise self._job_failure(context, hook, job, run_id, state)

    def _prepared(self, context: Context) -> tuple[str, Window | None]:
        """Return the run's profile job, and the days to validate; ``None`` if there are none."""
        prepared = run_context.pull(context, PREPARE_RUN) or {}
        job, days = prepared.get("quality_job"), prepared.get("quality_days")
        if not job or days is None:
            raise DeploymentError(
                f"{PREPARE_RUN} has prepared no validation: the pipeline file has got rules since, or "
                f"{PREPARE_RUN} was marked success; clear {PREPARE_RUN} and everything downstream"
            )
        return str(job), None if not days else Window(date.fromisoformat(days[0]), date.fromisoformat(days[1]))

    def _judged_run(self, context: Context, hook: DataBrewQualityHook) -> JudgedRun:
        from brewtrain.hooks.s3_quality import S3QualityHook
        from brewtrain.quality_report import JudgedRun

        run = run_context.read(context, self.pipeline)
        prepared = run_context.pull(context, PREPARE_RUN) or {}
        identity = identity_of_run(self.pipeline, run.interval, str(prepared.get("run_id")))
        return JudgedRun(self.pipeline, run, identity, S3QualityHook(self.aws_conn_id, beside=hook))

    def _judge(
        self,
        context: Context,
        judged: JudgedRun,
        files: dict[date, list[StoredFile]],
        run_id: str,
        days: Window,
    ) -> dict[str, Any]:
        reports = judged.s3.reports(judged.bucket, names.quality_reports_prefix(judged.identity), run_id)
        quality = self.pipeline.quality
        rules = quality.databrew_rules if quality else ()
        verdict = Verdict(read_report(rules, reports.validation, reports.profile), judged.acceptance)
        result = self._kept(judged, verdict, days=days, reports=reports.addresses)
        if verdict.stops:
            raise RetrainingFailedError(
                self.report(context, judged.card(self.task_id, verdict, files)), retryable=False
            )
        digests = {day: digest_of(some) for day, some in files.items()}

        def learnt(known: DayMemory) -> DayMemory:
            known = known.with_validated(digests, rules_digest(self.pipeline))
            if len(digests) != 1 or verdict.decision == "accepted":
                return known  # nobody knows the rows of each day, or they are no example
            return known.with_rows(*next(iter(digests.items())), verdict.report.rows)

        judged.s3.update_memory(self.pipeline.name, learnt, bucket=judged.bucket)
        return result

    def _kept(self, judged: JudgedRun, verdict: Verdict, **about: Any) -> dict[str, Any]:
        result = judged.keep({DATA: verdict}, **about)
        self.links[QUALITY] = object_link(result["document"], region=judged.s3.account.region)
        return result

    def _job_failure(
        self, context: Context, hook: DataBrewQualityHook, job: str, run_id: str, state: str
    ) -> RetrainingFailedError:
        from brewtrain.quality_report import job_failure_card

        judged = self._judged_run(context, hook)
        card, retryable = job_failure_card(judged, self.task_id, job=job, run_id=run_id, state=state)
        message = self.report(context, card)
        if retryable:
            return TransientRetrainingError(message)
        return RetrainingFailedError(message, retryable=False)


def _digest(files: dict[date, list[StoredFile]]) -> str:
    return digest_of(file for some in files.values() for file in some)


def _check_unchanged(files: dict[date, list[StoredFile]], started_at: datetime, seen: str | None) -> None:
    """Check that the job has read what is there now.

    :param seen: Digest of the files before the job run began. Times do not tell all: a multipart
        upload is dated by its beginning (Amazon S3 User Guide, "Working with object metadata").
    :raises TransientError: If a file was written or deleted since; the data has to be looked at
        again.
    """
    changed = [file.key for some in files.values() for file in some if file.written > started_at]
    if changed:
        raise TransientError(
            f"{len(changed)} file(s) were written while the data was validated, {changed[0]} among them; the next try "
            "validates them too"
        )
    if seen not in (None, _digest(files)):
        raise TransientError(
            "files were replaced or deleted while the data was validated; the next try validates what is there now"
        )
