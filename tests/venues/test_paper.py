"""The paper venue's wallet and positions, as an exchange tells them; and what it does with a snapshot of another version."""

import random
from fractions import Fraction
from math import floor

import msgspec
import numpy as np
import pytest

from tests.engine.test_contracts import INV, LIN, margin
from tests.strategies.support import plan
from tradebot._core.types import FACT_DTYPE, Flag, Kind
from tradebot.domain.errors import LocalError
from tradebot.domain.instrument import Instrument
from tradebot.domain.venue import Ask, Capabilities, PositionStatus, VenueReply, VenueRequest
from tradebot.testing.simulation import MemoryJournal
from tradebot.venues.paper import PaperVenue, cost_after

OPENING = 10**11


def venue_of(instrument: Instrument, journal: MemoryJournal | None = None) -> PaperVenue:
    run = plan(1, [instrument], margins=[margin()], opening={instrument.settle: OPENING})
    return PaperVenue(run, journal or MemoryJournal(lambda what: None), Capabilities())


def trade(venue: PaperVenue, lots: int, ticks: int, fee: int = 0, kind: Kind = Kind.ORDER_FILLED) -> None:
    """What the simulator would say of a trade of ours, or of a settlement."""
    fact = np.zeros(1, FACT_DTYPE)
    instrument = venue.plan.instruments[0]
    fact["kind"], fact["instrument"], fact["price"], fact["quantity"], fact["fee"] = kind, instrument.id, ticks, abs(lots), fee
    fact["flags"], fact["fee_asset"] = Flag.SELL if lots < 0 else 0, venue.plan.assets.index(instrument.settle)
    venue._note(fact[0])


def ask(venue: PaperVenue, what: Ask) -> VenueReply:
    (reply,) = venue.on_request(VenueRequest(1, 1, what, 0, 5, 10), 5)
    assert isinstance(reply, VenueReply)
    return reply


def test_opening_a_position_leaves_the_wallet_and_closing_moves_it_by_what_is_realised() -> None:
    """A tick and lot of LIN is 50,000 units: 0.5 USDT * 0.001."""
    venue = venue_of(LIN)
    trade(venue, 4, 200)
    trade(venue, 4, 210)
    assert ask(venue, Ask.BALANCES).balances["USDT"] == OPENING
    assert ask(venue, Ask.POSITIONS).positions == [PositionStatus(1, 8, 8 * 205 * 50_000)]
    trade(venue, -2, 215)
    assert ask(venue, Ask.BALANCES).balances["USDT"] == OPENING + 2 * 10 * 50_000, "against the average"
    trade(venue, -10, 200)
    assert ask(venue, Ask.POSITIONS).positions == [PositionStatus(1, -4, -4 * 200 * 50_000)]
    assert ask(venue, Ask.BALANCES).balances["USDT"] == OPENING + (2 * 10 - 6 * 5) * 50_000
    trade(venue, 4, 190, fee=7)
    trade(venue, 0, 0, fee=-3, kind=Kind.FUNDING_PAID)
    assert ask(venue, Ask.POSITIONS).positions == []
    assert ask(venue, Ask.BALANCES).balances["USDT"] == OPENING + (2 * 10 - 6 * 5 + 4 * 10) * 50_000 - 4


@pytest.mark.parametrize("instrument", [LIN, INV])
@pytest.mark.parametrize("seed", range(10))
def test_a_wallet_is_opening_and_what_each_close_realised_against_the_average(instrument: Instrument, seed: int) -> None:
    """The oracle realises trade by trade, in fractions; the venue takes cost out of what was paid."""
    chance, venue = random.Random(seed), venue_of(instrument)
    wallet, held, cost, trades = Fraction(OPENING), 0, Fraction(0), 300
    for _ in range(trades):
        lots, ticks = chance.choice((-1, 1)) * chance.randrange(1, 50), chance.randrange(150, 250)
        trade(venue, lots, ticks, fee=3, kind=Kind.LIQUIDATED if lots == -held else Kind.ORDER_FILLED)
        worth = Fraction(*instrument.notional_ratio)
        each = -worth / ticks if instrument is INV else ticks * worth
        closed = min(abs(lots), abs(held)) if held * lots < 0 else 0
        sign = 1 if held > 0 else -1
        if closed:
            wallet += sign * closed * each - cost * closed / abs(held)
            cost -= cost * closed / abs(held)
        cost += (abs(lots) - closed) * (1 if lots > 0 else -1) * each
        held += lots
        wallet -= 3
        below = floor(wallet) - ask(venue, Ask.BALANCES).balances[instrument.settle]
        assert 0 <= below <= 2, "two numbers are rounded down, and the parts of one are cut"
        assert venue.positions[1] == held
    assert abs(venue.costs[1] - cost) < trades * Fraction(1, 10**6), "kept in parts of a unit, and never below them"


def test_what_a_position_cost_is_none_when_it_is_flat_and_the_other_ways_when_it_turns() -> None:
    assert cost_after(5, Fraction(500), -5, Fraction(-600)) == 0
    assert cost_after(5, Fraction(500), -8, Fraction(-880)) == -330
    assert cost_after(0, Fraction(0), 3, Fraction(10, 3)) == Fraction(3_333_333, 10**6)


def test_a_start_from_a_snapshot_goes_on_with_the_same_positions_and_wallet() -> None:
    journal = MemoryJournal(lambda what: None)
    venue = venue_of(INV, journal)
    venue.open(1)
    trade(venue, 7, 201)
    trade(venue, -3, 207)
    venue.save()
    again = venue_of(INV, journal)
    again.open(2)
    assert (again.positions, again.costs, again.wallet("BTC")) == (venue.positions, venue.costs, venue.wallet("BTC"))


def test_a_snapshot_of_an_earlier_version_is_refused_in_one_line() -> None:
    journal = MemoryJournal(lambda what: None)
    venue = venue_of(LIN, journal)
    venue.open(1)
    venue.save()
    kept = journal.snapshots[-1]
    saved = msgspec.msgpack.decode(kept.data)
    journal.snapshots.append(kept._replace(data=msgspec.msgpack.encode([2, *saved[1:-1]])))
    with pytest.raises(LocalError, match=r"expected a snapshot of the paper venue of version 3, found 2: .*--new"):
        venue_of(LIN, journal).open(2)


def test_each_start_is_another_stream_also_from_a_snapshot() -> None:
    """Who listened to the one before would take what comes for something old."""
    journal = MemoryJournal(lambda what: None)
    streams = []
    for number in range(6):
        venue = venue_of(LIN, journal)
        venue.open(number)
        streams.append(venue.stream)
        if number in (1, 2, 4):
            venue.save()
    assert streams == [1, 2, 3, 4, 5, 6]
