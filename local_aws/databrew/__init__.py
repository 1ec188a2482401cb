"""AWS Glue DataBrew: datasets, recipes with versions, rulesets, recipe and profile jobs, and job
runs that really transform data.

moto keeps what is left (projects and schedules do not exist there either). Must not import anything
from `plugins`.
"""

from __future__ import annotations


def register() -> None:
    """Put this service in front of moto's; called once, before the first request."""
    from local_aws.iam import resource_tags

    from .resources import tags_of
    from .responses import register_urls

    register_urls()
    resource_tags.register("databrew", tags_of)


def warm_up() -> None:
    """Start the process that forks transform workers."""
    from local_aws.jobs import workers

    workers.warm_up(("databrew",))


def stop_jobs() -> None:
    """Stop every run, of every service, and the processes that fork workers."""
    from local_aws.jobs import runs, workers

    runs.stop_all()
    workers.stop_all()


def snapshot() -> object:
    """All records as JSON text."""
    from .resources import STORE

    return STORE.dump()


def restore(state: object) -> None:
    """Take over records made by `snapshot`; runs that were active have died with the server and are FAILED."""
    from . import job_runs
    from .resources import STORE

    STORE.after_load(job_runs.mend_after_restart)
    STORE.load(str(state))
