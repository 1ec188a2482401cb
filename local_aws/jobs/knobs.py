"""Test knobs: how a test slows a service down, or makes an endpoint stick, roll back or fail.

Real services take minutes; local AWS takes no time unless a knob is set:

* ``minute_seconds``: how long a minute of a timeout lasts (60). DataBrew and Glue have no shorter
  timeouts. Environment: ``LOCAL_AWS_MINUTE_SECONDS``.
* ``delay_seconds`` of a service in `SERVICES`: how long its runs stay in their running state before
  the work starts. Environment: ``LOCAL_AWS_DELAY_<SERVICE>_SECONDS``.
* the behaviour of an endpoint: its next creation or update is stuck, rolled back or fails. A stuck
  endpoint goes on when its behaviour is set to anything else.

docs/local-aws-jobs.md has the requests below ``/_local/`` that set them (`handle_jobs`,
`handle_sagemaker`).

Must not import moto: the front may call it before moto is loaded.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SERVICES = ("databrew", "glue", "training", "processing", "endpoint", "lambda")
BEHAVIOURS = ("normal", "stuck", "rollback", "fail")


@dataclass
class EndpointBehaviour:
    """What an endpoint's next operations do.

    :param behaviour: one of `BEHAVIOURS`.
    :param reason: ``FailureReason`` to show; empty for the service's own text.
    :param count: for how many operations it holds; 0 means until it is changed.
    """

    behaviour: str = "normal"
    reason: str = ""
    count: int = 0


_lock = threading.Lock()
_delays: dict[str, float] = {}
_endpoints: dict[str, EndpointBehaviour] = {}


def delay_seconds(service: str) -> float:
    """Return how many seconds a run of that service waits in its running state before it works."""
    with _lock:
        if service in _delays:
            return _delays[service]
    text = os.environ.get(f"LOCAL_AWS_DELAY_{service.upper()}_SECONDS", "")
    try:
        return max(0.0, float(text)) if text else 0.0
    except ValueError:
        raise ValueError(f"LOCAL_AWS_DELAY_{service.upper()}_SECONDS is {text!r}; write a number of seconds") from None


def minute_seconds() -> float:
    """Return how many seconds a minute of a timeout lasts."""
    with _lock:
        if "minute" in _delays:
            return _delays["minute"]
    return float(os.environ.get("LOCAL_AWS_MINUTE_SECONDS", "60"))


def set_minute_seconds(seconds: float) -> None:
    """Shorten the minutes of timeouts."""
    if seconds <= 0:
        raise ValueError(f"minute_seconds is {seconds}; write more than 0")
    with _lock:
        _delays["minute"] = seconds


def set_delay(service: str, seconds: float) -> None:
    """Slow a service down; 0 is full speed."""
    if service not in SERVICES:
        raise ValueError(f"unknown service {service!r}; use one of {', '.join(SERVICES)}")
    if seconds < 0:
        raise ValueError(f"delay_seconds is {seconds}; write 0 or more")
    with _lock:
        _delays[service] = seconds


def set_endpoint_behaviour(name: str, behaviour: str, reason: str = "", count: int = 0) -> None:
    """Choose what an endpoint's next creation or update does."""
    if behaviour not in BEHAVIOURS:
        raise ValueError(f"unknown behaviour {behaviour!r}; use one of {', '.join(BEHAVIOURS)}")
    with _lock:
        if behaviour == "normal":
            _endpoints.pop(name, None)
        else:
            _endpoints[name] = EndpointBehaviour(behaviour, reason, count)


def endpoint_behaviour(name: str) -> EndpointBehaviour:
    """Return what the endpoint's operations do now."""
    with _lock:
        return _endpoints.get(name, EndpointBehaviour())


def take_endpoint_behaviour(name: str) -> EndpointBehaviour:
    """Return what the endpoint's next operation does, and count it as used once."""
    with _lock:
        found = _endpoints.get(name, EndpointBehaviour())
        if found.count == 1:
            _endpoints.pop(name)
        elif found.count > 1:
            found.count -= 1
        return EndpointBehaviour(found.behaviour, found.reason, found.count)


def reset() -> None:
    """Set all knobs back to normal."""
    with _lock:
        _delays.clear()
        _endpoints.clear()


def handle_jobs(method: str, path: str, query: Mapping[str, str], body: Any) -> tuple[int, Any]:
    """Serve ``/_local/jobs``; see the module's description."""
    if path:
        return 404, {"message": f"/_local/jobs/{path} does not exist; use /_local/jobs"}
    try:
        if method == "DELETE":
            reset()
        elif method in ("POST", "PUT"):
            if "minute_seconds" in body:
                set_minute_seconds(float(body["minute_seconds"]))
            if "service" in body or "delay_seconds" in body:
                set_delay(body["service"], float(body["delay_seconds"]))
    except (ValueError, TypeError, KeyError) as error:
        return 400, {"message": f"/_local/jobs: {error}"}
    with _lock:
        endpoints = {name: asdict(value) for name, value in _endpoints.items()}
    delays = {service: delay_seconds(service) for service in SERVICES}
    return 200, {"delay_seconds": delays, "minute_seconds": minute_seconds(), "endpoints": endpoints}


def handle_sagemaker(method: str, path: str, query: Mapping[str, str], body: Any) -> tuple[int, Any]:
    """Serve ``/_local/sagemaker/endpoints/NAME``; see the module's description."""
    parts = path.split("/")
    if len(parts) != 2 or parts[0] != "endpoints" or not parts[1]:
        return 404, {"message": f"/_local/sagemaker/{path} does not exist; use /_local/sagemaker/endpoints/NAME"}
    name = parts[1]
    try:
        if method == "DELETE":
            set_endpoint_behaviour(name, "normal")
        elif method in ("POST", "PUT"):
            set_endpoint_behaviour(name, body["behaviour"], str(body.get("reason", "")), int(body.get("count", 0)))
    except (ValueError, TypeError, KeyError) as error:
        return 400, {"message": f"/_local/sagemaker/{path}: {error}"}
    return 200, {"endpoint": name, **asdict(endpoint_behaviour(name))}
