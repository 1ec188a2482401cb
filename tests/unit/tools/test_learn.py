"""`make learn`: what good runs have left becomes a diff that leaves the rest of the file alone."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from brewtrain.domain.quality.learning import GoodWindow
from tests.fixtures.pipelines import CHURN, pipeline_of
from tools.learn.__main__ import diff, main, proposed_text
from tools.learn.pipeline_text import NotBlockStyleError

PROFILE = {
    "sampleSize": 1000,
    "duplicateRowsCount": 0,
    "columns": [
        {"name": "age", "type": "int", "min": 17, "max": 98, "missingValuesCount": 0, "distinctValuesCount": 80},
        {"name": "plan", "type": "string", "min": 4, "max": 6, "missingValuesCount": 0, "distinctValuesCount": 2,
         "mostCommonValues": [{"value": "gold", "count": 600}, {"value": "no", "count": 400}]},
    ],
}  # fmt: skip
WINDOWS = [GoodWindow(date(2024, 3, 4), PROFILE)]
RULES = """\
    # Learnt from 1 window up to 2024-03-04, 1,000 rows.
    - not_null: [age, plan]
    - between:
        age: [8, 107]
    - in:
        plan: [gold, "no"]
      threshold: 0.82%
    - check: AGG(DUPLICATE_ROWS_PERCENTAGE) <= 1
"""

SECTIONS: dict[str, tuple[str, str]] = {
    "no section": (CHURN, f"{CHURN}\nquality:\n  rules:\n{RULES}"),
    "no line break at the end": (CHURN.rstrip("\n"), f"{CHURN}\nquality:\n  rules:\n{RULES}"),
    "learn": (
        CHURN.replace("label:", "quality: learn  # from March on\nlabel:"),
        CHURN.replace("label:", f"quality:\n  rules:\n{RULES}label:"),
    ),
    "a section without rules": (
        CHURN.replace("label:", "quality:\n  # why\n  row_count: {min: 1}\nlabel:"),
        CHURN.replace("label:", f"quality:\n  # why\n  rules:\n{RULES}  row_count: {{min: 1}}\nlabel:"),
    ),
    "rules of the user's": (
        CHURN.replace(
            "label:",
            "quality:\n  rules:\n  - between: {age: [18, 99]}  # by law\n  - unique: id\n\n# the target\nlabel:",
        ),
        CHURN.replace(
            "label:",
            "quality:\n  rules:\n  - between: {age: [18, 99]}  # by law\n  - unique: id\n"
            "  # Learnt from 1 window up to 2024-03-04, 1,000 rows.\n  - not_null: [age, plan]\n  - in:\n"
            '      plan: [gold, "no"]\n    threshold: 0.82%\n'
            "  - check: AGG(DUPLICATE_ROWS_PERCENTAGE) <= 1\n\n# the target\nlabel:",
        ),
    ),
    "rules at the end of the file": (
        f"{CHURN}quality:\n    rules:\n      - not_null:\n          - age\n          - plan\n",
        f"{CHURN}quality:\n    rules:\n      - not_null:\n          - age\n          - plan\n"
        "      # Learnt from 1 window up to 2024-03-04, 1,000 rows.\n      - between:\n          age: [8, 107]\n"
        '      - in:\n          plan: [gold, "no"]\n        threshold: 0.82%\n'
        "      - check: AGG(DUPLICATE_ROWS_PERCENTAGE) <= 1\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), SECTIONS.values(), ids=SECTIONS)
def test_rules_are_added_where_the_file_has_room_for_them(before: str, after: str) -> None:
    assert proposed_text(pipeline_of(before), before, WINDOWS) == after
    assert proposed_text(pipeline_of(after), after, WINDOWS) == after, "learning twice adds nothing"


def test_there_is_a_case_for_each_form_of_the_section() -> None:
    assert len(SECTIONS) == 6


@pytest.mark.parametrize("section", ["{rules: [{unique: id}]}", "\n  rules: [{unique: id}]"])
def test_a_section_in_brackets_is_left_alone(section: str) -> None:
    text = f"{CHURN}quality: {section}\n"
    with pytest.raises(NotBlockStyleError, match="is written in brackets"):
        proposed_text(pipeline_of(text), text, WINDOWS)


def test_the_rows_of_the_days_are_learnt_too() -> None:
    days = [GoodWindow(date(2024, 3, day), PROFILE, 1) for day in range(1, 20)]
    text = proposed_text(pipeline_of(), CHURN, days)
    assert text.endswith("  row_count: {drop_max: 50%, grow_max: 100%}\n")
    assert pipeline_of(text).quality is not None


def test_many_columns_are_wrapped_and_read_back() -> None:
    names = [f"column   number {number},  of many" for number in range(40)]
    facts = {"type": "double", "missingValuesCount": 0, "distinctValuesCount": 1, "min": 3, "max": 3}
    profile = {"sampleSize": 9, "columns": [{"name": name, **facts} for name in names]}
    text = proposed_text(pipeline_of(), CHURN, [GoodWindow(date(2024, 3, 4), profile)])
    quality = pipeline_of(text).quality
    assert quality is not None
    assert quality.rules[0].not_null == tuple(names)
    assert max(map(len, text.splitlines())) < 120


def test_no_more_is_proposed_than_a_ruleset_takes() -> None:
    columns = [{"name": f"c{number:03}", "type": "string", "missingValuesCount": 0} for number in range(120)]
    profile = {"sampleSize": 1000, "duplicateRowsCount": 0, "columns": columns}
    text = proposed_text(pipeline_of(CHURN), CHURN, [GoodWindow(date(2024, 3, 4), profile)])
    quality = pipeline_of(text).quality
    assert quality is not None
    assert len(quality.databrew_rules) == 100
    assert "# Learnt from 1 window up to 2024-03-04, 1,000 rows. 21 more do not fit into a ruleset." in text


def test_git_takes_the_diff(tmp_path: Path) -> None:
    path = tmp_path / "include" / "pipelines" / "churn.yaml"
    path.parent.mkdir(parents=True)
    before = CHURN.rstrip("\n")
    path.write_text(before)
    after = proposed_text(pipeline_of(before), before, WINDOWS)
    patch = diff("include/pipelines/churn.yaml", before, after)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch.encode(), check=True)
    assert path.read_text() == after


BUCKET = "brewtrain-123456789012-eu-central-1"


class Bucket:
    """S3 and STS of one account, as far as they are read."""

    class meta:  # noqa: N801  (boto3's name)
        region_name = "eu-central-1"

    def __init__(self, documents: dict[str, Any]) -> None:
        self.documents = documents

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "123456789012"}

    def get_paginator(self, call: str) -> Bucket:
        assert call == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str, Delimiter: str) -> Iterator[dict[str, Any]]:
        assert Bucket == BUCKET
        paths = [key.removeprefix(Prefix) for key in self.documents if key.startswith(Prefix)]
        folders = sorted({path.partition(Delimiter)[0] for path in paths if Delimiter in path})
        yield from ({"CommonPrefixes": [{"Prefix": f"{Prefix}{folder}/"}]} for folder in folders)

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        assert Bucket == BUCKET
        if Key not in self.documents:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": Key}}, "GetObject")
        return {"Body": io.BytesIO(json.dumps(self.documents[Key]).encode())}


def run(day: int, outcome: str, profile: dict[str, Any], generation: str = "0") -> dict[str, Any]:
    """Return what a run's validation leaves, by key."""
    prefix = f"brewtrain/churn/runs/churn-202403{day:02}T0400-g{generation}/"
    key = f"{prefix}quality/brewtrain-churn-quality-1a2b_1.json"
    result = {
        "outcome": outcome,
        "data_date": f"2024-03-{day:02}",
        "days": {"first": f"2024-03-{day:02}", "last": f"2024-03-{day:02}"},
        "reports": {"profile": f"s3://{BUCKET}/{key}"},
    }
    return {f"{prefix}quality.json": result, key: profile, f"{prefix}result.json": {}}


def with_ages(low: int, high: int) -> dict[str, Any]:
    column = {"name": "age", "type": "int", "min": low, "max": high, "missingValuesCount": 0, "distinctValuesCount": 80}
    return {"sampleSize": 1000, "columns": [column]}


@pytest.fixture
def churn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    include = tmp_path / "include"
    (include / "recipes").mkdir(parents=True)
    (include / "pipelines").mkdir()
    (include / "recipes" / "churn.json").write_text("[]")
    (include / "pipelines" / "churn.yaml").write_text(CHURN)
    monkeypatch.setenv("BREWTRAIN_INCLUDE", str(include))
    return include / "pipelines" / "churn.yaml"


def test_only_good_windows_teach(churn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documents = {
        **run(4, "passed", with_ages(20, 90)),
        **run(5, "blocked", with_ages(-999, 90)),
        **run(6, "warned", with_ages(30, 110)),
    }
    assert main(["churn"], lambda service: Bucket(documents)) == 0
    shown = capsys.readouterr().out
    assert "+        age: [11, 119]\n" in shown
    assert "+    # Learnt from 2 windows up to 2024-03-06, 2,000 rows.\n" in shown
    assert churn.read_text() == CHURN, "nothing is written"


def test_the_newest_windows_teach(churn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documents = {key: value for day in range(1, 29) for key, value in run(day, "passed", with_ages(day, 60)).items()}
    assert main(["churn", "--windows", "9"], lambda service: Bucket(documents)) == 0
    assert "+        age: [16, 64]\n" in capsys.readouterr().out


@pytest.mark.parametrize("generation", ["1", "10", "0f1a2b"], ids=["cleared", "cleared often", "started afresh"])
def test_a_run_that_was_started_again_counts_once(
    generation: str, churn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    documents = {**run(4, "passed", with_ages(0, 500)), **run(4, "passed", with_ages(20, 90), generation=generation)}
    assert main(["churn"], lambda service: Bucket(documents)) == 0
    assert "+        age: [13, 97]\n" in capsys.readouterr().out


@pytest.mark.parametrize("outcome", ["blocked", "accepted", "marked success by hand"])
def test_data_that_is_not_good_teaches_nothing(outcome: str, churn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["churn"], lambda service: Bucket(run(4, outcome, PROFILE))) == 1
    assert "no good run of churn has left a profile" in capsys.readouterr().err


def test_a_run_without_a_quality_result_is_passed_over(churn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documents = {**run(4, "passed", with_ages(20, 90)), "brewtrain/churn/runs/churn-20240305T0400-g0/result.json": {}}
    assert main(["churn"], lambda service: Bucket(documents)) == 0
    assert "+        age: [13, 97]\n" in capsys.readouterr().out


def test_without_a_good_run_it_says_what_to_do(churn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["churn"], lambda service: Bucket(run(4, "blocked", PROFILE))) == 1
    assert capsys.readouterr().err == (
        "learn: no good run of churn has left a profile; write 'quality: learn' into the pipeline file and let it run, "
        "or add PROFILE=1 to profile the window now\n"
    )


def test_a_section_in_brackets_is_named(churn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    churn.write_text(f"{CHURN}quality: {{rules: [{{unique: id}}]}}\n")
    assert main(["churn"], lambda service: Bucket(run(4, "passed", PROFILE))) == 2
    assert capsys.readouterr().err == (
        "learn: 'quality' is written in brackets; write it one field a line, then learn again\n"
    )  # fmt: skip


def test_aws_that_refuses_is_named(churn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(service: str) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListObjectsV2")

    assert main(["churn"], refused) == 2
    assert capsys.readouterr().err == (
        "learn: AWS cannot be asked: An error occurred (AccessDenied) when calling the ListObjectsV2 operation: no; "
        "check credentials, region and permissions\n"
    )


def test_a_number_of_windows_is_at_least_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["churn", "--windows", "0"])
    assert "'0' is no number of windows; write one such as 30" in capsys.readouterr().err


def test_an_unknown_pipeline_is_named(churn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chrun"], lambda service: Bucket({})) == 2
    assert capsys.readouterr().err == "learn: include/pipelines/chrun.yaml: does not exist; pipelines here: churn\n"
