"""Expressions of a definition evaluated on data: paths, payload templates and JSONata.

See https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html. Must import neither
moto nor boto3.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from local_aws.states.asl import intrinsics, jsonpath
from local_aws.states.asl.errors import PathNotFoundError, PathSyntaxError, RuntimeStateError, StateError
from local_aws.states.asl.texts import json_text

#: Characters of a document that a cause shows.
_SHOWN = 4096


@dataclass(slots=True)
class Scope:
    """What expressions of a state may use.

    :param context: the context object (``$$``).
    :param variables: name → value.
    """

    context: dict[str, Any]
    variables: dict[str, Any]


def path_value(text: str, document: Any, scope: Scope, field: str) -> Any:
    """Return the value of a path or of an intrinsic function.

    :param text: path (``$.a``, ``$$.Execution.Id``, ``$variable``) or call (``States.Format(…)``).
    :param document: what ``$`` means.
    :param scope: context object and variables.
    :param field: field of the definition that has the expression, for the error's cause.
    :raises StateError: ``States.Runtime`` for a missing path, or ``States.IntrinsicFailure``.
    """

    def resolve(path: jsonpath.Path) -> Any:
        try:
            return jsonpath.evaluate(path, document, scope.context, scope.variables)
        except PathNotFoundError as error:
            if path.root not in ("$", "$$"):
                where = "in the variables"
            elif path.root == "$$":
                where = f"in the context object '{json_text(scope.context)[:_SHOWN]}'"
            else:
                where = f"in the input '{json_text(document)[:_SHOWN]}'"
            raise RuntimeStateError(
                f"The JSONPath '{error.path}' specified for the field '{field}' could not be found {where}"
            ) from error

    try:
        if intrinsics.is_call(text):
            return intrinsics.parse(text).evaluate(resolve)
        return resolve(jsonpath.parse(text))
    except PathSyntaxError as error:
        raise RuntimeStateError(f"Invalid path '{text}' specified for the field '{field}': {error}") from error


def template_value(template: Any, document: Any, scope: Scope) -> Any:
    """Evaluate every ``.$`` field of a payload template (``Parameters``, ``ResultSelector``, …).

    See https://states-language.net/spec.html#payload-template.

    :param template: value of the field.
    :param document: what ``$`` means.
    :param scope: context object and variables.
    :raises StateError: see ``path_value``.
    """
    if isinstance(template, dict):
        result: dict[str, Any] = {}
        for key, value in template.items():
            if key.endswith(".$") and isinstance(value, str):
                result[key[:-2]] = path_value(value, document, scope, key)
            else:
                result[key] = template_value(value, document, scope)
        return result
    if isinstance(template, list):
        return [template_value(item, document, scope) for item in template]
    return template


def is_jsonata(value: Any) -> bool:
    """Whether a value is a JSONata expression: a string between ``{%`` and ``%}``."""
    return isinstance(value, str) and value.startswith("{%") and value.endswith("%}")


def jsonata_value(template: Any, states: dict[str, Any], variables: dict[str, Any], field: str) -> Any:
    """Evaluate every ``{% … %}`` of a JSONata template.

    See https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html.

    :param template: value of the field.
    :param states: what ``$states`` means.
    :param variables: name → value.
    :param field: field of the definition that has the template, for the error's cause.
    :raises StateError: ``States.QueryEvaluationError``.
    """
    if isinstance(template, dict):
        return {key: jsonata_value(value, states, variables, f"{field}/{key}") for key, value in template.items()}
    if isinstance(template, list):
        return [jsonata_value(item, states, variables, f"{field}[{index}]") for index, item in enumerate(template)]
    if not is_jsonata(template):
        return template
    try:
        import jsonata
    except ImportError as error:
        raise RuntimeStateError("JSONata needs the Python package jsonata-python in local_aws.") from error
    source = template[2:-2].strip()
    try:
        expression = jsonata.Jsonata(source)
        frame = expression.create_frame()
        frame.bind("states", states)
        for name, value in variables.items():
            frame.bind(name, value)
        result = expression.evaluate(None, frame)
    except Exception as error:
        raise StateError(
            "States.QueryEvaluationError",
            f"The JSONata expression '{source}' specified for the field '{field}' failed: {error}",
        ) from error
    if result is None and not _is_null(source):
        raise StateError(
            "States.QueryEvaluationError",
            f"The JSONata expression '{source}' specified for the field '{field}' returned nothing (undefined).",
        )
    return json.loads(json.dumps(result))


def _is_null(source: str) -> bool:
    return "null" in source
