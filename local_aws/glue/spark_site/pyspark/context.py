"""``pyspark.context``: this package's context."""

from __future__ import annotations

from local_aws.glue.spark.session import SparkContext

__all__ = ["SparkContext"]
