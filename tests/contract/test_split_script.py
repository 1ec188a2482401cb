"""The Glue script divides rows exactly by their values, and says what is wrong with other data."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

# Each engine is a process that imports for a second and more.
pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).resolve().parents[2] / "include" / "glue" / "split.py"
SEED = 20101129
# Runs the script's own functions over files, as main() does with objects; in a process of its own,
# since putting a DataFrame engine in pyspark's place cannot be undone. One process for all cases:
# the engine takes a second to import.
DRIVER = """
import importlib.util, json, pathlib, sys
if sys.argv[1] == "sqlframe":
    from sqlframe import activate
    activate("duckdb")
from pyspark.sql import SparkSession, functions
spec = importlib.util.spec_from_file_location("split", sys.argv[2])
split = importlib.util.module_from_spec(spec)
spec.loader.exec_module(split)
spark = SparkSession.builder.getOrCreate()
for source in sorted(pathlib.Path(sys.argv[3]).glob("*.csv")):
    columns = split.parse_header(source.read_text(encoding="utf-8").splitlines()[0])
    where, width = columns.index("y"), len(columns)
    rows = spark.read.csv(str(source), schema=", ".join(f"c{i} STRING" for i in range(width)), header=True)
    threshold = split.hash_threshold("0.3")
    marked = split.mark_rows(rows, functions, label_index=where, width=width, threshold=threshold)
    counts = split.count_rows(marked, functions)
    try:
        split.check_counts(counts, columns, "y", "the data",
                           lambda: split.count_columns(marked, functions, label_index=where, width=width))
        problem = None
    except split.SplitError as error:
        problem = str(error)
    sides = [[*(row[f"c{i}"] for i in range(width)), row["side"]] for row in marked.collect()]
    source.with_suffix(".json").write_text(json.dumps({"counts": counts, "problem": problem, "sides": sides}))
"""
ENGINES = ["sqlframe", "pyspark"]
Results = dict[str, dict[str, Any]]


def sample(count: int) -> tuple[list[str], list[list[str]]]:
    print("seed", SEED)
    source = random.Random(SEED)
    header = ["age", "emp.var.rate", "y", "a-b"]
    rows = [
        [
            str(source.randint(18, 90)),
            "" if source.random() < 0.1 else f"{source.gauss(0, 1):.3f}",
            str(int(source.random() < 0.2)),
            source.choice(["1.0", "-2.5e-3", "+7", ".5"]),
        ]
        for _ in range(count)
    ]
    return header, rows


# Name → column, value that one of 60 rows has there, and the sentence that must come of it.
UNUSABLE = {
    "word_label": (2, "maybe", "label column 'y' has 1 of 60 rows that are neither 0 nor 1, such as 'maybe'; map the"),
    "null_label": (2, "", "label column 'y' has 1 of 60 rows that are neither 0 nor 1, such as '(empty)'; map the"),
    "word": (1, "low", "column 'emp.var.rate' has 1 of 60 rows that are not numbers, such as 'low'; encode or delete"),
    "comma": (3, "1,5", "column 'a-b' has 1 of 60 rows that are not numbers, such as '1,5'; encode or delete"),
    "bracket": (3, "<1>", "column 'a-b' has 1 of 60 rows that are not numbers, such as '<1>'; encode or delete"),
}


# Name → what many rows hold where, and the whole sentence that must come of it.
LOW = "column 'a-b' has 60 of 60 rows that are not numbers, such as 'low'"
SEVERAL: dict[str, tuple[dict[int, str], str]] = {
    "two_words": (
        {1: "low", 3: "1,5"},
        "column 'emp.var.rate' has 60 of 60 rows that are not numbers, such as 'low', column 'a-b' has 60 of 60 rows "
        "that are not numbers, such as '1,5'; encode or delete these columns in the recipe",
    ),
    "label_and_word": (
        {2: "maybe", 3: "low"},
        "label column 'y' has 60 of 60 rows that are neither 0 nor 1, such as 'maybe'; map the label to 0 and 1 in "
        f"the recipe; {LOW}; encode or delete the column in the recipe",
    ),
    "word_and_empty": (
        {1: "", 3: "low"},
        f"{LOW}; encode or delete the column in the recipe; besides, column 'emp.var.rate' has no value in any row",
    ),
    "word_and_one_class": (
        {2: "1", 3: "low"},
        f"{LOW}; encode or delete the column in the recipe; "
        "the training part of the data has 39 rows, all labelled 1 and the validation part of the data has 21 rows, "
        "all labelled 1; both classes are needed on both sides: widen window_days or change split.validation_fraction",
    ),
    "nothing_but_the_label": (
        {0: "", 1: "", 3: ""},
        "no feature of the data has a value in any of 60 rows; check the source partition and the recipe",
    ),
}
WIDE = 230
WORDS_OF_WIDE = range(0, WIDE, 9)


def cases() -> dict[str, list[list[str]]]:
    """Every data set that the engine is given, header first."""
    header, rows = sample(60)
    large = sample(600)
    made = {
        "large": [large[0], *large[1]],
        "plain": [header, *rows],
        "double_label": [header, *([*row[:2], f"{row[2]}.0", row[3]] for row in rows)],
        "one_class": [header, *([*row[:2], "0", row[3]] for row in rows)],
        "empty": [header],
    }
    # Names never reach a query: columns go by their position, and a value is compared, not parsed.
    made["hostile_names"] = [["a`; DROP TABLE t; --", "\"') OR 1=1", "y", "$(id) {{ x }} ../.."], *rows]
    made["hostile_values"] = [header, *([row[0], "'; DROP TABLE t; --", row[2], "`id`"] for row in rows)]
    for name, (column, value, _) in UNUSABLE.items():
        changed = [list(row) for row in rows]
        changed[17][column] = value
        made[name] = [header, *changed]
    for name, (values, _) in SEVERAL.items():
        made[name] = [header, *([values.get(place, value) for place, value in enumerate(row)] for row in rows)]
    wide = [[row[2], *("low" if place in WORDS_OF_WIDE else str(place) for place in range(WIDE))] for row in rows]
    made["wide"] = [["y", *(f"f{place}" for place in range(WIDE))], *wide]
    made["one_column_empty"] = [header, *([row[0], "", *row[2:]] for row in rows)]
    return made


@pytest.fixture(scope="module", params=ENGINES)
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Results:
    if request.param == "pyspark" and (importlib.util.find_spec("pyspark") is None or shutil.which("java") is None):
        pytest.skip("no real Spark here: install pyspark and a Java runtime to check against it")
    folder = tmp_path_factory.mktemp("split")
    for name, lines in cases().items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DRIVER, request.param, SCRIPT, folder], check=True, timeout=300
    )
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("split", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def expected_side(script: ModuleType, row: list[str], label_index: int, fraction: str) -> int:
    features = [value for index, value in enumerate(row) if index != label_index]
    joined = "".join(f"<{value}>" for value in features)
    digest = hashlib.md5((row[label_index] + joined).encode(), usedforsecurity=False).hexdigest()
    return int(digest < script.hash_threshold(fraction))


def test_sides_are_a_pure_function_of_the_row(script: ModuleType, results: Results) -> None:
    seen = results["large"]
    assert seen["problem"] is None
    assert len(seen["sides"]) == 600
    for *values, side in seen["sides"]:
        assert side == expected_side(script, [value or "" for value in values], 2, "0.3"), values
    counts = seen["counts"]
    assert counts["rows_0"] + counts["rows_1"] == 600
    assert 0.2 < counts["rows_1"] / 600 < 0.4


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_values_are_named(results: Results, name: str) -> None:
    assert UNUSABLE[name][2] in results[name]["problem"]


@pytest.mark.parametrize("name", SEVERAL)
def test_everything_unusable_is_said_at_once(results: Results, name: str) -> None:
    assert results[name]["problem"] == SEVERAL[name][1]


def test_of_many_unusable_columns_ten_are_named_and_the_others_counted(results: Results) -> None:
    problem = results["wide"]["problem"]
    named = [part.split("'")[1] for part in problem.split("column ")[1:] if part.startswith("'")]
    assert named == [f"f{place}" for place in WORDS_OF_WIDE[:10]]
    assert f" and {len(WORDS_OF_WIDE) - 10} more; encode or delete these columns in the recipe" in problem
    assert len(problem) < 1000


def test_a_column_without_values_is_left_to_the_gate(results: Results) -> None:
    assert results["one_column_empty"]["problem"] is None


def test_every_case_was_given_to_the_engine(results: Results) -> None:
    assert set(results) == set(cases())
    assert len(results) == 19


def test_a_label_written_as_a_double_is_a_label(results: Results) -> None:
    assert results["double_label"]["problem"] is None
    assert [row[-1] for row in results["double_label"]["sides"]] == [row[-1] for row in results["plain"]["sides"]]


def test_names_and_values_are_data(results: Results) -> None:
    assert results["hostile_names"]["problem"] is None
    assert results["hostile_names"]["sides"] == results["plain"]["sides"]
    assert "has 60 of 60 rows that are not numbers, such as" in results["hostile_values"]["problem"]
    assert len(results["hostile_values"]["sides"]) == 60


def test_rows_of_one_class_are_refused(results: Results) -> None:
    problem = results["one_class"]["problem"]
    assert "rows, all labelled 0; both classes are needed on both sides: widen window_days" in problem


def test_a_file_without_rows_is_refused(results: Results) -> None:
    assert results["empty"]["problem"].startswith("the data has a header but no rows; check the source partition")


@given(st.decimals(min_value="0.0001", max_value="0.9999", places=4))
def test_the_threshold_is_exact(fraction: Any) -> None:
    spec = importlib.util.spec_from_file_location("split", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    threshold = module.hash_threshold(str(fraction))
    assert len(threshold) == 32
    numerator = int(fraction * 10_000)
    # The smallest number not below fraction × 16**32, in whole numbers.
    assert int(threshold, 16) == -(-numerator * 16**32 // 10_000)


@pytest.mark.parametrize("fraction", ["0", "1", "1.5", "-0.1", "NaN", "Infinity", "a third", ""])
def test_a_fraction_outside_0_and_1_is_refused(script: ModuleType, fraction: str) -> None:
    with pytest.raises(script.SplitError, match="write a number above 0 and below 1"):
        script.hash_threshold(fraction)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        pytest.param(
            ["a", "b"],
            "label column 'y' is not in here (columns: a, b); correct label.column or the recipe",
            id="no label",
        ),
        pytest.param(
            ["y", "a", "a"],
            "column 'a' appears more than once in here; rename one of them in the recipe",
            id="one name twice",
        ),
        pytest.param(
            ["y"], "here has no column besides the label 'y'; keep at least one feature in the recipe", id="label only"
        ),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(script: ModuleType, columns: list[str], message: str) -> None:
    with pytest.raises(script.SplitError) as refused:
        script.check_header(columns, "y", "here")
    assert str(refused.value) == message


def test_names_that_do_not_fit_the_state_of_an_execution_are_refused(script: ModuleType) -> None:
    names = [f"category_of_the_source_column_{place}" for place in range(6000)]
    script.check_names(names[:2000], "here")
    with pytest.raises(script.SplitError, match=r"the names of the 6000 columns of here take 2.. KiB of the run's"):
        script.check_names(names, "here")


def test_a_header_may_have_quotes_and_a_mark(script: ModuleType) -> None:
    assert script.parse_header('\ufeff"a","b, c",d') == ["a", "b, c", "d"]


def test_what_glue_adds_to_the_arguments_is_ignored(script: ModuleType) -> None:
    wanted = {"source": "a", "train": "b", "validation": "c", "summary": "d", "label": "e", "validation_fraction": "f"}
    arguments = [part for name, value in wanted.items() for part in (f"--{name.replace('_', '-')}", value)]
    extra = ["--job-language", "python", "--JOB_NAME", "x", "--TempDir", "s3://t", "--job-bookmark-option", "disable"]
    assert vars(script.parse_arguments([*extra, *arguments])) == wanted


def test_the_summary_cannot_be_beaten_by_rounding(script: ModuleType) -> None:
    counts = {"rows_0": 10, "positives_0": 2, "rows_1": 1242, "positives_1": 145}
    document = script.summary(counts, ["a"])
    assert document["majority_class_error"] == 145 / 1242
    # What SageMaker would report for the same answers: five decimals, as a 32-bit number.
    assert document["error_to_beat"] < 0.11675 - 4e-6
    assert document["error_to_beat"] > 144 / 1242


def test_the_script_imports_nothing_of_the_project() -> None:
    assert "brewtrain" not in {
        line.split()[1].partition(".")[0]
        for line in SCRIPT.read_text("utf-8").splitlines()
        if line.strip().startswith(("import ", "from "))
    }
