"""Fault rules: AWS misbehaving on request, so that tests can see the product survive it.

Rules are data (``POST /_local/faults``), evaluated in the front before a call reaches its service:
a refused call has had no effect. Must not import moto.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from local_aws.core.aws_errors import Refusal
from local_aws.core.call_identity import Call

_EFFECTS = ("throttle", "http500", "delay", "error", "drop")
_FIELDS = {
    "service",
    "operation",
    "principal",
    "resource",
    "nth",
    "times",
    "probability",
    "seed",
    "after",
    "until",
    "for_seconds",
    "effect",
    "seconds",
    "code",
    "message",
    "status",
    "when",
}

#: Error code, status and message of services that throttle in their own way; all others say
#: ThrottlingException with HTTP 400.
_THROTTLE = {
    "s3": ("SlowDown", 503, "Please reduce your request rate."),
    "lambda": ("TooManyRequestsException", 429, "Rate Exceeded."),
    "sns": ("Throttling", 400, "Rate exceeded"),
    "iam": ("Throttling", 400, "Rate exceeded"),
    "sts": ("Throttling", 400, "Rate exceeded"),
    "cloudformation": ("Throttling", 400, "Rate exceeded"),
    "databrew": ("ThrottlingException", 429, "Rate exceeded"),
}


@dataclass(slots=True)
class FaultRule:
    """One rule: which calls it hits, and what happens to them.

    :param service: glob pattern, as are ``operation``, ``principal`` and ``resource``.
    :param nth: which matching calls (1 = first) are hit; empty for all.
    :param times: how many calls are hit at most.
    :param probability: share of the calls that are hit, drawn from a generator with ``seed``.
    :param after: epoch seconds from which the rule holds, until ``until``.
    :param when: ``before`` (the call has no effect) or ``after`` (the service does its work and
        the answer is lost).
    """

    id: str
    effect: str
    service: str = "*"
    operation: str = "*"
    principal: str = "*"
    resource: str = "*"
    nth: tuple[int, ...] = ()
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    after: float = 0.0
    until: float = float("inf")
    seconds: float = 0.0
    code: str = "InternalFailure"
    message: str = ""
    status: int = 400
    when: str = "before"
    matched: int = 0
    applied: int = 0
    _random: random.Random = field(default_factory=random.Random, repr=False)

    def hits(self, call: Call, now: float) -> bool:
        """Whether this rule acts on ``call``, which is counted."""
        if not (
            self.after <= now < self.until
            and fnmatchcase(call.service, self.service)
            and fnmatchcase(call.operation, self.operation)
            and fnmatchcase(call.principal.arn, self.principal)
            and fnmatchcase(call.resource, self.resource)
        ):
            return False
        self.matched += 1
        if self.nth and self.matched not in self.nth:
            return False
        if self.times is not None and self.applied >= self.times:
            return False
        if self.probability < 1.0 and self._random.random() >= self.probability:
            return False
        self.applied += 1
        return True

    def refusal(self, call: Call) -> Refusal:
        """Return the error that ``call`` gets from this rule."""
        if self.effect == "throttle":
            code, status, message = _THROTTLE.get(call.service, ("ThrottlingException", 400, "Rate exceeded"))
            return Refusal(code, message, status)
        if self.effect == "http500":
            return Refusal("InternalFailure", self.message or "Injected internal failure.", 500)
        return Refusal(self.code, self.message or f"Injected {self.code}.", self.status, drop=self.effect == "drop")


class FaultRules:
    """The rules in force, in the order in which they were added."""

    def __init__(self) -> None:
        self._rules: list[FaultRule] = []
        self._lock = threading.Lock()
        self._next_id = 1

    def add(self, data: Any) -> str:
        """Add a rule given as JSON.

        :raises ValueError: an unknown field or effect, or a value of the wrong type, named in the
            message.
        """
        if not isinstance(data, dict):
            raise ValueError("A fault rule must be a JSON object.")
        unknown = sorted(set(data) - _FIELDS)
        if unknown:
            raise ValueError(f"Unknown fault rule field {unknown[0]!r}; known are {', '.join(sorted(_FIELDS))}.")
        effect = data.get("effect")
        if effect not in _EFFECTS:
            raise ValueError(f"Fault rule needs 'effect', one of {', '.join(_EFFECTS)}; got {effect!r}.")
        if data.get("when", "before") not in ("before", "after"):
            raise ValueError("Fault rule field 'when' must be 'before' or 'after'.")
        nth = data.get("nth", ())
        try:
            rule = FaultRule(
                id="",
                effect=effect,
                service=str(data.get("service", "*")),
                operation=str(data.get("operation", "*")),
                principal=str(data.get("principal", "*")),
                resource=str(data.get("resource", "*")),
                nth=(int(nth),) if isinstance(nth, int) else tuple(int(item) for item in nth),
                times=None if data.get("times") is None else int(data["times"]),
                probability=float(data.get("probability", 1.0)),
                seed=int(data.get("seed", 0)),
                after=float(data.get("after", 0.0)),
                until=float(data.get("until", "inf")),
                seconds=float(data.get("seconds", 0.0)),
                code=str(data.get("code", "InternalFailure")),
                message=str(data.get("message", "")),
                status=int(data.get("status", 400)),
                when=str(data.get("when", "before")),
            )
            if "for_seconds" in data:
                rule.until = min(rule.until, max(rule.after, time.time()) + float(data["for_seconds"]))
        except (TypeError, ValueError) as error:
            raise ValueError(f"Fault rule has a value of the wrong type: {error}.") from error
        rule._random = random.Random(rule.seed)  # noqa: S311 - reproducible faults, not secrets
        with self._lock:
            rule.id = f"fault-{self._next_id}"
            self._next_id += 1
            self._rules.append(rule)
        return rule.id

    def clear(self, rule_id: str | None = None) -> int:
        """Remove one rule, or all without ``rule_id``, and return how many were removed."""
        with self._lock:
            kept = [rule for rule in self._rules if rule_id is not None and rule.id != rule_id]
            removed = len(self._rules) - len(kept)
            self._rules = kept
        return removed

    def describe(self) -> list[dict[str, Any]]:
        """List every rule with its counters."""
        with self._lock:
            return [
                {
                    "id": rule.id,
                    "effect": rule.effect,
                    "service": rule.service,
                    "operation": rule.operation,
                    "matched": rule.matched,
                    "applied": rule.applied,
                }
                for rule in self._rules
            ]

    def judge(self, call: Call) -> tuple[float, FaultRule | None]:
        """Return the seconds to wait, and the first rule that refuses the call, if any."""
        if not self._rules:
            return 0.0, None
        now, delay = time.time(), 0.0
        with self._lock:
            for rule in self._rules:
                if not rule.hits(call, now):
                    continue
                if rule.effect == "delay":
                    delay += rule.seconds
                    continue
                return delay + rule.seconds, rule
        return delay, None
