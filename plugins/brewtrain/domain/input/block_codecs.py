"""Unpack the beginning of snappy and LZ4 data, of which there may be more than is at hand.

Airflow's environment has no library for either (nor has Amazon MWAA's), and only the head of a file
is needed: DataBrew reads the whole of it. Must not import Airflow or boto3.

Source: google/snappy, format_description.txt and framing_format.txt; lz4/lz4, lz4_Block_format.md
and lz4_Frame_format.md; BlockCompressorStream in Apache Hadoop's source: blocks of the length of
the block, then chunks of length and data, lengths in four bytes, big end first.
"""

from __future__ import annotations

from collections.abc import Callable

_SNAPPY_FRAMES = b"\xff\x06\x00\x00sNaPpY"
_LZ4_FRAME = b"\x04\x22\x4d\x18"
_Decode = Callable[[bytes, bytearray, int], None]


class _EndsError(Exception):
    """The data ends here; what was unpacked so far is right."""


class _Data:
    """Bytes that are read from the beginning to the end."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    @property
    def left(self) -> int:
        return len(self.content) - self.at

    def take(self, size: int) -> bytes:
        """Return the next bytes, or raise ``_EndsError`` if there are fewer."""
        if size > self.left:
            raise _EndsError
        self.at += size
        return self.content[self.at - size : self.at]

    def number(self, size: int, order: str = "little") -> int:
        data = self.take(size)
        return int.from_bytes(data, "big" if order == "big" else "little")

    def varint(self) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("a length is too long")


def unpack_snappy(content: bytes, limit: int) -> tuple[bytes, bool]:
    """Unpack Hadoop's snappy blocks, snappy's frames or one raw piece, as far as the data goes.

    :param content: The beginning of a file.
    :param limit: Bytes after which it may stop.
    :returns: The unpacked bytes, and whether the data is complete and they are all of it.
    :raises ValueError: If it is not snappy data.
    """
    if content.startswith(_SNAPPY_FRAMES):
        return _unpacked(_snappy_frames, content, limit)
    if _is_hadoop_snappy(content):
        return _unpacked(lambda data, out, most: _hadoop_blocks(data, out, most, _snappy_piece), content, limit)
    return _unpacked(lambda data, out, most: _snappy_piece(data.take(data.left), out, most), content, limit)


def unpack_lz4(content: bytes, limit: int) -> tuple[bytes, bool]:
    """Unpack LZ4 frames or Hadoop's LZ4 blocks, as far as the data goes.

    :param content: The beginning of a file.
    :param limit: Bytes after which it may stop.
    :returns: The unpacked bytes, and whether the data is complete and they are all of it.
    :raises ValueError: If it is not LZ4 data.
    """
    if content.startswith(_LZ4_FRAME):
        return _unpacked(_lz4_frames, content, limit)
    return _unpacked(lambda data, out, most: _hadoop_blocks(data, out, most, _lz4_block), content, limit)


def _unpacked(read: Callable[[_Data, bytearray, int], None], content: bytes, limit: int) -> tuple[bytes, bool]:
    out, data = bytearray(), _Data(content)
    try:
        read(data, out, limit)
    except _EndsError:
        return bytes(out), False
    return bytes(out), len(out) < limit


def _is_hadoop_snappy(content: bytes) -> bool:
    data = _Data(content)
    try:
        block, chunk, piece = data.number(4, "big"), data.number(4, "big"), data.varint()
    except (_EndsError, ValueError):
        return False
    # Snappy's own bound of what n bytes grow to: 32 + n + n / 6.
    return 0 < piece <= block and 0 < chunk <= 32 + piece + piece // 6


def _hadoop_blocks(data: _Data, out: bytearray, limit: int, decode: _Decode) -> None:
    while data.left and len(out) < limit:
        end = len(out) + data.number(4, "big")
        while len(out) < end and len(out) < limit:
            size = data.number(4, "big")
            if not size:
                raise ValueError("a chunk is empty")
            chunk, piece = data.content[data.at : data.at + size], bytearray()
            try:
                decode(chunk, piece, end - len(out))
            except _EndsError:
                if len(chunk) == size:
                    raise ValueError("a chunk ends early") from None
                out += piece
                raise
            data.at += size
            if not piece or len(out) + len(piece) > end:
                raise ValueError("a chunk has another length than its block says")
            out += piece


def _snappy_frames(data: _Data, out: bytearray, limit: int) -> None:
    while data.left and len(out) < limit:
        kind, size = data.number(1), data.number(3)
        if kind == 0:
            data.take(4)
            chunk = data.content[data.at : data.at + size - 4]
            _snappy_piece(chunk, out, limit)
            data.take(size - 4)
        elif kind == 1:
            data.take(4)
            out += data.take(size - 4)
        elif kind < 0x80:
            raise ValueError(f"a frame of the unknown kind {kind}")
        else:
            data.take(size)


def _snappy_piece(chunk: bytes, out: bytearray, limit: int) -> None:
    """Unpack one piece of snappy's raw format, which begins with its length.

    :raises _EndsError: If the piece is cut; what was unpacked is in ``out``.
    """
    data, begin = _Data(chunk), len(out)
    end = begin + data.varint()
    while len(out) < end and len(out) - begin < limit:
        tag = data.number(1)
        kind = tag & 3
        if kind == 0:
            size = tag >> 2
            out += data.take((size if size < 60 else data.number(size - 59)) + 1)
        elif kind == 1:
            _copy(out, begin, ((tag >> 5) << 8) | data.number(1), ((tag >> 2) & 7) + 4)
        else:
            _copy(out, begin, data.number(2 if kind == 2 else 4), (tag >> 2) + 1)
    if len(out) > end or (len(out) == end and data.left):
        raise ValueError("a piece has another length than it says")


def _lz4_frames(data: _Data, out: bytearray, limit: int) -> None:
    while data.left and len(out) < limit:
        if data.take(4) != _LZ4_FRAME:
            raise ValueError("a frame does not begin with LZ4's number")
        flags, _ = data.number(1), data.number(1)
        if flags >> 6 != 1 or flags & 1:
            raise ValueError("a frame of another version, or with a dictionary")
        data.take((8 if flags & 8 else 0) + 1)
        begin = len(out)
        while (size := data.number(4)) and len(out) < limit:
            content = data.content[data.at : data.at + (size & 0x7FFFFFFF)]
            if size >> 31:
                out += content
            else:
                _lz4_sequences(content, out, len(out) if flags & 0x20 else begin)
            data.take((size & 0x7FFFFFFF) + (4 if flags & 0x10 else 0))
        if not size:
            data.take(4 if flags & 4 else 0)


def _lz4_block(chunk: bytes, out: bytearray, limit: int) -> None:
    _lz4_sequences(chunk, out, len(out))


def _lz4_sequences(chunk: bytes, out: bytearray, begin: int) -> None:
    """Unpack one block of LZ4; copies reach back to ``begin`` in ``out``."""
    data = _Data(chunk)
    while data.left:
        token = data.number(1)
        size = _lz4_length(data, token >> 4)
        if size > data.left:
            out += data.take(data.left)
            raise _EndsError
        out += data.take(size)
        if not data.left:
            return
        distance = data.number(2)
        _copy(out, begin, distance, _lz4_length(data, token & 15) + 4)
    raise _EndsError


def _lz4_length(data: _Data, nibble: int) -> int:
    size = nibble
    if nibble == 15:
        while (byte := data.number(1)) == 255:
            size += 255
        size += byte
    return size


def _copy(out: bytearray, begin: int, distance: int, size: int) -> None:
    start = len(out) - distance
    if distance < 1 or start < begin:
        raise ValueError("a copy reaches back further than there is data")
    while size > 0:
        piece = out[start : start + min(size, len(out) - start)]
        out += piece
        size -= len(piece)
