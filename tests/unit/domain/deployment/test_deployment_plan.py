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


def test_long_values_are_cut() -> None:
    [phrase] = mapping_differences({"a": "x" * 500}, {"a": "y"})
    assert len(phrase) < 100
