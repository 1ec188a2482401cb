"""Where the job services keep their resources: plain records in named tables, per account and region.

Records are dictionaries of JSON values and datetimes, so that a snapshot needs no pickle (a pickled
snapshot would run whatever is in it). Keys that start with an underscore are the service's own and
never leave it.

Must not import moto or boto3.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

Record = dict[str, Any]
Table = dict[str, Record]

_DATETIME_KEY = "$datetime"
_stores: dict[str, ServiceStore] = {}


class Partition:
    """The tables of one service in one account and region."""

    def __init__(self, account_id: str, region: str) -> None:
        self.account_id = account_id
        self.region = region
        self.tables: dict[str, Table] = {}

    def table(self, name: str) -> Table:
        """The table of that name; made when it does not exist."""
        return self.tables.setdefault(name, {})


class ServiceStore:
    """All partitions of one service, behind one lock.

    `lock` guards every read-modify-write of a record; handlers and supervisor threads both take it.
    It is re-entrant.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.lock = threading.RLock()
        self._partitions: dict[tuple[str, str], Partition] = {}
        self._after_load: list[Callable[[Partition], None]] = []
        _stores[service] = self

    def partition(self, account_id: str, region: str) -> Partition:
        """The partition of an account and region; made when it does not exist."""
        with self.lock:
            key = (account_id, region)
            if key not in self._partitions:
                self._partitions[key] = Partition(account_id, region)
            return self._partitions[key]

    def partitions(self) -> Iterator[Partition]:
        """Every partition that has been used."""
        with self.lock:
            return iter(list(self._partitions.values()))

    def after_load(self, mend: Callable[[Partition], None]) -> None:
        """Register what must happen to a partition's records after a restart, for example runs that
        died with the server.
        """
        if mend not in self._after_load:
            self._after_load.append(mend)

    def dump(self) -> str:
        """A snapshot of all records as JSON text."""
        with self.lock:
            content = [
                {"account": partition.account_id, "region": partition.region, "tables": partition.tables}
                for partition in self._partitions.values()
            ]
            return json.dumps(content, default=_encode)

    def load(self, snapshot: str) -> None:
        """Replace all records by those of a snapshot made by `dump`."""
        content = json.loads(snapshot, object_hook=_decode)
        with self.lock:
            self._partitions.clear()
            for entry in content:
                partition = self.partition(entry["account"], entry["region"])
                partition.tables = entry["tables"]
                for mend in self._after_load:
                    mend(partition)

    def clear(self) -> None:
        """Forget everything."""
        with self.lock:
            self._partitions.clear()


def stores() -> dict[str, ServiceStore]:
    """Every store that exists in this process, by service name; what persistence saves and loads."""
    return dict(_stores)


def public(record: Record) -> Record:
    """A record as it leaves the service: without the keys that are the service's own."""
    return {key: value for key, value in record.items() if not key.startswith("_") and value is not None}


def now() -> datetime:
    """The current time, in UTC, to the millisecond as AWS answers it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return {_DATETIME_KEY: value.isoformat()}
    raise TypeError(
        f"a record of the job store holds a {type(value).__name__}; only JSON values and datetimes can be kept"
    )


def _decode(value: dict[str, Any]) -> Any:
    if set(value) == {_DATETIME_KEY}:
        return datetime.fromisoformat(value[_DATETIME_KEY])
    return value
