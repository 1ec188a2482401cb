"""Which days a run's quality rules look at, and on how many rows."""

from __future__ import annotations

from datetime import date

import pytest

from brewtrain.domain.quality.validation_job import JOB_SAMPLE, has_job, validated_days
from brewtrain.domain.run.days import Window
from tests.fixtures.pipelines import CHURN, pipeline_of
from tests.fixtures.quality import pipeline_with_quality

WINDOW = Window(date(2024, 3, 1), date(2024, 3, 5))


def day(number: int) -> date:
    return date(2024, 3, number)


@pytest.mark.parametrize(
    ("validated", "first"),
    [
        pytest.param([], 1, id="a first run looks at all"),
        pytest.param([1, 2, 3, 4], 5, id="a daily run looks at its newest day"),
        pytest.param([1, 2, 4], 3, id="a day that a failed run left behind is looked at"),
    ],
)
def test_new_days_begin_at_the_oldest_day_that_nobody_looked_at(validated: list[int], first: int) -> None:
    pipeline = pipeline_with_quality("rules: [{not_null: a}]")
    assert validated_days(pipeline, WINDOW, [day(number) for number in validated]) == Window(day(first), day(5))


def test_no_day_is_looked_at_twice() -> None:
    pipeline = pipeline_with_quality("rules: [{not_null: a}]")
    assert validated_days(pipeline, WINDOW, WINDOW.days) is None


def test_the_whole_window_is_looked_at_if_the_file_says_so() -> None:
    pipeline = pipeline_with_quality("rules: [{not_null: a}]\nof: window")
    assert validated_days(pipeline, WINDOW, WINDOW.days) == WINDOW


def test_every_row_is_looked_at() -> None:
    assert JOB_SAMPLE == {"Mode": "FULL_DATASET"}


@pytest.mark.parametrize(
    ("text", "job"),
    [
        pytest.param(CHURN, False, id="no quality"),
        pytest.param(f"{CHURN}quality: learn\n", True, id="learning"),
        pytest.param(f"{CHURN}quality: {{rules: [{{not_null: a}}]}}\n", True, id="rules"),
        pytest.param(f"{CHURN}quality: {{row_count: {{min: 1}}}}\n", False, id="only what needs no job"),
    ],
)
def test_only_rules_and_learning_need_a_job(text: str, job: bool) -> None:
    assert has_job(pipeline_of(text)) == job
