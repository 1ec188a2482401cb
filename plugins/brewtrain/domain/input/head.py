"""What is known of one data file without reading it to the end.

Must not import Airflow or boto3.
"""

from __future__ import annotations

from dataclasses import dataclass

BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


@dataclass(frozen=True)
class RaggedRow:
    """A row with more or fewer fields than the file has columns.

    :param line: Number of the line it ends at, from 1.
    :param fields: How many fields it has.
    """

    line: int
    fields: int


@dataclass(frozen=True)
class FileHead:
    """What the head of one data file says. Files of one dataset have equal heads, but for rows.

    :param columns: The columns' names as DataBrew reads them: blanks and case count; a CSV without
        a header has ``Column_1``, ``Column_2`` and so on, and so has a name that is empty. Of JSON
        Lines, the keys of the objects in the head, in their order: an object may lack some.
    :param has_row: Whether a row was seen.
    :param by_name: Whether DataBrew finds a column by its name, not by its place: the order of the
        columns then says nothing. So in JSON and Parquet; an assumption, since the guide is silent.
    :param types: Parquet's type of each column; empty for text.
    :param byte_order_mark: Whether the text begins with one. It is not part of the first name, as
        Hadoop's reader of lines, which Spark uses, drops it.
    :param ragged: The first row in the head of a CSV that is ragged.
    """

    columns: tuple[str, ...]
    has_row: bool
    by_name: bool = False
    types: tuple[str, ...] = ()
    byte_order_mark: bool = False
    ragged: RaggedRow | None = None


class HeadTooShortError(Exception):
    """More of the file must be read to tell its columns.

    :param problem: What is wrong if there is no more; goes on from the file's name.
    :param wanted: Bytes that are needed, if that is known.
    """

    def __init__(self, problem: str, wanted: int = 0) -> None:
        self.wanted = wanted
        super().__init__(problem)
