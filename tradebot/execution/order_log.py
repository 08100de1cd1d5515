"""What a gateway writes down: that it will try, before it tries; what became of it, before it tells.

An `Attempt` without an answer is an order whose fate is not known. A command without an attempt was never sent.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from tradebot.domain.frames import NO_DIGEST, Frame, FrameKind, Journal
from tradebot.domain.venue import Ask

_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")


class Attempt(Struct, frozen=True, tag=1, array_like=True):
    """Command `number` is about to be sent, made at `timestamp_ns`; the venue must not take it after `window_ns` more."""

    number: int
    ask: Ask
    client_id: int
    timestamp_ns: int
    window_ns: int
    fact: bytes


class Answered(Struct, frozen=True, tag=2, array_like=True):
    """Answers from number `first` on, as two-slot facts; `ended` are commands that they end without an attempt."""

    first: int
    facts: bytes
    ended: list[int] = []


class Leased(Struct, frozen=True, tag=3, array_like=True):
    """From here on the account is held under `lease`; what comes under an older one is refused."""

    lease: int


Entry = Attempt | Answered | Leased

_decoder: Final = msgspec.msgpack.Decoder(Entry)


class OrderLog:
    """A gateway's journal: one entry a frame, numbered."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.entries = 0

    def saved(self) -> bytes | None:
        """The newest snapshot, after which `read` goes on; None where there is none."""
        found = self.journal.newest_snapshot()
        if found is None:
            return None
        self.entries = found.sequence
        return found.data

    def read(self) -> Iterator[Entry]:
        """What is in it after the snapshot, in order; only then may it be written."""
        for frame in self.journal.frames(self.entries):
            if frame.base_sequence >= self.entries:
                self.entries = frame.end_sequence
                yield _decoder.decode(frame.body)

    def save(self, state: bytes) -> None:
        """Keep a snapshot of what all entries so far came to."""
        self.journal.save_snapshot(self.entries, NO_DIGEST, state)

    def write(self, entry: Entry, now_ns: int) -> None:
        """All of it is of orders: what is told of it must survive a power cut where anything does."""
        frame = Frame(FrameKind.BODY, 0, self.entries, 1, now_ns, NO_DIGEST, body=_encoder.encode(entry))
        self.journal.append(frame, must_sync=True)
        self.entries += 1
