"""``import pyspark`` of job scripts; see `local_aws.glue.spark`."""

from __future__ import annotations

from local_aws.glue.spark.session import SparkConf, SparkContext

from . import sql

__version__ = "3.5.0"
__all__ = ["SparkConf", "SparkContext", "sql"]
