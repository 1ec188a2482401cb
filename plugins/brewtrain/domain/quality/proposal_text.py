"""Writes proposed quality rules into the text of a pipeline file, for a person to commit.

Comments and the rules that are there stay as they are: a rule of the user's about a column is not
questioned. Must not import Airflow or boto3, and reads no YAML itself: the caller says where the
section stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from brewtrain.domain.pipeline.quality import Quality
from brewtrain.domain.quality.learning import Learnt, Proposal
from brewtrain.domain.quality.rules import MAX_RULES

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What YAML 1.1 reads as something else than text.
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_REPEATED_ROWS = "DUPLICATE_ROWS"
_WIDTH = 100
_VALUES = frozenset({"in", "between", "at_least", "at_most", "matches"})


@dataclass(frozen=True)
class Place:
    """Where new lines go in a pipeline file.

    :param line: Number of lines before them.
    :param removed: Lines from there on that they replace.
    :param indent: Blanks before a rule's ``-``.
    :param heads: Lines that must stand before the rules, such as ``quality:``.
    """

    line: int
    removed: int
    indent: int
    heads: tuple[str, ...]


def unsaid(learnt: Learnt, quality: Quality | None) -> Learnt:
    """Return what is learnt about what the pipeline file says nothing of yet, as far as it fits.

    :param learnt: Everything that is learnt.
    :param quality: The file's section.
    """
    if quality is None:
        return _fitting(learnt, MAX_RULES)
    said = {(_kind(form), column) for rule in quality.rules for form, column in rule.short_forms()}
    proposals = tuple(one for one in learnt.proposals if (_kind(one.form), one.column) not in said)
    checked = any(rule.check and _REPEATED_ROWS in rule.check.upper() for rule in quality.rules)
    new = Learnt(
        proposals,
        None if checked else learnt.repeated_rows_percent,
        {} if quality.row_count is not None else learnt.row_count,
    )
    return _fitting(new, MAX_RULES - len(quality.databrew_rules))


def _fitting(learnt: Learnt, most: int) -> Learnt:
    """Return what makes at most so many rules."""
    room = max(0, most - (learnt.repeated_rows_percent is not None))
    left_out = len(learnt.proposals) - room
    return replace(learnt, proposals=learnt.proposals[:room], left_out=left_out) if left_out > 0 else learnt


def rule_lines(learnt: Learnt) -> list[str]:
    """Return rules in YAML: columns of which the same is said stand in one rule.

    :param learnt: What to say.
    :returns: Lines, to be indented alike.
    """
    together: dict[tuple[str, Decimal, str], list[Proposal]] = {}
    for one in learnt.proposals:
        together.setdefault((one.form, one.allowed_percent, one.on_fail), []).append(one)
    lines: list[str] = []
    for (form, allowed, on_fail), ones in together.items():
        lines += _says(form, ones)
        lines += [f"  threshold: {allowed:f}%"] if allowed else []
        lines += ["  on_fail: warn"] if on_fail == "warn" else []
    if learnt.repeated_rows_percent is not None:
        lines.append(f"- check: AGG({_REPEATED_ROWS}_PERCENTAGE) <= {learnt.repeated_rows_percent}")
    return lines


def with_rules(text: str, place: Place, rules: Iterable[str], comment: str, tail: Iterable[str] = ()) -> str:
    """Return a pipeline file with rules in it.

    :param text: The file.
    :param place: Where they go.
    :param rules: Rules in YAML, of :func:`rule_lines`.
    :param comment: What a reader of the file should know about them.
    :param tail: Lines after the rules, indented already.
    """
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    blanks = " " * place.indent
    new = [*place.heads, f"{blanks}# {comment}", *(f"{blanks}{rule}" for rule in rules), *tail]
    return "".join([*lines[: place.line], *(f"{line}\n" for line in new), *lines[place.line + place.removed :]])


def _kind(form: str) -> str:
    return "values" if form in _VALUES else form


def _says(form: str, proposals: Sequence[Proposal]) -> list[str]:
    if form in ("not_null", "unique"):
        return _wrapped(f"- {form}: [", [_scalar(one.column) for one in proposals])
    return [f"- {form}:", *(f"    {_scalar(one.column)}: {_value(one)}" for one in proposals)]


def _wrapped(line: str, items: Sequence[str]) -> list[str]:
    """Write a list in lines of a readable length, broken between its items."""
    lines = []
    for place, item in enumerate(items):
        end = "]" if place == len(items) - 1 else ","
        if len(line) + len(item) > _WIDTH and place:
            lines.append(line.rstrip())
            line = "    "
        line += f"{item}{end} "
    return [*lines, line.rstrip()]


def _value(proposal: Proposal) -> str:
    if proposal.form == "matches":
        return _scalar(proposal.value[0])
    return f"[{', '.join(_scalar(value) for value in proposal.value)}]"


def _scalar(value: str | Decimal) -> str:
    """Write a value so that YAML reads the same: JSON's text is YAML's too."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    plain = _PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS
    return value if plain else json.dumps(value, ensure_ascii=False)
