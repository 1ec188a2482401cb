"""Amazon SageMaker: training and processing jobs, model registry, endpoints that really predict.

The built-in XGBoost algorithm is trained and served. Everything else stays moto's. Must not import
anything from `plugins`.
"""

from __future__ import annotations


def register() -> None:
    """Put this service in front of moto's; register its tags and the job services' knobs."""
    from local_aws.core import control
    from local_aws.iam import resource_tags
    from local_aws.jobs import knobs

    from .records import tags_of
    from .responses import register_urls

    register_urls()
    resource_tags.register("sagemaker", tags_of)
    control.register("jobs", knobs.handle_jobs)
    control.register("sagemaker", knobs.handle_sagemaker)


def warm_up() -> None:
    """Start the process that forks training, processing and serving workers."""
    from local_aws.jobs import workers

    workers.warm_up(("xgboost",))


def snapshot() -> object:
    """Return all records as JSON text."""
    from .records import STORE

    return STORE.dump()


def restore(state: object) -> None:
    """Load records made by `snapshot`; jobs that were active then are Failed."""
    from . import endpoints, processing, training
    from .records import STORE

    STORE.load(str(state), training.after_restart, processing.after_restart, endpoints.after_restart)
