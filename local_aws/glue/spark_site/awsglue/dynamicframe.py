# ruff: noqa: N802, N803  names are AWS's
"""``awsglue.dynamicframe``: a DataFrame under Glue's names."""

from __future__ import annotations

from typing import Any


class DynamicFrame:
    """A frame without a fixed schema on AWS; here always one DataFrame."""

    def __init__(self, frame: Any, glue_ctx: Any = None, name: str = "") -> None:
        self._frame = frame
        self.glue_ctx = glue_ctx
        self.name = name

    @classmethod
    def fromDF(cls, dataframe: Any, glue_ctx: Any, name: str) -> DynamicFrame:
        """Make a dynamic frame from a DataFrame."""
        return cls(dataframe, glue_ctx, name)

    def toDF(self, options: Any = None) -> Any:
        """Return the DataFrame."""
        return self._frame

    def count(self) -> int:
        """Return the number of rows."""
        return int(self._frame.count())

    def schema(self) -> Any:
        """Return the schema of the DataFrame."""
        return self._frame.schema

    def printSchema(self) -> None:
        """Print the schema."""
        self._frame.printSchema()

    def show(self, num_rows: int = 20) -> None:
        """Print the first rows."""
        self._frame.show(num_rows)

    def select_fields(self, paths: list[str], **options: Any) -> DynamicFrame:
        """Keep these columns only."""
        return self._with(self._frame.select(*[f"`{name}`" for name in paths]))

    def drop_fields(self, paths: list[str], **options: Any) -> DynamicFrame:
        """Drop these columns."""
        return self._with(self._frame.drop(*paths))

    def rename_field(self, oldName: str, newName: str, **options: Any) -> DynamicFrame:
        """Rename a column."""
        return self._with(self._frame.withColumnRenamed(oldName, newName))

    def apply_mapping(self, mappings: list[tuple[str, str, str, str]], **options: Any) -> DynamicFrame:
        """Select, rename and cast columns: (source, source type, target, target type)."""
        from sqlframe.duckdb import functions

        chosen = [functions.col(f"`{source}`").cast(kind).alias(target) for source, _, target, kind in mappings]
        return self._with(self._frame.select(*chosen))

    def repartition(self, num_partitions: int, *arguments: Any) -> DynamicFrame:
        """Do nothing: there is one partition."""
        return self

    coalesce = repartition

    def _with(self, frame: Any) -> DynamicFrame:
        return DynamicFrame(frame, self.glue_ctx, self.name)
