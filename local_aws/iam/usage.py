"""The record of what principals were allowed and denied.

It has one entry per principal, action, resource and context, with a count. ``GET
/_local/permissions`` shows it, and tests repeat its questions with a statement removed from the
policies. Must not import moto.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from local_aws.iam.evaluation import AccessRequest, Decision
from local_aws.iam.request_context import VOLATILE

#: Entries kept; further new ones are only counted as dropped.
_MAX_ENTRIES = 50_000


@dataclass(slots=True)
class _Entry:
    decision: Decision
    count: int = 0


_Key = tuple[str, str, str, tuple[tuple[str, tuple[str, ...]], ...]]


class PermissionUsage:
    """The record of one server; threads may use it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[_Key, _Entry] = {}
        self._dropped = 0

    def record(self, request: AccessRequest, decision: Decision) -> None:
        """Count a decision.

        :param request: what was asked; the sessions of a role count as one principal.
        :param decision: what was decided.
        """
        context = tuple(sorted((key, tuple(value)) for key, value in request.context.items() if key not in VOLATILE))
        principal = request.identity.role_arn or request.identity.arn
        key = (principal, request.action, request.resource, context)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                if len(self._entries) >= _MAX_ENTRIES:
                    self._dropped += 1
                    return
                entry = self._entries[key] = _Entry(decision)
            entry.decision = decision
            entry.count += 1

    def read(self) -> dict[str, Any]:
        """Return the record.

        :returns: ``permissions`` (allowed) and ``denied``, each sorted by principal, action and
            resource, and ``dropped``, how many entries did not fit.
        """
        with self._lock:
            entries, dropped = sorted(self._entries.items(), key=lambda item: item[0]), self._dropped
        described = [(entry.decision.allowed, _describe(key, entry)) for key, entry in entries]
        return {
            "permissions": [item for allowed, item in described if allowed],
            "denied": [item for allowed, item in described if not allowed],
            "dropped": dropped,
        }

    def clear(self) -> None:
        """Empty the record."""
        with self._lock:
            self._entries.clear()
            self._dropped = 0


def _describe(key: _Key, entry: _Entry) -> dict[str, Any]:
    principal, action, resource, context = key
    return {
        "principal": principal,
        "action": action,
        "resource": resource,
        "policy_type": entry.decision.policy_type,
        "policy": entry.decision.policy,
        "statement": entry.decision.sid,
        "count": entry.count,
        "context": {name: list(values) for name, values in context},
    }
