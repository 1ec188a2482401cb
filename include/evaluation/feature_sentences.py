"""Says which features died or changed, for the gate and for the page.

A sentence names as many features as fit, at most ten, and how many more there are; evaluation.json
has all of them. Must not import anything outside the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import gate

_MOST_NAMED = 10
_NAME_CHARACTERS = 40
_LIST_CHARACTERS = 240  # so that verdict.json takes the sentence whole


@dataclass(frozen=True)
class _Text:
    """How a kind of change is told.

    :param title: What it is, for a table.
    :param one: Predicate, of one feature.
    :param many: Predicate, of several.
    :param none: Predicate, of no feature.
    :param still: Of features that had it in the champion's window too.
    :param detail: What to say of each feature, beside its name.
    :param advice: What to do.
    """

    title: str
    one: str
    many: str
    none: str
    still: str
    detail: Callable[[dict[str, Any]], str]
    advice: str


def findings(changes: list[dict[str, Any]], *, compared: bool) -> tuple[gate.FeatureFinding, ...]:
    """Say of every kind of change whether a feature has it.

    :param changes: As evaluation.json holds them.
    :param compared: Whether the champion's window is known.
    """
    kinds = gate.FEATURE_CHANGES if compared else (gate.ALL_NULL, gate.CONSTANT)
    return tuple(_finding(kind, [change for change in changes if change["change"] == kind]) for kind in kinds)


def _finding(kind: str, changes: list[dict[str, Any]]) -> gate.FeatureFinding:
    text = _TEXTS[kind]
    new = [change for change in changes if change["became"] is not False]
    if new:
        subject, predicate = ("1 feature", text.one) if len(new) == 1 else (f"{len(new)} features", text.many)
        return gate.FeatureFinding(kind, True, f"{subject} {predicate}: {_listed(new, text.detail)}", text.advice)
    still = f"; {text.still} as in the champion's window: {_listed(changes, _nothing)}" if changes else ""
    return gate.FeatureFinding(kind, False, f"no feature {text.none}{still}")


def _listed(changes: list[dict[str, Any]], detail: Callable[[dict[str, Any]], str]) -> str:
    parts: list[str] = []
    for change in changes[:_MOST_NAMED]:
        name = change["name"]
        part = (name if len(name) <= _NAME_CHARACTERS else name[: _NAME_CHARACTERS - 1] + "…") + detail(change)
        if parts and sum(len(one) + 2 for one in parts) + len(part) > _LIST_CHARACTERS:
            break
        parts.append(part)
    more = len(changes) - len(parts)
    return ", ".join(parts) + (f" and {more} more" if more else "")


def title(kind: str) -> str:
    """Name a kind of change in a few words.

    :param kind: One of :data:`gate.FEATURE_CHANGES`.
    """
    return _TEXTS[kind].title


def side_text(change: dict[str, Any], side: str) -> str:
    """Describe a feature in one of the windows, for a table.

    :param change: As evaluation.json holds it.
    :param side: ``before`` or ``now``.
    """
    seen = change[side]
    if change["change"] == gate.GONE:
        return "no such feature" if side == "now" else "a feature"
    if seen is None:
        return "not known"
    if change["change"] == gate.OTHER_CATEGORIES:
        return f"{_category(seen)}: {percent(seen['share'])}"
    if change["change"] == gate.MORE_NULLS:
        return f"{percent(seen['null_share'])} nulls"
    if seen["values"] == 0:
        return "no value"
    nulls = f", {percent(seen['null_share'])} nulls" if seen["null_share"] else ""
    if seen["values"] == 1 and seen["value"] is not None and seen["share"] == 1:
        return f"only {seen['value']:g}{nulls}"
    return f"{_values(seen)}{nulls}"


def percent(share: float | None) -> str:
    """Return a share as text, in which only what is nothing or all looks like it.

    :param share: 0 to 1; ``None`` if it is not known.
    """
    if share is None:
        return "unknown"
    if 0 < share < 0.001:
        return "<0.1%"
    return ">99.9%" if 0.999 < share < 1 else f"{share:.1%}"


def _values(side: dict[str, Any]) -> str:
    count = side["values"]
    return "more than 20 values" if count is None else f"{count} value{'' if count == 1 else 's'}"


def _category(side: dict[str, Any]) -> str:
    return "new values" if side["value"] is None else f"value {side['value']:g}"


def _nothing(change: dict[str, Any]) -> str:
    return ""


def _nulls(change: dict[str, Any]) -> str:
    if change["before"] is None:
        return ""
    psi = "" if change["psi"] is None else f", PSI {change['psi']:.2f}"
    return f" (nulls {percent(change['before']['null_share'])} → {percent(change['now']['null_share'])}{psi})"


def _constant(change: dict[str, Any]) -> str:
    value = f"{change['now']['value']:g}"
    return f" ({value})" if change["before"] is None else f" ({_values(change['before'])} → only {value})"


def _categories(change: dict[str, Any]) -> str:
    before, now = change["before"], change["now"]
    shares = f"{percent(before['share'])} → {percent(now['share'])}"
    return f" ({_category(now)}: {shares}, PSI {change['psi']:.2f})"


_SOURCE = "check the source and what the recipe makes of it"
_TEXTS = {
    gate.ALL_NULL: _Text(
        title="no value",
        one="has no value in any row",
        many="have no value in any row",
        none="lost all its values",
        still="without a value",
        detail=_nulls,
        advice="correct the source or the recipe",
    ),
    gate.GONE: _Text(
        title="gone",
        one="of the champion is no longer there",
        many="of the champion are no longer there",
        none="of the champion is missing",
        still="missing",
        detail=_nothing,
        advice=_SOURCE,
    ),
    gate.CONSTANT: _Text(
        title="constant",
        one="has the same value in every row",
        many="have the same value in every row",
        none="became constant",
        still="constant",
        detail=_constant,
        advice=f"{_SOURCE}, widen window_days, or delete the column in the recipe",
    ),
    gate.MORE_NULLS: _Text(
        title="more nulls",
        one="has many more nulls than in the champion's window",
        many="have many more nulls than in the champion's window",
        none="has many more nulls than in the champion's window",
        still="without values",
        detail=_nulls,
        advice=_SOURCE,
    ),
    gate.OTHER_CATEGORIES: _Text(
        title="other categories",
        one="has its values in other shares than in the champion's window",
        many="have their values in other shares than in the champion's window",
        none="has its values in other shares than in the champion's window",
        still="changed",
        detail=_categories,
        advice=_SOURCE,
    ),
}
