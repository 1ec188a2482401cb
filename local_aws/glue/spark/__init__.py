"""PySpark's DataFrame API for job scripts, executed by DuckDB through sqlframe.

Only what differs from sqlframe is here: reading and writing (folders, part files, S3, no header by
default, Spark's type inference), `randomSplit`, `SparkContext`. Must not import moto or anything of
the server.
"""

from __future__ import annotations
