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
