"""What travels between the owner of a store and its clients, over a Unix socket in the store's folder.

A frame is twelve bytes (a mark, the sizes of head and body), a head that says what it is, and a body of raw bytes: a
block of columns, or nothing. Sizes are checked before anything is read, so bytes that are no frame cost nothing and
end the connection. The first frame each way says who speaks which version.

Socket addresses are short: 108 bytes in all. Where a store lies deeper than that, the socket is reached through the
number of its folder, opened, and needs no second place.
"""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from struct import Struct as Layout
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from tradebot.store.native import Buffer

PROTOCOL: Final = 1
SOCKET_NAME: Final = "owner.socket"
HEAD_MAX: Final = 1 << 20
BODY_MAX: Final = 1 << 28

_LAYOUT: Final = Layout("!4sII")
_MARK: Final = b"tbs\x01"
_ADDRESS_MAX: Final = 100  # 108 on Linux, 104 elsewhere, and a zero at the end


class Hello(Struct, frozen=True, array_like=True, tag=1):
    """The first frame, each way. `schema` is the version of the tables that the speaker knows."""

    protocol: int
    schema: int
    version: str
    process: int


class Query(Struct, frozen=True, array_like=True, tag=2):
    """Answered by one Rows."""

    sql: str
    parameters: dict[str, str | int | float]


class Insert(Struct, frozen=True, array_like=True, tag=3):
    """The body is the block. Answered by one Rows, without any."""

    table: str
    names: list[str]


class Stream(Struct, frozen=True, array_like=True, tag=4):
    """Answered by any number of Rows, a block each, and an End."""

    sql: str


class Lease(Struct, frozen=True, array_like=True, tag=5):
    """Answered by one Rows, without any, once it is held; ends with the connection."""

    name: str
    wait_s: float


class Rows(Struct, frozen=True, array_like=True, tag=6):
    """The body is the result, in Native format."""


class End(Struct, frozen=True, array_like=True, tag=7):
    """A stream is complete."""


class Failed(Struct, frozen=True, array_like=True, tag=8):
    """What was asked for was not done; `text` is the line for people. `full`: for want of room."""

    text: str
    full: bool = False


class Closing(Struct, frozen=True, array_like=True, tag=9):
    """The owner gives the store up; nothing more is done for this client."""


class Delete(Struct, frozen=True, array_like=True, tag=10):
    """Answered by one Rows, without any, once the rows that `where` names are gone."""

    table: str
    where: str


Message = Hello | Query | Insert | Delete | Stream | Lease | Rows | End | Failed | Closing


class BadFrame(Exception):
    """The other side sends what is no frame."""


class Frame(NamedTuple):
    message: Message
    body: bytearray


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Message).decode


def send(line: socket.socket, message: Message, body: Sequence[Buffer] = ()) -> None:
    """Write a frame; waits as long as the other side does not read."""
    head = _encode(message)
    size = sum(len(piece) for piece in body)
    assert len(head) <= HEAD_MAX and size <= BODY_MAX
    line.sendall(_LAYOUT.pack(_MARK, len(head), size) + head)
    for piece in body:
        line.sendall(piece)


def receive(line: socket.socket) -> Frame | None:
    """The next frame; None where the other side has ended. Raises BadFrame, and TimeoutError of the socket where
    nothing has come yet.
    """
    start = line.recv(_LAYOUT.size)
    if not start:
        return None
    start += _read(line, _LAYOUT.size - len(start))
    mark, head_size, body_size = _LAYOUT.unpack(start)
    if mark != _MARK or head_size > HEAD_MAX or body_size > BODY_MAX:
        raise BadFrame("not a frame of this protocol")
    head = _read(line, head_size)
    try:
        message = _decode(head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFrame(str(error)) from error
    return Frame(message, _read(line, body_size))


def _read(line: socket.socket, size: int) -> bytearray:
    """Exactly so many bytes. Memory is taken as they come, not as they are announced."""
    data = bytearray()
    while len(data) < size:
        start, step = len(data), min(size - len(data), max(1 << 16, len(data)))
        data += bytes(step)
        with memoryview(data) as view:
            while start < len(data):
                try:
                    count = line.recv_into(view[start:])
                except TimeoutError as error:
                    raise BadFrame("the frame stalls in its middle") from error
                if not count:
                    raise BadFrame("the frame ends in its middle")
                start += count
    return data


@contextmanager
def address_of(folder: Path) -> Iterator[str]:
    """The address of the socket in `folder`, good while the context lasts. Raises OSError where there is none short
    enough.
    """
    plain = str(folder / SOCKET_NAME)
    if len(os.fsencode(plain)) <= _ADDRESS_MAX:
        yield plain
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET_NAME}"
    finally:
        os.close(descriptor)
