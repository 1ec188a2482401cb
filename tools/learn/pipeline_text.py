"""Finds the place of the quality rules in the text of a pipeline file."""

from __future__ import annotations

from typing import Any

import yaml

from brewtrain.domain.quality.proposal_text import Place


class NotBlockStyleError(ValueError):
    """The section is written in brackets, so that lines cannot be added to it."""


def place_of_rules(text: str) -> Place:
    """Return where rules are added.

    :param text: The pipeline file, which is valid.
    :raises NotBlockStyleError: If ``quality`` or its ``rules`` are written in brackets.
    """
    lines = text.splitlines()
    for key, value in _pairs(yaml.compose(text, Loader=yaml.SafeLoader)):
        if key.value == "quality":
            return _in_section(lines, key, value)
    return Place(line=len(lines), removed=0, indent=4, heads=("", "quality:", "  rules:"))


def _in_section(lines: list[str], key: Any, section: Any) -> Place:
    line = key.start_mark.line
    if isinstance(section, yaml.ScalarNode):  # quality: learn
        return Place(line=line, removed=section.end_mark.line - line + 1, indent=4, heads=("quality:", "  rules:"))
    if section.flow_style:
        raise NotBlockStyleError("'quality' is written in brackets")
    inner = section.start_mark.column
    for name, rules in _pairs(section):
        if name.value != "rules":
            continue
        if rules.flow_style:
            raise NotBlockStyleError("'quality.rules' is written in brackets")
        return Place(line=_end(lines, rules), removed=0, indent=rules.start_mark.column, heads=())
    return Place(line=section.start_mark.line, removed=0, indent=inner + 2, heads=(f"{' ' * inner}rules:",))


def inner_indent(text: str) -> int:
    """Return the blanks before the fields of ``quality``.

    :param text: The pipeline file.
    """
    for key, value in _pairs(yaml.compose(text, Loader=yaml.SafeLoader)):
        if key.value == "quality" and isinstance(value, yaml.MappingNode):
            return int(value.start_mark.column)
    return 2


def _pairs(node: Any) -> list[tuple[Any, Any]]:
    return list(node.value) if isinstance(node, yaml.MappingNode) else []


def _end(lines: list[str], node: Any) -> int:
    """Return the number of lines up to a block's last: its mark is where the next one begins."""
    end = node.end_mark.line if node.end_mark.column == 0 else node.end_mark.line + 1
    end = min(end, len(lines))
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return int(end)
