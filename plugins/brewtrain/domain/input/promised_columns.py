"""Whether a file has the columns that the pipeline file promises.

Must not import Airflow or boto3.
"""

from __future__ import annotations

from brewtrain.domain.errors import InputError
from brewtrain.domain.input.head import FileHead
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.pipeline.file_format import DELIMITERS, delimiter_name

_SHOWN_COLUMNS = 30


def check_columns(pipeline: Pipeline, head: FileHead, uri: str) -> None:
    """Check that a file has each column of ``source.columns``, and none twice.

    Names are compared exactly: `` age`` and ``Age`` are not ``age``, neither here nor in a recipe.

    :param head: What the file's head says.
    :param uri: The file's address, for messages.
    :raises InputError: If not: one sentence.
    """
    wanted, columns = pipeline.source.columns, head.columns
    file = f"include/pipelines/{pipeline.name}.yaml"
    missing = [column for column in wanted if column not in columns]
    if len(missing) > len(wanted) // 2 and (other := _other_delimiter(pipeline, head)) is not None:
        raise InputError(
            f"{uri} is delimited by {delimiter_name(other)}, not by {delimiter_name(pipeline.source.delimiter)} as "
            f"source.delimiter in {file} says; deliver it with that delimiter, or change source.delimiter"
        )
    if missing:
        raise InputError(
            f"{uri} lacks the column(s) {', '.join(repr(column) for column in missing)} that source.columns in "
            f"{file} names (it has {', '.join(repr(column) for column in columns[:_SHOWN_COLUMNS])}"
            f"{_nearly(missing, columns)}); deliver them, or change source.columns"
        )
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        no_header = (
            ", or write 'header: false' in source if the files have no header"
            if pipeline.source.format == "csv" and pipeline.source.header
            else ""
        )
        raise InputError(f"{uri} has the column {twice[0]!r} twice; deliver each column once{no_header}")


def _nearly(missing: list[str], columns: tuple[str, ...]) -> str:
    """Return a warning of a name that differs in what one does not see."""
    for name in missing:
        for column in columns:
            if column.strip().casefold() == name.strip().casefold():
                return f"; {column!r} is not {name!r}: blanks and case count"
    return ""


def _other_delimiter(pipeline: Pipeline, head: FileHead) -> str | None:
    """Return the delimiter by which a CSV's header would have more of the promised columns."""
    source, wanted = pipeline.source, pipeline.source.columns
    if source.format != "csv" or not source.header:
        return None
    line = source.delimiter.join(head.columns)

    def found(delimiter: str) -> int:
        names = {name.strip('" ') for name in line.split(delimiter)}
        return sum(column in names for column in wanted)

    best = max((one for one in DELIMITERS if one != source.delimiter), key=found)
    return best if found(best) > found(source.delimiter) and found(best) >= max(1, len(wanted) // 2) else None
