"""Profile jobs and rulesets over tables small enough to compute by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local_aws.recipes.api import DatasetFiles, run_profile, run_ruleset
from local_aws.recipes.errors import RecipeError

STARTED = datetime(2024, 5, 1, tzinfo=UTC)
TEXT = "n,t,f\n1,aa,true\n2,b,false\n2,b,true\n4,,true\n,ccc,true\n"


@pytest.fixture
def dataset(tmp_path: Path) -> DatasetFiles:
    (tmp_path / "data.csv").write_text(TEXT)
    return DatasetFiles([tmp_path / "data.csv"], "CSV")


def columns(dataset: DatasetFiles, **arguments: Any) -> dict[str, dict[str, Any]]:
    report = run_profile(dataset, job_name="j", started_at=STARTED, **arguments)
    return {column["name"]: column for column in report["columns"]}


def test_statistics_of_numbers(dataset: DatasetFiles) -> None:
    n = columns(dataset)["n"]
    assert n["type"] == "int"
    assert (n["distinctValuesCount"], n["uniqueValuesCount"], n["missingValuesCount"], n["zerosCount"]) == (3, 2, 1, 0)
    assert (n["min"], n["max"], n["sum"], n["mean"], n["median"], n["mode"], n["range"]) == (1, 4, 9, 2.25, 2.0, 2, 3)
    # Sample variance of 1, 2, 2, 4 is 4.75 / 3; the entropy of shares 1/4, 1/2, 1/4 in nats is 1.5 ln 2.
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


def test_the_report_document(dataset: DatasetFiles) -> None:
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
def test_a_rule(rule: dict[str, Any], state: str, dataset: DatasetFiles) -> None:
    result = run_ruleset(dataset, [{"Name": "rs", "Rules": [{"Name": "r", **rule}]}])
    assert result[0]["ruleResults"][0]["state"] == state
    assert result[0]["validationState"] == state


def test_disabled_rules_are_left_out_and_results_come_with_the_profile(dataset: DatasetFiles) -> None:
    rules = [
        {"Name": "off", "CheckExpression": "AGG(ROWS_COUNT) > :v", "SubstitutionMap": {":v": "99"}, "Disabled": True}
    ]
    report = run_profile(dataset, job_name="j", started_at=STARTED, rulesets=[{"Name": "rs", "Rules": rules}])
    assert report["rulesetResults"] == [{"rulesetName": "rs", "validationState": "SUCCEEDED", "ruleResults": []}]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"CheckExpression": "AGG(AVERAGE) > :v", "SubstitutionMap": {":v": "1"}}, "no statistic 'AVERAGE'"),
        ({"CheckExpression": "AGG(MEAN) > :v", "SubstitutionMap": {":v": "1"}}, "name the columns in ColumnSelectors"),
        ({"CheckExpression": ":col > :v", "SubstitutionMap": COL}, "SubstitutionMap has no :v"),
        ({"CheckExpression": ":col > :v", "SubstitutionMap": {":col": "`q`", ":v": "1"}}, "no column 'q'"),
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
    ],
)
def test_a_wrong_rule_is_an_error_with_its_name(rule: dict[str, Any], message: str, dataset: DatasetFiles) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        run_ruleset(dataset, [{"Name": "rs", "Rules": [{"Name": "the rule", **rule}]}])
    assert "the rule" in str(caught.value)
