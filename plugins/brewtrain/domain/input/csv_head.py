"""The head of a CSV file. Must not import Airflow or boto3.

Source: "Connecting to data in a text file with DataBrew" (column header values), AWS Glue DataBrew
Developer Guide.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

from brewtrain.domain.input.head import BYTE_ORDER_MARK, FileHead, HeadTooShortError, RaggedRow
from brewtrain.domain.pipeline.file_format import DELIMITERS, delimiter_name

_Record = tuple[int, list[str]]
_YEARS = range(1900, 2101)
_LINES = 100
"""Lines that are looked at to tell a delimiter."""


def csv_head(text: str, delimiter: str, *, header: bool, whole: bool) -> FileHead:
    """Return what the beginning of a CSV says.

    :param text: The beginning, with its byte order mark if it has one.
    :param delimiter: One character.
    :param header: Whether the first row has the names.
    :param whole: Whether it is the whole file.
    :raises ValueError: If it is not such a CSV; the text goes on from the file's name.
    :raises HeadTooShortError: If its first row is longer than the text.
    """
    mark = text.startswith(BYTE_ORDER_MARK)
    text = text.removeprefix(BYTE_ORDER_MARK)
    records = list(_records(text, delimiter, whole=whole))
    if not records:
        if not whole:
            raise HeadTooShortError(
                "has a first row that does not end, or quotes that do not close; deliver it again, then clear "
                "check_input"
            )
        raise ValueError("is empty: it has no row; deliver it again, then clear check_input")
    first = records[0][1]
    if _is_json_row(text.partition("\n")[0]):
        raise ValueError("is JSON, not CSV; write 'format: json' in source, or deliver CSV")
    if not any(first):
        what = "an empty line instead of a header" if header else "an empty line instead of a row"
        raise ValueError(f"begins with {what}; deliver it without that line")
    if len(first) == 1 and (other := _delimiter_of_lines(text, delimiter, header=header)) is not None:
        raise ValueError(_delimited_by(other, delimiter))
    if header and _is_row_of_numbers(first):
        raise ValueError(
            "begins with a row of numbers instead of a header; deliver it with one, or write 'header: false' in source"
        )
    if header and len(first) > 1 and (again := next((line for line, row in records[1:] if row == first), 0)):
        raise ValueError(
            f"has its header again in line {again}: were files joined? deliver it with one header, then clear "
            "check_input"
        )
    below = records[0][0] if header else 0
    # Blank lines are no rows to Spark, which DataBrew runs on.
    rows = [(line, record) for line, record in records[header:] if len(record) > 1 or "".join(record).strip()]
    return FileHead(
        columns=column_names(first if header else [""] * len(first)),
        has_row=bool("".join(text.split("\n")[below:]).strip()),
        byte_order_mark=mark,
        ragged=next((RaggedRow(line, len(record)) for line, record in rows if len(record) != len(first)), None),
    )


def _is_json_row(line: str) -> bool:
    """Whether a first line is an object or an array: no header, and no row of a table."""
    if not line.startswith(("{", "[")):
        return False
    try:
        return isinstance(json.loads(line), dict | list)
    except (ValueError, RecursionError):
        return False


def _is_row_of_numbers(row: list[str]) -> bool:
    """Whether all fields are numbers, and not years, which columns may be named after."""
    try:
        numbers = [float(field) for field in row if field]
    except ValueError:
        return False
    return bool(numbers) and not all(number in _YEARS for number in numbers)


def column_names(header: list[str]) -> tuple[str, ...]:
    """Return the names as DataBrew reads them: an empty one becomes ``Column_<place>``.

    :param header: The fields of the first row.
    """
    return tuple(name or f"Column_{number}" for number, name in enumerate(header, 1))


def _records(text: str, delimiter: str, *, whole: bool) -> Iterator[_Record]:
    """Yield the complete rows: number of the row's last line, and its fields."""
    lines = list(io.StringIO(text, newline="\n"))
    if not whole and lines and not lines[-1].endswith("\n"):
        lines.pop()
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cut = "end of data" in str(error) and not whole
            if cut or ("field larger than" in str(error) and reader.line_num > 1):
                return
            raise ValueError(_problem(str(error), lines, reader.line_num, delimiter)) from None
        yield reader.line_num, record


def _problem(error: str, lines: list[str], number: int, delimiter: str) -> str:
    """Return what is wrong with the row that ends at a line; goes on from the file's name."""
    if "new-line character" in error:
        one = f"has a carriage return inside the row that ends at line {number}"
        what = one if "\n" in lines[0] else "ends its lines with CR only"
        return f"{what}; write LF or CRLF at the end of each line, and no CR elsewhere"
    if number == 1 and (other := _other_delimiter(lines[0], delimiter)) is not None:
        return _delimited_by(other, delimiter)
    what = "its quotes do not close" if "end of data" in error else error
    return f"is not CSV in the row that ends at line {number}: {what}; deliver it again, then clear check_input"


def _delimited_by(found: str, declared: str) -> str:
    return (
        f"is delimited by {delimiter_name(found)}, not by {delimiter_name(declared)} as source.delimiter says; "
        "deliver it with that delimiter, or change source.delimiter"
    )


def _delimiter_of_lines(text: str, declared: str, *, header: bool) -> str | None:
    """Return the delimiter by which all lines of a file of one column have the same fields, if any.

    A blank says nothing, and without a header a colon does not: times have them.
    """
    lines = [line for line in text.split("\n")[:-1] if line.strip()][:_LINES] or [text]
    for delimiter in DELIMITERS:
        if delimiter in (declared, " ") or (delimiter == ":" and not header):
            continue
        try:
            fields = {len(row) for row in csv.reader(lines, delimiter=delimiter, strict=True)}
        except csv.Error:
            continue
        if len(fields) == 1 and max(fields) > 1:
            return delimiter
    return None


def _other_delimiter(line: str, declared: str) -> str | None:
    """Return the delimiter by which the quotes of a line fit and give the most fields."""
    fields = {}
    for delimiter in DELIMITERS:
        try:
            fields[delimiter] = len(next(csv.reader([line], delimiter=delimiter, strict=True), []))
        except csv.Error:
            continue
    best = max(fields, key=lambda one: fields[one], default=declared)
    return best if fields.get(best, 0) > 1 else None
