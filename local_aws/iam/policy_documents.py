"""Policy documents as objects: what a statement says, checked once when the document is read.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html. Must not
import moto.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from local_aws.iam import conditions
from local_aws.iam.conditions import Condition
from local_aws.iam.wildcards import without_variables

_VERSIONS = ("2012-10-17", "2008-10-17")
_KNOWN = frozenset(
    {
        "Sid",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Principal",
        "NotPrincipal",
        "Condition",
    }
)


class PolicyDocumentError(ValueError):
    """A policy document that IAM would reject; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Principals:
    """A ``Principal`` element.

    :param names: pairs of kind (``AWS``, ``Service``, ``Federated``, ``CanonicalUser``) and names.
    """

    names: tuple[tuple[str, tuple[str, ...]], ...]

    def of(self, kind: str) -> tuple[str, ...]:
        """Return the names of one kind."""
        return next((names for known, names in self.names if known == kind), ())


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy.

    Exactly one of ``actions`` and ``not_actions`` is not None, and at most one of the other pairs.
    """

    sid: str
    allow: bool
    actions: tuple[str, ...] | None
    not_actions: tuple[str, ...] | None
    resources: tuple[str, ...] | None
    not_resources: tuple[str, ...] | None
    principals: Principals | None
    not_principals: Principals | None
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document with its name.

    :param name: as messages show it: for example ``brewtrain``, or the ARN of a managed policy.
    :param statements: its statements in order.
    """

    name: str
    statements: tuple[Statement, ...]

    def without(self, sid: str) -> Policy:
        """Return the policy without the statements that have a Sid."""
        return Policy(self.name, tuple(statement for statement in self.statements if statement.sid != sid))


def parse(document: str | Mapping[str, Any], name: str = "policy") -> Policy:
    """Read a policy document.

    :param document: JSON text or the parsed object.
    :param name: for messages and for the record of used permissions.
    :raises PolicyDocumentError: IAM's grammar does not allow it.
    """
    if isinstance(document, str):
        return _parse_text(document, name)
    return _parse(document, name)


@lru_cache(maxsize=1024)
def _parse_text(text: str, name: str) -> Policy:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise PolicyDocumentError(f"The policy {name} is not JSON: {error}.") from error
    return _parse(document, name)


def _parse(document: Any, name: str) -> Policy:
    if not isinstance(document, Mapping):
        raise PolicyDocumentError(f"The policy {name} is not a JSON object.")
    version = document.get("Version", _VERSIONS[1])
    if version not in _VERSIONS:
        raise PolicyDocumentError(f"The policy {name} has Version {version!r}; IAM supports {' and '.join(_VERSIONS)}.")
    listed = document.get("Statement", [])
    listed = [listed] if isinstance(listed, Mapping) else listed
    variables = version == _VERSIONS[0]
    return Policy(name, tuple(_statement(item, number, name, variables) for number, item in enumerate(listed)))


def _statement(item: Any, number: int, policy: str, variables: bool) -> Statement:
    where = f"Statement {number} of the policy {policy}"
    if not isinstance(item, Mapping) or item.get("Effect") not in ("Allow", "Deny"):
        raise PolicyDocumentError(f"{where} has no Effect that is Allow or Deny.")
    if unknown := item.keys() - _KNOWN:
        raise PolicyDocumentError(f"{where} has the unknown element {sorted(unknown)[0]}.")
    for one, other in (("Action", "NotAction"), ("Resource", "NotResource"), ("Principal", "NotPrincipal")):
        if one in item and other in item:
            raise PolicyDocumentError(f"{where} has both {one} and {other}.")
    if "Action" not in item and "NotAction" not in item:
        raise PolicyDocumentError(f"{where} has neither Action nor NotAction.")
    try:
        parsed = conditions.parse(item.get("Condition") or {}, variables=variables)
    except ValueError as error:
        raise PolicyDocumentError(f"{where}: {error}") from error
    return Statement(
        sid=str(item.get("Sid") or f"#{number}"),
        allow=item["Effect"] == "Allow",
        actions=_listed(item, "Action"),
        not_actions=_listed(item, "NotAction"),
        resources=_listed(item, "Resource", variables=variables),
        not_resources=_listed(item, "NotResource", variables=variables),
        principals=_principals(item.get("Principal"), where),
        not_principals=_principals(item.get("NotPrincipal"), where),
        conditions=parsed,
    )


def _listed(item: Mapping[str, Any], element: str, *, variables: bool = True) -> tuple[str, ...] | None:
    if element not in item:
        return None
    value = item[element]
    listed = (value,) if isinstance(value, str) else tuple(str(entry) for entry in value)
    return listed if variables else tuple(without_variables(entry) for entry in listed)


def _principals(value: Any, where: str) -> Principals | None:
    if value is None:
        return None
    if value == "*":
        return Principals((("AWS", ("*",)), ("Service", ("*",))))
    if not isinstance(value, Mapping):
        raise PolicyDocumentError(f"{where}: Principal is neither * nor an object.")
    return Principals(tuple((str(kind), _names(names)) for kind, names in value.items()))


def _names(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
