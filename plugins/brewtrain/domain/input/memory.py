"""What earlier checks of a pipeline's input have seen, so that unchanged days are not read again.

A day is known by the digest of its objects' keys, ETags and sizes, and what a file has shown
follows from its content. So what is remembered is true of any window, whichever run wrote it, and a
memory that is lost, or that another run has overwritten, costs calls and nothing else. Must not
import Airflow or boto3.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from brewtrain.domain.input.head import FileHead, RaggedRow
from brewtrain.domain.input.observed import Observed, ObservedDay
from brewtrain.domain.pipeline.source import Source

RULES = 2
"""Raise it whenever a file may show something else than before."""
_MOST_OTHER_DAYS = 366


@dataclass(frozen=True)
class Memory:
    """What is remembered.

    :param rules: :func:`rules_of` the source for which it holds.
    :param days: What the files of a day have shown.
    """

    rules: str
    days: Mapping[date, ObservedDay] = field(default_factory=dict)

    def bounded(self, first: date, last: date) -> Memory:
        """Return the memory of a window's days, and of as many others beside it.

        Others are kept for the runs of other intervals, such as those of a backfill: the newest of
        them, as many as the window has days, but at least those of a year.

        :param first: First day of the window, included.
        :param last: Last day of the window, included.
        """
        inside = {day: found for day, found in self.days.items() if first <= day <= last}
        others = sorted(day for day in self.days if day not in inside)
        kept = others[-max(_MOST_OTHER_DAYS, (last - first).days + 1) :]
        return Memory(self.rules, inside | {day: self.days[day] for day in kept})


def rules_of(source: Source) -> str:
    """Return what changes when a file may be judged differently, by its source or by this release.

    :param source: The section of the pipeline file.
    """
    document = json.dumps([RULES, source.model_dump(mode="json")], sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()[:16]


def packed(memory: Memory) -> bytes:
    """Return a memory as it is stored: JSON, compressed by gzip.

    :param memory: The memory.
    """
    seen: dict[tuple[FileHead | None, str | None], int] = {}
    days = {
        day.isoformat(): [
            found.digest,
            found.whole,
            [[one.key, one.alike, seen.setdefault((one.head, one.fault), len(seen))] for one in found.files],
        ]
        for day, found in sorted(memory.days.items())
    }
    shown = [{"head": asdict(head) if head else None, "fault": fault} for head, fault in seen]
    document = {"rules": memory.rules, "shown": shown, "days": days}
    # Without a time in its header, the same memory is the same object.
    return gzip.compress(json.dumps(document, ensure_ascii=False).encode(), mtime=0)


def unpacked(content: bytes | None, rules: str) -> Memory:
    """Return a memory that was stored; an empty one if it was made by other rules.

    :param content: What :func:`packed` returned; ``None`` if nothing was stored.
    :param rules: :func:`rules_of` the source now.
    :raises ValueError: If it is not such a memory.
    """
    if content is None:
        return Memory(rules)
    try:
        document = json.loads(gzip.decompress(content))
        if document["rules"] != rules:
            return Memory(rules)
        shown = [(_head(one["head"]), one["fault"]) for one in document["shown"]]
        days = {date.fromisoformat(day): _day(entry, shown) for day, entry in document["days"].items()}
    except (zlib.error, OSError, EOFError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"it is not a memory of checks ({type(error).__name__}: {error})") from error
    return Memory(rules, days)


def _day(entry: Sequence[Any], shown: Sequence[tuple[FileHead | None, str | None]]) -> ObservedDay:
    digest, whole, files = entry
    observed = []
    for key, alike, number in files:
        head, fault = shown[number]
        observed.append(Observed(str(key), head, fault, int(alike)))
    return ObservedDay(str(digest), bool(whole), tuple(observed))


def _head(document: Mapping[str, Any] | None) -> FileHead | None:
    if document is None:
        return None
    ragged = document["ragged"]
    lists = {name: tuple(document[name]) for name in ("columns", "types")}
    return FileHead(**{**document, **lists, "ragged": RaggedRow(**ragged) if ragged else None})
