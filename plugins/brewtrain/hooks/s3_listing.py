"""A page of a listing read fast: what a check of 20,000 objects spends its time on.

botocore's own reading of a page of 1,000 objects costs some 60 ms of processor time, most of it for
times in a form that is always the same. Before botocore reads a page, its objects are taken out
here. A botocore that does not ask beforehand reads all of the page itself, to the same effect.
Must not be imported while DAG files are parsed.

Source: ListObjectsV2 in the Amazon S3 API Reference; the event ``before-parse`` of botocore, whose
handlers may add to the answer (``customized_response_dict``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from brewtrain.domain.input.delivered import StoredObject

OBJECTS = "BrewtrainObjects"
_EVENT = "before-parse.s3.ListObjectsV2"
_OK = 200


def read_fast(client: Any) -> None:
    """Make an S3 client read its listings fast; a second time changes nothing.

    :param client: boto3's client.
    """
    client.meta.events.register(_EVENT, _take_objects, unique_id="brewtrain-listing")


def objects_of(page: Mapping[str, Any]) -> list[StoredObject]:
    """Return the objects of a page of ListObjectsV2.

    :param page: The page, of a client that reads fast or of any other.
    """
    if OBJECTS in page:
        found: list[StoredObject] = page[OBJECTS]
        return found
    return [StoredObject(one["Key"], one["ETag"], one["Size"], one["LastModified"]) for one in page.get("Contents", ())]


def _take_objects(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Move the objects from a page's body to where botocore leaves them alone."""
    if response_dict.get("status_code") != _OK:
        return
    try:
        # As botocore reads the same bytes.
        root = ElementTree.fromstring(response_dict["body"])  # noqa: S314
        namespace = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
        encoded = root.findtext(f"{namespace}EncodingType") == "url"
        contents = root.findall(f"{namespace}Contents")
        objects = list(_objects(contents, namespace, encoded=encoded))
    except (ElementTree.ParseError, TypeError, ValueError):
        # botocore says what is wrong with it.
        return
    for one in contents:
        root.remove(one)
    customized_response_dict[OBJECTS] = objects
    response_dict["body"] = ElementTree.tostring(root)


def _objects(contents: list[ElementTree.Element], namespace: str, *, encoded: bool) -> Iterator[StoredObject]:
    tags = [f"{namespace}{name}" for name in ("Key", "ETag", "Size", "LastModified")]
    for one in contents:
        key, etag, size, modified = (one.findtext(tag) for tag in tags)
        if key is None or etag is None or size is None or modified is None:
            raise ValueError("an object of the listing lacks a field")
        yield StoredObject(unquote_plus(key) if encoded else key, etag, int(size), datetime.fromisoformat(modified))
