"""docs/architecture.md says what the code does: numbers, stages, errors, outcomes, rooms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from brewtrain.domain.evaluation.job import Code
from brewtrain.domain.failure import error_names
from brewtrain.domain.names import Account, RunIdentity
from brewtrain.domain.run.execution_input import ImageTable, execution_input
from brewtrain.domain.run.stages import STAGE_OF_STATE, Stage
from tests.fixtures.pipelines import smallest_pipeline
from tests.fixtures.places import DOCS, PLUGINS, REPOSITORY, STATE_MACHINE

TEXT = (DOCS / "architecture.md").read_text(encoding="utf-8")
DEFINITION = json.loads(STATE_MACHINE.read_text(encoding="utf-8"))


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def states_of(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in machine["States"].items():
        yield name, state
        for branch in state.get("Branches", ()):
            yield from states_of(branch)


def numbers(value: object, path: str = "") -> dict[str, float]:
    """Return the numbers in a document by path; text that is a number counts too."""
    if isinstance(value, dict):
        return {
            where: number for key, item in value.items() for where, number in numbers(item, f"{path}.{key}").items()
        }
    text = "" if isinstance(value, bool) else str(value)
    return {path: float(text)} if re.fullmatch(r"\d+(\.\d+)?", text) else {}


def test_the_numbers_of_the_execution_input_are_the_defaults() -> None:
    block = re.search(r"```json\n(.*?)```", section("Execution input"), re.DOTALL)
    assert block is not None
    built = execution_input(
        smallest_pipeline(),
        RunIdentity("bank", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC), "0"),
        Account("123456789012", "eu-central-1"),
        images=ImageTable({"1.7-1": {"eu-central-1": "registry"}}),
        recipe_version="1.0",
        code=Code(files={"gate.py": b"", "evaluate.py": b""}),
    )
    shown = numbers(json.loads(block[1]))
    # A pipeline file must name it, so it has no default.
    del shown[".training.hyperparameters.num_round"]
    actual = numbers(built)
    assert shown == {path: actual[path] for path in shown}
    assert len(shown) >= 15


def test_each_state_is_under_its_stage() -> None:
    rows = dict(re.findall(r"^\| `([a-z]+)` \| (.+) \|$", section("Stages and states"), re.MULTILINE))
    assert list(rows) == [stage.value for stage in Stage]
    known = dict(states_of(DEFINITION))
    for stage, row in rows.items():
        named = [name for name in known if re.search(rf"(?:^|, ){re.escape(name)}(?:,|$)", row)]
        assert named, stage
        assert {STAGE_OF_STATE.get(name, Stage.DEPLOY) for name in named} == {Stage(stage)}
    for state, stage in STAGE_OF_STATE.items():
        assert state in rows[stage] or "Champion" in state, f"{state} is not under {stage}"


def test_every_error_of_brewtrain_is_in_the_table() -> None:
    documented = set(re.findall(r"`(Brewtrain\.\w+)`", section("Execution output")))
    failing = {str(error) for _, state in states_of(DEFINITION) if (error := state.get("Error"))}
    defined = {value for name, value in vars(error_names).items() if name.isupper() and value.startswith("Brewtrain.")}
    assert documented == failing
    assert documented | {error_names.DATA_QUALITY_FAILED} == defined - {error_names.STOPPED}


def test_outcomes_and_reasons_are_those_of_the_state_machine() -> None:
    output = section("Execution output")
    ends = [state["Parameters"] for _, state in states_of(DEFINITION) if "outcome" in state.get("Parameters", {})]
    for member in ("outcome", "reason"):
        choices = re.search(rf'"{member}": "([^"]+)"', output)
        assert choices is not None
        assert set(choices[1].split(" | ")) == {end[member] for end in ends}


def test_every_room_is_named() -> None:
    packages = [
        *(folder for folder in (PLUGINS / "brewtrain").iterdir()),
        *(folder for folder in (PLUGINS / "brewtrain" / "domain").iterdir()),
        *(folder for folder in (REPOSITORY / "local_aws").iterdir()),
    ]
    rooms = sorted({folder.name for folder in packages if (folder / "__init__.py").exists()})
    assert len(rooms) >= 20
    assert [room for room in rooms if f"{room}/`" not in section("The parts")] == []


def test_every_module_of_a_task_is_named() -> None:
    modules = {path.name for path in (PLUGINS / "brewtrain" / "operators").glob("*.py")} - {"__init__.py"}
    assert [module for module in sorted(modules) if f"{module}`" not in section("The parts")] == []
