"""Step Functions with its own interpreter and API, registered in moto's place.

docs/adr/0002-own-state-machine-interpreter.md says why. Must not import plugins or dags.
"""

from __future__ import annotations

from typing import Any


def register() -> None:
    """Serve ``states`` with this package's handler; call it before the first request."""
    from moto.stepfunctions import urls

    from local_aws.core import control
    from local_aws.iam import resource_tags
    from local_aws.states import ageing
    from local_aws.states.responses import API, serve

    urls.url_paths = {"{0}/$": serve}
    control.register("states", ageing.handle)
    resource_tags.register("states", API.tags_of)


def stop_jobs() -> None:
    """Stop running executions; they become ABORTED with error ``LocalAws.ServerStopped``.

    They can be redriven after the next start.
    """
    from local_aws.states.responses import API

    API.stop_all()


def snapshot() -> Any:
    """Return the state that ``--state-dir`` keeps."""
    from local_aws.states.responses import API

    return API.snapshot()


def restore(state: Any) -> None:
    """Take over what ``snapshot`` returned in an earlier process."""
    from local_aws.states.responses import API

    API.restore(state)
