"""ListObjectsV2 without a delimiter: of a bucket of 20,000 objects, a page in milliseconds.

moto sorts all objects of a bucket, counts through them to the page, and serializes each object
field by field, which takes some 200 ms a page. Here the page is found by bisection and written as
text.

Source: ListObjectsV2 in the Amazon S3 API Reference.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_PARAMETERS = frozenset({"list-type", "prefix", "start-after", "continuation-token", "max-keys", "encoding-type"})
MOST_KEYS = 1000


def is_plain(query: dict[str, list[str]]) -> bool:
    """Whether a request asks for nothing that is left to moto.

    :param query: The request's query.
    """
    return query.keys() <= _PARAMETERS and query.get("continuation-token") != [""] and "list-type" in query


def page(backend: Any, bucket: Any, query: dict[str, list[str]]) -> str:
    """Return one page of a bucket's objects as XML.

    :param backend: moto's backend, which knows the continuation tokens.
    :param bucket: moto's bucket.
    :param query: The request's query; see :func:`is_plain`.
    """
    asked = {name: values[0] for name, values in query.items()}
    prefix, encoded = asked.get("prefix", ""), asked.get("encoding-type") == "url"
    most = min(int(asked.get("max-keys", MOST_KEYS)), MOST_KEYS)
    names = sorted(name for name in bucket.keys if name.startswith(prefix))
    token = asked.get("continuation-token")
    after = backend._pagination_tokens.get(token, "") if token else asked.get("start-after", "")
    objects = list(islice(_objects(bucket, names, bisect_right(names, after) if after else 0), most + 1))
    # moto makes the token, and remembers it.
    shown, truncated, following = backend._truncate_result(objects, most)
    fields = {
        "Name": bucket.name,
        "Prefix": _encoded(prefix) if encoded else prefix,
        "MaxKeys": str(most),
        "KeyCount": str(len(shown)),
        "IsTruncated": "true" if truncated else "false",
        "EncodingType": asked.get("encoding-type"),
        "ContinuationToken": token,
        "NextContinuationToken": following,
        "StartAfter": None if token else asked.get("start-after"),
    }
    head = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items() if value is not None)
    body = "".join(_object(one, encoded=encoded) for one in shown)
    return f'{_DECLARATION}<ListBucketResult xmlns="{_NAMESPACE}">{head}{body}</ListBucketResult>'


def _encoded(name: str) -> str:
    """Return a name as S3 encodes it: a blank is ``+``, as in a form."""
    return quote_plus(name, safe="/")


def _objects(bucket: Any, names: list[str], start: int) -> Iterator[Any]:
    from moto.s3.models import FakeDeleteMarker

    for number in range(start, len(names)):
        found = bucket.keys.get(names[number])
        if found is not None and not isinstance(found, FakeDeleteMarker):
            yield found


def _object(one: Any, *, encoded: bool) -> str:
    checksum = one.checksum_algorithm
    return (
        f"<Contents><Key>{escape(_encoded(one.name) if encoded else one.name)}</Key>"
        f"<LastModified>{one.last_modified_ISO8601}</LastModified><ETag>{escape(one.etag)}</ETag>"
        f"<Size>{one.size}</Size><StorageClass>{one.storage_class}</StorageClass>"
        f"{f'<ChecksumAlgorithm>{escape(checksum)}</ChecksumAlgorithm>' if checksum else ''}</Contents>"
    )
