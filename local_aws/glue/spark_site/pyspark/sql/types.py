"""``pyspark.sql.types``: sqlframe's."""

from __future__ import annotations

from sqlframe.duckdb.types import *  # noqa: F403
