"""Reads YAML as the author of a configuration file expects: no key twice, and no tabs.

PyYAML keeps the last of two equal keys and says nothing. Must not import Airflow or boto3.

Source: YAML 1.1, 3.2.1.3 "Node Comparison" (keys of a mapping are unique).
"""

from __future__ import annotations

from typing import Any

import yaml

# libyaml's composer recurses on the C stack, so that a deeply nested text would end the process:
# the length bounds it.
_MAX_CHARACTERS = 20_000


class YamlError(ValueError):
    """The text cannot be read without guessing; says the line and what to do."""


class _UniqueKeyLoader(yaml.SafeLoader):
    """A SafeLoader that refuses a mapping with two equal keys."""


class _FastUniqueKeyLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same on libyaml, where PyYAML has it: four times faster, with vaguer messages."""


def _construct_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    first: dict[Any, int] = {}
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        try:
            earlier = first.get(key)
        except TypeError:
            raise YamlError(f"has a list or mapping as a key at line {line}; a key is a word") from None
        if earlier is not None:
            raise YamlError(f"says {key!r} twice, at line {earlier} and line {line}; keep one")
        first[key] = line
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


def _construct_timestamp(loader: _UniqueKeyLoader, node: yaml.ScalarNode) -> Any:
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError as error:
        raise YamlError(
            f"has {node.value!r} at line {node.start_mark.line + 1}, which looks like a date but is not one ({error}); "
            "correct it, or put it in quotes"
        ) from None


for _loader in (_UniqueKeyLoader, _FastUniqueKeyLoader):
    _loader.add_constructor("tag:yaml.org,2002:timestamp", _construct_timestamp)
    _loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)


def load(text: str) -> Any:
    """Parse one YAML document.

    :param text: The document.
    :returns: Plain Python objects; ``None`` for a document without content.
    :raises YamlError: If it is not YAML, holds several documents, or gives a key twice. The message
        is a predicate, such as ``is not YAML at line 3, column 1: …``, for the caller to put the
        file's name before.
    """
    if len(text) > _MAX_CHARACTERS:
        raise YamlError(f"has {len(text)} characters; a pipeline file has at most {_MAX_CHARACTERS}")
    try:
        return yaml.load(text, Loader=_FastUniqueKeyLoader)  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError:
        # Read again, by the loader that says what is wrong.
        pass
    except RecursionError:
        raise YamlError("is nested too deeply; a pipeline file has a few levels") from None
    except (ValueError, OverflowError, LookupError, AttributeError, TypeError) as error:
        if isinstance(error, YamlError):
            raise
        # PyYAML does not catch what Python raises for a value that its tag does not fit, or for a
        # number of thousands of digits.
        raise YamlError(f"holds a value that is not what it looks like ({error}); put it in quotes") from None
    try:
        return yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError as error:
        raise YamlError(_sentence(error)) from None
    except RecursionError:
        raise YamlError("is nested too deeply; a pipeline file has a few levels") from None


def _sentence(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    if "'\\t'" in problem:
        return f"has a tab{where}; indent with spaces"
    if "cannot start any token" in problem:
        character = problem.split("'")[1] if problem.count("'") >= 2 else "it"
        return f"is not YAML{where}: a value cannot start with {character}; put it in quotes"
    if "found another document" in problem:
        return f"holds more than one document{where}; a file is one pipeline, remove the '---'"
    if "could not determine a constructor" in problem:
        return f"has a YAML tag{where}; write plain values, without '!'"
    if "special characters are not allowed" in str(error):
        return "holds control characters; save it as plain text"
    return f"is not YAML{where}: {problem}; check indentation, colons and quotes"
