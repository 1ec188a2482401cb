# ruff: noqa: N803  names are AWS's
"""``awsglue.context``: GlueContext for data on S3, without Data Catalog, JDBC and streams."""

from __future__ import annotations

import logging
from typing import Any

from local_aws.glue.spark.session import SparkContext, get_session

from .dynamicframe import DynamicFrame

_FORMATS = {"csv": "csv", "json": "json", "parquet": "parquet", "glueparquet": "parquet"}


class _Source:
    def __init__(self, context: GlueContext) -> None:
        self._context = context

    def from_options(
        self,
        connection_type: str,
        connection_options: dict[str, Any] | None = None,
        format: str | None = None,
        format_options: dict[str, Any] | None = None,
        transformation_ctx: str = "",
        **kwargs: Any,
    ) -> DynamicFrame:
        """Read files from S3."""
        _only_s3(connection_type)
        options = format_options or {}
        reader = self._context.spark_session.read.format(_FORMATS[str(format)])
        if format == "csv":
            reader = reader.options(
                header=options.get("withHeader", False),
                sep=options.get("separator", ","),
                quote=options.get("quoteChar", '"'),
                inferSchema=True,
            )
        return DynamicFrame(reader.load((connection_options or {})["paths"]), self._context, transformation_ctx)

    def from_catalog(self, *args: Any, **kwargs: Any) -> DynamicFrame:
        """Raise an error: there is no Data Catalog here."""
        raise NotImplementedError(
            "The Glue Data Catalog cannot be read on local AWS; read the S3 path with from_options"
        )


class _Sink:
    def __init__(self, context: GlueContext) -> None:
        self._context = context

    def from_options(
        self,
        frame: DynamicFrame,
        connection_type: str,
        connection_options: dict[str, Any] | None = None,
        format: str | None = None,
        format_options: dict[str, Any] | None = None,
        transformation_ctx: str = "",
        **kwargs: Any,
    ) -> DynamicFrame:
        """Append files to an S3 path; Glue's sink never overwrites."""
        _only_s3(connection_type)
        connection, options = connection_options or {}, format_options or {}
        writer = frame.toDF().write.format(_FORMATS[str(format)]).mode("append")
        if format == "csv":
            writer = writer.options(header=options.get("writeHeader", True), sep=options.get("separator", ","))
        if connection.get("partitionKeys"):
            writer = writer.partitionBy(connection["partitionKeys"])
        writer.save(connection["path"])
        return frame


class GlueContext:
    """A Spark context with Glue's readers and writers."""

    def __init__(self, sparkContext: SparkContext | None = None, **options: Any) -> None:
        self.spark_session = get_session()
        self._context = sparkContext or SparkContext.getOrCreate()
        self.create_dynamic_frame = _Source(self)
        self.write_dynamic_frame = _Sink(self)

    @property
    def read(self) -> Any:
        """Spark's reader."""
        return self.spark_session.read

    def sql(self, query: str) -> Any:
        """Run a query over the session's views."""
        return self.spark_session.sql(query)

    def get_logger(self) -> logging.Logger:
        """Return a logger that writes to the job's error log."""
        logging.basicConfig(level=logging.INFO)
        return logging.getLogger("GlueLogger")


def _only_s3(connection_type: str) -> None:
    if connection_type != "s3":
        raise NotImplementedError(f"Connections of type {connection_type} do not exist on local AWS; use s3")
