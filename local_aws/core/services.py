"""The registry of AWS services that local_aws adds to moto or replaces in it.

Exists so that the server knows no service by name and a service knows no server. Each module in
``SERVICE_MODULES`` is a package with one required and some optional module-level functions:

* ``register() -> None``: route the service's API to its own handlers (in front of moto's), and
  register how IAM finds its tags (``local_aws.iam.resource_tags``). Called once, before the first
  request.
* ``warm_up() -> None``: optional, called in a background thread after the server is ready (preload
  workers).
* ``stop_jobs() -> None``: optional, called at shutdown: stop everything the service started and
  wait until it has ended.
* ``snapshot() -> object`` and ``restore(state: object) -> None``: optional, picklable state for
  ``--state-dir``. Only for state outside moto's backends, which persistence saves by itself.

This module must not import moto or any service at import time.
"""

from __future__ import annotations

import importlib
import threading
from types import ModuleType

SERVICE_MODULES: tuple[str, ...] = (
    "local_aws.states",
    "local_aws.databrew",
    "local_aws.glue",
    "local_aws.sagemaker",
    "local_aws.lambda_",
)

_lock = threading.Lock()
_registered: list[ModuleType] = []


def register_all() -> tuple[ModuleType, ...]:
    """Import and register every service once per process.

    :returns: the registered modules, in the order of ``SERVICE_MODULES``.
    :raises ImportError: a listed service cannot be imported.
    """
    with _lock:
        if not _registered:
            for name in SERVICE_MODULES:
                module = importlib.import_module(name)
                module.register()
                _registered.append(module)
        return tuple(_registered)


def registered() -> tuple[ModuleType, ...]:
    """Return the modules registered so far; none before the server's first start."""
    return tuple(_registered)


def call_hook(name: str) -> None:
    """Call the optional hook ``name`` of every service, in the order of ``SERVICE_MODULES``.

    State machines come first: at shutdown an execution must be aborted, not fail because its job
    was stopped. Every service is called even if an earlier one raises; the first error is raised at
    the end.
    """
    errors: list[Exception] = []
    for module in tuple(_registered):
        hook = getattr(module, name, None)
        if hook is None:
            continue
        try:
            hook()
        except Exception as error:  # noqa: BLE001 - one service must not keep the others from their turn
            errors.append(error)
    if errors:
        raise errors[0]
