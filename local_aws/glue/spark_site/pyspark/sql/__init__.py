"""``pyspark.sql``: sqlframe's classes, with this package's session and DataFrame."""

from __future__ import annotations

from sqlframe.duckdb import Column, Row, Window

from local_aws.glue.spark.session import LocalDataFrame as DataFrame
from local_aws.glue.spark.session import SparkSession

SQLContext = SparkSession
__all__ = ["Column", "DataFrame", "Row", "SQLContext", "SparkSession", "Window"]
