"""The path "add a recipe action" of CONTRIBUTING.md: a test for each step that can be forgotten."""

from __future__ import annotations

import inspect
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from recipe_runner.checking import ACTIONS, typed_steps
from recipe_runner.files.json_inputs import frame_of_rows
from recipe_runner.plan import apply_step
from recipe_runner.tables.table import Table
from tests.unit.recipe_runner.action_cases import BY_PROPERTY, CASES, Case
from tests.unit.recipe_runner.coverage_pages import DOCS, PAGES

NO_SECRETS_MANAGER = {
    "secretVersion": "there is no Secrets Manager",
    "createSecretIfMissing": "there is no Secrets Manager",
}
# What the guide lists and a result cannot depend on, by action; "*" is every action.
WITHOUT_EFFECT: dict[str, dict[str, str]] = {
    "*": {"conditionExpressions": "recipe_runner.checking reads it, for every action alike"},
    "TO_BOOLEAN_COLUMN": {"columnDataType": "it can only repeat the action's own type"},
    "TO_DOUBLE_COLUMN": {"columnDataType": "it can only repeat the action's own type"},
    "TO_NUMBER_COLUMN": {"columnDataType": "it can only repeat the action's own type"},
    "TO_STRING_COLUMN": {"columnDataType": "it can only repeat the action's own type"},
    "FLAG_COLUMN_FROM_NULL": {"flagType": "it has one value"},
    "FLAG_COLUMN_FROM_PATTERN": {"flagType": "it has one value"},
    "RESCALE_OUTLIERS_WITH_Z_SCORE": {
        "outlierStrategy": "every value is rescaled, whether it is an outlier or not",
        "threshold": "every value is rescaled, whether it is an outlier or not",
    },
    "CRYPTOGRAPHIC_HASH": NO_SECRETS_MANAGER,
    "DETERMINISTIC_DECRYPT": NO_SECRETS_MANAGER,
    "DETERMINISTIC_ENCRYPT": NO_SECRETS_MANAGER,
}
RUNNABLE = sorted(name for name, action in ACTIONS.items() if not action.refusal)


class RecordedArguments(dict[str, Any]):
    """Arguments of a step that remember which of them have been read."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__(arguments)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)


def parameters_read_in(case: Case) -> set[str]:
    step = typed_steps([case.step])[0]
    arguments = RecordedArguments(step.arguments)
    if step.action.check is not None:
        step.action.check(arguments)
    apply_step(replace(step, arguments=arguments), Table.of(frame_of_rows(case.rows).lazy()))
    return arguments.read


@pytest.fixture(scope="module")
def parameters_read() -> dict[str, set[str]]:
    read: dict[str, set[str]] = defaultdict(set)
    for case in CASES:
        read[case.operation] |= parameters_read_in(case)
    return read


def test_every_action_that_runs_has_a_case_or_a_property() -> None:
    tested = {case.operation for case in CASES} | set(BY_PROPERTY)
    assert [name for name in RUNNABLE if name not in tested] == [], (
        "add a case to tests/unit/recipe_runner/action_cases.py, or a property and its name in BY_PROPERTY"
    )


def test_every_case_is_of_a_declared_action() -> None:
    assert {case.operation for case in CASES} | set(BY_PROPERTY) <= set(ACTIONS)


def test_the_catalogue_has_every_operation_of_the_guide() -> None:
    assert len(ACTIONS) == 216


def test_only_what_needs_the_service_is_refused() -> None:
    assert sorted(set(ACTIONS) - set(RUNNABLE)) == ["DECRYPT", "ENCRYPT", "GET_ACTION_RESULT", "GET_STEP_DATAFRAME"]


@pytest.mark.parametrize("name", [name for name in RUNNABLE if name not in BY_PROPERTY])
def test_every_declared_parameter_is_read(name: str, parameters_read: dict[str, set[str]]) -> None:
    known = WITHOUT_EFFECT["*"] | WITHOUT_EFFECT.get(name, {})
    unread = set(ACTIONS[name].declared.names()) - parameters_read[name] - set(known)
    assert unread == set(), "no case reads it: use it, add a case that needs it, or say in WITHOUT_EFFECT why not"


@pytest.mark.parametrize("name", BY_PROPERTY)
def test_every_parameter_of_an_action_without_cases_is_used_in_its_module(name: str) -> None:
    source = inspect.getsource(sys.modules[ACTIONS[name].function.__module__])
    parameters = set(ACTIONS[name].declared.names()) - set(WITHOUT_EFFECT.get(name, {}))
    assert [parameter for parameter in parameters if f'["{parameter}"]' not in source] == []


@pytest.mark.parametrize("name", sorted(set(WITHOUT_EFFECT) - {"*"}))
def test_what_has_no_effect_is_declared_and_not_read(name: str, parameters_read: dict[str, set[str]]) -> None:
    parameters = set(WITHOUT_EFFECT[name])
    assert parameters <= set(ACTIONS[name].declared.names())
    assert parameters & parameters_read[name] == set()


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_every_action_names_its_family_and_the_guides_page(name: str) -> None:
    action = ACTIONS[name]
    assert action.family
    assert action.page.startswith("https://docs.aws.amazon.com/databrew/latest/dg/")


@pytest.mark.parametrize("page", sorted(PAGES))
def test_generated_page_is_up_to_date(page: str) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == PAGES[page](), (
        f"docs/{page} is out of date: run python -m tests.unit.recipe_runner.coverage_pages"
    )


def test_two_pages_are_generated() -> None:
    assert sorted(PAGES) == ["recipe-ambiguities.md", "recipe-coverage.md"]


@pytest.mark.parametrize("page", sorted(PAGES))
def test_text_of_a_generated_page_ends_at_100_columns(page: str) -> None:
    text = [line for line in PAGES[page]().splitlines() if not line.startswith("|")]
    assert [line for line in text if len(line) > 100] == []
