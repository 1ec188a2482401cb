"""JSONPath and intrinsic functions of Step Functions: values, missing nodes, syntax errors."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.states.asl import intrinsics, jsonpath
from local_aws.states.asl.errors import PathSyntaxError, RuntimeStateError, StateError
from local_aws.states.asl.query import Scope, path_value, template_value

DOCUMENT: dict[str, Any] = {
    "list": [{"Name": "x", "Value": 1}, {"Name": "y", "Value": 2}, {"Name": "x y", "Value": None}],
    "metrics": [{"MetricName": "validation:auc", "Value": 0.79}, {"MetricName": "train:auc", "Value": 0.9}],
    "text": "a/b,c",
    "da-sh": 3,
    "nested": {"deep": {"Value": 4}},
    "flag": True,
    "nothing": None,
    "empty": [],
}
SCOPE = Scope({"Execution": {"Name": "run", "RedriveCount": 0}}, {"var": {"items": [10, 20]}})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", DOCUMENT),
        ("$.list[1].Value", 2),
        ("$.list[-1].Name", "x y"),
        ("$.list[*].Value", [1, 2, None]),
        ("$.list[0:2].Value", [1, 2]),
        ("$.list[0,2].Value", [1, None]),
        ("$.list[?(@.Name=='x')].Value", [1]),
        ('$.list[?(@.Name == "x y")].Value', [None]),
        ("$.list[?(@.Name=='absent')].Value", []),
        ("$.list[?(@.Value > 1)].Name", ["y"]),
        ("$.list[?(@.Value >= 1 && @.Name != 'x')].Name", ["y"]),
        ("$.list[?(@.Name == 'x' || @.Name == 'y')].Value", [1, 2]),
        ("$.list[?(!(@.Name == 'x'))].Name", ["y", "x y"]),
        ("$.list[?(@.Missing)].Name", []),
        ("$.list[?(@.Name =~ /X.*/i)].Name", ["x", "x y"]),
        ("$.list[?(@.Name in ['y'])].Value", [2]),
        ("$.metrics[?(@.MetricName=='validation:auc')].Value", [0.79]),
        ("$..Value", [4, 1, 2, None, 0.79, 0.9]),
        ("$['da-sh']", 3),
        ("$.da-sh", 3),
        ("$['nested']['deep'].Value", 4),
        ("$.nested.*.Value", [4]),
        ("$.nothing", None),
        ("$.empty[*].x", []),
        ("$$.Execution.Name", "run"),
        ("$var.items[1]", 20),
    ],
)
def test_a_path_selects(path: str, value: Any) -> None:
    found = path_value(path, DOCUMENT, SCOPE, "field")
    if path == "$..Value":
        assert sorted(found, key=str) == sorted(value, key=str)
    else:
        assert found == value


@pytest.mark.parametrize("path", ["$.absent", "$.list[9]", "$.text.x", "$$.Nope", "$unset", "$.list.Name"])
def test_a_definite_path_that_is_missing_fails(path: str) -> None:
    with pytest.raises(RuntimeStateError) as caught:
        path_value(path, DOCUMENT, SCOPE, "field.$")
    assert caught.value.error == "States.Runtime"
    assert f"The JSONPath '{path}' specified for the field 'field.$' could not be found" in caught.value.cause


@pytest.mark.parametrize("path", ["", "list", "$.", "$.a[", "$.a[?(@.b==)]", "$.a['b]", "$ .a", "$.a b", "$.a[x]"])
def test_a_malformed_path_is_rejected(path: str) -> None:
    with pytest.raises(PathSyntaxError):
        jsonpath.parse(path)


@pytest.mark.parametrize(
    ("path", "value", "result"),
    [
        ("$.a", 1, {"k": {"n": 0}, "a": 1}),
        ("$.k.n", 1, {"k": {"n": 1}}),
        ("$.k.m.o", 1, {"k": {"n": 0, "m": {"o": 1}}}),
        ("$['k']['x y']", 1, {"k": {"n": 0, "x y": 1}}),
    ],
)
def test_assigning_does_not_change_the_document(path: str, value: Any, result: Any) -> None:
    document = {"k": {"n": 0}}
    assert jsonpath.assign(jsonpath.parse(path), document, value) == result
    assert document == {"k": {"n": 0}}


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("States.Format('{}-{}', $.text, $.list[0].Value)", "a/b,c-1"),
        (r"States.Format('it\'s \{{}\}', 'x')", "it's {x}"),
        ("States.Format('{}', $.flag)", "true"),
        ("States.StringToJson('{\"a\":[1]}')", {"a": [1]}),
        ("States.JsonToString($.nested)", '{"deep":{"Value":4}}'),
        ("States.Array($.flag, 1, null, 'x')", [True, 1, None, "x"]),
        ("States.ArrayPartition(States.Array(1,2,3), 2)", [[1, 2], [3]]),
        ("States.ArrayContains(States.Array(1,2), 2)", True),
        ("States.ArrayContains(States.Array(1), true)", False),
        ("States.ArrayRange(1, 9, 4)", [1, 5, 9]),
        ("States.ArrayRange(3, 1, -1)", [3, 2, 1]),
        ("States.ArrayGetItem($.metrics[?(@.MetricName=='train:auc')].Value, 0)", 0.9),
        ("States.ArrayLength($.list)", 3),
        ("States.ArrayUnique(States.Array(1,1,'1'))", [1, "1"]),
        ("States.Base64Encode('ä')", "w6Q="),
        ("States.Base64Decode('w6Q=')", "ä"),
        ("States.Hash('x', 'SHA-256')", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
        ("States.JsonMerge($.nested, States.StringToJson('{\"a\":1}'), false)", {"deep": {"Value": 4}, "a": 1}),
        ("States.MathAdd(1, -3)", -2),
        ("States.StringSplit($.text, '/,')", ["a", "b", "c"]),
        ("States.ArrayGetItem(States.StringSplit($$.Execution.Name, '-'), 0)", "run"),
    ],
)
def test_an_intrinsic_function_returns(call: str, value: Any) -> None:
    assert path_value(call, DOCUMENT, SCOPE, "field") == value


def test_a_uuid_has_36_characters() -> None:
    assert len(path_value("States.UUID()", {}, SCOPE, "f")) == 36


def test_a_random_number_is_in_its_range_and_repeatable_by_its_seed() -> None:
    assert path_value("States.MathRandom(1, 3)", {}, SCOPE, "f") in (1, 2)
    seeded = [path_value("States.MathRandom(0, 1000000, 7)", {}, SCOPE, "f") for _ in range(2)]
    assert seeded[0] == seeded[1]


def test_aws_has_18_intrinsic_functions() -> None:
    assert len(intrinsics.FUNCTIONS) == 18


@pytest.mark.parametrize(
    "call",
    [
        "States.ArrayGetItem($.empty, 0)",
        "States.ArrayGetItem($.text, 0)",
        "States.Format('{} {}', 1)",
        "States.StringToJson('{')",
        "States.Base64Decode('*')",
        "States.ArrayRange(1, 2, 0)",
        "States.ArrayRange(1, 5000, 1)",
        "States.Hash('x', 'CRC')",
        "States.JsonMerge($.nested, $.nested, true)",
        "States.MathAdd('1', 2)",
        "States.ArrayLength($.text)",
    ],
)
def test_an_intrinsic_function_with_wrong_arguments_fails(call: str) -> None:
    with pytest.raises(StateError) as caught:
        path_value(call, DOCUMENT, SCOPE, "field")
    assert caught.value.error == "States.IntrinsicFailure"
    assert call.split("(")[0] in caught.value.cause


@pytest.mark.parametrize("call", ["States.Nope()", "States.Format('x'", "States.Format(x)", "States.Format('x') y"])
def test_a_malformed_call_is_rejected(call: str) -> None:
    with pytest.raises(PathSyntaxError):
        intrinsics.parse(call)


def test_a_template_evaluates_only_fields_that_end_in_dollar() -> None:
    template = {"a.$": "$.flag", "b": "$.flag", "c": [{"d.$": "States.ArrayLength($.list)"}], "e": None}
    assert template_value(template, DOCUMENT, SCOPE) == {"a": True, "b": "$.flag", "c": [{"d": 3}], "e": None}
