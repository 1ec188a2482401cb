"""AWS Glue jobs, whose runs execute the job's Python script from S3 in a process of their own.

The Data Catalog, crawlers and everything else stay moto's. Must not import anything from `plugins`.
"""

from __future__ import annotations


def register() -> None:
    """Put this service in front of moto's, and say how IAM finds the tags of its resources."""
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
    """Return all records as JSON text."""
    from .jobs import STORE

    return STORE.dump()


def restore(state: object) -> None:
    """Load records made by `snapshot`; runs that were active then are in state ERROR."""
    from . import job_runs
    from .jobs import STORE

    STORE.load(str(state), job_runs.after_restart)
