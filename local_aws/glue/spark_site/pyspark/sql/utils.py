"""``pyspark.sql.utils``: the exceptions that Spark calls AnalysisException."""

from __future__ import annotations

from local_aws.glue.spark.storage import PathExistsError, PathNotFoundError

AnalysisException = (PathExistsError, PathNotFoundError)
__all__ = ["AnalysisException"]
