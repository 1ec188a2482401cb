"""AWS Glue jobs: definitions, runs and stops, where a run executes the job's Python script from S3
in a process of its own.

The Data Catalog, crawlers and all else stay moto's. Must not import anything from `plugins`.
"""

from __future__ import annotations


def register() -> None:
    """Put this service in front of moto's; called once, before the first request."""
    from local_aws.iam import resource_tags

    from .jobs import tags_of
    from .responses import register_urls

    register_urls()
    resource_tags.register("glue", tags_of)


def warm_up() -> None:
    """Start the process that forks script workers."""
    from local_aws.jobs import workers

    workers.warm_up(("spark",))


def snapshot() -> object:
    """All records as JSON text."""
    from .jobs import STORE

    return STORE.dump()


def restore(state: object) -> None:
    """Take over records made by `snapshot`; runs that were active have died with the server and are FAILED."""
    from . import job_runs
    from .jobs import STORE

    STORE.after_load(job_runs.mend_after_restart)
    STORE.load(str(state))
