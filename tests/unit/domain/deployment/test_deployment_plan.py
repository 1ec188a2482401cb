"""How a plan reads."""

from __future__ import annotations

import json

from brewtrain.domain.deployment.plan import Action, change, mapping_differences, summary


def test_each_action_has_its_line() -> None:
    assert change("Glue job", "j", exists=False).line == "+ create     Glue job j"
    assert change("Glue job", "j", exists=True, differences=["Timeout: 1 → 2"]).line == (
        "~ update     Glue job j: Timeout: 1 → 2"
    )
    assert change("Glue job", "j", exists=True).line == "= unchanged  Glue job j"


def test_many_differences_are_counted_not_printed() -> None:
    line = change("Glue job", "j", exists=True, differences=[f"d{n}" for n in range(20)]).line
    assert "d7" in line
    assert "d8" not in line
    assert line.endswith("and 12 more")


def test_the_summary_counts() -> None:
    changes = [
        change("a", "a", exists=False),
        change("b", "b", exists=True, differences=["x"]),
        change("c", "c", exists=True),
    ]
    assert summary(changes, done=False) == "Plan: 1 to create, 1 to update, 1 unchanged."
    assert summary(changes, done=True) == "Deployed: 1 created, 1 updated, 1 unchanged."
    assert summary(changes[2:], done=True) == "Nothing to change: 1 resources are as they should be."


def test_a_plan_that_only_creates_or_only_updates_is_a_plan() -> None:
    assert summary([change("a", "a", exists=False)], done=False) == "Plan: 1 to create, 0 to update, 0 unchanged."
    updated = change("b", "b", exists=True, differences=["x"])
    assert summary([updated], done=True) == "Deployed: 0 created, 1 updated, 0 unchanged."


def test_eight_differences_are_named_and_a_ninth_is_counted() -> None:
    assert change("a", "a", exists=True, differences=["d"] * 8).differences == ("d",) * 8
    assert change("a", "a", exists=True, differences=["d"] * 9).differences == (*("d",) * 8, "and 1 more")


def test_a_change_fits_into_an_xcom() -> None:
    item = change("Glue job", "j", exists=True, differences=["x"])
    assert json.loads(json.dumps(item.as_dict())) == {
        "action": "update",
        "resource": "Glue job",
        "name": "j",
        "differences": ["x"],
    }
    assert item.action is Action.UPDATE


def test_differences_of_documents_name_the_path() -> None:
    desired = {"Timeout": 60, "Command": {"Name": "glueetl", "PythonVersion": "3"}, "Role": "r"}
    actual = {"Timeout": 120, "Command": {"Name": "pythonshell", "PythonVersion": "3"}, "Tags": {"a": "b"}}
    assert mapping_differences(desired, actual) == [
        "Command.Name: pythonshell → glueetl",
        "Role: none → r",
        "Tags: dict → none",
        "Timeout: 120 → 60",
    ]


def test_a_document_in_place_of_a_value_is_one_difference() -> None:
    assert mapping_differences({"a": {"b": 1}}, {"a": 2}) == ["a: 2 → dict"]
    assert mapping_differences({"a": 2}, {"a": {"b": 1}}) == ["a: dict → 2"]
    assert mapping_differences({"a": 1.5, "b": True}, {"a": [1], "b": False}) == ["a: list → 1.5", "b: False → True"]


def test_the_path_of_a_document_in_a_larger_one_is_named() -> None:
    assert mapping_differences({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, prefix="x.") == ["x.a.b.c: 2 → 1"]


def test_long_values_are_cut_at_80_characters_and_are_one_line() -> None:
    [phrase] = mapping_differences({"a": "x" * 500}, {"a": "y"})
    assert len(phrase) < 100
    assert mapping_differences({"a": "x" * 80}, {"a": "y\n z"}) == [f"a: y z → {'x' * 80}"]
    assert mapping_differences({"a": "x" * 81}, {"a": "y"}) == [f"a: y → {'x' * 79}…"]
