"""Routes of the Glue API to its handlers."""

from __future__ import annotations

from typing import ClassVar

from moto.glue import urls
from moto.glue.responses import GlueResponse

from local_aws.jobs.modelled import Handler, ModelledResponse

from . import job_runs, jobs


class GlueJobsResponse(ModelledResponse, GlueResponse):  # type: ignore[misc]
    """moto's Glue with this package's handlers in front."""

    handlers: ClassVar[dict[str, Handler]] = {
        "CreateJob": jobs.create_job,
        "UpdateJob": jobs.update_job,
        "GetJob": jobs.get_job,
        "GetJobs": jobs.get_jobs,
        "ListJobs": jobs.list_jobs,
        "BatchGetJobs": jobs.batch_get_jobs,
        "DeleteJob": jobs.delete_job,
        "StartJobRun": job_runs.start_job_run,
        "GetJobRun": job_runs.get_job_run,
        "GetJobRuns": job_runs.get_job_runs,
        "BatchStopJobRun": job_runs.batch_stop_job_run,
    }
    validation_code: ClassVar[str] = "InvalidInputException"


def register_urls() -> None:
    """Route the API here; called before moto builds its routes."""
    for path in urls.url_paths:
        urls.url_paths[path] = GlueJobsResponse.dispatch
