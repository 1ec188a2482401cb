"""Amazon SageMaker: training and processing jobs, models, endpoints that answer from the trained model, and their tags.

The built-in XGBoost algorithm is really trained and really served. All else of SageMaker stays
moto's. Must not import anything from `plugins`.
"""

from __future__ import annotations


def register() -> None:
    """Put this service in front of moto's; called once, before the first request."""
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
    """All records as JSON text."""
    from .records import STORE

    return STORE.dump()


def restore(state: object) -> None:
    """Take over records made by `snapshot`; jobs that were active have died with the server and are Failed."""
    from . import hosting, processing, training
    from .records import STORE

    for mend in (training.mend_after_restart, processing.mend_after_restart, hosting.mend_after_restart):
        STORE.after_load(mend)
    STORE.load(str(state))
