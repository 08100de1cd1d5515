"""The saved state of a run: bytes from which the same plan, with the same strategies, goes on to the same digest.

The content is canonical (books by price and queue, orders by placement), so two engines in the same state give the same bytes,
whatever their memory looks like; the state hash is the digest of those bytes. Nothing is pickled.
"""

from typing import Any, Final

import msgspec

from tradebot._core.digest import digest_bytes
from tradebot._core.merge import Merge
from tradebot.domain.errors import LocalError

VERSION: Final = 6

_encoder = msgspec.msgpack.Encoder(order="deterministic")


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """What the bytes hold: the version of this layout, and the state of engine, venue and the stream under way."""

    version: int
    state: list[Any]


def to_bytes(merge: Merge) -> bytes:
    """Save a run between two steps; what it recorded must have been handed over."""
    return _encoder.encode(Snapshot(VERSION, merge.snapshot()))


def from_bytes(merge: Merge, data: bytes) -> None:
    """Put a saved state into a merge that was built by the same plan and has not started.

    Raises LocalError where the bytes are no snapshot of this version.
    """
    try:
        saved = msgspec.msgpack.decode(data, type=Snapshot)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise LocalError(f"expected a snapshot, found {error}; start from the journal") from error
    if saved.version != VERSION:
        raise LocalError(f"expected a snapshot of version {VERSION}, found {saved.version}; start from the journal")
    merge.restore(saved.state)


def state_hash(data: bytes) -> str:
    """32 hex digits over a snapshot's bytes."""
    return digest_bytes(data)
