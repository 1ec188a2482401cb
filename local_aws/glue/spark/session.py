# ruff: noqa: N802, N803, N815, S608  names are PySpark's; SQL is built from quoted names only
"""The session and the DataFrame that scripts see, over sqlframe's DuckDB engine.

Source: https://spark.apache.org/docs/latest/api/python/reference/pyspark.sql/index.html
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

from sqlframe.duckdb import DuckDBDataFrame, DuckDBSession
from sqlframe.duckdb.table import DuckDBTable

from .reader import LocalReader
from .writer import LocalWriter

_numbers = itertools.count(1)
_active: LocalSession | None = None


class SparkSurface:
    """Spark's writer and what sqlframe leaves out, for both of sqlframe's frame classes."""

    session: Any
    columns: list[str]
    schema: Any
    limit: Any
    select: Any
    collect: Any
    _get_expressions: Any

    @property
    def write(self) -> LocalWriter:
        """Spark's writer for this DataFrame."""
        return LocalWriter(self)

    @property
    def dtypes(self) -> list[tuple[str, str]]:
        """Names and types of the columns."""
        fields = self.schema.fields
        return [(name, field.dataType.simpleString()) for name, field in zip(self.columns, fields, strict=True)]

    def take(self, num: int) -> list[Any]:
        """Return the first rows."""
        rows: list[Any] = self.limit(num).collect()
        return rows

    def selectExpr(self, *expressions: str) -> Any:
        """Select SQL expressions."""
        from sqlframe.duckdb import functions

        return self.select(*[functions.expr(expression) for expression in expressions])

    def sample(self, *arguments: Any, **options: Any) -> Any:
        """Return a share of the rows: ``sample([withReplacement,] fraction, seed)``."""
        values = list(arguments)
        if values and isinstance(values[0], bool):
            options.setdefault("withReplacement", values.pop(0))
        if options.get("withReplacement"):
            raise NotImplementedError("sample with replacement does not exist on local AWS")
        fraction = float(options.get("fraction", values.pop(0) if values else 0.0))
        seed = options.get("seed", values.pop(0) if values else None)
        return self.randomSplit([fraction, 1.0 - fraction], seed)[0]

    def toLocalIterator(self, prefetchPartitions: bool = False) -> Iterator[Any]:
        """Iterate over the rows."""
        return iter(self.collect())

    def unpersist(self, blocking: bool = False) -> Any:
        """Do nothing: no DataFrame is kept in memory."""
        return self

    def checkpoint(self, eager: bool = True) -> Any:
        """Compute the DataFrame now and continue from the result."""
        return self.session.read.frame_of(self.materialise())

    localCheckpoint = checkpoint

    def materialise(self) -> str:
        """Compute the DataFrame into a temporary table with the columns as the script named them.

        :returns: the table's name.
        """
        table = f"materialised_{next(_numbers)}"
        *before, last = self._get_expressions(optimize=False)
        for expression in before:
            self.session._execute(self.session._to_sql(expression))
        self.session.connection.execute(f"CREATE TABLE {table} AS {self.session._to_sql(last)}")
        return table

    def randomSplit(self, weights: list[float], seed: int | None = None) -> list[LocalDataFrame]:
        """Split the rows at random by weight; every row is in exactly one part.

        :param weights: positive numbers; normalised when they do not add up to 1.
        :param seed: same seed and same rows, same split.
        """
        for weight in weights:
            if weight < 0.0:
                raise ValueError(f"Weights must be positive. Found weight value: {weight}")
        chosen = seed if seed is not None else random.SystemRandom().randrange(2**31)
        generator = random.Random(chosen)  # noqa: S311
        table = self.materialise()
        split = f"split_{next(_numbers)}"
        connection = self.session.connection
        salt = generator.getrandbits(62)
        columns = ", ".join(f'"{row[0]}"' for row in connection.execute(f"DESCRIBE {table}").fetchall())
        connection.execute(
            f"CREATE TABLE {split} AS SELECT {columns}, (hash(rowid, {salt}::BIGINT) >> 11)::DOUBLE /"
            f" 9007199254740992.0 AS __draw FROM {table}"
        )
        connection.execute(f"DROP TABLE {table}")
        total = sum(weights)
        parts, low = [], 0.0
        for number, weight in enumerate(weights):
            high = low + weight / total
            upper = "2.0" if number == len(weights) - 1 else repr(high)
            part = f"{split}_{number}"
            connection.execute(
                f"CREATE TABLE {part} AS SELECT {columns} FROM {split} WHERE __draw >= {low!r} AND __draw < {upper}"
            )
            parts.append(self.session.read.frame_of(part))
            low = high
        connection.execute(f"DROP TABLE {split}")
        return parts

    def coalesce(self, *arguments: Any) -> Any:
        """Do nothing with a number of partitions: one file is written. Otherwise SQL's coalesce."""
        if len(arguments) == 1 and isinstance(arguments[0], int):
            return self
        frame: LocalDataFrame = super().coalesce(*arguments)  # type: ignore[misc]
        return frame

    def repartition(self, *arguments: Any) -> Any:
        """Do nothing: one file is written."""
        return self

    def toDF(self, *names: str) -> Any:
        """Rename all columns."""
        if not names:
            return self
        frame: LocalDataFrame = super().toDF(*names)  # type: ignore[misc]
        return frame

    @property
    def rdd(self) -> Any:
        """Raise an error: RDDs do not exist here."""
        raise NotImplementedError("RDDs do not exist on local AWS; use the DataFrame API")


class LocalDataFrame(SparkSurface, DuckDBDataFrame):  # type: ignore[misc]
    """A DataFrame as scripts see it."""


class LocalTable(SparkSurface, DuckDBTable):  # type: ignore[misc]
    """A DataFrame that reads a whole table."""

    _df = LocalDataFrame


class LocalSession(DuckDBSession):  # type: ignore[misc]
    """The one session of a script."""

    _df = LocalDataFrame
    _table = LocalTable

    @property
    def connection(self) -> Any:
        """The DuckDB connection."""
        return self._conn

    @property
    def read(self) -> LocalReader:
        """Spark's reader."""
        return LocalReader(self)

    @property
    def sparkContext(self) -> SparkContext:
        """The context of this session."""
        return SparkContext.getOrCreate()

    @property
    def version(self) -> str:
        """The Spark version whose API is imitated."""
        return "3.5.0"

    def stop(self) -> None:
        """Do nothing: the process ends with the script."""

    def newSession(self) -> LocalSession:
        """Return this session, the only one."""
        return self


class SessionBuilder:
    """What ``SparkSession.builder`` is; every setting is accepted and ignored."""

    def appName(self, name: str) -> SessionBuilder:
        """Accept the name; no cluster shows it."""
        return self

    def master(self, url: str) -> SessionBuilder:
        """Accept the address; there is no cluster."""
        return self

    def config(self, *arguments: Any, **options: Any) -> SessionBuilder:
        """Accept settings of Hadoop and Spark; none has a meaning here."""
        return self

    def enableHiveSupport(self) -> SessionBuilder:
        """Do nothing: there is no Hive."""
        return self

    def getOrCreate(self) -> LocalSession:
        """Return the session."""
        return get_session()


class SparkSession(LocalSession):
    """The class that scripts import."""

    builder = SessionBuilder()

    def __new__(cls, *arguments: Any, **options: Any) -> Any:
        """Return the one session, as ``SparkSession(sc)`` does."""
        return get_session()

    @classmethod
    def getActiveSession(cls) -> LocalSession | None:
        """Return the session, if there is one."""
        return _active


class _HadoopConfiguration:
    def set(self, key: str, value: str) -> None:
        """Accept the setting; S3 is reached with the run's keys."""

    def get(self, key: str, default: str | None = None) -> str | None:
        """Return the default: no setting is kept."""
        return default


class _JavaContext:
    def hadoopConfiguration(self) -> _HadoopConfiguration:
        """Return what ``sc._jsc.hadoopConfiguration()`` returns in Spark."""
        return _HadoopConfiguration()


class SparkConf:
    """Settings, stored and not used."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._values: dict[str, str] = {}

    def set(self, key: str, value: str) -> SparkConf:
        """Store a setting."""
        self._values[key] = value
        return self

    def setAppName(self, value: str) -> SparkConf:
        """Store the application's name."""
        return self.set("spark.app.name", value)

    def setMaster(self, value: str) -> SparkConf:
        """Store the master's address."""
        return self.set("spark.master", value)

    def get(self, key: str, defaultValue: str | None = None) -> str | None:
        """Return a setting."""
        return self._values.get(key, defaultValue)

    def getAll(self) -> list[tuple[str, str]]:
        """Return all settings."""
        return list(self._values.items())


class SparkContext:
    """The part of SparkContext that scripts on DataFrames touch."""

    _instance: SparkContext | None = None
    applicationId = "local-aws"
    version = "3.5.0"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        SparkContext._instance = self
        self._jsc = _JavaContext()

    @classmethod
    def getOrCreate(cls, conf: SparkConf | None = None) -> SparkContext:
        """Return the context."""
        return cls._instance or cls()

    def setLogLevel(self, level: str) -> None:
        """Do nothing: there is no JVM that logs."""

    def getConf(self) -> SparkConf:
        """Return an empty configuration."""
        return SparkConf()

    def stop(self) -> None:
        """Do nothing: there is nothing to release."""


def get_session() -> LocalSession:
    """Return the one session of this process; DuckDB is opened here, never before the fork."""
    global _active
    if _active is None:
        import duckdb

        connection = duckdb.connect()
        connection.execute(
            "SET TimeZone = 'UTC'; SET preserve_insertion_order = true; SET threads = 2; SET"
            " autoinstall_known_extensions = false"
        )
        _active = LocalSession(conn=connection)
    return _active
