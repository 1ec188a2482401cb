"""``pyspark.conf``: this package's configuration."""

from __future__ import annotations

from local_aws.glue.spark.session import SparkConf

__all__ = ["SparkConf"]
