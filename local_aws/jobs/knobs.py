"""Test knobs: how a test slows a service down, or makes an endpoint stick, roll back or fail.

Real services take minutes; local AWS takes none unless told to. What can be told:
    minutes   how many seconds a minute of a timeout has (``LOCAL_AWS_MINUTE_SECONDS``, 60): DataBrew and Glue know no
    shorter timeout
    slow      a service's runs stay in their running state for so many seconds before the work starts
    endpoint  the next creation or update of an endpoint is "stuck", rolls back or fails

Through the environment: ``LOCAL_AWS_DELAY_DATABREW_SECONDS``, ``…_GLUE_…``, ``…_TRAINING_…``,
``…_PROCESSING_…``, ``…_ENDPOINT_…``, ``…_LAMBDA_…``. Through HTTP (`handle_jobs`,
`handle_sagemaker`, which the server's front mounts below ``/_local/``):
    GET    /_local/jobs                        the knobs as they are
    POST   /_local/jobs                        {"service": "glue", "delay_seconds": 2} or {"minute_seconds": 1}
    DELETE /_local/jobs                        everything back to normal
    POST   /_local/sagemaker/endpoints/NAME    {"behaviour": "stuck" | "rollback" | "fail" | "normal", "reason":
    "...", "count": 1}
    GET / DELETE the same                      read, or back to normal
A stuck endpoint goes on when its knob is set to anything else.

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
    """What an endpoint's next operations shall do.

    Attributes
    ----------
    behaviour:
        One of `BEHAVIOURS`.
    reason:
        FailureReason to show; empty for the service's own text.
    count:
        For how many operations it holds; 0 means until it is changed.
    """

    behaviour: str = "normal"
    reason: str = ""
    count: int = 0


_lock = threading.Lock()
_delays: dict[str, float] = {}
_endpoints: dict[str, EndpointBehaviour] = {}


def delay_seconds(service: str) -> float:
    """How long a run of that service shall stay in its running state before it works."""
    with _lock:
        if service in _delays:
            return _delays[service]
    text = os.environ.get(f"LOCAL_AWS_DELAY_{service.upper()}_SECONDS", "")
    try:
        return max(0.0, float(text)) if text else 0.0
    except ValueError:
        raise ValueError(f"LOCAL_AWS_DELAY_{service.upper()}_SECONDS is {text!r}; write a number of seconds") from None


def minute_seconds() -> float:
    """How long a minute of a timeout lasts, in seconds."""
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
    """What the endpoint's operations shall do now."""
    with _lock:
        return _endpoints.get(name, EndpointBehaviour())


def take_endpoint_behaviour(name: str) -> EndpointBehaviour:
    """The same, and count it as used once."""
    with _lock:
        found = _endpoints.get(name, EndpointBehaviour())
        if found.count == 1:
            _endpoints.pop(name)
        elif found.count > 1:
            found.count -= 1
        return EndpointBehaviour(found.behaviour, found.reason, found.count)


def reset() -> None:
    """All knobs back to normal."""
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
