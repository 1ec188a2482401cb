"""What is known of a pipeline's days: which are validated, and how many rows they have.

One small JSON document a pipeline. A day is known by the digest of its files: delivered again, it
is new. Must not import Airflow or boto3.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.quality.history import DayFiles, DayRows

VERSION = 1


@dataclass(frozen=True)
class StoredFile:
    """A file of the source.

    :param key: Its key.
    :param etag: Its ETag, which changes with its content.
    :param size: Bytes.
    :param written: LastModified, aware.
    """

    key: str
    etag: str
    size: int
    written: datetime


def digest_of(files: Iterable[StoredFile]) -> str:
    """Return what changes when a file of a day is added, removed or changed; 32 hex digits."""
    lines = sorted(f"{one.key}\0{one.etag}\0{one.size}\n" for one in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:32]


def day_files(day: date, files: Iterable[StoredFile]) -> DayFiles:
    """Return the files of a day as its freshness is judged by them.

    :param day: The day.
    :param files: Its files, at least one.
    """
    files = list(files)
    contents = frozenset((one.etag, one.size) for one in files if one.size)
    return DayFiles(day, max(one.written for one in files), contents)


def rules_digest(pipeline: Pipeline) -> str:
    """Return what changes when a day has to be validated again because of its rules.

    :param pipeline: The pipeline file.
    """
    rules = pipeline.quality.databrew_rules if pipeline.quality else ()
    text = json.dumps([[rule.definition(), rule.on_fail] for rule in rules], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class KnownDay:
    """What is known of a day.

    :param digest: Of its files, see :func:`digest_of`.
    :param rules: Digest of the rules that it was validated with; ``None`` if it was not.
    :param rows: Its rows; ``None`` if nobody has counted them.
    """

    digest: str
    rules: str | None = None
    rows: int | None = None


@dataclass(frozen=True)
class DayMemory:
    """What is known of a pipeline's days.

    :param days: The days.
    """

    days: Mapping[date, KnownDay] = field(default_factory=dict)

    @classmethod
    def of(cls, document: object) -> DayMemory:
        """Read the document; one that is not there, or cannot be read, knows nothing.

        :param document: What :meth:`document` returned; ``None`` if there is none.
        """
        found = document.get("days") if isinstance(document, Mapping) and document.get("version") == VERSION else None
        days = {}
        for text, known in (found if isinstance(found, Mapping) else {}).items():
            if not isinstance(known, Mapping) or not isinstance(known.get("digest"), str):
                continue
            rules, rows = known.get("rules"), known.get("rows")
            try:
                day = date.fromisoformat(text)
            except ValueError:
                continue
            days[day] = KnownDay(
                known["digest"],
                rules if isinstance(rules, str) else None,
                rows if isinstance(rows, int) else None,
            )
        return cls(days)

    def document(self) -> dict[str, Any]:
        """Return the memory as JSON values."""
        return {
            "version": VERSION,
            "days": {
                day.isoformat(): {
                    "digest": known.digest,
                    **({} if known.rules is None else {"rules": known.rules}),
                    **({} if known.rows is None else {"rows": known.rows}),
                }
                for day, known in sorted(self.days.items())
            },
        }

    def validated(self, digests: Mapping[date, str], rules: str) -> set[date]:
        """Return the days that need no second look: same files, same rules.

        :param digests: Digest of each day's files now.
        :param rules: From :func:`rules_digest`.
        """
        return {
            day
            for day, digest in digests.items()
            if (known := self.days.get(day)) is not None and (known.digest, known.rules) == (digest, rules)
        }

    def with_validated(self, digests: Mapping[date, str], rules: str) -> DayMemory:
        """Return the memory after days were validated.

        :param digests: Digest of each day's files when they were.
        :param rules: From :func:`rules_digest`.
        """
        return DayMemory(
            {**self.days, **{day: replace(self._of(day, digest), rules=rules) for day, digest in digests.items()}}
        )

    def rows_of(self, day: date, digest: str) -> int | None:
        """Return how many rows a day with these files has; ``None`` if it is not known.

        :param digest: Digest of its files.
        """
        return self._of(day, digest).rows

    def with_rows(self, day: date, digest: str, rows: int) -> DayMemory:
        """Return the memory after the rows of a good day were counted.

        :param digest: Digest of its files.
        """
        return DayMemory({**self.days, day: replace(self._of(day, digest), rows=rows)})

    @property
    def history(self) -> list[DayRows]:
        """The days whose rows are known."""
        return [DayRows(day, known.rows) for day, known in self.days.items() if known.rows is not None]

    def _of(self, day: date, digest: str) -> KnownDay:
        known = self.days.get(day)
        return known if known is not None and known.digest == digest else KnownDay(digest)
