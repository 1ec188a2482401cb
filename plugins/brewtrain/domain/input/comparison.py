"""How the files of a window differ from those of its newest day, in sentences.

DataBrew reads the files of a dataset as one table: "the schemas have to be the same across all the
files", otherwise "the job output will also be irregular", and all must have the same format and the
same extension. Whatever differs in that is refused; nothing is started. Must not import Airflow or
boto3.

Source: "Connecting data in multiple files in Amazon S3", AWS Glue DataBrew Developer Guide.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from brewtrain.domain.errors import InputError
from brewtrain.domain.input.delivered import Delivered, DeliveredDay, StoredObject, ranges
from brewtrain.domain.input.head import FileHead
from brewtrain.domain.input.observed import Observed, ObservedDay
from brewtrain.domain.input.promised_columns import check_columns
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.pipeline.file_format import FileFormat, names_format

_SHOWN_NAMES = 8
_LEFT_OUT = ": objects of JSON may leave a key out, so nothing is refused"
_AGAIN = "deliver it again, then clear check_input"


@dataclass(frozen=True)
class Finding:
    """One kind of fault, and where it is.

    :param text: What is wrong and what to do, of the first file: a sentence that begins with its
        address.
    :param days: The days that have it, oldest first.
    :param files: How many files were seen to have it.
    :param harmless: Whether DataBrew reads the files right all the same.
    """

    text: str
    days: tuple[date, ...]
    files: int = 1
    harmless: bool = False

    def __str__(self) -> str:
        """Return the sentence, and where else it holds."""
        others = [day for day in self.days if day != self.days[0]]
        if others:
            return f"{self.text} (the same in {len(others)} other day(s): {ranges(others)})"
        return f"{self.text} (the same in {self.files - 1} other file(s) of the day)" if self.files > 1 else self.text


@dataclass(frozen=True)
class Comparison:
    """Compares the files of a window.

    :param pipeline: The pipeline file.
    :param bucket: The source's bucket.
    :param newest: The newest day that has data.
    """

    pipeline: Pipeline
    bucket: str
    newest: date

    def uri(self, key: str) -> str:
        """Return the address of an object of the source."""
        return f"s3://{self.bucket}/{key}"

    def is_faulty(self, seen: ObservedDay) -> bool:
        """Whether a file of a day is wrong whatever the others are.

        :param seen: What the day's files have shown.
        """
        return any((one.fault or self._fault_of(one)) is not None for one in seen.files)

    def findings(self, seen: Mapping[date, ObservedDay]) -> list[Finding]:
        """Return what is wrong with files that were looked at, the newest day's first.

        :param seen: What the files of each day have shown.
        """
        reference = self._reference(seen)
        groups: defaultdict[tuple[object, ...], list[tuple[date, Observed]]] = defaultdict(list)
        for day in sorted(seen, key=lambda day: (day != self.newest, day)):
            for one in seen[day].files:
                groups[(*self._kind(one), day == self.newest)].append((day, one))
        others = {day for day in seen if day != self.newest}
        found: list[Finding] = []
        for members in groups.values():
            day, first = members[0]
            days, files = tuple(dict.fromkeys(day for day, _ in members)), sum(one.alike for _, one in members)
            text = first.fault or self._fault_of(first)
            if text is not None:
                found.append(Finding(self._of_day(text, first, day), days, files))
            elif reference is not None and (text := self._differs(first, day, reference)) is not None:
                harmless = self._may_differ(first, reference)
                advice = _LEFT_OUT if harmless else self._advice(day, all_others=len(others) > 1 and others <= {*days})
                found.append(Finding(f"{text}{advice}", days, files, harmless))
        return found

    def _of_day(self, text: str, one: Observed, day: date) -> str:
        """Return a sentence about a file with the file's day, which not every key shows plainly."""
        uri = self.uri(one.key)
        return f"{uri} ({day}){text.removeprefix(uri)}"

    def _kind(self, one: Observed) -> tuple[object, ...]:
        """Return what files have in common that are told in one sentence."""
        if one.head is None:
            return ((one.fault or "").removeprefix(self.uri(one.key)),)
        return _shape(one.head), one.head.ragged is not None

    def _reference(self, seen: Mapping[date, ObservedDay]) -> Observed | None:
        """Return the file that the others are compared with.

        It is like most files of the newest day; where these are in two minds, like most of the
        window's. A file without the promised columns, or with one twice, is no measure of others.
        """
        heads = [one for one in seen[self.newest].files if one.head is not None and self._columns_fault(one) is None]
        usual = Counter(self._kind(one) for day in seen.values() for one in day.files)
        return max(heads, key=lambda one: (one.alike, usual[self._kind(one)]), default=None)

    def _columns_fault(self, one: Observed) -> str | None:
        assert one.head is not None
        try:
            check_columns(self.pipeline, one.head, self.uri(one.key))
        except InputError as error:
            return str(error)
        return None

    def _fault_of(self, one: Observed) -> str | None:
        """Return what is wrong with a file whatever the others are."""
        assert one.head is not None
        if (text := self._columns_fault(one)) is not None:
            return text
        ragged = one.head.ragged
        if ragged is None:
            return None
        return (
            f"{self.uri(one.key)} is ragged: the row that ends at line {ragged.line} has {ragged.fields} field(s), "
            f"and the file has {len(one.head.columns)} column(s); {_AGAIN}"
        )

    def _differs(self, one: Observed, day: date, reference: Observed) -> str | None:
        assert one.head is not None
        assert reference.head is not None
        if self.pipeline.source.format == "json" and not one.head.has_row:
            return None
        differs = difference(one.head, reference.head)
        if differs is None:
            return None
        uri, other = self.uri(one.key), self.uri(reference.key)
        if day == self.newest:
            return f"{uri} ({day}) {differs}, unlike {other} of the same day"
        return f"{uri} ({day}) {differs}, unlike the newest day ({other})"

    def _advice(self, day: date, *, all_others: bool) -> str:
        if day == self.newest:
            return f"; {_AGAIN}"
        if all_others:
            return (
                f": DataBrew needs the same columns in all files of a window; deliver {self.newest} again if it is "
                "what is wrong, for no other day is like it; or deliver the others again as it is, or set start_date "
                f"in include/pipelines/{self.pipeline.name}.yaml to {self.newest}, then clear check_input"
            )
        return (
            f": DataBrew needs the same columns in all files of a window; deliver {day} again as the newest day is, or "
            f"set start_date in include/pipelines/{self.pipeline.name}.yaml to a day after it, then clear check_input"
        )

    def _may_differ(self, one: Observed, reference: Observed) -> bool:
        """Whether the files differ in what the objects of a JSON file may leave out.

        Files that have no key in common are of two tables.
        """
        assert one.head is not None
        assert reference.head is not None
        if self.pipeline.source.format != "json" or not {*one.head.columns} & {*reference.head.columns}:
            return False
        alike = {name.strip().casefold() for name in (*one.head.columns, *reference.head.columns)}
        return len(alike) == len({*one.head.columns, *reference.head.columns})

    def strays(self, days: Mapping[date, DeliveredDay], extension: str) -> list[Finding]:
        """Return the objects that do not have the extension of the window's files.

        :param days: What was delivered.
        :param extension: From :func:`usual_extension`.
        """
        found: defaultdict[str, list[tuple[date, StoredObject]]] = defaultdict(list)
        for day in sorted(days, reverse=True):
            for one in days[day].objects:
                if (other := one.extension) != extension:
                    found[other].append((day, one))
        return [
            Finding(
                f"{self.uri(members[0][1].key)} ({members[0][0]}) has {named_extension(other)}, unlike the window's "
                f"other files ({named_extension(extension)}): DataBrew reads files of one extension only; deliver "
                "data with that extension, and move what is no data out of the partition, or let its name begin with "
                "'_', then clear check_input",
                tuple(dict.fromkeys(day for day, _ in members)),
                len(members),
            )
            for other, members in found.items()
        ]

    def empties(self, days: Mapping[date, DeliveredDay]) -> list[Finding]:
        """Return the days that have objects without a byte.

        :param days: What was delivered.
        """
        found = [day for day in days.values() if day.empty]
        if not found:
            return []
        first = found[-1]
        return [
            Finding(
                f"{self.uri(first.empty[0].key)} ({first.day}) is empty: it has not even a header",
                tuple(one.day for one in reversed(found)),
                sum(len(one.empty) for one in found),
            )
        ]


def usual_extension(delivered: Delivered, file_format: FileFormat) -> str:
    """Return the extension that the data files of a window have.

    It is one that names the format, or else the one of most bytes: checksums and notes are short.

    :param delivered: The window's data.
    :param file_format: ``source.format``.
    """
    content: Counter[str] = Counter()
    for day in delivered.days.values():
        for one in day.objects:
            content[one.extension] += one.size
    return max(
        sorted(content), key=lambda extension: (names_format(extension, file_format), content[extension]), default=""
    )


def named_extension(extension: str) -> str:
    """Return an extension as sentences name it."""
    return f"the extension '{extension}'" if extension else "no extension"


def difference(head: FileHead, reference: FileHead) -> str | None:
    """Return how a file's columns differ from another's: goes on from the file's name.

    :param head: The file's.
    :param reference: The other's.
    :returns: ``None`` if DataBrew reads both alike.
    """
    missing = [name for name in reference.columns if name not in head.columns]
    more = [name for name in head.columns if name not in reference.columns]
    if missing or more:
        parts = [f"lacks the column(s) {_names(missing)}"] if missing else []
        parts += [f"has the column(s) {_names(more)} besides"] if more else []
        return " and ".join(parts) + _nearly(missing, more)
    if not head.by_name and head.columns != reference.columns:
        return f"has the columns in another order ({_names(head.columns)})"
    types, expected = (
        dict(zip(head.columns, head.types, strict=False)),
        dict(zip(reference.columns, reference.types, strict=False)),
    )
    changed = [name for name in types if types[name] != expected.get(name)]
    if changed:
        shown = ", ".join(f"{name!r} is {types[name]}, not {expected.get(name)}" for name in changed[:_SHOWN_NAMES])
        return f"has other types ({shown})"
    if not head.by_name and head.byte_order_mark != reference.byte_order_mark:
        return "begins with a byte order mark" if head.byte_order_mark else "begins without a byte order mark"
    return None


def _shape(head: FileHead) -> tuple[object, ...]:
    return head.columns, head.types, head.byte_order_mark


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN_NAMES])
    return shown if len(names) <= _SHOWN_NAMES else f"{shown} and {len(names) - _SHOWN_NAMES} more"


def _nearly(missing: Sequence[str], more: Sequence[str]) -> str:
    for name in missing:
        for other in more:
            if other.strip().casefold() == name.strip().casefold():
                return f" ({other!r} is not {name!r}: blanks and case count)"
    return ""


def copies(delivered: Delivered, bucket: str) -> list[str]:
    """Return what was delivered twice: files of a day with the same content, days that are copies.

    :param delivered: The window's data.
    :param bucket: The source's bucket.
    """
    found: list[str] = []
    twice: list[tuple[StoredObject, StoredObject]] = []
    days: defaultdict[str, list[date]] = defaultdict(list)
    for day, data in delivered.days.items():
        first: dict[tuple[str, int], StoredObject] = {}
        for one in data.filled:
            same = first.setdefault((one.etag, one.size), one)
            if same is not one:
                twice.append((one, same))
        if data.filled:
            days[data.content].append(day)
    if twice:
        one, same = twice[0]
        more = f", and so have {len(twice) - 1} other files that of another file of their day" if twice[1:] else ""
        found.append(
            f"s3://{bucket}/{one.key} has the same content as s3://{bucket}/{same.key}{more}: are rows doubled?"
        )
    found += [
        f"the data of {ranges(same[1:])} is the same as that of {same[0]}, byte by byte: was a day delivered twice?"
        for same in days.values()
        if len(same) > 1
    ]
    return found
