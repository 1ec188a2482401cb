"""What the profile job of a run's quality rules looks at.

Must not import Airflow or boto3.

Source: AWS Glue DataBrew API Reference, "JobSample" (20,000 rows unless the job says otherwise),
"ProfileConfiguration"; Developer Guide, "Building a profile job configuration".
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run.days import Window

#: Every row: a rule that holds on the first 20,000 rows says nothing about the others.
JOB_SAMPLE: dict[str, Any] = {"Mode": "FULL_DATASET"}
#: All statistics of a column, from which rules are learnt, but no correlations between columns.
PROFILE_CONFIGURATION: dict[str, Any] = {
    "DatasetStatisticsConfiguration": {"IncludedStatistics": ["DUPLICATE_ROWS_COUNT"]}
}


def has_job(pipeline: Pipeline) -> bool:
    """Whether a run of the pipeline has a profile job: to check rules, or to learn them.

    :param pipeline: The pipeline file.
    """
    return pipeline.quality is not None and (pipeline.quality.learn or bool(pipeline.quality.rules))


def validated_days(pipeline: Pipeline, window: Window, validated: Collection[date]) -> Window | None:
    """Return the days that a run validates: one stretch of its window, which may be all of it.

    With ``quality.of: new_days`` it begins at the oldest day that no good run has validated, so
    that a day that a failed run left behind is looked at, and ends with the newest day.

    :param pipeline: The pipeline file, with a ``quality`` section.
    :param window: The run's days.
    :param validated: Days that need no second look: earlier runs have validated them, with these
        rules and this content, or they have no data.
    :returns: ``None`` if no day needs a look.
    """
    if pipeline.quality is None or pipeline.quality.of == "window":
        return window
    new = [day for day in window.days if day not in validated]
    return Window(new[0], window.last) if new else None
