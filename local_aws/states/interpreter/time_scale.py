"""How fast time passes for Wait states and retry delays, so that tests need not wait so long."""

from __future__ import annotations

import os


def time_scale() -> float:
    """Return the factor for waits: ``LOCAL_AWS_STATES_TIME_SCALE``, by default 1 as on AWS."""
    return float(os.environ.get("LOCAL_AWS_STATES_TIME_SCALE", "1"))
