"""The judge of a chaos run. It reads two books that do not know each other: the venue's journal, folded by a fresh paper venue,
and the strategy's own record, which is its journal stepped again from the first fact and its State at the end.

Nothing of what the node said of itself is believed, and nothing is read before every process of it has ended.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import floor
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct

from tradebot._core.types import FACT_DTYPE, Flag, Kind
from tradebot.domain.errors import LocalError
from tradebot.domain.frames import Frame, FrameKind
from tradebot.engine.own_book import read_book
from tradebot.engine.ports import Records
from tradebot.engine.session import Session, commands_of
from tradebot.engine.taken import market_of
from tradebot.node.config import config_from_dict
from tradebot.node.facts import answers_of, frames_of
from tradebot.node.parts import capabilities_of
from tradebot.node.session_files import ENGINE, VENUE, Prepared, read_prepared
from tradebot.node.strategies import make_strategy
from tradebot.strategies.strategy import Strategy
from tradebot.venues.paper import PaperVenue
from tradebot.venues.paper_orders import FOR_EVER

AHEAD_NS: Final = 1
MARKET_SLOTS: Final = ["kind", "instrument", "id", "price", "quantity"]


class Record(Struct, frozen=True, kw_only=True):
    """What the strategies asked for and were told, by their journal."""

    placed: list[int]
    accepted: set[int]
    refused: set[int]
    trades: list[int]


class Judgement(Struct, frozen=True, kw_only=True):
    """`findings` are sentences, one for each thing that is wrong."""

    orders: int
    fills: int
    lost: int
    doubled: int
    unknown_left: int
    ledger_equal: bool
    replay_identical: bool
    facts_equal: bool
    findings: list[str]


class ReadOnly:
    """A journal that nobody writes any more: what is appended goes nowhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def frames(self, after_sequence: int = 0) -> Iterator[Frame]:
        assert after_sequence == 0
        return frames_of(self.folder, after_sequence)

    def append(self, frame: Frame, must_sync: bool = False) -> None: ...

    def settle(self) -> None: ...

    def save_snapshot(self, sequence: int, digest: str, data: bytes) -> None: ...

    def newest_snapshot(self) -> None:
        return None


def judge(folder: Path) -> Judgement:
    """Judge the run in `folder`, of which no process is left."""
    prepared = read_prepared(folder)
    venue = read_venue(folder, prepared)
    record = read_record(folder)
    lost, doubled = list(losses(record, venue)), list(doubles(record, venue))
    unknown = [f"order {one} was never answered" for one in record.placed if one not in record.accepted | record.refused]
    strategies = [make_strategy(use) for use in config_from_dict(prepared.config).strategy]
    session, replay = replay_engine(folder, prepared, strategies)
    facts = list(facts_differ(folder))
    books = [*books_differ(session, venue, prepared), *counts_differ(strategies, venue)] if session else []
    return Judgement(
        orders=len(record.placed),
        fills=len(venue.trades),
        lost=len(lost),
        doubled=len(doubled),
        unknown_left=len(unknown),
        ledger_equal=session is not None and not books,
        replay_identical=not replay,
        facts_equal=not facts,
        findings=[*lost, *doubled, *unknown, *books, *replay, *facts],
    )


def read_venue(folder: Path, prepared: Prepared) -> PaperVenue:
    """The venue as its own journal says, all of it: this one forgets nothing."""
    capabilities = capabilities_of(config_from_dict(prepared.config))
    venue = PaperVenue(prepared.plan, ReadOnly(folder / VENUE), capabilities, FOR_EVER)
    venue.open(AHEAD_NS)
    return venue


def read_record(folder: Path) -> Record:
    """What the engine's journal says, read without an engine."""
    placed: list[int] = []
    accepted: set[int] = set()
    refused: set[int] = set()
    trades: list[int] = []
    for frame in frames_of(folder / ENGINE, 0):
        commands = [np.frombuffer(command, FACT_DTYPE)[0] for command in commands_of(frame.outputs)]
        placed += [int(one["id"]) for one in commands if one["kind"] == Kind.PLACE_ORDER]
        for fact in answers_of(frame):
            if fact["kind"] == Kind.ORDER_ACCEPTED:
                accepted.add(int(fact["id"]))
            elif fact["kind"] == Kind.ORDER_REJECTED:
                refused.add(int(fact["id"]))
            elif fact["kind"] == Kind.ORDER_FILLED:
                trades.append(int(fact["trade_id"]))
    return Record(placed=placed, accepted=accepted, refused=refused, trades=trades)


def facts_differ(folder: Path) -> Iterator[str]:
    """Engine and venue took in the same market facts of each start of the feed; one may have been told more of it at its end."""
    engine, venue = market_by_stream(folder / ENGINE), market_by_stream(folder / VENUE)
    if not engine.keys() & venue.keys():
        yield "engine and venue heard no feed in common"
    for stream in sorted(engine.keys() & venue.keys()):
        count = min(len(engine[stream]), len(venue[stream]))
        if not np.array_equal(engine[stream][:count], venue[stream][:count]):
            yield f"engine and venue took in other market facts of the feed's start {stream}, of {count} that both have"


def market_by_stream(folder: Path) -> dict[int, Records]:
    """The market facts of a journal, by the start of the feed that told them, without their stamps."""
    found: dict[int, list[Records]] = {}
    for frame in frames_of(folder, 0):
        stream = stream_of(frame)
        if stream:
            found.setdefault(stream, []).append(market_of(frame)[MARKET_SLOTS])
    return {stream: np.concatenate(parts) for stream, parts in found.items()}


def stream_of(frame: Frame) -> int:
    """Which start of the feed a frame's market facts are of; 0 where it has none. Both kinds of journal say it in the body."""
    if frame.kind != FrameKind.FACTS or not frame.body:
        return 0
    body = msgspec.msgpack.decode(frame.body)
    return int(body.get("stream", 0) if isinstance(body, dict) else body[0])


def losses(record: Record, venue: PaperVenue) -> Iterator[str]:
    """Orders that are in one book only, and fills that the strategies were not told."""
    for client_id in record.placed:
        seen = venue.orders.get(client_id, [])
        if not seen and client_id not in record.refused:
            yield f"order {client_id} never came to the venue and nobody was told"
        elif any(one.was_taken for one in seen) and client_id in record.refused - record.accepted:
            yield f"order {client_id} is at the venue, and the strategy was told that it is not"
    for stranger in sorted(venue.orders.keys() - set(record.placed)):
        yield f"order {stranger} is at the venue and no strategy placed it"
    for trade in sorted(_trade_ids(venue) - set(record.trades)):
        yield f"trade {trade} is at the venue and no strategy was told"


def doubles(record: Record, venue: PaperVenue) -> Iterator[str]:
    for client_id, seen in venue.orders.items():
        if len(seen) > 1:
            yield f"order {client_id} is at the venue {len(seen)} times"
    for client_id, count in Counter(record.placed).items():
        if count > 1:
            yield f"order {client_id} was placed {count} times"
    for trade, count in Counter(record.trades).items():
        if count > 1:
            yield f"trade {trade} was told {count} times"
    for trade in sorted(set(record.trades) - _trade_ids(venue)):
        yield f"trade {trade} was told and is not at the venue"


def replay_engine(folder: Path, prepared: Prepared, strategies: Sequence[Strategy]) -> tuple[Session | None, list[str]]:
    """Step the engine's journal again from its first frame by the same code, and compare outputs and digest at every frame; the
    session at its end, or what differs.
    """
    journal = ReadOnly(folder / ENGINE)
    session = Session(prepared.plan, strategies, journal, prepared.fingerprint, epoch=1)
    try:
        for frame in journal.frames():
            if frame.kind == FrameKind.FACTS:
                session.take_again(frame, is_folded=False)
    except LocalError as error:
        return None, [str(error)]
    return session, []


def books_differ(session: Session, venue: PaperVenue, prepared: Prepared) -> Iterator[str]:
    """Balances to the unit, open positions of contracts at nothing; open orders, and what each strategy counted."""
    kernel = session.live.kernel
    own = read_book(prepared.plan, kernel)
    for number, asset in enumerate(prepared.plan.assets):
        theirs = floor(venue.balances[asset])
        if (ours := own.balance(number, 0, theirs)) != theirs:
            yield f"the balance of {asset} is {ours} by the engine, {theirs} by the venue"
    open_ = {one.client_id for one in venue.all_orders() if one.is_open}
    for client_id in sorted(own.orders.keys() ^ open_):
        yield f"order {client_id} is open at the {'engine' if client_id in own.orders else 'venue'} alone"
    if session.refused:
        yield f"the engine refused answers: {session.refused[0][1]}"


def counts_differ(strategies: Sequence[Strategy], venue: PaperVenue) -> Iterator[str]:
    """A strategy that counts its fills in its State has as many as the venue has of it, and has bought and sold as much."""
    for number, strategy in enumerate(strategies):
        state: Any = strategy.state
        if not hasattr(state, "bought"):
            continue
        fills = [np.frombuffer(fill, FACT_DTYPE)[0] for fill in venue.trades]
        own = [one for one in fills if one["owner"] == number]
        lots = [sum(int(one["quantity"]) for one in own if one["flags"] & Flag.SELL == side) for side in (0, Flag.SELL)]
        counted = [round(state.bought / strategy.lot), round(state.sold / strategy.lot)]
        if state.fills != len(own) or counted != lots:
            yield f"strategy {number} counted {state.fills} fills of {counted} lots, the venue {len(own)} of {lots}"


def _trade_ids(venue: PaperVenue) -> set[int]:
    return {int(np.frombuffer(fill, FACT_DTYPE)[0]["trade_id"]) for fill in venue.trades}
