"""AWS Lambda: functions from zip archives with a Python runtime, invoked in a process of their own
with the function role's credentials.

Function definitions stay moto's. The package is named with an underscore because of the keyword.
Must not import anything from `plugins`.
"""

from __future__ import annotations


def register() -> None:
    """Put this service in front of moto's; called once, before the first request."""
    from .responses import register_urls

    register_urls()


def warm_up() -> None:
    """Start the process that forks function workers."""
    from local_aws.jobs import workers

    workers.warm_up(("python",))
