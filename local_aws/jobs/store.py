"""Where the job services keep their resources: records in tables, per account and region.

Records are dictionaries of JSON values and datetimes, so that a snapshot needs no pickle (loading a
pickle runs what is in it). Keys that start with an underscore are the service's own and never leave
it.

Must not import moto or boto3.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

Record = dict[str, Any]
Table = dict[str, Record]

_DATETIME_KEY = "$datetime"


class Partition:
    """The tables of one service in one account and region."""

    def __init__(self, account_id: str, region: str) -> None:
        self.account_id = account_id
        self.region = region
        self.tables: dict[str, Table] = {}

    def table(self, name: str) -> Table:
        """Return the table of that name, made if it does not exist."""
        return self.tables.setdefault(name, {})


class ServiceStore:
    """All partitions of one service, behind one lock.

    `lock` guards every read-modify-write of a record, by handlers and by the threads that watch
    runs. It is re-entrant.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._partitions: dict[tuple[str, str], Partition] = {}

    def partition(self, account_id: str, region: str) -> Partition:
        """Return the partition of an account and region, made if it does not exist."""
        with self.lock:
            key = (account_id, region)
            if key not in self._partitions:
                self._partitions[key] = Partition(account_id, region)
            return self._partitions[key]

    def dump(self) -> str:
        """Return all records as JSON text."""
        with self.lock:
            content = [
                {"account": partition.account_id, "region": partition.region, "tables": partition.tables}
                for partition in self._partitions.values()
            ]
            return json.dumps(content, default=_encode)

    def load(self, snapshot: str, *after_restart: Callable[[Partition], None]) -> None:
        """Replace all records by those of a snapshot.

        :param snapshot: made by `dump`.
        :param after_restart: called with each partition, for what cannot go on after a restart,
            such as runs that ended with the server.
        """
        content = json.loads(snapshot, object_hook=_decode)
        with self.lock:
            self._partitions.clear()
            for entry in content:
                partition = self.partition(entry["account"], entry["region"])
                partition.tables = entry["tables"]
                for correct in after_restart:
                    correct(partition)


def public(record: Record) -> Record:
    """Return a record as clients see it: without the service's own keys and without nulls."""
    return {key: value for key, value in record.items() if not key.startswith("_") and value is not None}


def now() -> datetime:
    """Return the current time in UTC, cut to milliseconds as AWS answers it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return {_DATETIME_KEY: value.isoformat()}
    raise TypeError(
        f"A record holds a value of type {type(value).__name__}; only JSON values and datetimes can be saved."
    )


def _decode(value: dict[str, Any]) -> Any:
    if set(value) == {_DATETIME_KEY}:
        return datetime.fromisoformat(value[_DATETIME_KEY])
    return value
