"""Tags in requests: their condition keys, and the action that tagging on creation needs.

The keys are ``aws:RequestTag/…`` and ``aws:TagKeys``.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html. Must not import moto.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

from local_aws.core.call_identity import Call

#: Service prefix → the action that tags on creation need as well. See "Providing permissions for
#: tagging" in the guides of SageMaker and Step Functions. Glue has checked it since April 2024, and
#: DataBrew is assumed to do what Glue does.
TAGGING_ACTIONS = {
    "sagemaker": "sagemaker:AddTags",
    "glue": "glue:TagResource",
    "databrew": "databrew:TagResource",
    "states": "states:TagResource",
    "lambda": "lambda:TagResource",
    "sns": "sns:TagResource",
    "sqs": "sqs:TagQueue",
    "events": "events:TagResource",
    "logs": "logs:TagResource",
    "kms": "kms:TagResource",
    "cloudwatch": "cloudwatch:TagResource",
    "iam": None,
}


def request_tags(call: Call) -> dict[str, str]:
    """Return the tags of a request."""
    if call.service == "s3":
        return dict(urllib.parse.parse_qsl(call.headers.get("x-amz-tagging", ""), keep_blank_values=True))
    tags = _member(call.params, "Tags")
    tags = tags if tags is not None else _member(call.params, "TagsToAdd")
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    if isinstance(tags, list):
        pairs = [entry for entry in tags if isinstance(entry, Mapping)]
        return {str(_member(entry, "Key") or ""): str(_member(entry, "Value") or "") for entry in pairs}
    return _query_tags(call.params)


def _query_tags(params: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, dict[str, str]] = {}
    for name, value in params.items():
        match = re.fullmatch(r"Tags\.(?:member|entry)\.(\d+)\.(Key|Value)", name)
        if match:
            found.setdefault(match[1], {})[match[2]] = str(value)
    return {entry["Key"]: entry.get("Value", "") for entry in found.values() if "Key" in entry}


def tag_keys(call: Call) -> tuple[str, ...]:
    """Return the tag keys that a request names, also those of tags to be removed."""
    removed = _member(call.params, "TagKeys")
    if removed is None:
        removed = _member(call.params, "TagsToRemove")
    if isinstance(removed, str):
        removed = [removed]
    return (*request_tags(call), *(str(key) for key in removed or ()))


def context(call: Call) -> dict[str, tuple[str, ...]]:
    """Return the condition keys of a request's tags, in lower case, with their values."""
    keys: dict[str, tuple[str, ...]] = {
        f"aws:requesttag/{key.lower()}": (value,) for key, value in request_tags(call).items()
    }
    if names := tag_keys(call):
        keys["aws:tagkeys"] = names
    return keys


def _member(params: Mapping[str, Any], name: str) -> Any:
    """Return a member by its name, whatever the case of its first letter."""
    return params.get(name, params.get(name[:1].lower() + name[1:]))
