"""``pyspark.sql.window``: sqlframe's."""

from __future__ import annotations

from sqlframe.duckdb import Window, WindowSpec

__all__ = ["Window", "WindowSpec"]
