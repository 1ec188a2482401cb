"""State kept across restarts (``--state-dir``): moto's backends and the services' own records.

One file holds everything. It is written under another name and renamed, so that after a crash the
state is that of one moment: complete or absent. Reading it constructs only classes of moto,
local_aws and plain data types, never functions, so that a state file from elsewhere cannot run
code. Must not import moto when it is imported: whoever changes state reports it here.
"""

from __future__ import annotations

import fcntl
import io
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from local_aws.core import services

_FORMAT = 1
_SNAPSHOT = "snapshot.bin"
_QUIET_SECONDS = 1.0
#: Saving may take at most a tenth of the time.
_PAUSE_PER_SECOND_OF_SAVING = 9.0
_ATTEMPTS = 5

#: moto backends that are saved; the services of local_aws keep their own state (``snapshot`` and
#: ``restore``).
MOTO_SERVICES = (
    "s3", "iam", "sts", "sns", "sqs", "logs", "cloudwatch", "events", "cloudformation", "glue", "databrew",
    "sagemaker", "secretsmanager", "dynamodb",
)  # fmt: skip

#: Modules of classes that older state files name → where they are now. A class that moves to
#: another module gets an entry here, or a new `_FORMAT`.
_MOVED_MODULES = {"local_aws.stack_bucket_policy": "local_aws.s3.stack_bucket_policy"}

_SAFE_MODULES = ("moto.", "local_aws.")
_SAFE_NAMES = {
    "builtins": {"set", "frozenset", "bytearray", "complex", "range", "slice", "object", "list", "dict", "tuple", "int",
                 "float", "str", "bytes", "bool"},
    "collections": {"OrderedDict", "defaultdict", "deque", "Counter"},
    "datetime": {"datetime", "date", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "uuid": {"UUID"},
    "re": {"_compile"},
    "zoneinfo": {"ZoneInfo"},
    "botocore.utils": {"CaseInsensitiveDict"},
    "werkzeug.datastructures.headers": {"Headers"},
    "threading": {"RLock", "Lock", "Condition"},
    "copyreg": {"_reconstructor"},
    "dateutil.tz.tz": {"tzutc", "tzlocal"},
    "tempfile": {"SpooledTemporaryFile"},
}  # fmt: skip


_listeners: list[Callable[[], None]] = []


def state_changed() -> None:
    """Report that something that ``--state-dir`` keeps has changed.

    The front does so after each call; a job that ends by itself, without any call, does it itself.
    """
    for listener in tuple(_listeners):
        listener()


class StateDirectoryError(Exception):
    """The state directory cannot be read or written; the message says what to do."""


class _Pickler(pickle.Pickler):
    """Writes backends as references, and locks as new ones."""

    def __init__(self, file: IO[bytes], references: dict[int, tuple[str, str, str]]) -> None:
        super().__init__(file, protocol=5)
        self._references = references

    def persistent_id(self, value: Any) -> Any:
        return self._references.get(id(value))

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type(threading.RLock())):
            return threading.RLock, ()
        if isinstance(value, type(threading.Lock())):
            return threading.Lock, ()
        if isinstance(value, threading.Condition):
            return threading.Condition, ()
        return NotImplemented


def _bound_method(owner: Any, name: str) -> Any:
    """Replace pickle's ``getattr``: public methods of moto and local_aws only."""
    kind = owner if isinstance(owner, type) else type(owner)
    if name.startswith("_") or not kind.__module__.startswith(_SAFE_MODULES):
        raise pickle.UnpicklingError(f"{kind.__module__}.{kind.__qualname__}.{name} is not allowed in a state file")
    return getattr(owner, name)


class _Unpickler(pickle.Unpickler):
    """Constructs plain data and classes of moto and local_aws, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "getattr"):
            return _bound_method
        if name in _SAFE_NAMES.get(module, ()):
            return super().find_class(module, name)
        module = _MOVED_MODULES.get(module, module)
        if module.startswith(_SAFE_MODULES):
            # A dotted name could reach what such a module has merely imported.
            found = self._class(module, name)
            if isinstance(found, type) and found.__module__.startswith(_SAFE_MODULES):
                return found
        if module == "_thread" and name in ("RLock", "allocate_lock", "lock"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a state file")

    def _class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except (AttributeError, ModuleNotFoundError) as error:
            raise pickle.UnpicklingError(
                f"{module}.{name} is not allowed in a state file: it does not exist in this version"
            ) from error

    def persistent_load(self, reference: Any) -> Any:
        service, account, region = reference
        return _backend(service, account, region)


def load_safely(raw: bytes) -> Any:
    """Load a pickle that may construct only plain data and classes of moto and local_aws.

    :raises pickle.UnpicklingError: it names anything else.
    """
    return _Unpickler(io.BytesIO(raw)).load()


def _backend(service: str, account: str, region: str) -> Any:
    from moto.backends import get_backend

    return get_backend(service)[account][region]


def _backends(service: str) -> Iterator[tuple[str, str, Any]]:
    from moto.backends import get_backend

    if f"moto.{service}.models" not in sys.modules:
        # Not used in this process: there is nothing to save, and importing it is slow.
        return
    accounts = get_backend(service)
    for account in list(accounts):
        for region in list(accounts[account]):
            yield account, region, accounts[account][region]


class StateDirectory:
    """A folder with the state of one server.

    :param path: the folder; made if it does not exist.
    :raises StateDirectoryError: it cannot be made, or another server uses it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._changed = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._reported: set[str] = set()
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock_file = (path / "lock").open("w")
        except OSError as error:
            raise StateDirectoryError(
                f"State directory {path} cannot be used ({error.strerror}): choose another one with --state-dir."
            ) from error
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock_file.close()
            raise StateDirectoryError(
                f"State directory {path} is in use by another local_aws: stop it or choose another --state-dir."
            ) from error
        _listeners.append(self.mark_changed)

    def load(self) -> None:
        """Load the saved state, if there is one.

        :raises StateDirectoryError: it is damaged or of another version.
        """
        file = self.path / _SNAPSHOT
        if not file.exists():
            return
        from importlib.metadata import version

        try:
            content = load_safely(file.read_bytes())
            written = (content["format"], content["moto"])
            if written == (_FORMAT, version("moto")):
                self._restore(content)
                return
        except Exception as error:
            self._release()
            raise StateDirectoryError(
                f"State in {file} cannot be read ({type(error).__name__}: {error}): "
                "move it away to start empty, or choose another --state-dir."
            ) from error
        self._release()
        raise StateDirectoryError(
            f"State in {file} was written by format {written[0]} with moto {written[1]}, but this is format "
            f"{_FORMAT} with moto {version('moto')}: move it away to start empty, or choose another --state-dir."
        )

    def _restore(self, content: dict[str, Any]) -> None:
        for service, accounts in content["backends"].items():
            for (account, region), raw in accounts.items():
                _backend(service, account, region).__dict__.update(load_safely(raw))
        for module in services.registered():
            raw = content["services"].get(module.__name__)
            if raw is not None:
                module.restore(load_safely(raw))

    def start(self) -> None:
        """Save in the background from now on, shortly after each change."""
        self._thread = threading.Thread(target=self._save_when_changed, name="local-aws-state", daemon=True)
        self._thread.start()

    def mark_changed(self) -> None:
        """Have the state saved soon, because something in it has changed."""
        self._changed.set()

    def stop(self) -> None:
        """Save once more and release the folder.

        :raises StateDirectoryError: the state cannot be written.
        """
        self._ending.set()
        self._changed.set()
        if self._thread is not None:
            self._thread.join()
        try:
            self.save()
        finally:
            self._release()

    def _release(self) -> None:
        if self.mark_changed in _listeners:
            _listeners.remove(self.mark_changed)
        self._lock_file.close()

    def _save_when_changed(self) -> None:
        pause = _QUIET_SECONDS
        while not self._ending.is_set():
            self._changed.wait()
            if self._ending.wait(pause):
                return
            self._changed.clear()
            started = time.monotonic()
            try:
                self.save()
            except StateDirectoryError as error:
                # The next change tries again; the person at the terminal is told once.
                self._report(str(error))
            pause = max(_QUIET_SECONDS, _PAUSE_PER_SECOND_OF_SAVING * (time.monotonic() - started))

    def _report(self, message: str) -> None:
        if message not in self._reported:
            self._reported.add(message)
            print(f"local_aws: {message}", file=sys.stderr, flush=True)

    def save(self) -> None:
        """Write the current state.

        :raises StateDirectoryError: no space, no permission.
        """
        from importlib.metadata import version

        content = {
            "format": _FORMAT,
            "moto": version("moto"),
            "backends": self._dump_backends(),
            "services": self._dump_services(),
        }
        temporary = self.path / f"{_SNAPSHOT}.tmp"
        try:
            with temporary.open("wb") as file:
                os.fchmod(file.fileno(), 0o600)
                pickle.dump(content, file, protocol=5)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path / _SNAPSHOT)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StateDirectoryError(
                f"State cannot be saved in {self.path} ({error.strerror}): make room or choose another --state-dir."
            ) from error

    def _dump_backends(self) -> dict[str, dict[tuple[str, str], bytes]]:
        references = {
            id(backend): (service, account, region)
            for service in MOTO_SERVICES
            for account, region, backend in _backends(service)
        }
        dumped: dict[str, dict[tuple[str, str], bytes]] = {}
        for service in MOTO_SERVICES:
            for account, region, backend in _backends(service):
                raw = self._dump(service, lambda backend=backend: dict(backend.__dict__), references)
                if raw is not None:
                    dumped.setdefault(service, {})[(account, region)] = raw
        return dumped

    def _dump_services(self) -> dict[str, bytes]:
        dumped = {}
        for module in services.registered():
            if hasattr(module, "snapshot"):
                raw = self._dump(module.__name__, module.snapshot, {})
                if raw is not None:
                    dumped[module.__name__] = raw
        return dumped

    def _dump(self, name: str, state: Any, references: dict[int, tuple[str, str, str]]) -> bytes | None:
        for attempt in range(_ATTEMPTS):
            buffer = io.BytesIO()
            try:
                _Pickler(buffer, references).dump(state())
            except RuntimeError:
                # Another thread changed a dictionary meanwhile; a moment later is as good.
                time.sleep(0.02 * (attempt + 1))
            except Exception as error:  # noqa: BLE001 - one service that cannot be saved must not lose the others
                self._report(f"State of {name} is not kept across restarts: {type(error).__name__}: {error}.")
                return None
            else:
                return buffer.getvalue()
        self._report(f"State of {name} is not saved now because it keeps changing; the next change tries again.")
        return None
