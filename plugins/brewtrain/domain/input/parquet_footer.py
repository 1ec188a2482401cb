"""The columns and the number of rows that a Parquet file's footer has.

Airflow's environment has no library that reads Parquet (nor has Amazon MWAA's), and only the names
and types of the columns are needed, which Thrift's compact protocol writes plainly whatever codec
the pages have. Must not import Airflow or boto3.

Source: parquet.thrift (FileMetaData, SchemaElement) and "File format" in apache/parquet-format;
thrift-compact-protocol.md in apache/thrift.
"""

from __future__ import annotations

from typing import Any

from brewtrain.domain.input.head import FileHead, HeadTooShortError

MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_TAIL_BYTES = 8
"""The footer's length in four bytes, little end first, and the magic number."""
_TYPES = ("boolean", "int32", "int64", "int96", "float", "double", "byte_array", "fixed_len_byte_array")
_CONVERTED = {
    0: "utf8", 1: "map", 2: "map", 3: "list", 4: "enum", 6: "date", 7: "time_millis", 8: "time_micros",
    9: "timestamp_millis", 10: "timestamp_micros", 11: "uint_8", 12: "uint_16", 13: "uint_32", 14: "uint_64",
    15: "int_8", 16: "int_16", 17: "", 18: "", 19: "json", 20: "bson", 21: "interval",
}  # fmt: skip
_DECIMAL = 5
# The members of the union LogicalType: the newer form, which tells more.
_LOGICAL = {
    1: "utf8", 2: "map", 3: "list", 4: "enum", 6: "date", 11: "null", 12: "json", 13: "bson", 14: "uuid",
    15: "float16",
}  # fmt: skip
_TIME, _TIMESTAMP, _INTEGER = 7, 8, 10
_UNITS = {1: "millis", 2: "micros", 3: "nanos"}
# Types of values in the compact protocol.
_STOP, _TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(13)
_DEEPEST = 32
_DAMAGED = "has a damaged Parquet footer; deliver it again, then clear check_input"


def parquet_head(content: bytes, *, whole: bool) -> FileHead:
    """Return what the footer says.

    :param content: The end of the file.
    :param whole: Whether it is the whole file.
    :raises ValueError: If it is no such end of a Parquet file; the text goes on from the file's
        name.
    :raises HeadTooShortError: If the footer is longer than the content.
    """
    footer = _footer(content, whole=whole)
    try:
        columns = list(_top_level(footer[2]))
        has_row = footer[3] > 0
    except (AttributeError, KeyError, IndexError, TypeError, UnicodeDecodeError):
        raise ValueError(_DAMAGED) from None
    return FileHead(
        columns=tuple(name for name, _ in columns),
        has_row=has_row,
        by_name=True,
        types=tuple(kind for _, kind in columns),
    )


def parquet_rows(content: bytes, *, whole: bool) -> int:
    """Return how many rows the footer says that the file has.

    :param content: The end of the file.
    :param whole: Whether it is the whole file.
    :raises ValueError: As of :func:`parquet_head`.
    :raises HeadTooShortError: If the footer is longer than the content.
    """
    rows = _footer(content, whole=whole).get(3)
    if not isinstance(rows, int) or rows < 0:
        raise ValueError(_DAMAGED)
    return rows


def _footer(content: bytes, *, whole: bool) -> dict[int, Any]:
    magic = content[-4:]
    if magic == _ENCRYPTED:
        raise ValueError("has an encrypted footer, which DataBrew cannot read; deliver it with a plain one")
    if magic != MAGIC or (whole and not content.startswith(MAGIC)):
        raise ValueError(_no_parquet(content, whole=whole))
    size = int.from_bytes(content[-_TAIL_BYTES:-4], "little") + _TAIL_BYTES
    if size > len(content):
        if whole:
            raise ValueError(
                "has a Parquet footer that is longer than the file; deliver it again, then clear check_input"
            )
        raise HeadTooShortError(f"has a Parquet footer of {size} bytes; write fewer row groups into a file", size)
    try:
        return _Thrift(content[-size:-_TAIL_BYTES]).struct()
    except (KeyError, IndexError, RecursionError):
        raise ValueError(_DAMAGED) from None


def _no_parquet(content: bytes, *, whole: bool) -> str:
    if whole and content.startswith(MAGIC):
        return "is a Parquet file that is cut: its footer is missing; deliver it again, then clear check_input"
    return (
        "is no Parquet file, or is cut: it does not begin and end with 'PAR1'; deliver Parquet, with its codec inside "
        "and no archive around it, or change source.format"
    )


def _top_level(elements: list[dict[int, Any]]) -> Any:
    """Yield name and type of each column; the elements are the schema's tree, depth first."""
    for at in _children(elements, 0):
        yield elements[at][4].decode("utf-8"), _type(elements, at)


def _children(elements: list[dict[int, Any]], parent: int) -> list[int]:
    """Return the indices of the elements directly below another one."""
    found, at = [], parent + 1
    for _ in range(elements[parent].get(5, 0)):
        found.append(at)
        at = _after(elements, at)
    return found


def _type(elements: list[dict[int, Any]], at: int) -> str:
    """Return an element's type, with the types of all that lies below it."""
    element = elements[at]
    meaning = _meaning(element)
    if meaning.startswith("decimal"):
        return meaning  # readers take any of the physical types that hold it
    if 1 in element:
        return _TYPES[element[1]] + (f"/{meaning}" if meaning else "")
    children = _children(elements, at)
    if meaning in ("list", "map") and len(children) == 1:
        # The group between a list and its elements has any name, and may be missing.
        inner = _children(elements, children[0])
        parts = [_type(elements, one) for one in inner or children]
        return f"{meaning}<{', '.join(parts)}>"
    return f"struct<{', '.join(f'{elements[one][4].decode()}: {_type(elements, one)}' for one in children)}>"


def _meaning(element: dict[int, Any]) -> str:
    """Return what an element's values mean, the same for both forms in which a footer says it."""
    kind, of = ([*element.get(10, {}).items()] or [(None, None)])[0]
    if kind == _DECIMAL or (kind is None and element.get(6) == _DECIMAL):
        return f"decimal({element.get(8, 0)}, {element.get(7, 0)})"
    if kind in (_TIME, _TIMESTAMP):
        # The older form means UTC, and so does the newer with isAdjustedToUTC.
        name = "time" if kind == _TIME else "timestamp"
        unit = _UNITS[next(iter(of[2]), 0)]
        return f"{name}_{unit}" if of[1] else f"{name}_{unit} without a zone"
    if kind == _INTEGER:
        plain = of[2] and of[1] in (32, 64)
        return "" if plain else f"{'' if of[2] else 'u'}int_{of[1]}"
    return _LOGICAL.get(kind, "") if kind is not None else _CONVERTED.get(element.get(6, -1), "")


def _after(elements: list[dict[int, Any]], at: int) -> int:
    """Return the index behind an element and all that lies below it."""
    open_ = 1
    while open_:
        open_ += elements[at].get(5, 0) - 1
        at += 1
    return at


class _Thrift:
    """Thrift's compact protocol, as much of it as a footer has: structs as field number → value.

    :raises IndexError: From any method, if the data ends early; ``KeyError`` for a type unknown.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > _DEEPEST:
            raise RecursionError
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != _STOP:
            number = number + (head >> 4) if head >> 4 else self._signed()
            kind = head & 15
            fields[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE, _BYTE):
            # A boolean in a list is a byte.
            return self._byte()
        if kind in (_I16, _I32, _I64):
            return self._signed()
        if kind == _DOUBLE:
            return self._take(8)
        if kind == _BINARY:
            return self._take(self._varint())
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind == _MAP:
            return self._map(depth)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise KeyError(kind)

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 != 15 else self._varint()
        return [self._value(head & 15, depth + 1) for _ in range(size)]

    def _map(self, depth: int) -> list[tuple[Any, Any]]:
        size = self._varint()
        kinds = self._byte() if size else 0
        return [(self._value(kinds >> 4, depth + 1), self._value(kinds & 15, depth + 1)) for _ in range(size)]

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, size: int) -> bytes:
        if self._at + size > len(self._data):
            raise IndexError
        self._at += size
        return self._data[self._at - size : self._at]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def _signed(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
