"""S3 as a run that waits for its data sees it: many partitions in few listings.

Must not be imported while DAG files are parsed.

Source: ListObjectsV2 in the Amazon S3 API Reference: keys come in UTF-8 order, up to 1,000 a call,
and ``StartAfter`` may be any text. GetBucketNotificationConfiguration in the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.input.completeness import StoredObject
from brewtrain.hooks.aws_errors import ACCESS_DENIED_CODES, error_code
from brewtrain.hooks.connection import AwsClientHook

# Sorts behind what keys are usually written with, so that a listing that starts after a text that
# ends with it starts at the next prefix.
_BEHIND = "~"


@dataclass
class Listing:
    """What some calls have listed.

    :param found: The objects below each prefix that was answered.
    :param calls: Number of calls.
    :param at: S3's clock at the last call, aware; ``None`` without one.
    """

    found: dict[str, tuple[StoredObject, ...]] = field(default_factory=dict)
    calls: int = 0
    at: datetime | None = None


@dataclass(frozen=True)
class EventQueue:
    """A queue that a bucket tells of new objects.

    :param arn: Its ARN.
    :param prefix: Of the keys that it is told of.
    :param suffix: The same, what they end with.
    """

    arn: str
    prefix: str = ""
    suffix: str = ""

    @property
    def name(self) -> str:
        """Name of the queue."""
        return self.arn.rsplit(":", 1)[-1]


Enough = Callable[[str, Sequence[StoredObject]], bool]


class S3ArrivalHook(AwsClientHook):
    """Partitions that somebody waits for."""

    service = "s3"

    def list_each(
        self, bucket: str, prefixes: Sequence[str], *, enough: Enough, at_most: int, together: bool = True
    ) -> Listing:
        """List what is below each of many prefixes, many in one call where they lie close.

        A call lists what the prefixes that are left have in common, from the first of them on. It
        answers all those up to its last key: at least one a call, unless that one has more objects
        than a call returns, and all of them if there is little else between.

        :param prefixes: In any order; answered in the order of keys.
        :param enough: Whether the objects listed so far tell what there is to know of a prefix.
        :param at_most: Calls, after which no further prefix is begun.
        :param together: Whether a call may list what lies between two prefixes; a policy may allow
            each prefix alone.
        :raises DeploymentError: If AWS refuses.
        :raises TransientError: If AWS could not be asked.
        """
        listing = Listing()
        left = sorted(set(prefixes))
        while left and listing.calls < at_most:
            shared = _in_common(left[0], left[-1]) if together else left[0]
            start = "" if shared == left[0] else _before(left[0])
            left = self._answer(bucket, shared, start, left, listing, enough)
        return listing

    def _answer(
        self, bucket: str, shared: str, start: str, left: list[str], listing: Listing, enough: Enough
    ) -> list[str]:
        """List from one prefix on until it is answered; return the prefixes that are not."""
        first = left[0]
        objects: list[StoredObject] = []
        while True:
            page, truncated = self._page(bucket, shared, start, listing)
            last = page[-1].key if page else ""
            objects += [one for one in page if one.key.startswith(first)]
            if truncated and last.startswith(first) and not enough(first, objects):
                start = last
                continue
            listing.found[first] = tuple(objects)
            rest = left[1:]
            while rest and rest[0].startswith(shared) and (not truncated or _is_behind(last, rest[0])):
                # One that lies within the first may have been on any of its pages.
                seen = objects if rest[0].startswith(first) else page
                listing.found[rest[0]] = tuple(one for one in seen if one.key.startswith(rest[0]))
                rest = rest[1:]
            return rest

    def _page(self, bucket: str, prefix: str, start: str, listing: Listing) -> tuple[list[StoredObject], bool]:
        where = {"StartAfter": start} if start else {}
        with self.errors(f"s3://{bucket}/{prefix}"):
            try:
                answer = self.conn.list_objects_v2(Bucket=bucket, Prefix=prefix, **where)
            except ClientError as error:
                if error_code(error) == "NoSuchBucket":
                    raise DeploymentError(
                        f"bucket {bucket!r} does not exist any more; deploy include/cloudformation/storage.yaml, or "
                        "name the right bucket in the pipeline file, then clear check_input"
                    ) from error
                raise
        listing.calls += 1
        listing.at = _time_of(answer)
        objects = [
            StoredObject(one["Key"], one["Size"], one.get("ETag", ""), one["LastModified"])
            for one in answer.get("Contents", ())
        ]
        return objects, bool(answer.get("IsTruncated"))

    def event_queues(self, bucket: str) -> list[EventQueue]:
        """Return the queues that the bucket tells of new objects.

        :returns: Empty if it tells none, or if the role may not ask.
        :raises TransientError: If AWS could not be asked.
        """
        with self.errors(f"notifications of s3://{bucket}"):
            try:
                answer = self.conn.get_bucket_notification_configuration(Bucket=bucket)
            except ClientError as error:
                if error_code(error) in ACCESS_DENIED_CODES | {"NoSuchBucket"}:
                    self.log.info("s3://%s is polled: its notifications cannot be read (%s)", bucket, error)
                    return []
                raise
        return [_event_queue(one) for one in answer.get("QueueConfigurations", ()) if _tells_of_new(one)]


def _event_queue(configuration: dict[str, Any]) -> EventQueue:
    rules = configuration.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    named = {str(rule["Name"]).lower(): str(rule["Value"]) for rule in rules}
    return EventQueue(configuration["QueueArn"], named.get("prefix", ""), named.get("suffix", ""))


def _tells_of_new(configuration: dict[str, Any]) -> bool:
    return "s3:ObjectCreated:*" in configuration.get("Events", ())


def _time_of(answer: dict[str, Any]) -> datetime:
    """Return S3's own clock, since the times of its objects are by it."""
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(str(said)).astimezone(UTC)
    except ValueError:
        return datetime.now(UTC)


def _in_common(first: str, last: str) -> str:
    """Return what all texts begin with that lie between two in the order of keys, both included."""
    length = next(
        (at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last))
    )
    return first[:length]


def _before(prefix: str) -> str:
    """Return a text behind which a listing begins with the prefix, or shortly before it."""
    return f"{prefix[:-1]}{chr(ord(prefix[-1]) - 1)}{_BEHIND}"


def _is_behind(key: str, prefix: str) -> bool:
    """Whether a key is behind everything below a prefix."""
    return key > prefix and not key.startswith(prefix)
