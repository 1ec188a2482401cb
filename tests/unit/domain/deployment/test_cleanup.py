"""What cleanup may delete: a table, and a search for what it must never delete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brewtrain.domain.deployment.cleanup import (
    Decision,
    Endpoint,
    EndpointConfig,
    ExecutionFact,
    Files,
    Inventory,
    Kind,
    Model,
    RecipeVersion,
    RunResource,
    plan,
    rollback_targets,
    summary,
    table,
)
from brewtrain.domain.serving.serving_history import Serving, served_before

NOW = datetime(2024, 6, 30, 3, 17, tzinfo=UTC)
RUN_DAYS, TARGETS = 30, 2


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def run_id(day: int, generation: str = "0") -> str:
    return f"one-two-202401{day:02d}T0000-g{generation}"


def config_name(day: int) -> str:
    return f"brewtrain-{run_id(day)}-0-0"


def address(day: int) -> str:
    return f"s3://bucket/brewtrain/one_two/runs/{run_id(day)}/model/job/output/model.tar.gz"


def config(day: int, age: float = 100) -> EndpointConfig:
    return EndpointConfig(config_name(day), ago(age), (config_name(day),), run_id(day))


def model(day: int, age: float = 100) -> Model:
    return Model(config_name(day), ago(age), (address(day),), run_id(day))


def files(day: int, age: float = 100) -> Files:
    objects = {"transform/part.csv": 10, "train/part-0": 20, "model/job/output/model.tar.gz": 5, "result.json": 1,
               "evaluation/profile.json": 1, "split.json": 1}  # fmt: skip
    return Files(f"brewtrain/one_two/runs/{run_id(day)}/", ago(age), objects)


def served(*days: int) -> list[Serving]:
    return [Serving(config_name(day), ago(90 - number), run_id=run_id(day)) for number, day in enumerate(days)]


def endpoint(day: int, status: str = "InService", name: str = "one-two") -> Endpoint:
    return Endpoint(
        name, status, frozenset({config_name(day)}), frozenset({config_name(day)}), frozenset({address(day)})
    )


def inventory(**more: Any) -> Inventory:
    return Inventory(pipeline="one_two", endpoint="one-two", bucket="bucket", now=NOW, **more)


def decide(found: Inventory) -> dict[str, Decision]:
    decisions = plan(found, run_days=RUN_DAYS, keep_targets=TARGETS)
    assert [one.kind for one in decisions] == sorted((one.kind for one in decisions), key=list(Kind).index)
    return {f"{one.kind.value} {one.name}": one for one in decisions}


def gone(found: Inventory, kind: Kind) -> set[str]:
    return {one.name for one in decide(found).values() if one.delete and one.kind is kind}


def days(*which: int) -> dict[str, Any]:
    return {
        "configs": [config(day) for day in which],
        "models": [model(day) for day in which],
        "runs": [files(day) for day in which],
    }


def test_what_serves_and_the_last_targets_stay_with_their_models_and_evaluations() -> None:
    found = inventory(endpoints=[endpoint(5)], serving_history=served(1, 2, 3, 4, 5), **days(1, 2, 3, 4, 5))
    assert gone(found, Kind.ENDPOINT_CONFIG) == {config_name(1), config_name(2)}
    assert gone(found, Kind.MODEL) == {config_name(1), config_name(2)}
    decisions = decide(found)
    for day in (1, 2):
        assert len(decisions[f"run files brewtrain/one_two/runs/{run_id(day)}/"].keys) == 6
    for day in (3, 4, 5):
        keys = decisions[f"run files brewtrain/one_two/runs/{run_id(day)}/"].keys
        assert {key.split("/")[4] for key in keys} == {"transform", "train"}, "the data goes, the model stays"


def test_candidates_that_never_served_are_no_rollback_targets() -> None:
    found = inventory(endpoints=[endpoint(3)], serving_history=served(1, 2, 3), **days(1, 2, 3, 8, 9))
    assert gone(found, Kind.ENDPOINT_CONFIG) == {config_name(8), config_name(9)}


def test_after_a_rollback_what_previous_leads_to_stays_and_so_does_what_was_rolled_back_from() -> None:
    found = inventory(endpoints=[endpoint(3)], serving_history=served(1, 2, 3, 4, 3), **days(1, 2, 3, 4))
    assert gone(found, Kind.ENDPOINT_CONFIG) == set()


def test_without_a_history_the_newest_are_kept() -> None:
    configs = [config(1, 103), config(2, 102), config(3, 101), config(4, 100)]
    found = inventory(endpoints=[endpoint(4)], configs=configs)
    assert gone(found, Kind.ENDPOINT_CONFIG) == {config_name(1)}


def test_an_endpoint_deleted_by_hand_leaves_one_target_more() -> None:
    found = inventory(serving_history=served(1, 2, 3, 4, 5), **days(1, 2, 3, 4, 5))
    assert gone(found, Kind.ENDPOINT_CONFIG) == {config_name(1), config_name(2)}


@pytest.mark.parametrize(
    "status", ["Updating", "Creating", "RollingBack", "SystemUpdating", "UpdateRollbackFailed", "New"]
)
def test_nothing_is_taken_from_an_endpoint_on_its_way(status: str) -> None:
    found = inventory(endpoints=[endpoint(5, status)], serving_history=served(1, 2, 3, 4, 5), **days(1, 2, 3, 4, 5))
    assert gone(found, Kind.ENDPOINT_CONFIG) == gone(found, Kind.MODEL) == set()


def test_another_endpoint_of_the_account_counts_as_well() -> None:
    other = Endpoint(
        "staging", "InService", frozenset({"theirs"}), frozenset({config_name(2)}), frozenset({address(2)})
    )
    found = inventory(endpoints=[endpoint(5), other], serving_history=served(1, 2, 3, 4, 5), **days(1, 2, 3, 4, 5))
    assert gone(found, Kind.ENDPOINT_CONFIG) == {config_name(1), config_name(2)}
    assert gone(found, Kind.MODEL) == {config_name(1)}
    keys = decide(found)[f"run files brewtrain/one_two/runs/{run_id(2)}/"].keys
    assert not any("/model/" in key for key in keys)


EXECUTIONS: dict[str, tuple[ExecutionFact, str | None]] = {
    "running": (ExecutionFact(run_id(9), None), "is running"),
    "failed lately": (ExecutionFact(run_id(9), ago(13)), "may still be redriven"),
    "failed long ago": (ExecutionFact(run_id(9), ago(15)), None),
    "a promotion of its run": (
        ExecutionFact("one-two-p20240630T0000-abcd-g0", None, f'{{"run": {{"id": "{run_id(9)}"}}}}'),
        "is running",
    ),
    "of another run": (ExecutionFact(run_id(8), None), None),
}


@pytest.mark.parametrize(("execution", "kept"), EXECUTIONS.values(), ids=EXECUTIONS)
def test_what_an_execution_needs_stays(execution: ExecutionFact, kept: str | None) -> None:
    found = inventory(
        endpoints=[endpoint(3)], serving_history=served(1, 2, 3), executions=[execution], **days(1, 2, 3, 9)
    )
    for name in (f"endpoint config {config_name(9)}", f"model {config_name(9)}", "run files "
                 f"brewtrain/one_two/runs/{run_id(9)}/"):  # fmt: skip
        decision = decide(found)[name]
        assert decision.delete is (kept is None), name
        assert kept is None or kept in decision.why or "uses it" in decision.why


def test_what_is_new_stays() -> None:
    found = inventory(
        endpoints=[endpoint(3)],
        serving_history=served(1, 2, 3),
        configs=[config(1), config(2), config(3), config(9, age=1)],
        models=[model(8, age=1)],
        runs=[files(9, age=29)],
        databrew=[RunResource(Kind.DATABREW_JOB, f"brewtrain-{run_id(9)}", ago(1))],
    )
    assert not [one for one in decide(found).values() if one.delete]


def test_databrew_resources_go_when_their_run_does_not_run() -> None:
    found = inventory(
        databrew=[
            RunResource(Kind.DATABREW_DATASET, f"brewtrain-{run_id(1)}", ago(3)),
            RunResource(Kind.DATABREW_JOB, f"brewtrain-{run_id(1)}", ago(3)),
            RunResource(Kind.DATABREW_JOB, f"brewtrain-{run_id(2)}", ago(3)),
            RunResource(Kind.DATABREW_JOB, "brewtrain-one-two-mine", ago(3)),
        ],
        # A clear brings a failed run's job back, so that it may go.
        executions=[ExecutionFact(run_id(2), None), ExecutionFact(run_id(1), ago(2))],
    )
    assert gone(found, Kind.DATABREW_JOB) == gone(found, Kind.DATABREW_DATASET) == {f"brewtrain-{run_id(1)}"}
    order = [one.kind for one in plan(found, run_days=RUN_DAYS, keep_targets=TARGETS) if one.delete]
    assert order == [Kind.DATABREW_JOB, Kind.DATABREW_DATASET], "DataBrew refuses to delete a dataset that a job uses"


def test_recipe_versions_that_something_is_pinned_to_stay() -> None:
    history = [
        Serving(config_name(1), ago(90), recipe_version="2.0"),
        Serving(config_name(9), ago(99), recipe_version="3.0"),
    ]
    found = inventory(
        configs=[config(1)],
        serving_history=history,
        recipe_versions=[RecipeVersion(f"{number}.0", ago(100 - number)) for number in range(1, 6)]
        + [RecipeVersion("6.0", ago(5)), RecipeVersion("7.0", ago(1))],
        newest_recipe_version="7.0",
        executions=[ExecutionFact(run_id(2), None, '{"run": {"recipe_version": "4.0"}}')],
    )
    assert gone(found, Kind.RECIPE_VERSION) == {"1.0", "3.0", "5.0"}
    assert gone(inventory(recipe_versions=[RecipeVersion("1.0", ago(99))]), Kind.RECIPE_VERSION) == set()


def test_code_that_something_refers_to_stays() -> None:
    code = "brewtrain/one_two/code/"

    def split(digit: int, age: float) -> Files:
        return Files(f"{code}split-{digit:012d}.py", ago(age), {"": 9})

    found = inventory(
        code=[
            split(1, 99),
            split(2, 99),
            split(3, 99),
            split(4, 5),
            Files(f"{code}evaluation-{6:012d}/", ago(99), {"a.py": 1}),
            Files(f"{code}evaluation-{7:012d}/", ago(99), {"a.py": 1, "b.py": 1}),
            Files(f"{code}mine.py", ago(99), {"": 1}),
        ],
        code_in_use=frozenset({f"{code}split-{2:012d}.py", f"{code}evaluation-{6:012d}/"}),
        executions=[ExecutionFact(run_id(1), None, f'"s3://bucket/{code}split-{3:012d}.py"')],
    )
    assert gone(found, Kind.CODE) == {f"{code}split-{1:012d}.py", f"{code}evaluation-{7:012d}/"}
    decision = decide(found)[f"code {code}evaluation-{7:012d}/"]
    assert decision.keys == (f"{code}evaluation-{7:012d}/a.py", f"{code}evaluation-{7:012d}/b.py")
    assert decide(found)[f"code {code}split-{1:012d}.py"].keys == (f"{code}split-{1:012d}.py",)


@pytest.mark.parametrize("name", ["notes/", f"two-{run_id(1)}/", "one-two-20240101T0000-g0"])
def test_folders_that_are_no_runs_stay(name: str) -> None:
    assert gone(inventory(runs=[Files(f"brewtrain/one_two/runs/{name}", ago(999), {"a": 1})]), Kind.RUN_FILES) == set()


def test_the_table_says_what_and_why() -> None:
    found = inventory(endpoints=[endpoint(5)], serving_history=served(1, 2, 3, 4, 5), **days(1, 2, 3, 4, 5))
    decisions = plan(found, run_days=RUN_DAYS, keep_targets=TARGETS)
    lines = table(decisions)
    assert len(lines) == len(decisions)
    assert any(
        line.startswith("delete  endpoint config") and "is not one of the last 2 rollback targets" in line
        for line in lines
    )
    assert any("endpoint one-two serves it" in line for line in lines)
    assert summary(decisions).startswith("9 of 15 resources can be deleted")
    assert table([]) == []


# -- why, for each kind
# ------------------------------------------------------------------------------------------


def why(found: Inventory, name: str) -> tuple[bool, str]:
    decision = decide(found)[name]
    return decision.delete, decision.why


CONFIG = f"endpoint config {config_name(1)}"
RUNNING = ExecutionFact(run_id(1), None)
HISTORY = served(1, 2, 3, 4, 5)
CONFIG_REASONS: dict[str, tuple[dict[str, Any], tuple[bool, str]]] = {
    "serves": ({"endpoints": [endpoint(1)]}, (False, "endpoint one-two serves it")),
    "an update to it": ({"endpoints": [endpoint(1, "Updating")]}, (False, "endpoint one-two is Updating")),
    "serves elsewhere, the first found": (
        {"endpoints": [endpoint(1, name="a"), endpoint(1, "Updating", name="b")]},
        (False, "endpoint a serves it"),
    ),
    "a rollback target": (
        {"endpoints": [endpoint(2)], "serving_history": served(1, 2)},
        (False, "one of the rollback targets (retention.rollback_targets is 2)"),
    ),
    "its endpoint is on its way": (
        {"endpoints": [endpoint(5, "Updating")], "serving_history": HISTORY},
        (False, "endpoint one-two is Updating: what it may need is kept"),
    ),
    "its run is running": (
        {"endpoints": [endpoint(5)], "serving_history": HISTORY, "executions": [RUNNING]},
        (False, f"execution {run_id(1)} is running"),
    ),
    "its run may be redriven": (
        {"endpoints": [endpoint(5)], "serving_history": HISTORY, "executions": [ExecutionFact(run_id(1), ago(13.99))]},
        (False, f"execution {run_id(1)} failed and may still be redriven"),
    ),
    "its run failed 14 days ago": (
        {"endpoints": [endpoint(5)], "serving_history": HISTORY, "executions": [ExecutionFact(run_id(1), ago(14))]},
        (True, "served before, and is not one of the last 2 rollback targets"),
    ),
    "nothing needs it": (
        {"endpoints": [endpoint(5)], "serving_history": HISTORY},
        (True, "served before, and is not one of the last 2 rollback targets"),
    ),
    "it never served": (
        {"endpoints": [endpoint(5)], "serving_history": served(2, 3, 4, 5)},
        (True, "never served, and is not one of the last 2 rollback targets"),
    ),
}


@pytest.mark.parametrize(("more", "expected"), CONFIG_REASONS.values(), ids=CONFIG_REASONS)
def test_an_endpoint_config_goes_or_stays_for_one_reason(more: dict[str, Any], expected: tuple[bool, str]) -> None:
    configs = [config(1, 105), config(2, 104), config(3, 103), config(4, 102), config(5, 101)]
    assert why(inventory(configs=configs, **more), CONFIG) == expected


@pytest.mark.parametrize(
    ("age", "goes"),
    [pytest.param(1.999, False, id="younger than two days"), pytest.param(2, True, id="two days old")],
)
def test_what_was_made_lately_stays(age: float, goes: bool) -> None:
    lately = "made less than 2 days ago"
    job = f"brewtrain-{run_id(1)}"
    found = inventory(
        endpoints=[endpoint(5)],
        serving_history=HISTORY,
        configs=[config(1, age), *(config(day) for day in (2, 3, 4, 5))],
        models=[model(1, age)],
        databrew=[RunResource(Kind.DATABREW_JOB, job, ago(age))],
    )
    assert why(found, CONFIG) == (
        (True, "served before, and is not one of the last 2 rollback targets") if goes else (False, lately)
    )
    assert why(found, f"DataBrew job {job}") == (
        (True, f"left over: run {run_id(1)} is not running") if goes else (False, lately)
    )
    alone = inventory(models=[model(1, age)])
    assert why(alone, f"model {config_name(1)}") == (
        (True, "no endpoint config that is kept uses it") if goes else (False, lately)
    )


def test_a_model_stays_for_the_config_or_the_endpoint_that_uses_it() -> None:
    name = f"model {config_name(1)}"
    found = inventory(endpoints=[endpoint(1)], configs=[config(1)], models=[model(1)])
    assert why(found, name) == (False, f"endpoint config {config_name(1)} is kept and uses it")
    assert why(inventory(endpoints=[endpoint(1)], models=[model(1)]), name) == (False, "endpoint one-two serves it")
    assert why(inventory(executions=[RUNNING], models=[model(1)]), name) == (
        False,
        f"execution {run_id(1)} is running",
    )


def test_a_config_without_a_tag_is_known_by_its_name() -> None:
    untagged = EndpointConfig(config_name(1), ago(100), (), None)
    others = [config(day) for day in (2, 3, 4, 5)]
    found = inventory(
        endpoints=[endpoint(5)], serving_history=HISTORY, configs=[untagged, *others], executions=[RUNNING]
    )
    assert why(found, CONFIG) == (False, f"execution {run_id(1)} is running")


RUN_FILES = f"run files brewtrain/one_two/runs/{run_id(1)}/"
FILES_REASONS: dict[str, tuple[dict[str, Any], tuple[bool, str], int, int]] = {
    "young": ({"runs": [files(1, 29.9)]}, (False, "29 days old, kept for 30"), 0, 0),
    "old": ({"runs": [files(1, 30)]}, (True, "30 days old, kept for 30"), 6, 38),
    "its run is running": (
        {"runs": [files(1)], "executions": [RUNNING]},
        (False, f"execution {run_id(1)} is running"),
        0,
        0,
    ),
    "its model is kept": (
        {"runs": [files(1)], "models": [model(1)], "configs": [config(1)], "endpoints": [endpoint(1)]},
        (True, f"its data is 100 days old; the model of {config_name(1)} and its evaluation stay"),
        2,
        30,
    ),
    "its model serves elsewhere": (
        {"runs": [files(1)], "endpoints": [endpoint(1, name="staging")]},
        (True, "its data is 100 days old; the model of staging and its evaluation stay"),
        2,
        30,
    ),
    "only its model is left": (
        {
            "runs": [Files(f"brewtrain/one_two/runs/{run_id(1)}/", ago(100), {"model/job/output/model.tar.gz": 5})],
            "endpoints": [endpoint(1)],
        },
        (False, "the model of one-two is stored here"),
        0,
        0,
    ),
}


@pytest.mark.parametrize(("more", "expected", "count", "size"), FILES_REASONS.values(), ids=FILES_REASONS)
def test_a_runs_files_go_or_stay_for_one_reason(
    more: dict[str, Any], expected: tuple[bool, str], count: int, size: int
) -> None:
    found = inventory(**more)
    decision = decide(found)[RUN_FILES]
    assert (decision.delete, decision.why) == expected
    assert (len(decision.keys), decision.size_bytes) == (count, size)
    assert list(decision.keys) == sorted(decision.keys)


@pytest.mark.parametrize("name", ["notes/", f"two-{run_id(1)}/", run_id(1)])
def test_files_that_are_no_runs_stay_for_their_name(name: str) -> None:
    found = inventory(runs=[Files(f"brewtrain/one_two/runs/{name}", ago(999), {"a": 1})])
    assert why(found, f"run files brewtrain/one_two/runs/{name}") == (False, "does not have a run's name")


CODE = "brewtrain/one_two/code/"
SPLIT = f"{CODE}split-0123456789ab.py"
EVALUATION = f"{CODE}evaluation-0123456789ab/"
CODE_REASONS: dict[str, tuple[Files, dict[str, Any], tuple[bool, str], tuple[str, ...], int]] = {
    "somebody's own": (
        Files(f"{CODE}mine.py", ago(99), {"": 9}),
        {},
        (False, "does not have the name of deployed code"),
        (),
        0,
    ),
    "below two folders of code": (
        Files(f"lake/code/{SPLIT}", ago(99), {"": 9}),
        {},
        (True, "99 days old and nothing refers to it"),
        (f"lake/code/{SPLIT}",),
        9,
    ),
    "deployed": (
        Files(SPLIT, ago(99), {"": 9}),
        {"code_in_use": frozenset({SPLIT})},
        (False, "deployed: the next run uses it"),
        (),
        0,
    ),
    "one of its files is deployed": (
        Files(EVALUATION, ago(99), {"a.py": 9}),
        {"code_in_use": frozenset({f"{EVALUATION}a.py"})},
        (False, "deployed: the next run uses it"),
        (),
        0,
    ),
    "below what is deployed": (
        Files(EVALUATION, ago(99), {"a.py": 9}),
        {"code_in_use": frozenset({CODE})},
        (False, "deployed: the next run uses it"),
        (),
        0,
    ),
    "an execution refers to it as a folder": (
        Files(EVALUATION, ago(99), {"a.py": 9}),
        {"executions": [ExecutionFact("x", ago(99), f'"s3://bucket/{EVALUATION}"')]},
        (False, "execution x refers to it"),
        (),
        0,
    ),
    "an execution refers to it": (
        Files(EVALUATION, ago(99), {"a.py": 9}),
        {"executions": [ExecutionFact("x", ago(99), f'"s3://bucket/{EVALUATION.rstrip("/")}"')]},
        (False, "execution x refers to it"),
        (),
        0,
    ),
    "young": (Files(SPLIT, ago(29.9), {"": 9}), {}, (False, "29 days old, kept for 30"), (), 0),
    "old": (Files(SPLIT, ago(30), {"": 9}), {}, (True, "30 days old and nothing refers to it"), (SPLIT,), 9),
    "old, of several files": (
        Files(EVALUATION, ago(30), {"b.py": 2, "a.py": 1}),
        {},
        (True, "30 days old and nothing refers to it"),
        (f"{EVALUATION}a.py", f"{EVALUATION}b.py"),
        3,
    ),
}


@pytest.mark.parametrize(("code", "more", "expected", "keys", "size"), CODE_REASONS.values(), ids=CODE_REASONS)
def test_code_goes_or_stays_for_one_reason(
    code: Files, more: dict[str, Any], expected: tuple[bool, str], keys: tuple[str, ...], size: int
) -> None:
    decision = decide(inventory(code=[code], **more))[f"code {code.prefix}"]
    assert (decision.delete, decision.why, decision.keys, decision.size_bytes) == (*expected, keys, size)


@pytest.mark.parametrize(
    ("age", "run_days", "goes"),
    [
        pytest.param(1.9, 1, False, id="a day is kept for two"),
        pytest.param(2, 1, True, id="two days old"),
        pytest.param(2.9, 3, False, id="kept for three"),
    ],
)
def test_code_and_recipe_versions_are_kept_for_two_days_at_least(age: float, run_days: int, goes: bool) -> None:
    found = inventory(
        code=[Files(SPLIT, ago(age), {"": 9})],
        recipe_versions=[RecipeVersion("1.0", ago(age))],
        newest_recipe_version="2.0",
    )
    assert [one.delete for one in plan(found, run_days=run_days, keep_targets=TARGETS)] == [goes, goes]


DATABREW = f"DataBrew job brewtrain-{run_id(1)}"
DATABREW_REASONS: dict[str, tuple[list[ExecutionFact], tuple[bool, str]]] = {
    "running": ([RUNNING], (False, f"execution {run_id(1)} is running")),
    "running under another name": (
        [ExecutionFact("x", None, f'{{"run": {{"id": "{run_id(1)}"}}}}')],
        (False, "execution x is running"),
    ),
    "a longer run id in what is running": (
        [ExecutionFact("x", None, f'{{"run": {{"id": "{run_id(1)}0"}}}}')],
        (True, f"left over: run {run_id(1)} is not running"),
    ),
    "failed": ([ExecutionFact(run_id(1), ago(1))], (True, f"left over: run {run_id(1)} is not running")),
}


@pytest.mark.parametrize(("executions", "expected"), DATABREW_REASONS.values(), ids=DATABREW_REASONS)
def test_a_databrew_job_goes_or_stays_for_one_reason(
    executions: list[ExecutionFact], expected: tuple[bool, str]
) -> None:
    found = inventory(
        databrew=[RunResource(Kind.DATABREW_JOB, f"brewtrain-{run_id(1)}", ago(3))], executions=executions
    )
    assert why(found, DATABREW) == expected


def test_a_databrew_job_of_somebodys_own_stays() -> None:
    found = inventory(databrew=[RunResource(Kind.DATABREW_JOB, "brewtrain-one-two-mine", ago(99))])
    assert why(found, "DataBrew job brewtrain-one-two-mine") == (False, "does not have a run's name")


VERSION_REASONS: dict[str, tuple[float, dict[str, Any], tuple[bool, str]]] = {
    "the newest": (99, {"newest_recipe_version": "1.0"}, (False, "the next run is pinned to it")),
    "nobody knows the newest": (99, {"newest_recipe_version": None}, (False, "the next run is pinned to it")),
    "it made what is kept": (
        99,
        {"configs": [config(1)], "serving_history": [Serving(config_name(1), ago(90), recipe_version="1.0")]},
        (False, f"made the data of endpoint config {config_name(1)}, which is kept"),
    ),
    "it made what serves, though its config is not listed": (
        99,
        {"endpoints": [endpoint(1)], "serving_history": [Serving(config_name(1), ago(90), recipe_version="1.0")]},
        (False, f"made the data of endpoint config {config_name(1)}, which is kept"),
    ),
    "it made what is gone": (
        99,
        {"serving_history": [Serving(config_name(1), ago(90), recipe_version="1.0")]},
        (True, "published 99 days ago and nothing is pinned to it"),
    ),
    "an execution is pinned to it": (
        99,
        {"executions": [ExecutionFact("x", ago(99), '{"run": {"recipe_version": "1.0"}}')]},
        (False, "execution x is pinned to it"),
    ),
    "young": (29.9, {}, (False, "published 29 days ago, kept for 30")),
    "old": (30, {}, (True, "published 30 days ago and nothing is pinned to it")),
}


@pytest.mark.parametrize(("age", "more", "expected"), VERSION_REASONS.values(), ids=VERSION_REASONS)
def test_a_recipe_version_goes_or_stays_for_one_reason(
    age: float, more: dict[str, Any], expected: tuple[bool, str]
) -> None:
    found = inventory(**{"recipe_versions": [RecipeVersion("1.0", ago(age))], "newest_recipe_version": "2.0", **more})
    assert why(found, "recipe version 1.0") == expected


def test_while_an_endpoint_is_updated_the_config_that_served_first_is_what_it_serves() -> None:
    both = frozenset({config_name(3), config_name(4)})
    updated = Endpoint("one-two", "Updating", both)
    found = inventory(endpoints=[updated], serving_history=served(1, 2, 3), **days(1, 2, 3, 4))
    decisions = decide(found)
    targets = {one.name for one in decisions.values() if "rollback targets (" in one.why}
    assert targets == {config_name(1), config_name(2)}


TARGET_CASES: dict[str, tuple[tuple[int, ...], int | None, int, list[int]]] = {
    "the last that served before": ((1, 2, 3), 3, 2, [2, 1]),
    "no more than asked for": ((1, 2, 3, 4), 4, 1, [3]),
    "after a rollback, also what served later": ((1, 2, 3, 4, 3), 3, 2, [2, 1, 4]),
    "the newest others fill up": ((1, 2), 2, 3, [1, 6, 5]),
    "without a history, the newest": ((), 6, 2, [5, 4]),
    "where nothing serves, one more": ((1, 2, 3), None, 1, [3, 2]),
    "where nothing serves nor served, one more": ((), None, 2, [6, 5, 4]),
}


@pytest.mark.parametrize(("deployed", "serving", "count", "targets"), TARGET_CASES.values(), ids=TARGET_CASES)
def test_rollback_targets_are_in_the_order_in_which_a_rollback_would_take_them(
    deployed: tuple[int, ...], serving: int | None, count: int, targets: list[int]
) -> None:
    configs = [config(day, 100 - day) for day in range(1, 7)]
    name = None if serving is None else config_name(serving)
    found = rollback_targets(configs, served(*deployed), serving=name, count=count)
    assert found == [config_name(day) for day in targets]


def test_of_configs_made_at_once_the_later_name_is_the_newer() -> None:
    configs = [config(day, 50) for day in (2, 1, 3)]
    assert rollback_targets(configs, [], serving=config_name(9), count=2) == [config_name(3), config_name(2)]


def test_decisions_are_in_the_order_of_deletion_and_within_a_kind_by_age() -> None:
    found = inventory(configs=[config(2, 50), config(1, 50), config(3, 90)], models=[model(5, 10), model(4, 20)])
    names = [(one.kind, one.name) for one in plan(found, run_days=RUN_DAYS, keep_targets=TARGETS)]
    assert names == [
        *((Kind.ENDPOINT_CONFIG, config_name(day)) for day in (3, 1, 2)),
        *((Kind.MODEL, config_name(day)) for day in (4, 5)),
    ]


def test_the_table_is_aligned_and_ends_with_sizes() -> None:
    decisions = [
        Decision(Kind.MODEL, "m", delete=False, why="it serves"),
        Decision(Kind.RUN_FILES, "a/b/", True, "old", keys=("a/b/c", "a/b/d"), size_bytes=2_550_000),
    ]
    assert table(decisions) == [
        "keep    model      m     it serves",
        "delete  run files  a/b/  old (2 files, 2.5 MB)",
    ]
    assert summary(decisions) == "1 of 2 resources can be deleted, including 2 files of 2.5 MB"
    assert summary([]) == "0 of 0 resources can be deleted, including 0 files of 0.0 MB"


# -- what must never happen
# ------------------------------------------------------------------------------------------

DAYS = st.integers(1, 9)


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    there = sorted(draw(st.sets(DAYS, min_size=1)))
    deployments = draw(st.lists(DAYS, max_size=8))
    serving = draw(st.none() | st.sampled_from(there) | DAYS)
    pending = draw(st.none() | st.sampled_from(there))
    status = draw(st.sampled_from(["InService", "InService", "Updating", "Failed", "RollingBack"]))
    endpoints = [] if serving is None else [endpoint(serving, status)]
    if endpoints and pending is not None and status == "Updating":
        both = endpoints[0].configs | {config_name(pending)}
        endpoints = [
            Endpoint("one-two", status, both, frozenset(both), frozenset({address(serving), address(pending)}))
        ]
    if draw(st.booleans()):
        endpoints.append(endpoint(draw(DAYS), name="other"))
    executions = [
        ExecutionFact(run_id(day), draw(st.none() | st.integers(0, 20).map(ago)))
        for day in draw(st.sets(DAYS, max_size=2))
    ]
    return inventory(
        endpoints=endpoints,
        configs=[config(day, draw(st.integers(0, 200))) for day in there],
        models=[model(day, draw(st.integers(0, 200))) for day in draw(st.sets(DAYS)) | set(there)],
        runs=[files(day, draw(st.integers(0, 200))) for day in draw(st.sets(DAYS)) | set(there)],
        serving_history=served(*deployments),
        executions=executions,
    )


@settings(max_examples=60)
@given(inventories(), st.integers(1, 4))
def test_never_what_serves_nor_a_rollback_target_nor_what_runs(found: Inventory, targets: int) -> None:
    decisions = plan(found, run_days=RUN_DAYS, keep_targets=targets)
    going = {(one.kind, one.name) for one in decisions if one.delete}
    keys = {key for one in decisions for key in one.keys}
    there = {one.name for one in found.configs}
    own = next((one for one in found.endpoints if one.name == "one-two"), None)
    used = {name for one in found.endpoints for name in one.configs}
    settled = own is None or own.status in ("InService", "Failed", "OutOfService")
    needed = set(used)
    if own is None or len(own.configs) == 1:
        serving = None if own is None else next(iter(own.configs))
        needed |= set([name for name in served_before(found.serving_history, serving) if name in there][:targets])
        assert len(there - {serving} - {name for kind, name in going if kind is Kind.ENDPOINT_CONFIG}) >= min(
            targets, len(there - {serving})
        ), "as many as were promised"
    if not settled:
        assert not {name for kind, name in going if kind in (Kind.ENDPOINT_CONFIG, Kind.MODEL)}
    for name in needed:
        assert (Kind.ENDPOINT_CONFIG, name) not in going
        # Config and model of a day have the same name here.
        assert (Kind.MODEL, name) not in going
        run = name.removeprefix("brewtrain-").removesuffix("-0-0")
        assert not [key for key in keys if f"/{run}/model/" in key or f"/{run}/evaluation/" in key]
    for execution in found.executions:
        if execution.stopped_at is None:
            assert not [key for key in keys if f"/{execution.name}/" in key]
            assert (Kind.ENDPOINT_CONFIG, f"brewtrain-{execution.name}-0-0") not in going
    kept_models = {one.name for one in found.models} - {name for kind, name in going if kind is Kind.MODEL}
    for one in found.configs:
        if (Kind.ENDPOINT_CONFIG, one.name) not in going:
            assert set(one.models) & {item.name for item in found.models} <= kept_models, "a config keeps its models"


@settings(max_examples=40)
@given(inventories())
def test_a_second_cleanup_finds_nothing_more(found: Inventory) -> None:
    decisions = plan(found, run_days=RUN_DAYS, keep_targets=TARGETS)
    going = {(one.kind, one.name) for one in decisions if one.delete}
    keys = {key for one in decisions for key in one.keys}
    left = [
        Files(
            one.prefix,
            one.newest_at,
            {path: size for path, size in one.objects.items() if one.prefix + path not in keys},
        )
        for one in found.runs
    ]
    after = inventory(
        endpoints=found.endpoints,
        configs=[one for one in found.configs if (Kind.ENDPOINT_CONFIG, one.name) not in going],
        models=[one for one in found.models if (Kind.MODEL, one.name) not in going],
        runs=[one for one in left if one.objects],
        serving_history=found.serving_history,
        executions=found.executions,
    )
    again = [one for one in plan(after, run_days=RUN_DAYS, keep_targets=TARGETS) if one.delete]
    assert [(one.kind, one.name) for one in again] == []


@given(st.lists(DAYS, max_size=8), st.none() | DAYS, st.integers(1, 3))
def test_targets_are_never_the_one_that_serves_and_are_there(
    deployed: list[int], serving: int | None, count: int
) -> None:
    configs = [config(day, 100 - day) for day in range(1, 7)]
    name = None if serving is None else config_name(serving)
    found = rollback_targets(configs, served(*deployed), serving=name, count=count)
    assert name not in found
    assert len(found) == len(set(found))
    assert set(found) <= {one.name for one in configs}
