"""The offline stand-in for the sample: a made-up order-by-order book, the same for the same seed on every
machine.

Orders come, go and trade at random, without intent (a zero-intelligence flow): nothing about a strategy can
be learnt from it, and its instrument says so. It is consistent in what an engine relies on: never crossed,
each execution at the best price and of the oldest order there, each with its trade.

Chance is SplitMix64 (G. Steele, D. Lea, C. Flood, 2014) in integer arithmetic of our own, so no library's
version can change the stream.
"""

import hashlib
from collections import deque
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.store.imports import ImportSource
from tradebot.store.instruments import spot_instrument

NAME: Final = "synthetic"
VERSION: Final = 1
INSTRUMENT: Final = spot_instrument("BTC/USD@synthetic", tick="1", lot="0.00000001")
EVENTS: Final = 300_000
SEED: Final = 1

_START_NS: Final = 1_767_571_200_000_000_000  # 2026-01-05T00:00:00Z
_SPAN_NS: Final = 30 * 60 * 1_000_000_000
_LATENCY_NS: Final = 70_000_000
_JITTER_NS: Final = 10_000_000
_MIDDLE_TICKS: Final = 78_000
_ORDERS_TARGET: Final = 600  # resting, a side
_ORDERS_MIN: Final = 60  # a side, below which nothing is taken away
_FRONT_ODDS: Final = 16  # one order in so many is placed within the front
_FRONT_TICKS: Final = 16
_DEPTH_TICKS: Final = 400
_LOT_UNIT: Final = 10_000
_TAKER_ODDS: Final = 800  # one event in so many
_BLOCK: Final = 1 << 15

_SELL: Final = int(Flag.SELL)
_MASK: Final = (1 << 64) - 1

Record = tuple[int, int, int, int, int, int, int, int, int, int, int]


def open_source(
    seed: int = SEED, events: int = EVENTS
) -> tuple[ImportSource, Iterator[npt.NDArray[np.void]]]:
    """The source and its records in batches; at least `events` market facts over 30 minutes."""
    content = hashlib.sha256(f"{NAME} {VERSION} seed {seed} events {events}".encode()).hexdigest()
    return ImportSource(NAME, VERSION, content, f"seed {seed}"), _batches(seed, events)


def _batches(seed: int, events: int) -> Iterator[npt.NDArray[np.void]]:
    flow = Flow(seed, events)
    while flow.count < events:
        flow.step()
        if len(flow.records) >= _BLOCK:
            yield flow.take()
    yield flow.take()


def draws(seed: int) -> Iterator[int]:
    """SplitMix64: uniform u64, without end."""
    step, first = np.uint64(0x9E3779B97F4A7C15), seed & _MASK
    while True:
        z = np.uint64(first) + np.arange(1, _BLOCK + 1, dtype=np.uint64) * step
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        yield from (z ^ (z >> np.uint64(31))).tolist()
        first = (first + _BLOCK * int(step)) & _MASK


class Order:
    """A resting order."""

    __slots__ = ("id", "index", "lots", "price", "side")

    def __init__(self, id_: int, side: int, price: int, lots: int, index: int) -> None:
        self.id, self.side, self.price, self.lots, self.index = id_, side, price, lots, index


class Flow:
    """The book, the clock and the chance. Sides are 0 for bids and the SELL flag for asks."""

    def __init__(self, seed: int, events: int) -> None:
        self.records: list[Record] = []
        self.count = 0
        self._draw = draws(seed).__next__
        self._gap_ns = 2 * _SPAN_NS // events
        self._venue_ns = _START_NS
        self._time_ns = _START_NS + _LATENCY_NS
        self._id = 0
        self._trade = 0
        self._levels: tuple[dict[int, deque[Order]], ...] = ({}, {})
        self._best = [_MIDDLE_TICKS, _MIDDLE_TICKS + 1]
        self._resting: tuple[list[Order], list[Order]] = ([], [])
        self._open_book()

    def take(self) -> npt.NDArray[np.void]:
        """The records made since the last call."""
        taken, self.records = np.array(self.records, RECORD_DTYPE), []
        return taken

    def step(self) -> None:
        """One thing happens: an order comes, goes, or takes."""
        self._pass_time()
        chance, side = self._draw(), self._draw() & 1
        resting = len(self._resting[side])
        if resting >= _ORDERS_MIN and chance % _TAKER_ODDS == 0:
            self._take_liquidity(side)
        elif resting < _ORDERS_MIN or (chance >> 20) % (2 * _ORDERS_TARGET) >= resting:
            self._add(side, self._draw_price(side), 0)
        else:
            self._cancel(self._resting[side][self._draw() % resting])

    def _open_book(self) -> None:
        for side in (0, _SELL):
            for price in (_MIDDLE_TICKS, _MIDDLE_TICKS + 1)[side : side + 1]:
                self._add(side, price, int(Flag.SNAPSHOT))
            for _ in range(_ORDERS_TARGET - 1):
                self._add(side, self._draw_price(side), int(Flag.SNAPSHOT))
        self._flag(0, int(Flag.BEGIN))
        self._flag(-1, int(Flag.LAST))

    def _flag(self, place: int, flag: int) -> None:
        record = self.records[place]
        self.records[place] = (*record[:9], record[9] | flag, record[10])

    def _pass_time(self) -> None:
        self._venue_ns += self._draw() % self._gap_ns
        received_ns = self._venue_ns + _LATENCY_NS + self._draw() % _JITTER_NS
        self._time_ns = max(self._time_ns, received_ns)

    def _draw_price(self, side: int) -> int:
        """From one tick inside the other side's best outwards: a thin front, so that the price moves."""
        chance = self._draw()
        away = 1 + (chance >> 8) % (_FRONT_TICKS if chance % _FRONT_ODDS == 0 else _DEPTH_TICKS)
        return self._best[1] - away if side == 0 else self._best[0] + away

    def _add(self, side: int, price: int, flags: int) -> None:
        self._id += 1
        lots = (1 + self._draw() % 1_000) * _LOT_UNIT
        resting = self._resting[side]
        order = Order(self._id, side, price, lots, len(resting))
        resting.append(order)
        self._levels[side].setdefault(price, deque()).append(order)
        self._best[side] = max(self._best[side], price) if side == 0 else min(self._best[side], price)
        self._emit(Kind.L3_ADD, side | flags, price, lots, order.id, 0, self.count + 1)

    def _cancel(self, order: Order) -> None:
        self._levels[order.side][order.price].remove(order)
        self._forget(order)
        self._emit(Kind.L3_DELETE, order.side, order.price, order.lots, order.id, 0, self.count + 1)

    def _take_liquidity(self, side: int) -> None:
        """A taker on the other side of `side` takes up to three orders' worth; its trades follow the
        executions.
        """
        self._id += 1
        taker, left = self._id, (1 + self._draw() % 3_000) * _LOT_UNIT
        trades = []
        while left and len(self._resting[side]) >= _ORDERS_MIN // 2:
            maker = self._levels[side][self._best[side]][0]
            lots = min(left, maker.lots)
            left, maker.lots = left - lots, maker.lots - lots
            self._emit(Kind.L3_EXECUTE, side, maker.price, lots, maker.id, taker, self.count + 1)
            trades.append((maker.price, lots, maker.id))
            if not maker.lots:
                self._levels[side][maker.price].popleft()
                self._forget(maker)
        for price, lots, maker_id in trades:
            self._trade += 1
            buyer, seller = (maker_id, taker) if side == 0 else (taker, maker_id)
            self._emit(Kind.TRADE, _SELL - side, price, lots, buyer, seller, self._trade)

    def _forget(self, order: Order) -> None:
        resting, levels = self._resting[order.side], self._levels[order.side]
        last = resting.pop()
        if last is not order:
            resting[order.index], last.index = last, order.index
        if not levels[order.price]:
            del levels[order.price]
            step = -1 if order.side == 0 else 1
            while self._best[order.side] not in levels:
                self._best[order.side] += step

    def _emit(self, kind: Kind, flags: int, price: int, lots: int, id_: int, id2: int, number: int) -> None:
        self.count += 1
        self.records.append(
            (self._time_ns, self._venue_ns, number, price, lots, id_, id2, INSTRUMENT.id, kind, flags, 0)
        )
