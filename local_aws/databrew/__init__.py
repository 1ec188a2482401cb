"""AWS Glue DataBrew: datasets, recipes, rulesets, and jobs whose runs really transform data.

Everything else stays moto's; projects and schedules exist in neither. Must not import anything
from `plugins`.
"""

from __future__ import annotations


def register() -> None:
    """Put this service in front of moto's, and say how IAM finds the tags of its resources."""
    from local_aws.iam import resource_tags

    from .responses import register_urls
    from .tags import tags_of

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
    """Return all records as JSON text."""
    from .records import STORE

    return STORE.dump()


def restore(state: object) -> None:
    """Load records made by `snapshot`; runs that were active then are FAILED."""
    from . import job_runs
    from .records import STORE

    STORE.load(str(state), job_runs.after_restart)
