"""What looking into files has shown, in a form that can be remembered.

Must not import Airflow or boto3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from brewtrain.domain.input.head import FileHead


@dataclass(frozen=True)
class Observed:
    """What one file has shown.

    :param key: Key of the file.
    :param head: What its head says; ``None`` if that could not be read as the pipeline file says.
    :param fault: What is wrong with the file by itself: one sentence, with what to do.
    :param lasting: Whether the object's content says so, and not only what can be done with it now.
    :param alike: How many files of the day have shown the same, this one included.
    """

    key: str
    head: FileHead | None = None
    fault: str | None = None
    alike: int = 1
    lasting: bool = True


@dataclass(frozen=True)
class ObservedDay:
    """What the files of a day have shown.

    :param digest: Digest of the day's objects when they were looked at
        (:attr:`brewtrain.domain.input.delivered.DeliveredDay.digest`).
    :param whole: Whether every file was looked at, or one of each partition.
    :param files: What they have shown. Files that have shown the same stand in it once, as the
        first by its key.
    """

    digest: str
    whole: bool
    files: tuple[Observed, ...]

    @property
    def lasting(self) -> bool:
        """Whether the same objects will show the same again."""
        return all(one.lasting for one in self.files)

    @property
    def has_row(self) -> bool:
        """Whether a file was seen to have a row."""
        return any(one.head is not None and one.head.has_row for one in self.files)


def observed_day(digest: str, files: list[Observed], *, whole: bool) -> ObservedDay:
    """Return what a day's files have shown, each thing once.

    :param digest: Digest of the day's objects.
    :param files: What each file has shown.
    :param whole: Whether these are all files of the day.
    """
    distinct: dict[tuple[FileHead | None, str | None], list[Observed]] = {}
    for one in sorted(files, key=lambda one: one.key):
        distinct.setdefault((one.head, one.fault), []).append(one)
    return ObservedDay(digest, whole, tuple(replace(same[0], alike=len(same)) for same in distinct.values()))
