"""What runs print, in CloudWatch Logs under AWS's names, written with the run's own role.

As on AWS, a role that may not write logs does not fail the run: the lines are lost, and the run's
record says why.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

_MAX_EVENT_BYTES = 256 * 1024 - 26
_MAX_BATCH_EVENTS = 5_000
_MAX_BATCH_BYTES = 900_000


class LogStream:
    """One log stream, written in batches.

    :param client: a ``logs`` client with the run's keys.
    :param group: name of the log group.
    :param stream: name of the log stream.
    """

    def __init__(self, client: Any, group: str, stream: str) -> None:
        self._client = client
        self.group = group
        self.stream = stream
        self._created = False
        self.problem: str | None = None

    def write(self, lines: list[str]) -> None:
        """Append lines; the first call makes the stream and its group."""
        from botocore.exceptions import BotoCoreError, ClientError

        if not lines or self.problem is not None:
            return
        try:
            if not self._created:
                self._create()
            batch: list[dict[str, Any]] = []
            size = 0
            for line in lines:
                message = line.encode()[:_MAX_EVENT_BYTES].decode(errors="ignore") or " "
                length = len(message.encode()) + 26
                if batch and (len(batch) >= _MAX_BATCH_EVENTS or size + length > _MAX_BATCH_BYTES):
                    self._put(batch)
                    batch, size = [], 0
                batch.append({"timestamp": int(time.time() * 1000), "message": message})
                size += length
            self._put(batch)
        except (BotoCoreError, ClientError) as error:
            self.problem = f"the log cannot be written to {self.group}/{self.stream}: {error}"

    def _create(self) -> None:
        exists = self._client.exceptions.ResourceAlreadyExistsException
        try:
            self._client.create_log_stream(logGroupName=self.group, logStreamName=self.stream)
        except exists:
            pass
        except self._client.exceptions.ResourceNotFoundException:
            with contextlib.suppress(exists):
                self._client.create_log_group(logGroupName=self.group)
            with contextlib.suppress(exists):
                self._client.create_log_stream(logGroupName=self.group, logStreamName=self.stream)
        self._created = True

    def _put(self, events: list[dict[str, Any]]) -> None:
        self._client.put_log_events(logGroupName=self.group, logStreamName=self.stream, logEvents=events)


class LogTail:
    """Hands the new lines of a growing file to a log stream."""

    def __init__(self, path: Path, stream: LogStream) -> None:
        self._path = path
        self._stream = stream
        self._offset = 0
        self._rest = b""

    @property
    def problem(self) -> str | None:
        """Why lines were lost, ``None`` if none were."""
        return self._stream.problem

    def pump(self, *, final: bool = False) -> None:
        """Write what has been added to the file; with ``final`` also a last, unfinished line."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
            self._offset += len(data)
            self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        if final and self._rest:
            lines.append(self._rest)
            self._rest = b""
        self._stream.write([line.decode(errors="replace").rstrip("\r") for line in lines if line.strip()])
