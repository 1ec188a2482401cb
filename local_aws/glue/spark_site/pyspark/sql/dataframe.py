"""``pyspark.sql.dataframe``: this package's DataFrame."""

from __future__ import annotations

from local_aws.glue.spark.session import LocalDataFrame as DataFrame

__all__ = ["DataFrame"]
