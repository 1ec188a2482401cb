"""State kept across restarts (``--state-dir``)."""

from __future__ import annotations

from pathlib import Path


class StateDirectoryError(Exception):
    """The state directory cannot be read or written; the message says what to do."""


class StateDirectory:
    """Placeholder until the snapshot format lands in this change series."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def mark_changed(self) -> None: ...
