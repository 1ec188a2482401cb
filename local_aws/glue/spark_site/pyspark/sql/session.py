"""``pyspark.sql.session``: this package's session."""

from __future__ import annotations

from local_aws.glue.spark.session import SparkSession

__all__ = ["SparkSession"]
