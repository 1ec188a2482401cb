"""The condition keys that every request has: who calls, when, from where, over which protocol.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html. Must
not import moto.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping

from local_aws.core.call_identity import Call
from local_aws.iam.evaluation import Identity

#: Keys that are different in every request; where requests are counted, they are left out.
VOLATILE = frozenset({"aws:currenttime", "aws:epochtime", "aws:useragent", "aws:sourceip", "aws:userid"})


class RequestContext(Mapping[str, tuple[str, ...]]):
    """Condition keys of one permission check.

    The tags of the resource are read only if a condition asks for them.

    :param keys: keys in lower case → values.
    :param resource_tags: returns the resource's tags; called once at most, for
        ``aws:ResourceTag/…``.
    """

    def __init__(self, keys: Mapping[str, tuple[str, ...]], resource_tags: Callable[[], Mapping[str, str]]) -> None:
        self._keys = dict(keys)
        self._resource_tags: Callable[[], Mapping[str, str]] | None = resource_tags

    def __getitem__(self, key: str) -> tuple[str, ...]:
        if key not in self._keys and "resourcetag/" in key and self._resource_tags is not None:
            look_up, self._resource_tags = self._resource_tags, None
            self._keys |= {f"aws:resourcetag/{name.lower()}": (value,) for name, value in look_up().items()}
        return self._keys[key if key in self._keys else _of_any_service(key)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _of_any_service(key: str) -> str:
    # Some services have their own key for the same tag: sagemaker:ResourceTag/x,
    # glue:resourceTag/x.
    _, separator, tag = key.partition(":resourcetag/")
    return f"aws:resourcetag/{tag}" if separator else key


def global_keys(call: Call, identity: Identity, now: datetime.datetime) -> dict[str, tuple[str, ...]]:
    """Return the keys of a request that do not depend on the action.

    A request counts as made over TLS, although local_aws serves plain HTTP on the loopback, unless
    a proxy says that it was not (``X-Forwarded-Proto: http``).

    :param call: the call.
    :param identity: who makes it.
    :param now: time of the request, in UTC.
    """
    keys: dict[str, tuple[str, ...]] = {
        "aws:securetransport": ("false" if call.headers.get("x-forwarded-proto") == "http" else "true",),
        "aws:sourceip": (call.source_ip,),
        "aws:currenttime": (now.strftime("%Y-%m-%dT%H:%M:%SZ"),),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:requestedregion": (call.region,),
        "aws:viaawsservice": ("false",),
    }
    if agent := call.headers.get("user-agent"):
        keys["aws:useragent"] = (agent,)
    return keys | principal_keys(identity)


def principal_keys(identity: Identity) -> dict[str, tuple[str, ...]]:
    """Return the keys that describe the caller."""
    if identity.kind == "anonymous":
        return {"aws:principaltype": ("Anonymous",), "aws:principalisawsservice": ("false",)}
    if identity.kind == "service":
        return {"aws:principalisawsservice": ("true",), "aws:principalservicename": (identity.arn,)}
    kinds = {"root": "Account", "user": "User", "role": "AssumedRole"}
    keys: dict[str, tuple[str, ...]] = {
        "aws:principalarn": (identity.role_arn or identity.arn,),
        "aws:principalaccount": (identity.account_id,),
        "aws:principaltype": (kinds[identity.kind],),
        "aws:principalisawsservice": ("false",),
    }
    name = identity.arn.rsplit("/", 1)[-1]
    if identity.kind == "user":
        keys["aws:username"] = (name,)
        keys["aws:userid"] = (identity.arn,)
    elif identity.kind == "role":
        keys["aws:userid"] = (f"{(identity.role_arn or '').rsplit('/', 1)[-1]}:{name}",)
    return keys
