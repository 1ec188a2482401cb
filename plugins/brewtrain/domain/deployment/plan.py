"""What a deployment would change, resource by resource, as the log and the task's XCom say it.

Must not import Airflow or boto3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# A plan is read in a log: what differs is named, a document that differs everywhere is not printed
# whole.
MAX_DIFFERENCES = 8
_MAX_VALUE_LENGTH = 80


class Action(StrEnum):
    """What happens to a resource."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"

    @property
    def sign(self) -> str:
        """The sign that starts the resource's line in a plan."""
        return {Action.CREATE: "+", Action.UPDATE: "~", Action.UNCHANGED: "="}[self]


@dataclass(frozen=True)
class Change:
    """What a deployment does to one resource.

    :param action: Create, update or nothing.
    :param resource: Kind of the resource, e.g. ``Glue job``.
    :param name: Its name on AWS.
    :param differences: What differs, one short phrase each; empty when unchanged.
    """

    action: Action
    resource: str
    name: str
    differences: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The change as one line of a plan."""
        line = f"{self.action.sign} {self.action.value:<9}  {self.resource} {self.name}"
        return f"{line}: {'; '.join(self.differences)}" if self.differences else line

    def as_dict(self) -> dict[str, Any]:
        """Return the change for an XCom: names and differences, no documents."""
        return {
            "action": self.action.value,
            "resource": self.resource,
            "name": self.name,
            "differences": list(self.differences),
        }


def change(resource: str, name: str, *, exists: bool, differences: Sequence[str] = ()) -> Change:
    """Return the change that makes a resource what it should be.

    :param resource: Kind of the resource.
    :param name: Its name on AWS.
    :param exists: Whether it is there already.
    :param differences: How it differs from what it should be; cut after
        :data:`MAX_DIFFERENCES`.
    """
    if not exists:
        action = Action.CREATE
    elif differences:
        action = Action.UPDATE
    else:
        action = Action.UNCHANGED
    shown = tuple(differences[:MAX_DIFFERENCES])
    if len(differences) > len(shown):
        shown += (f"and {len(differences) - len(shown)} more",)
    return Change(action, resource, name, shown)


def summary(changes: Iterable[Change], *, done: bool) -> str:
    """Return the line that closes a plan.

    :param changes: The plan.
    :param done: Whether the changes have been made.
    """
    counts = Counter(item.action for item in changes)
    create, update, unchanged = (counts[action] for action in Action)
    if not create and not update:
        return f"Nothing to change: {unchanged} resources are as they should be."
    if done:
        return f"Deployed: {create} created, {update} updated, {unchanged} unchanged."
    return f"Plan: {create} to create, {update} to update, {unchanged} unchanged."


def mapping_differences(desired: Mapping[str, Any], actual: Mapping[str, Any], *, prefix: str = "") -> list[str]:
    """Say in which members two documents differ: ``path: actual → desired``, in order of path.

    :param desired: The document as it should be.
    :param actual: The document as it is.
    :param prefix: Path of the documents inside a larger one, for the phrases.
    """
    phrases: list[str] = []
    for key in sorted(desired.keys() | actual.keys()):
        path = f"{prefix}{key}"
        if key not in actual:
            phrases.append(f"{path}: none → {_shown(desired[key])}")
        elif key not in desired:
            phrases.append(f"{path}: {_shown(actual[key])} → none")
        elif isinstance(desired[key], Mapping) and isinstance(actual[key], Mapping):
            phrases.extend(mapping_differences(desired[key], actual[key], prefix=f"{path}."))
        elif desired[key] != actual[key]:
            phrases.append(f"{path}: {_shown(actual[key])} → {_shown(desired[key])}")
    return phrases


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, str | int | float | bool) else type(value).__name__
    text = " ".join(text.split())
    return text if len(text) <= _MAX_VALUE_LENGTH else f"{text[: _MAX_VALUE_LENGTH - 1]}…"
