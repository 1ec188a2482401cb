"""Which keys an event of S3 names, whatever else lies in the queue."""

from __future__ import annotations

import json
from typing import Any

import pytest

from brewtrain.domain.input.events import keys_of


def message(*keys: str, bucket: str = "lake", event: str = "ObjectCreated:Put") -> str:
    """Return a message as S3 writes it."""
    records: list[dict[str, Any]] = [
        {"eventVersion": "2.1", "eventName": event, "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}
        for key in keys
    ]
    return json.dumps({"Records": records})


NAMED = {
    "a key": (message("data/a.csv"), {"data/a.csv"}),
    "encoded": (message("data/dt%3D2026-11-30/x+y%2B%C3%A9.csv"), {"data/dt=2026-11-30/x y+é.csv"}),
    "several": (message("a", "b"), {"a", "b"}),
    "of an upload in parts": (message("a", event="ObjectCreated:CompleteMultipartUpload"), {"a"}),
}
NOT_NAMED = {
    "another bucket": message("a", bucket="other"),
    "a removal": message("a", event="ObjectRemoved:Delete"),
    "the test event": json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "lake"}),
    "no JSON": "hello",
    "no object": "[1]",
    "a null": "null",
    "records that are none": json.dumps({"Records": {"a": 1}}),
    "a record without a key": json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": {}}}, 7]}),
}


@pytest.mark.parametrize("name", NAMED)
def test_an_event_names_its_keys(name: str) -> None:
    body, keys = NAMED[name]
    assert keys_of(body, bucket="lake") == keys


@pytest.mark.parametrize("name", NOT_NAMED)
def test_anything_else_names_none(name: str) -> None:
    assert keys_of(NOT_NAMED[name], bucket="lake") == set()


def test_the_cases_are_all_there() -> None:
    assert (len(NAMED), len(NOT_NAMED)) == (4, 8)
