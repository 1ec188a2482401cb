"""``pyspark.sql.functions``: sqlframe's."""

from __future__ import annotations

from sqlframe.duckdb.functions import *  # noqa: F403
