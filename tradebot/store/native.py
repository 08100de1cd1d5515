"""Blocks of rows as ClickHouse's Native format has them: a count of columns and rows, then each column whole, under its
name and type.

It is what the engine reads and writes, and so what travels between a store's owner and its clients: numbers lie in a
block as they lie in memory and are neither parsed nor copied. Numbers of fixed width are read here; small results of
other types are left to the library, which knows them all.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any] | Sequence[Any]
Buffer = bytes | bytearray | memoryview

NUMBERS: Final[dict[str, np.dtype[Any]]] = {
    "UInt8": np.dtype("u1"),
    "UInt16": np.dtype("<u2"),
    "UInt32": np.dtype("<u4"),
    "UInt64": np.dtype("<u8"),
    "Int64": np.dtype("<i8"),
}
_TEXT: Final = "String"


def encode_block(columns: Mapping[str, Column], types: Mapping[str, str]) -> list[Buffer]:
    """One block, as the pieces that make it up one after the other; arrays of the right type are not copied."""
    rows = len(next(iter(columns.values())))
    pieces: list[Buffer] = [_count(len(columns)) + _count(rows)]
    for name, column in columns.items():
        assert len(column) == rows
        number = NUMBERS.get(types[name])
        # Text of any kind is sent as plain text; the engine puts it into the column's own type.
        pieces.append(_text(name) + _text(types[name] if number else _TEXT))
        if number is None:
            pieces.append(b"".join(map(_text, column)))
        else:
            pieces.append(np.ascontiguousarray(column, number).data.cast("B"))
    return pieces


def decode_blocks(data: Buffer) -> Iterator[list[npt.NDArray[Any]]]:
    """The columns of each block in `data`, as views of it; they may lie at odd addresses. Raises ValueError where
    it is not whole blocks of numbers.
    """
    view, at = memoryview(data).cast("B"), 0
    while at < len(view):
        width, at = _read_count(view, at)
        rows, at = _read_count(view, at)
        columns = []
        for _ in range(width):
            _, at = _read_text(view, at)
            type_, at = _read_text(view, at)
            if type_ not in NUMBERS:
                raise ValueError(f"expected a column of numbers, found one of type {type_!r}")
            columns.append(np.frombuffer(view, NUMBERS[type_], rows, at))
            at += columns[-1].nbytes
        yield columns


def decode_rows(data: Buffer) -> list[tuple[Any, ...]]:
    """All rows of a small result, of whatever types."""
    if not len(data):
        return []
    from clickhouse_connect.driver.ctypes import RespBuffCls
    from clickhouse_connect.driver.transform import NativeTransform

    buffer: Any = RespBuffCls  # the library's readers carry no types
    result: Any = NativeTransform.parse_response(buffer(_Source(bytes(data))))
    return list(result.result_rows)


class _Source:
    """The library reads from something that hands out pieces."""

    last_message: bytes | None = None
    exception_tag: str | None = None

    def __init__(self, data: bytes) -> None:
        self.gen = iter((data,))

    def close(self) -> None:
        pass


def _count(number: int) -> bytes:
    """LEB128: seven bits a byte, the lowest first."""
    text = bytearray()
    while number > 0x7F:
        text.append(number & 0x7F | 0x80)
        number >>= 7
    text.append(number)
    return bytes(text)


def _text(value: object) -> bytes:
    text = str(value).encode()
    return _count(len(text)) + text


def _read_count(view: memoryview, at: int) -> tuple[int, int]:
    number = shift = 0
    while shift < 64:
        if at >= len(view):
            raise ValueError("the block ends within a number")
        byte = view[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    raise ValueError("a count of more than 64 bits")


def _read_text(view: memoryview, at: int) -> tuple[str, int]:
    size, at = _read_count(view, at)
    if at + size > len(view):
        raise ValueError("the block ends within a name")
    return bytes(view[at : at + size]).decode(), at + size
