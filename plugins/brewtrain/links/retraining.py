"""Links on a task's page: the execution, the failed job and its log, the evaluation's report.

Airflow asks for a link when a task ends on a worker. A stage that ends in the triggerer leaves its
links itself, as XComs under the same keys. Must not import boto3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

EXECUTION, JOB, LOG, REPORT, QUALITY = "execution page", "job page", "job log", "evaluation report", "quality result"


class _StoredLink(BaseOperatorLink):
    """An address that the operator noted in its ``links`` while it ran."""

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address that the operator noted; empty if it noted none."""
        return str(getattr(operator, "links", {}).get(self.name, ""))


class StepFunctionsExecutionLink(_StoredLink):
    """The execution in the Step Functions console."""

    name = EXECUTION


class RetrainingJobLink(_StoredLink):
    """The stage's DataBrew, Glue or SageMaker job in its console."""

    name = JOB


class RetrainingJobLogLink(_StoredLink):
    """The job's log in CloudWatch."""

    name = LOG


class EvaluationReportLink(_StoredLink):
    """The report page of the run's evaluation, in the S3 console."""

    name = REPORT


class QualityResultLink(_StoredLink):
    """What became of the quality rules, in the S3 console."""

    name = QUALITY


STAGE_LINKS = (StepFunctionsExecutionLink(), RetrainingJobLink(), RetrainingJobLogLink())


def as_xcoms(links: Mapping[str, str]) -> dict[str, Any]:
    """Return links as the XComs under which Airflow's UI looks for them.

    :param links: Name of the link → address.
    """
    return {link.xcom_key: links[link.name] for link in STAGE_LINKS if link.name in links}
