"""What happened in a run, one event each, from its journal: orders, answers, fills, refusals, quarantines, controls, epochs and
gaps. Market facts are not events.

The engine is not asked and never waits: the journal is read beside it, also while it grows. A control is told with who ordered
it and why, which stand in the note of its frame. Where the beginning of the journal was removed, that is the first event.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tradebot._core.types import Kind
from tradebot.domain.frames import Frame, FrameKind
from tradebot.domain.units import time_text
from tradebot.engine.session import Note, note_of
from tradebot.node.facts import Row, rows_of, told_beginning
from tradebot.node.session_files import ENGINE, Prepared, read_prepared
from tradebot.node.teller import Teller
from tradebot.store.journal_reader import JournalReader

CONTROLS: Final = frozenset({Kind.TRADING_STATE_CHANGED, Kind.OPERATOR_ACT})
OF_THE_FEED: Final = frozenset({Kind.GAP, Kind.FEED_STATE, Kind.INSTRUMENT_CHANGED})


class Chronicle:
    """The events of a run as they come; those behind a fact where one is given."""

    def __init__(self, folder: Path, after_sequence: int | None = None) -> None:
        self.teller = teller_of(read_prepared(folder))
        self.reader = JournalReader(folder / ENGINE, after_sequence)
        self.beginning = told_beginning(self.reader.first)

    def poll(self) -> list[dict[str, Any]]:
        """What has happened since the last call, up to some frames; empty where nothing new is in the journal."""
        found: list[dict[str, Any]] = []
        if begun := self.beginning:
            self.beginning = None
            found.append({"sequence": begun["fact"], "time": begun["time"], "event": "journal_begins", "text": begun["text"]})
        while not found and (frames := self.reader.poll()):
            for frame in frames:
                found += events_of(frame, self.teller)
        return found

    def events(self) -> Iterator[dict[str, Any]]:
        """All that is in it now."""
        while found := self.poll():
            yield from found

    def close(self) -> None:
        self.reader.close()


def teller_of(prepared: Prepared) -> Teller:
    """The names of a node's run."""
    uses = prepared.config.get("strategy", [])
    return Teller(prepared.plan.instruments, prepared.plan.assets, {at: use["name"] for at, use in enumerate(uses)})


def events_of(frame: Frame, teller: Teller) -> Iterator[dict[str, Any]]:
    """The events of a frame, in order."""
    if frame.kind != FrameKind.FACTS:
        return
    note = note_of(frame)
    for row in rows_of(frame, least=min(OF_THE_FEED)):
        if row.kind >= Kind.ORDER_ACCEPTED or row.kind in OF_THE_FEED:
            yield tell_row(row, note, teller)
    for number, why, _ in note.refused:
        text = f"answer {number} could not be taken in: {why}"
        yield {"sequence": frame.end_sequence, "time": time_text(frame.time_ns), "event": "answer_refused", "text": text}


def tell_row(row: Row, note: Note, teller: Teller) -> dict[str, Any]:
    """A row in words, with who and why where it is an operator's doing."""
    found: dict[str, Any] = {"sequence": row.sequence, **teller.tell(row.fact)}
    if row.kind not in CONTROLS:
        return found
    who, why = by_whom(note)
    return found | {"who": who, "why": why, "text": f"{found['text']}, by {who}" + (f": {why}" if why else "")}


def by_whom(note: Note) -> tuple[str, str]:
    """Who ordered a control, and why; the engine itself halts where an answer cannot be ours."""
    if note.who or not note.refused:
        return note.who or "unknown", note.why
    return "engine", "an answer could not be taken in"
