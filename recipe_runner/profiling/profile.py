"""Profile jobs: the service's statistics of a dataset's columns, in the service's report document.

Statistics, names and defaults:
https://docs.aws.amazon.com/databrew/latest/dg/profile.configuration.html. The document's members
and the bounds of its buckets follow a real report (version 1.0). Text columns are measured by the
length of their values. Knows no S3.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import regex

from recipe_runner.errors import RecipeError
from recipe_runner.language.patterns import Pattern
from recipe_runner.tables.advanced_datatypes import entity_shapes
from recipe_runner.tables.table import type_name

DEFAULT_SAMPLE_ROWS = 20_000
DEFAULT_PARAMETERS: dict[str, dict[str, str]] = {
    "MOST_COMMON_VALUES": {"sampleSize": "50"},
    "MINIMUM_VALUES": {"sampleSize": "5"},
    "MAXIMUM_VALUES": {"sampleSize": "5"},
    "OUTLIER_DETECTION": {"threshold": "3", "sampleSize": "50"},
    "VALUE_DISTRIBUTION": {"binNumber": "20"},
    "Z_SCORE_DISTRIBUTION": {"binNumber": "20"},
}
BOOLEAN_STATISTICS = (
    "DISTINCT_VALUES_COUNT",
    "UNIQUE_VALUES_COUNT",
    "MISSING_VALUES_COUNT",
    "ENTROPY",
    "MOST_COMMON_VALUES",
)
STRING_STATISTICS = (
    *BOOLEAN_STATISTICS,
    "MAX",
    "MEAN",
    "MIN",
    "STANDARD_DEVIATION",
    "MEDIAN",
    "MODE",
    "VALUE_DISTRIBUTION",
    "OUTLIER_DETECTION",
)
NUMERIC_STATISTICS = (
    *STRING_STATISTICS,
    "KURTOSIS",
    "SKEWNESS",
    "SUM",
    "ZEROS_COUNT",
    "VARIANCE",
    "RANGE",
    "PERCENTILES",
    "INTER_QUARTILE_RANGE",
    "MINIMUM_VALUES",
    "MAXIMUM_VALUES",
    "Z_SCORE_DISTRIBUTION",
    "MEDIAN_ABSOLUTE_DEVIATION",
)
DATASET_STATISTICS = ("DUPLICATE_ROWS_COUNT", "CORRELATION")
CORRELATED_COLUMNS = 10
MOST_ROWS = 2**32 - 1  # polars counts rows in 32 bits, the API sizes in 64


def selects(selector: Mapping[str, Any], name: str) -> bool:
    """Whether a ColumnSelector (Name or Regex) selects a column."""
    lowered = {str(key).lower(): value for key, value in selector.items()}
    if lowered.get("name") is not None:
        return bool(lowered["name"] == name)
    if lowered.get("regex") is None:
        return False
    try:
        return regex.fullmatch(str(lowered["regex"]), name, timeout=1.0) is not None
    except TimeoutError:
        raise RecipeError(f"the column selector {lowered['regex']!r} takes too long to match; simplify it") from None
    except regex.error as problem:
        raise RecipeError(
            f"the column selector {lowered['regex']!r} is not a valid regular expression: {problem}"
        ) from problem


def sample_size(job_sample: Mapping[str, Any]) -> int | None:
    """Return how many rows a profile job reads (20,000 by default); None for all."""
    if job_sample.get("Mode") == "FULL_DATASET":
        return None
    size = DEFAULT_SAMPLE_ROWS if job_sample.get("Size") is None else int(job_sample["Size"])
    if size < 1:
        raise RecipeError(f"the Size of JobSample must be greater than 0; it is {size}")
    return size if size < MOST_ROWS else None


def profile_columns(frame: pl.DataFrame, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report's members about the data: sampleSize, duplicateRowsCount, columns.

    :param frame: the sampled rows.
    :param configuration: ProfileConfiguration as in the API.
    """
    selectors = configuration.get("ProfileColumns")
    chosen = [
        name
        for name in frame.columns
        if supported(frame.schema[name]) and (selectors is None or any(selects(one, name) for one in selectors))
    ]
    dataset = configuration.get("DatasetStatisticsConfiguration") or {}
    included = dataset.get("IncludedStatistics") or list(DATASET_STATISTICS)
    report: dict[str, Any] = {"sampleSize": frame.height}
    if "DUPLICATE_ROWS_COUNT" in included:
        report["duplicateRowsCount"] = duplicate_rows(frame)
    detector = configuration.get("EntityDetectorConfiguration") or {}
    entities = _entities(frame, chosen, detector) if detector else {}
    allowed = {
        statistic for entry in detector.get("AllowedStatistics") or [] for statistic in entry.get("Statistics") or []
    }
    correlations = _correlations(frame, chosen, dataset) if "CORRELATION" in included else {}
    report["columns"] = [
        _column(
            frame[name],
            configuration,
            correlations.get(name),
            entities.get(name),
            allowed if name in entities else None,
        )
        for name in chosen
    ]
    return report


def supported(dtype: pl.DataType) -> bool:
    """Whether columns of a type are profiled: numbers, texts and booleans are."""
    return (dtype.is_numeric() and not isinstance(dtype, pl.Decimal)) or dtype in (pl.String, pl.Boolean)


def _entities(frame: pl.DataFrame, chosen: Sequence[str], detector: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Count the rows with personal data in each text column, in all and by entity type."""
    shapes = {kind: Pattern(shape) for kind, shape in entity_shapes(detector.get("EntityTypes") or []).items()}
    found: dict[str, dict[str, Any]] = {}
    for name in chosen:
        if frame.schema[name] != pl.String:
            continue
        # Every entity has one of these; the shapes that polars' engine does not support are slow.
        text = pl.when(pl.col(name).str.contains("[0-9@:-]")).then(pl.col(name))
        hits = frame.select(shape.contains(text).fill_null(False).alias(kind) for kind, shape in shapes.items())
        rows = hits.select(pl.any_horizontal(pl.all()).sum()).item()
        if rows:
            counts = {kind: int(hits[kind].sum()) for kind in hits.columns}
            kinds = [{"entityType": kind, "rowsCount": count} for kind, count in counts.items() if count]
            found[name] = {"rowsCount": rows, "entityTypes": kinds}
    return found


def duplicate_rows(frame: pl.DataFrame) -> int:
    """Count the rows that equal an earlier row."""
    flat = frame.select(
        pl.col(name).struct.json_encode() if isinstance(dtype, pl.Struct) else pl.col(name)
        for name, dtype in frame.schema.items()
    )
    return frame.height - flat.unique().height if frame.width else 0


def _correlations(
    frame: pl.DataFrame, chosen: Sequence[str], configuration: Mapping[str, Any]
) -> dict[str, dict[str, float | None]]:
    numeric = [name for name in chosen if frame.schema[name].is_numeric()]
    parameters: Mapping[str, Any] = next(
        (
            override.get("Parameters") or {}
            for override in configuration.get("Overrides") or []
            if override.get("Statistic") == "CORRELATION"
        ),
        {},
    )
    if parameters.get("columnSelectors"):
        selectors = _column_selectors(str(parameters["columnSelectors"]))
        numeric = [name for name in numeric if any(selects(one, name) for one in selectors)]
    else:
        size = _count("CORRELATION", "columnNumber", parameters.get("columnNumber", CORRELATED_COLUMNS), least=2)
        numeric = numeric[:size]
    result: dict[str, dict[str, float | None]] = {}
    for left in numeric:
        row = frame.select([pl.corr(left, right).alias(right) for right in numeric]).row(0, named=True)
        result[left] = {right: 1.0 if right == left else _number(value) for right, value in row.items()}
    return result


def _column_selectors(text: str) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise RecipeError(
            f"the parameter columnSelectors of CORRELATION must be a JSON list of objects with name or regex; it is "
            f"{text!r}"
        )
    return found


def _settings(
    name: str, dtype: pl.DataType, configuration: Mapping[str, Any]
) -> tuple[set[str], dict[str, dict[str, Any]], dict[str, Any]]:
    """Return a column's statistics, their parameters and overrides; the last configuration wins."""
    wanted = set(
        NUMERIC_STATISTICS if dtype.is_numeric() else BOOLEAN_STATISTICS if dtype == pl.Boolean else STRING_STATISTICS
    )
    parameters: dict[str, dict[str, Any]] = {key: dict(value) for key, value in DEFAULT_PARAMETERS.items()}
    override: dict[str, Any] = {}
    for entry in configuration.get("ColumnStatisticsConfigurations") or []:
        if entry.get("Selectors") and not any(selects(one, name) for one in entry["Selectors"]):
            continue
        statistics = entry.get("Statistics") or {}
        if statistics.get("IncludedStatistics"):
            override["includedStatistics"] = list(statistics["IncludedStatistics"])
        for change in statistics.get("Overrides") or []:
            parameters.setdefault(change["Statistic"], {}).update(change.get("Parameters") or {})
            told = override.setdefault("parameters", {}).setdefault(change["Statistic"], {})
            told.update(change.get("Parameters") or {})
    if "includedStatistics" in override:
        wanted &= set(override["includedStatistics"])
    return wanted, parameters, override


def _number(value: Any) -> Any:
    """Replace NaN and infinities, which JSON does not have, with None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _column(
    series: pl.Series,
    configuration: Mapping[str, Any],
    correlations: Mapping[str, float | None] | None,
    entity: Mapping[str, Any] | None,
    allowed: set[str] | None,
) -> dict[str, Any]:
    """Return a column's member of the report.

    :param correlations: its correlations; None if it has none.
    :param entity: personal data found in it; None if there is none.
    :param allowed: statistics allowed for it; None for all.
    """
    dtype = series.dtype
    wanted, parameters, override = _settings(series.name, dtype, configuration)
    if allowed is not None:
        wanted &= allowed
    report: dict[str, Any] = {
        "name": series.name,
        "type": "int" if dtype == pl.Int64 and _fits_int(series) else type_name(dtype),
    }
    if correlations is not None:
        report["correlations"] = dict(correlations)
    report["columnConfigurationOverride"] = override
    if entity is not None:
        report["entity"] = dict(entity)
    values = present(series)
    counts = values.value_counts(sort=False)
    facts = statistics(series, values, counts)
    for statistic, member in MEMBERS.items():
        if statistic in wanted and member in facts:
            report[member] = _number(facts[member])
    if "MOST_COMMON_VALUES" in wanted:
        ranked = counts.sort("count", series.name, descending=[True, False], nulls_last=True)
        report["mostCommonValues"] = _counted(ranked, series.name, parameters, "MOST_COMMON_VALUES")
    if dtype.is_numeric() or dtype == pl.String:
        report.update(_measured_statistics(series.name, values, counts, wanted, parameters))
    return report


def _measured_statistics(
    name: str,
    values: pl.Series,
    counts: pl.DataFrame,
    wanted: set[str],
    parameters: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the report's members that only columns of numbers and texts have."""
    report: dict[str, Any] = {}
    measured = measure(values)
    if "PERCENTILES" in wanted:
        report.update(
            {f"percentile{share}": _number(measured.quantile(share / 100, "linear")) for share in (5, 25, 75, 95)}
        )
    if "MINIMUM_VALUES" in wanted:
        report["minimumValues"] = _counted(counts.sort(name), name, parameters, "MINIMUM_VALUES")
    if "MAXIMUM_VALUES" in wanted:
        report["maximumValues"] = _counted(counts.sort(name, descending=True), name, parameters, "MAXIMUM_VALUES")
    if "VALUE_DISTRIBUTION" in wanted:
        bins = _size(parameters, "VALUE_DISTRIBUTION", "binNumber")
        report["valueDistribution"] = distribution(measured, bins, first_open=False)
    scores = z_scores(measured)
    if "OUTLIER_DETECTION" in wanted:
        report.update(_outliers(measured, scores, parameters))
    if "Z_SCORE_DISTRIBUTION" in wanted:
        bins = _size(parameters, "Z_SCORE_DISTRIBUTION", "binNumber")
        report["zScoreDistribution"] = distribution(scores, bins, first_open=True)
    return report


def _fits_int(series: pl.Series) -> bool:
    low, high = series.min(), series.max()
    return not isinstance(low, int) or not isinstance(high, int) or (low >= -(2**31) and high < 2**31)


def _count(statistic: str, name: str, value: Any, *, least: int = 1) -> int | None:
    """Return a parameter as a whole number; None for "ALL"."""
    text = str(value).strip()
    if text.upper() == "ALL" and name != "binNumber":
        return None
    if not text.isdecimal() or int(text) < least:
        raise RecipeError(
            f"the parameter {name} of {statistic} must be a whole number greater than {least - 1}; it is {text!r}"
        )
    return int(text)


def _size(parameters: Mapping[str, Mapping[str, Any]], statistic: str, name: str = "sampleSize") -> int | None:
    return _count(statistic, name, parameters[statistic].get(name, DEFAULT_PARAMETERS[statistic][name]))


def _threshold(name: str, value: Any) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise RecipeError(
            f"the parameter {name} of OUTLIER_DETECTION must be a number greater than or equal to 0; it is {value!r}"
        )
    return number


def missing(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return where a value is missing: null, an empty text, or not a finite number."""
    if dtype == pl.String:
        return column.is_null() | (column == "").fill_null(False)
    return column.is_null() | ~column.is_finite().fill_null(False) if dtype.is_float() else column.is_null()


def present(series: pl.Series) -> pl.Series:
    """Return the values that are not missing."""
    return series.to_frame().filter(~missing(pl.col(series.name), series.dtype)).to_series()


def measure(values: pl.Series) -> pl.Series:
    """Return the numbers that a column is measured by: its values, or the length of its texts."""
    return values.str.len_chars().cast(pl.Int64) if values.dtype == pl.String else values


MEMBERS = {
    "DISTINCT_VALUES_COUNT": "distinctValuesCount",
    "UNIQUE_VALUES_COUNT": "uniqueValuesCount",
    "ENTROPY": "entropy",
    "MISSING_VALUES_COUNT": "missingValuesCount",
    "KURTOSIS": "kurtosis",
    "MAX": "max",
    "MEAN": "mean",
    "MIN": "min",
    "SKEWNESS": "skewness",
    "STANDARD_DEVIATION": "standardDeviation",
    "SUM": "sum",
    "ZEROS_COUNT": "zerosCount",
    "VARIANCE": "variance",
    "RANGE": "range",
    "MEDIAN": "median",
    "INTER_QUARTILE_RANGE": "interquartileRange",
    "MODE": "mode",
    "MEDIAN_ABSOLUTE_DEVIATION": "medianAbsoluteDeviation",
}


def statistics(series: pl.Series, values: pl.Series, counts: pl.DataFrame) -> dict[str, Any]:
    """Return the single-valued statistics of a column, by their name in the report.

    Standard deviation and variance are the sample's, kurtosis (excess) and skewness the
    population's, entropy is in nats.
    """
    share = counts["count"] / len(values) if len(values) else counts["count"].cast(pl.Float64)
    facts: dict[str, Any] = {
        "distinctValuesCount": counts.height,
        "uniqueValuesCount": int((counts["count"] == 1).sum()),
        "missingValuesCount": len(series) - len(values),
        "entropy": float(-(share * share.log()).sum()) + 0.0,
    }
    if not values.dtype.is_numeric() and values.dtype != pl.String:
        return facts
    measured = measure(values)
    if isinstance(measured.dtype, pl.Decimal):
        measured = measured.cast(pl.Float64)
    middle = measured.median()
    facts.update(
        max=measured.max(),
        min=measured.min(),
        mean=measured.mean(),
        median=middle,
        standardDeviation=measured.std(ddof=1),
        mode=_most_frequent(measured),
    )
    if values.dtype == pl.String:
        return facts
    quartiles = [measured.quantile(part, "linear") for part in (0.25, 0.75)]
    facts.update(
        kurtosis=measured.kurtosis(),
        skewness=measured.skew(),
        sum=measured.cast(pl.Int128).sum() if measured.dtype.is_integer() else measured.sum(),
        zerosCount=int((measured == 0).sum()),
        variance=measured.var(ddof=1),
        range=None if not len(measured) else facts["max"] - facts["min"],
        interquartileRange=None if quartiles[0] is None or quartiles[1] is None else quartiles[1] - quartiles[0],
        medianAbsoluteDeviation=None if middle is None else (measured - middle).abs().median(),
    )
    return facts


def _most_frequent(values: pl.Series) -> Any:
    return values.mode().min() if len(values) else None


def _counted(
    counts: pl.DataFrame, name: str, parameters: Mapping[str, Mapping[str, Any]], statistic: str
) -> list[dict[str, Any]]:
    size = _size(parameters, statistic)
    rows = counts if size is None else counts.head(size)
    return [{"value": _plain(row[name]), "count": row["count"]} for row in rows.iter_rows(named=True)]


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) or value is None else float(value)


def distribution(values: pl.Series, bins: int | None, *, first_open: bool) -> list[dict[str, Any]]:
    """Count the values in ranges [low, high), the last without an upper bound.

    :param first_open: whether the first range has no lower bound, as for z-scores.
    """
    if not len(values):
        return []
    low: Any = values.min()
    high: Any = values.max()
    if low == high:
        return [{"bucket": [float(low), float(high)], "count": len(values)}]
    edges = (_whole_edges if values.dtype.is_integer() else _even_edges)(low, high, bins or 1)
    bounds = pl.Series(edges[1:], dtype=values.dtype)
    position = bounds.search_sorted(values, side="right") if len(bounds) else pl.zeros(len(values), eager=True)
    found = dict(position.value_counts().iter_rows())
    buckets: list[dict[str, Any]] = []
    for index, edge in enumerate(edges):
        lower: Any = "-inf" if first_open and index == 0 else edge
        upper: Any = "inf" if index == len(edges) - 1 else edges[index + 1]
        buckets.append({"bucket": [lower, upper], "count": found.get(index, 0)})
    return buckets


def _whole_edges(low: int, high: int, bins: int) -> list[int]:
    """Return lower bounds of buckets over whole numbers.

    One bucket per value if that is enough, else widths that differ by at most one, the narrower
    first, as in a real report.
    """
    if high - low < bins:
        return list(range(low, high + 1))
    width, wider = divmod(high - low, bins)
    return [low + width * index + max(0, index - (bins - wider)) for index in range(bins)]


def _even_edges(low: float, high: float, bins: int) -> list[float]:
    """Return lower bounds of buckets of equal width, without repeated bounds."""
    width = (high - low) / bins
    if math.isinf(width):
        return [low * (1 - index / bins) + high * (index / bins) for index in range(bins)]
    return list(dict.fromkeys(low + width * index for index in range(bins)))


def z_scores(values: pl.Series) -> pl.Series:
    """Return distances from the mean in sample standard deviations; zeros if there is no spread."""
    numbers = values.cast(pl.Float64)
    spread = numbers.std(ddof=1)
    return (numbers - numbers.mean()) / spread if spread and _number(spread) is not None else numbers * 0.0


def _outliers(values: pl.Series, scores: pl.Series, parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    given = parameters["OUTLIER_DETECTION"]
    threshold = _threshold("threshold", given.get("threshold", DEFAULT_PARAMETERS["OUTLIER_DETECTION"]["threshold"]))
    mild = _threshold("mildThreshold", given["mildThreshold"]) if given.get("mildThreshold") is not None else None
    if mild is not None and mild >= threshold:
        raise RecipeError(f"mildThreshold {mild:g} must be less than threshold {threshold:g}")
    size = _size(parameters, "OUTLIER_DETECTION")
    distance = scores.abs()
    report: dict[str, Any] = {"zScoreOutliersCount": int((distance > threshold).sum())}
    if mild is not None:
        report["zScoreMildOutliersCount"] = int(((distance > mild) & (distance <= threshold)).sum())
    found = (
        pl.DataFrame({"value": values, "zScore": scores})
        .filter(distance > (threshold if mild is None else mild))
        .unique(maintain_order=True)
    )
    found = found.sort(pl.col("zScore").abs(), descending=True, maintain_order=True)
    rows = found if size is None else found.head(size)
    report["zScoreOutliersSample"] = [
        {"value": _plain(row["value"]), "zScore": row["zScore"]} for row in rows.iter_rows(named=True)
    ]
    return report


def dataset_override(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return DatasetStatisticsConfiguration in the report's form."""
    override: dict[str, Any] = {}
    if configuration.get("IncludedStatistics"):
        override["includedStatistics"] = list(configuration["IncludedStatistics"])
    for change in configuration.get("Overrides") or []:
        override.setdefault("parameters", {})[change["Statistic"]] = dict(change.get("Parameters") or {})
    return override


def default_configuration() -> dict[str, Any]:
    """Return the report's record of what a profile job does by default."""

    def column(names: Sequence[str]) -> dict[str, Any]:
        return {
            "includedStatistics": list(names),
            "parameters": {name: dict(DEFAULT_PARAMETERS[name]) for name in DEFAULT_PARAMETERS if name in names},
        }

    return {
        "datasetConfiguration": {
            "includedStatistics": ["CORRELATION", "DUPLICATE_ROWS_COUNT"],
            "parameters": {"CORRELATION": {"columnNumber": str(CORRELATED_COLUMNS)}},
        },
        "columnConfiguration": {
            "booleanColumn": column(BOOLEAN_STATISTICS),
            "stringColumn": column(STRING_STATISTICS),
            "numericColumn": column(NUMERIC_STATISTICS),
        },
    }
