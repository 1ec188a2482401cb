"""JSON, timestamps and identifiers in the form in which Step Functions writes them.

Must import neither moto nor boto3.
"""

from __future__ import annotations

import datetime
import json
import os
import uuid
from typing import Any


def json_text(value: Any) -> str:
    """Write JSON as the API shows inputs and outputs: compact, with characters unescaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def timestamp_text(moment: datetime.datetime) -> str:
    """Write a moment in UTC as ISO 8601 with milliseconds and ``Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def random_id() -> str:
    """Return a random UUID."""
    return str(uuid.UUID(bytes=os.urandom(16), version=4))
