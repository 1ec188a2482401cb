"""Profile jobs and rulesets over tables small enough to compute by hand."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from recipe_runner.api import DatasetFiles, run_profile, validation_report
from recipe_runner.errors import RecipeError

STARTED = datetime(2024, 5, 1, tzinfo=UTC)
TEXT = "n,t,f\n1,aa,true\n2,b,false\n2,b,true\n4,,true\n,ccc,true\n"


@pytest.fixture
def dataset(tmp_path: Path) -> DatasetFiles:
    (tmp_path / "data.csv").write_text(TEXT)
    return DatasetFiles([tmp_path / "data.csv"], "CSV")


def columns(dataset: DatasetFiles, **arguments: Any) -> dict[str, dict[str, Any]]:
    report = run_profile(dataset, job_name="j", started_at=STARTED, **arguments)
    return {column["name"]: column for column in report["columns"]}


def results_of_rulesets(dataset: DatasetFiles, rulesets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    report = run_profile(dataset, job_name="j", started_at=STARTED, rulesets=rulesets)
    return list(report["rulesetResults"])


def test_numbers_have_the_services_statistics(dataset: DatasetFiles) -> None:
    n = columns(dataset)["n"]
    assert n["type"] == "int"
    assert (n["distinctValuesCount"], n["uniqueValuesCount"], n["missingValuesCount"], n["zerosCount"]) == (3, 2, 1, 0)
    assert (n["min"], n["max"], n["sum"], n["mean"], n["median"], n["mode"], n["range"]) == (1, 4, 9, 2.25, 2.0, 2, 3)
    # The sample variance of 1, 2, 2, 4 is 4.75 / 3; the entropy of 1/4, 1/2, 1/4 is 1.5 ln 2 nats.
    assert n["variance"] == pytest.approx(4.75 / 3)
    assert n["standardDeviation"] == pytest.approx(math.sqrt(4.75 / 3))
    assert n["entropy"] == pytest.approx(1.5 * math.log(2))
    # Population skewness and excess kurtosis: m2 = 1.1875, m3 = 0.84375 …
    deviations = [-1.25, -0.25, -0.25, 1.75]
    m2, m3, m4 = (sum(d**k for d in deviations) / 4 for k in (2, 3, 4))
    assert n["skewness"] == pytest.approx(m3 / m2**1.5)
    assert n["kurtosis"] == pytest.approx(m4 / m2**2 - 3)
    assert (n["percentile25"], n["percentile75"], n["interquartileRange"]) == (1.75, 2.5, 0.75)
    assert n["medianAbsoluteDeviation"] == 0.5
    assert n["mostCommonValues"] == [{"value": 2, "count": 2}, {"value": 1, "count": 1}, {"value": 4, "count": 1}]
    assert n["minimumValues"][0] == {"value": 1, "count": 1}
    assert n["maximumValues"][0] == {"value": 4, "count": 1}
    assert sum(bucket["count"] for bucket in n["valueDistribution"]) == 4
    assert n["valueDistribution"][-1]["bucket"][1] == "inf"
    assert n["zScoreDistribution"][0]["bucket"][0] == "-inf"
    assert n["zScoreOutliersCount"] == 0


def test_texts_are_measured_by_their_length(dataset: DatasetFiles) -> None:
    t = columns(dataset)["t"]
    assert (t["missingValuesCount"], t["distinctValuesCount"], t["min"], t["max"], t["mean"], t["mode"]) == (
        1,
        3,
        1,
        3,
        1.75,
        1,
    )
    assert "sum" not in t
    f = columns(dataset)["f"]
    assert f["type"] == "boolean"
    assert "max" not in f


def test_the_report_has_the_members_of_the_services(dataset: DatasetFiles) -> None:
    report = run_profile(
        dataset, job_name="j", started_at=STARTED, dataset_name="d", job_run_id="db_1", location="s3://b/k.json"
    )
    assert (report["version"], report["sampleSize"], report["duplicateRowsCount"]) == ("1.0", 5, 0)
    assert (report["jobName"], report["jobRunId"], report["location"], report["startedOn"]) == (
        "j",
        "db_1",
        "s3://b/k.json",
        "2024-05-01T00:00:00",
    )
    assert report["defaultProfileConfiguration"]["columnConfiguration"]["numericColumn"]["parameters"][
        "VALUE_DISTRIBUTION"
    ] == {"binNumber": "20"}


def test_configurations_narrow_columns_and_statistics(dataset: DatasetFiles) -> None:
    configuration = {
        "ProfileColumns": [{"Name": "n"}, {"Regex": "t.*"}],
        "DatasetStatisticsConfiguration": {"IncludedStatistics": ["NONE"]},
        "ColumnStatisticsConfigurations": [
            {
                "Selectors": [{"Name": "n"}],
                "Statistics": {
                    "IncludedStatistics": ["MEAN", "VALUE_DISTRIBUTION"],
                    "Overrides": [{"Statistic": "VALUE_DISTRIBUTION", "Parameters": {"binNumber": "3"}}],
                },
            },
        ],
    }
    found = columns(dataset, configuration=configuration)
    assert list(found) == ["n", "t"]
    assert set(found["n"]) == {"name", "type", "columnConfigurationOverride", "mean", "valueDistribution"}
    assert len(found["n"]["valueDistribution"]) == 3


def test_the_job_sample_is_the_first_rows(dataset: DatasetFiles) -> None:
    report = run_profile(dataset, job_name="j", started_at=STARTED, job_sample={"Mode": "CUSTOM_ROWS", "Size": 2})
    assert report["sampleSize"] == 2


COL = {":col": "`n`"}
RULES: list[tuple[dict[str, Any], str]] = [
    ({"CheckExpression": "AGG(ROWS_COUNT) == :v", "SubstitutionMap": {":v": "5"}}, "SUCCEEDED"),
    ({"CheckExpression": "AGG(COLUMNS_COUNT) > :v", "SubstitutionMap": {":v": "3"}}, "FAILED"),
    ({"CheckExpression": "AGG(DUPLICATE_ROWS_PERCENTAGE) < :v", "SubstitutionMap": {":v": "1"}}, "SUCCEEDED"),
    (
        {
            "CheckExpression": "AGG(MISSING_VALUES_COUNT) <= :v",
            "SubstitutionMap": {":v": "1"},
            "ColumnSelectors": [{"Regex": "[nt]"}],
        },
        "SUCCEEDED",
    ),
    (
        {
            "CheckExpression": "AGG(MEAN) IS_BETWEEN :a and :b",
            "SubstitutionMap": {":a": "2", ":b": "3"},
            "ColumnSelectors": [{"Name": "n"}],
        },
        "SUCCEEDED",
    ),
    (
        {
            "CheckExpression": "AGG(QUANTILE, :p) > :v",
            "SubstitutionMap": {":p": "0.25", ":v": "2"},
            "ColumnSelectors": [{"Name": "n"}],
        },
        "FAILED",
    ),
    (
        {
            "CheckExpression": "AGG(Z_SCORE_OUTLIERS_COUNT, :z) == :v",
            "SubstitutionMap": {":z": "1", ":v": "1"},
            "ColumnSelectors": [{"Name": "n"}],
        },
        "SUCCEEDED",
    ),
    (
        {
            "CheckExpression": ":col >= :v",
            "SubstitutionMap": {**COL, ":v": "1"},
            "Threshold": {"Value": 80, "Type": "GREATER_THAN_OR_EQUAL", "Unit": "PERCENTAGE"},
        },
        "SUCCEEDED",
    ),
    ({"CheckExpression": ":col >= :v", "SubstitutionMap": {**COL, ":v": "1"}}, "FAILED"),
    (
        {
            "CheckExpression": ":col IN :l",
            "SubstitutionMap": {**COL, ":l": '["1","2"]'},
            "Threshold": {"Value": 3, "Unit": "COUNT"},
        },
        "SUCCEEDED",
    ),
    (
        {
            "CheckExpression": ":col NOT IN :l",
            "SubstitutionMap": {":col": "`t`", ":l": '["zzz"]'},
            "Threshold": {"Value": 1, "Type": "LESS_THAN"},
        },
        "FAILED",
    ),
    (
        {
            "CheckExpression": "(:col starts_with :p or :col ends_with :s) and :f is :y",
            "SubstitutionMap": {":col": "`t`", ":p": "a", ":s": "c", ":f": "`f`", ":y": "true"},
            "Threshold": {"Value": 2, "Unit": "COUNT"},
        },
        "SUCCEEDED",
    ),
    (
        {
            "CheckExpression": "length(:col) IS_BETWEEN :a and :b",
            "SubstitutionMap": {":col": "`t`", ":a": "1", ":b": "2"},
            "Threshold": {"Value": 3, "Unit": "COUNT", "Type": "GREATER_THAN_OR_EQUAL"},
        },
        "SUCCEEDED",
    ),
    (
        {
            "CheckExpression": "matches :p",
            "SubstitutionMap": {":p": "^[a-c]+$"},
            "ColumnSelectors": [{"Name": "t"}],
            "Threshold": {"Value": 4},
        },
        "SUCCEEDED",
    ),
    (
        {"CheckExpression": ":a <= :b", "SubstitutionMap": {":a": "`n`", ":b": "`n`"}, "Threshold": {"Value": 4}},
        "SUCCEEDED",
    ),
    (
        {
            "CheckExpression": ":col not contains :p",
            "SubstitutionMap": {":col": "`t`", ":p": "c"},
            "Threshold": {"Value": 3},
        },
        "SUCCEEDED",
    ),
]


@pytest.mark.parametrize(("rule", "state"), RULES, ids=[rule["CheckExpression"] for rule, _ in RULES])
def test_a_rule_has_the_expected_status(rule: dict[str, Any], state: str, dataset: DatasetFiles) -> None:
    result = results_of_rulesets(dataset, [{"Name": "rs", "Rules": [{"Name": "r", **rule}]}])
    assert result[0]["ruleResults"][0]["status"] == state
    assert result[0]["status"] == state


def test_disabled_rules_are_left_out_and_results_come_with_the_profile(dataset: DatasetFiles) -> None:
    rules = [
        {"Name": "off", "CheckExpression": "AGG(ROWS_COUNT) > :v", "SubstitutionMap": {":v": "99"}, "Disabled": True}
    ]
    report = run_profile(dataset, job_name="j", started_at=STARTED, rulesets=[{"Name": "rs", "Rules": rules}])
    assert report["rulesetResults"] == [{"name": "rs", "ruleResults": [], "status": "SUCCEEDED"}]


def test_a_selected_column_that_does_not_exist_is_an_error_of_that_column(dataset: DatasetFiles) -> None:
    rule = {
        "Name": "r",
        "CheckExpression": "AGG(MISSING_VALUES_COUNT) < :v",
        "SubstitutionMap": {":v": "9"},
        "ColumnSelectors": [{"Name": "n"}, {"Name": "gone"}],
    }
    (result,) = results_of_rulesets(dataset, [{"Name": "rs", "Rules": [rule]}])[0]["ruleResults"]
    assert result["status"] == "ERROR"
    assert [(one["name"], one["status"]) for one in result["columnResults"]] == [("n", "SUCCEEDED"), ("gone", "ERROR")]
    assert "there is no column 'gone'" in result["columnResults"][1]["errorMessage"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"CheckExpression": "AGG(AVERAGE) > :v", "SubstitutionMap": {":v": "1"}}, "no statistic 'AVERAGE'"),
        ({"CheckExpression": ":col > :v", "SubstitutionMap": COL}, "SubstitutionMap has no :v"),
        ({"CheckExpression": ":col looks_like :v", "SubstitutionMap": {**COL, ":v": "1"}}, "no condition 'looks_like'"),
        (
            {"CheckExpression": "AGG(ROWS_COUNT) > :v and :col > :v", "SubstitutionMap": {**COL, ":v": "1"}},
            "cannot be combined",
        ),
        (
            {"CheckExpression": "AGG(ROWS_COUNT) > :v", "SubstitutionMap": {":v": "1"}, "Threshold": {"Value": 1}},
            "not with aggregates",
        ),
        ({"CheckExpression": "(:col > :v", "SubstitutionMap": {**COL, ":v": "1"}}, "ends too early"),
        ({"CheckExpression": "AGG(MEAN) > :v", "SubstitutionMap": {":v": "1"}}, "names no column"),
        (
            {"CheckExpression": "AGG(:c, QUANTILE, :p) > :v", "SubstitutionMap": {":c": "`n`", ":v": "1", ":p": "25"}},
            "a quantile is one of 0.25, 0.5, 0.75",
        ),
        ({"CheckExpression": "> :v", "SubstitutionMap": {":v": "1"}}, "names no column"),
        (
            {"CheckExpression": ":col > :v", "SubstitutionMap": {":col": "n", ":v": "1"}},
            "must be a column in back-ticks",
        ),
        (
            {
                "CheckExpression": ":col > :v",
                "SubstitutionMap": {**COL, ":v": "1"},
                "ColumnSelectors": [{"Name": "n"}],
            },
            "so that :col cannot",
        ),
        (
            {
                "CheckExpression": "> :v",
                "SubstitutionMap": {":v": "1"},
                "ColumnSelectors": [{"Name": "n", "Regex": "n"}],
            },
            "either a Name or a Regex",
        ),
        (
            {"CheckExpression": "> :v", "SubstitutionMap": {":v": "1"}, "ColumnSelectors": [{"Regex": "("}]},
            "not a valid regular expression",
        ),
    ],
)
def test_a_wrong_rule_is_an_error_with_its_name(rule: dict[str, Any], message: str, dataset: DatasetFiles) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        results_of_rulesets(dataset, [{"Name": "rs", "Rules": [{"Name": "the rule", **rule}]}])
    assert "the rule" in str(caught.value)


def table(tmp_path: Path, **columns: Any) -> DatasetFiles:
    pl.DataFrame(columns).write_parquet(tmp_path / "table.parquet")
    return DatasetFiles([tmp_path / "table.parquet"], "PARQUET")


# Columns of a public report of the service (their least and greatest values), and the bounds that
# it wrote for them.
BUCKETS: list[tuple[list[Any], list[list[Any]]]] = [
    (
        ["x" * length for length in range(7, 33)],
        [[low, low + 1] for low in range(7, 22)] + [[22, 24], [24, 26], [26, 28], [28, 30], [30, "inf"]],
    ),
    (["x" * length for length in range(16, 34)], [[low, low + 1] for low in range(16, 33)] + [[33, "inf"]]),
    (
        ["x" * length for length in range(27, 66)],
        [[27, 28], [28, 29]] + [[low, low + 2] for low in range(29, 63, 2)] + [[63, "inf"]],
    ),
    (
        [1, 9999997],
        [[1, 500000], [500000, 999999], [999999, 1499998], [1499998, 1999997]]
        + [[low, low + 500000] for low in range(1999997, 9000000, 500000)]
        + [[9499997, "inf"]],
    ),
]


@pytest.mark.parametrize(("values", "expected"), BUCKETS, ids=["Name", "Email", "Address", "ID"])
def test_buckets_over_whole_numbers_are_the_services(values: list[Any], expected: list[Any], tmp_path: Path) -> None:
    found = columns(table(tmp_path, c=values))["c"]["valueDistribution"]
    assert [bucket["bucket"] for bucket in found] == expected
    assert sum(bucket["count"] for bucket in found) == len(values)


@pytest.mark.parametrize(
    "values", [[1e16, 1e16 + 2], [-1.7e308, 1.7e308], [-(2**63), 2**63 - 1], [2**53, 2**53 + 1]], ids=str
)
def test_extreme_numbers_are_counted_in_buckets(values: list[Any], tmp_path: Path) -> None:
    report = columns(table(tmp_path, c=values))["c"]
    json.dumps(report, allow_nan=False)
    for member in ("valueDistribution", "zScoreDistribution"):
        assert sum(bucket["count"] for bucket in report[member]) == 2


def test_a_sum_beyond_64_bits_is_exact(tmp_path: Path) -> None:
    assert columns(table(tmp_path, c=[2**62] * 3))["c"]["sum"] == 3 * 2**62


def test_columns_of_types_that_the_guide_names_are_profiled(tmp_path: Path) -> None:
    dataset = table(
        tmp_path,
        decimal=pl.Series(["1.5"]).cast(pl.Decimal(10, 2)),
        category=pl.Series(["a"], dtype=pl.Categorical),
        nothing=pl.Series([None], dtype=pl.Null),
        day=[datetime(2024, 1, 1)],
        flag=[True],
    )
    assert {name: column["type"] for name, column in columns(dataset).items()} == {
        "category": "string",
        "nothing": "string",
        "flag": "boolean",
    }


def test_a_sample_may_be_larger_than_any_table(dataset: DatasetFiles) -> None:
    sample = {"Mode": "CUSTOM_ROWS", "Size": 2**63 - 1}
    assert run_profile(dataset, job_name="j", started_at=STARTED, job_sample=sample)["sampleSize"] == 5


@pytest.mark.parametrize("size", [0, -2])
def test_a_sample_without_rows_is_an_error(size: int, dataset: DatasetFiles) -> None:
    with pytest.raises(RecipeError, match="Size of JobSample must be greater than 0"):
        columns(dataset, job_sample={"Mode": "CUSTOM_ROWS", "Size": size})


def test_parameters_of_several_configurations_add_up_in_what_is_done_and_told(dataset: DatasetFiles) -> None:
    changes = [{"threshold": "1"}, {"sampleSize": "1"}, {"threshold": "0.5"}]
    configurations = [
        {"Statistics": {"Overrides": [{"Statistic": "OUTLIER_DETECTION", "Parameters": change}]}} for change in changes
    ]
    n = columns(dataset, configuration={"ColumnStatisticsConfigurations": configurations})["n"]
    assert n["columnConfigurationOverride"] == {
        "parameters": {"OUTLIER_DETECTION": {"threshold": "0.5", "sampleSize": "1"}}
    }
    assert (n["zScoreOutliersCount"], len(n["zScoreOutliersSample"])) == (2, 1)


@pytest.mark.parametrize(
    ("statistic", "parameters"),
    [
        ("CORRELATION", {"columnNumber": "1"}),
        ("CORRELATION", {"columnNumber": "many"}),
        ("CORRELATION", {"columnSelectors": "[n"}),
        ("CORRELATION", {"columnSelectors": '["n"]'}),
        ("MOST_COMMON_VALUES", {"sampleSize": "0"}),
        ("MINIMUM_VALUES", {"sampleSize": "-1"}),
        ("MAXIMUM_VALUES", {"sampleSize": "few"}),
        ("OUTLIER_DETECTION", {"sampleSize": "0"}),
        ("OUTLIER_DETECTION", {"threshold": "far"}),
        ("OUTLIER_DETECTION", {"threshold": "nan"}),
        ("OUTLIER_DETECTION", {"mildThreshold": "-1"}),
        ("OUTLIER_DETECTION", {"mildThreshold": "3"}),
        ("VALUE_DISTRIBUTION", {"binNumber": "2.5"}),
        ("Z_SCORE_DISTRIBUTION", {"binNumber": "ALL"}),
    ],
)
def test_a_wrong_parameter_of_a_statistic_is_an_error_with_its_name(
    statistic: str, parameters: dict[str, str], dataset: DatasetFiles
) -> None:
    statistics = {"Overrides": [{"Statistic": statistic, "Parameters": parameters}]}
    configuration: dict[str, Any] = (
        {"DatasetStatisticsConfiguration": statistics}
        if statistic == "CORRELATION"
        else {"ColumnStatisticsConfigurations": [{"Statistics": statistics}]}
    )
    with pytest.raises(RecipeError, match=next(iter(parameters))):
        columns(dataset, configuration=configuration)


def test_the_report_spells_overrides_its_own_way(dataset: DatasetFiles) -> None:
    change = {"Statistic": "CORRELATION", "Parameters": {"columnNumber": "2"}}
    configuration = {"DatasetStatisticsConfiguration": {"IncludedStatistics": ["CORRELATION"], "Overrides": [change]}}
    report = run_profile(dataset, job_name="j", started_at=STARTED, configuration=configuration)
    assert report["datasetConfigurationOverride"] == {
        "includedStatistics": ["CORRELATION"],
        "parameters": {"CORRELATION": {"columnNumber": "2"}},
    }


def test_columns_with_personal_data_get_only_the_allowed_statistics(tmp_path: Path) -> None:
    dataset = table(tmp_path, mail=["a@b.com", "write to c@d.org", None], word=["a", "10.0.0.1.9", "bb"], n=[1, 2, 3])
    detector: dict[str, Any] = {"EntityTypes": ["USA_ALL"]}
    found = columns(dataset, configuration={"EntityDetectorConfiguration": {"EntityTypes": ["EMAIL"]}})
    assert found["mail"] == {
        "name": "mail",
        "type": "string",
        "columnConfigurationOverride": {},
        "entity": {"rowsCount": 2, "entityTypes": [{"entityType": "EMAIL", "rowsCount": 2}]},
    }
    assert (found["word"]["max"], found["n"]["sum"]) == (10, 6)
    detector["AllowedStatistics"] = [{"Statistics": ["MAX"]}, {"Statistics": ["MISSING_VALUES_COUNT"]}]
    allowed = columns(dataset, configuration={"EntityDetectorConfiguration": detector})["mail"]
    assert (allowed["max"], allowed["missingValuesCount"]) == (16, 1)
    assert "mostCommonValues" not in allowed


@pytest.mark.parametrize(("kind", "message"), [("PASSWORD", "no entity type"), ("PERSON_NAME", "cannot be detected")])
def test_an_entity_type_that_is_not_detected_is_an_error(kind: str, message: str, dataset: DatasetFiles) -> None:
    with pytest.raises(RecipeError, match=message):
        columns(dataset, configuration={"EntityDetectorConfiguration": {"EntityTypes": ["EMAIL", kind]}})


def result_of(dataset: DatasetFiles, expression: str, values: dict[str, str], **more: Any) -> dict[str, Any]:
    rule = {"Name": "r", "CheckExpression": expression, "SubstitutionMap": values, **more}
    found: dict[str, Any] = results_of_rulesets(dataset, [{"Name": "rs", "Rules": [rule]}])[0]["ruleResults"][0]
    return found


def test_the_validation_report_has_the_members_of_the_services(dataset: DatasetFiles) -> None:
    rows = {
        "Name": "rows",
        "CheckExpression": "LENGTH(:col1) > :val1",
        "SubstitutionMap": {":col1": "`t`", ":val1": "1"},
        "Threshold": {"Type": "GREATER_THAN_OR_EQUAL", "Unit": "PERCENTAGE", "Value": 100},
    }
    every = {
        "Name": "every",
        "CheckExpression": "AGG(MISSING_VALUES_PERCENTAGE) < :val1",
        "SubstitutionMap": {":val1": "10"},
        "ColumnSelectors": [{"Regex": ".*"}],
    }
    ruleset = {
        "Name": "rs",
        "Description": "d",
        "ResourceArn": "arn",
        "LastModifiedDate": "Fri Apr 08 09:28:20 UTC 2022",
        "Rules": [rows, every],
    }
    profile = run_profile(dataset, job_name="j", job_run_id="db_1", started_at=STARTED, rulesets=[ruleset])
    report = validation_report(profile, location="s3://b/k.json")
    assert report.pop("writtenOn") == profile["writtenOn"]
    assert report == {
        "sampleSize": 5,
        "rulesetResults": [
            {
                "name": "rs",
                "description": "d",
                "arn": "arn",
                "lastModifiedDate": "Fri Apr 08 09:28:20 UTC 2022",
                "ruleResults": [
                    {"name": "rows", "definition": {**rows, "Disabled": False}, "failedCount": 3, "status": "FAILED"},
                    {
                        "name": "every",
                        "definition": {**every, "Disabled": False},
                        "columnResults": [
                            {"name": "n", "status": "FAILED"},
                            {"name": "t", "status": "FAILED"},
                            {"name": "f", "status": "SUCCEEDED"},
                        ],
                        "status": "FAILED",
                    },
                ],
                "status": "FAILED",
            }
        ],
        "jobName": "j",
        "jobRunId": "db_1",
        "location": "s3://b/k.json",
        "startedOn": "2024-05-01T00:00:00",
        "version": "1.0",
    }


@pytest.mark.parametrize(
    ("expression", "values", "failed"),
    [
        (":c IS BETWEEN :x AND :y", {":c": "`n`", ":x": "2", ":y": "3"}, 3),
        (":c IS NOT BETWEEN :x AND :y", {":c": "`n`", ":x": "2", ":y": "3"}, 3),
        (":c STARTS WITH :x", {":c": "`t`", ":x": "b"}, 3),
        (":c NOT ENDS WITH :x", {":c": "`t`", ":x": "b"}, 3),
        (":c greater than equal :x", {":c": "`n`", ":x": "2"}, 2),
        (":c is :x or :c less than :y", {":c": "`n`", ":x": "4", ":y": "2"}, 3),
    ],
)
def test_conditions_may_be_written_with_blanks_as_the_console_does(
    expression: str, values: dict[str, str], failed: int, dataset: DatasetFiles
) -> None:
    assert result_of(dataset, expression, values)["failedCount"] == failed


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("AGG(:c, UNIQUE_VALUES_PERCENTAGE) == :x", {":c": "`n`", ":x": "40"}),
        ("AGG(:c, Z_SCORE_OUTLIERS_COUNT, :z) == :x", {":c": "`n`", ":z": "1", ":x": "1"}),
        (
            "AGG(:c, MAX) == :x and AGG(:d, MISSING_VALUES_COUNT) == :y",
            {":c": "`n`", ":d": "`t`", ":x": "4", ":y": "1"},
        ),
    ],
)
def test_a_statistic_names_its_column_as_the_console_writes_it(
    expression: str, values: dict[str, str], dataset: DatasetFiles
) -> None:
    result = result_of(dataset, expression, values)
    assert (result["status"], "columnResults" in result) == ("SUCCEEDED", False)


@pytest.mark.parametrize(
    ("expression", "values", "failed"),
    [
        (":c == :x", {":c": "`code`", ":x": "7"}, 3),
        (":c is not :x", {":c": "`code`", ":x": "7"}, 2),
        (":c > :x", {":c": "`code`", ":x": "6"}, 2),
        (":c NOT IN :x", {":c": "`code`", ":x": '["7", null]'}, 2),
        (":c is :x", {":c": "`flag`", ":x": "True"}, 2),
        (":c IN :x", {":c": "`flag`", ":x": '["TRUE"]'}, 2),
        (":c == :x", {":c": "`id`", ":x": "9007199254740993"}, 3),
        (":c IN :x", {":c": "`id`", ":x": '["9007199254740993"]'}, 3),
        (":c <= :x", {":c": "`id`", ":x": "2.5"}, 2),
    ],
)
def test_values_are_compared_as_the_columns_type_has_them(
    expression: str, values: dict[str, str], failed: int, tmp_path: Path
) -> None:
    dataset = table(
        tmp_path,
        code=["007", "7", "abc", None],
        flag=[True, False, True, None],
        id=[9007199254740993, 9007199254740992, 1, 2],
    )
    assert result_of(dataset, expression, values)["failedCount"] == failed


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"CheckExpression": ":c > :x", "SubstitutionMap": {":c": "`q`", ":x": "1"}}, "there is no column 'q'"),
        ({"CheckExpression": ":c > :x", "SubstitutionMap": {":c": "`n`", ":x": "one"}}, ":x must be a number"),
        ({"CheckExpression": ":c > :x", "SubstitutionMap": {":c": "`l`", ":x": "1"}}, "the column 'l' is nested"),
        (
            {"CheckExpression": "> :x", "SubstitutionMap": {":x": "1"}, "ColumnSelectors": [{"Regex": "q"}]},
            "ColumnSelectors match no column",
        ),
        ({"CheckExpression": ":c matches :x", "SubstitutionMap": {":c": "`n`", ":x": "("}}, "does not compile"),
    ],
)
def test_a_rule_that_cannot_be_checked_is_an_error_of_its_ruleset_alone(
    rule: dict[str, Any], message: str, tmp_path: Path
) -> None:
    sound = {"Name": "sound", "CheckExpression": "AGG(ROWS_COUNT) > :x", "SubstitutionMap": {":x": "1"}}
    failing = {**sound, "Name": "failing", "SubstitutionMap": {":x": "9"}}
    rulesets = [{"Name": "a", "Rules": [failing, {"Name": "the rule", **rule}, sound]}, {"Name": "b", "Rules": [sound]}]
    results = results_of_rulesets(table(tmp_path, n=[1, 2], l=[[1], [2]]), rulesets)
    assert [result["status"] for result in results] == ["ERROR", "SUCCEEDED"]
    assert [rule["status"] for rule in results[0]["ruleResults"]] == ["FAILED", "ERROR", "SUCCEEDED"]
    assert message in results[0]["ruleResults"][1]["errorMessage"]


@pytest.mark.parametrize(
    ("statistic", "column"), [("SUM", "t"), ("MEAN", "b"), ("QUANTILE, :p", "t"), ("QUANTILE, :p", "d"), ("MAX", "d")]
)
def test_a_statistic_that_a_column_type_does_not_have_cannot_be_checked(
    statistic: str, column: str, tmp_path: Path
) -> None:
    dataset = table(tmp_path, t=["a"], b=[True], d=[datetime(2024, 1, 1)])
    values = {":c": f"`{column}`", ":x": "0", ":p": "0.5"}
    result = result_of(dataset, f"AGG(:c, {statistic}) >= :x", values)
    assert result["status"] == "ERROR"
    assert f"columns have no {statistic.partition(',')[0]}" in result["errorMessage"]


@pytest.mark.parametrize(
    ("expression", "column", "failed"),
    [
        (":c IS_MISSING", "t", 2),
        (":c is missing", "f", 2),
        (":c NOT IS_MISSING", "t", 2),
        (":c IS NOT MISSING", "f", 2),
    ],
)
def test_a_rule_can_check_whether_a_value_is_missing(expression: str, column: str, failed: int, tmp_path: Path) -> None:
    dataset = table(tmp_path, t=["a", "", None, "b"], f=[1.0, None, float("nan"), 2.0])
    assert result_of(dataset, expression, {":c": f"`{column}`"})["failedCount"] == failed


def test_a_column_that_cannot_be_checked_does_not_change_the_other_results(tmp_path: Path) -> None:
    dataset = table(tmp_path, n=[1, 2], t=["a", "b"])
    result = result_of(dataset, "is :x", {":x": "a"}, ColumnSelectors=[{"Regex": "."}])
    assert result["status"] == "ERROR"
    assert [column["status"] for column in result["columnResults"]] == ["ERROR", "FAILED"]
    assert ":x must be a number" in result["columnResults"][0]["errorMessage"]
    assert result["columnResults"][1]["failedCount"] == 1


def test_selectors_skip_columns_of_nested_types(tmp_path: Path) -> None:
    dataset = table(tmp_path, n=[1, 2], l=[[1], [2]], s=[{"a": 1}, {"a": 2}])
    result = result_of(dataset, "AGG(MISSING_VALUES_COUNT) == :x", {":x": "0"}, ColumnSelectors=[{"Regex": ".*"}])
    assert result["columnResults"] == [{"name": "n", "status": "SUCCEEDED"}]
