"""What the end of a long CSV file says: whether it was cut inside its last row.

Must not import Airflow or boto3.
"""

from __future__ import annotations

from brewtrain.domain.input.file_head import HEAD_BYTES
from brewtrain.domain.input.head import FileHead
from brewtrain.domain.pipeline.file_format import codec_of
from brewtrain.domain.pipeline.source import Source

TAIL_RANGE = "bytes=-4096"
"""The ``Range`` header that asks for the end of a file."""


def has_tail(source: Source, key: str, size: int) -> bool:
    """Whether a file's end can be looked at: it is CSV, not compressed, and longer than its head.

    :param key: The object's key.
    :param size: Its size in bytes.
    """
    return source.format == "csv" and size > HEAD_BYTES and codec_of(key) is None


def tail_problem(content: bytes, source: Source, head: FileHead) -> str | None:
    """Return what is wrong with a file's last row: goes on from the file's name.

    A last line that ends like a line is complete. One with a quote may be part of a longer row, and
    says nothing.

    :param content: What S3 answered to :data:`TAIL_RANGE`.
    :param head: What the file's head says.
    :returns: ``None`` if nothing is wrong as far as one sees.
    """
    _, line_break, last = content.rpartition(b"\n")
    fields = last.count(source.delimiter.encode()) + 1
    if not line_break or not last.strip() or b'"' in last or fields >= len(head.columns):
        return None
    return (
        f"is cut inside its last row, which has {fields} field(s) of {len(head.columns)} and no end of line; deliver "
        "it again, then clear check_input"
    )
