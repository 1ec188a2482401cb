"""Unpack the beginning of a compressed CSV or JSON file.

Must not import Airflow or boto3. The codecs are those that DataBrew's guide names for an input, by
extension: :mod:`brewtrain.domain.pipeline.file_format`.
"""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable
from typing import Protocol

from brewtrain.domain.input.block_codecs import unpack_lz4, unpack_snappy


class _Machine(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def unpack_head(content: bytes, codec: str, limit: int) -> tuple[bytes, bool]:
    """Unpack as much as the content holds, up to a limit.

    :param content: The beginning of a file.
    :param codec: One of ``gzip``, ``bzip2``, ``deflate``, ``snappy`` and ``lz4``.
    :param limit: Most bytes to unpack, or little more: a file of zeros may be a thousand times as
        long as its content.
    :returns: The unpacked bytes, and whether the data is complete and they are all of it. Data
        that is neither complete nor as long as the limit is cut.
    :raises ValueError: If the content is not of the codec.
    """
    if not content:
        return b"", True
    if codec in ("snappy", "lz4"):
        return (unpack_snappy if codec == "snappy" else unpack_lz4)(content, limit)
    make: dict[str, Callable[[], _Machine]] = {
        "gzip": lambda: zlib.decompressobj(wbits=31),
        "bzip2": bz2.BZ2Decompressor,
        "deflate": lambda: zlib.decompressobj(wbits=15 if _has_zlib_header(content) else -15),
    }
    return _unpack_streams(content, make[codec], limit)


def _unpack_streams(content: bytes, make: Callable[[], _Machine], limit: int) -> tuple[bytes, bool]:
    """Unpack streams that follow one another, as ``cat a.gz b.gz`` makes."""
    out, rest = bytearray(), content
    while rest.rstrip(b"\x00"):
        machine = make()
        try:
            out += machine.decompress(rest, limit - len(out))
        except (zlib.error, OSError) as error:
            raise ValueError(str(error)) from None
        if not machine.eof:
            return bytes(out), False
        rest = machine.unused_data
        if len(out) >= limit:
            return bytes(out), False
    return bytes(out), True


def _has_zlib_header(content: bytes) -> bool:
    start = content[:2]
    return len(start) == 2 and start[0] & 0x0F == 8 and int.from_bytes(start, "big") % 31 == 0
