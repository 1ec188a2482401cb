"""AWS Lambda: functions with a Python runtime, invoked in a process with their role's credentials.

Functions come from zip archives; their definitions stay moto's. The package's name ends with an
underscore because ``lambda`` is a keyword. Must not import anything from `plugins`.
"""

from __future__ import annotations


def register() -> None:
    """Put invocations in front of moto's; called once, before the first request."""
    from .responses import register_urls

    register_urls()


def warm_up() -> None:
    """Start the process that forks function workers."""
    from local_aws.jobs import workers

    workers.warm_up(("python",))
