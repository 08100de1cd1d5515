"""Views: what each shows in its callback, and that each is shut when the callback returns."""

import math

import numpy as np
import pytest

from tests.strategies.support import BTC, ETH, SECOND, START, book, plan, row, run, trades
from tradebot._core import views
from tradebot._core.types import Flag, Kind, OrderState, OrderType, Reject, TimeInForce
from tradebot._core.views import StaleViewError
from tradebot.engine.plan import make_merge
from tradebot.strategies.strategy import Strategy


def shown(view: views.View) -> dict[str, object]:
    """Every property of a view."""
    names = [name for name in dir(type(view)) if isinstance(getattr(type(view), name), type(views.View.instrument))]
    return {name: getattr(view, name) for name in names}


class Keeps(Strategy):
    """Reads every view it is handed, and keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, views.View] = {}
        self.read: dict[str, dict[str, object]] = {}
        self.times: dict[str, int] = {}

    def keep(self, view: views.View) -> None:
        name = type(view).__name__
        self.kept[name], self.read[name], self.times[name] = view, shown(view), self.time_ns

    def on_start(self) -> None:
        self.bars("2s")
        self.after(3 * SECOND)

    def on_trade(self, trade) -> None:
        first = "TradeView" not in self.kept
        self.keep(trade)
        self.keep(self.position)
        if first:
            self.buy(0.02, price=101.0)
            self.buy(10**6)
            self.cancel(4711)

    def on_book(self, book) -> None:
        self.keep(book)

    def on_bar(self, bar) -> None:
        self.keep(bar)

    def on_timer(self, timer) -> None:
        self.keep(timer)

    def on_order(self, order) -> None:
        self.keep(order)

    def on_fill(self, fill) -> None:
        self.keep(fill)

    def on_reject(self, reject) -> None:
        self.keep(reject)

    def on_feed(self, feed) -> None:
        self.keep(feed)


ALL = ["BarView", "BookView", "FeedView", "FillView", "OrderView", "PositionView", "RejectView", "TimerView", "TradeView"]


@pytest.fixture(scope="module")
def keeps() -> Keeps:
    keeps = Keeps()
    sale = row(1, Kind.TRADE, 201, 7, order_id=1, flags=Flag.SELL, venue_sequence=99, id2=2)
    sale["venue_ns"] -= 5
    keeps.merge = run(keeps, [*book(), sale, row(4.5, Kind.FEED_STATE, order_id=0), row(5, Kind.L3_ADD, 203, 3, 9, Flag.SELL)])
    assert keeps.merge.kernel.failures == []
    return keeps


def test_every_class_of_view_is_handed_out(keeps: Keeps) -> None:
    assert sorted(keeps.read) == ALL == sorted(one for one in vars(views) if one.endswith("View") and one != "View")


@pytest.mark.parametrize("name", ALL)
def test_no_property_of_a_view_is_readable_after_its_callback(keeps: Keeps, name: str) -> None:
    view = keeps.kept[name]
    assert len(keeps.read[name]) >= 3
    for one in set(keeps.read[name]) - {"instrument"}:
        with pytest.raises(StaleViewError, match="callback"):
            getattr(view, one)


@pytest.mark.parametrize("name", ALL)
def test_every_view_tells_its_instrument_and_the_time_of_the_fact(keeps: Keeps, name: str) -> None:
    assert keeps.read[name]["instrument"] == BTC.name
    assert keeps.read[name]["time_ns"] == keeps.times[name]


def test_a_trade_shows_price_size_side_and_number(keeps: Keeps) -> None:
    found = keeps.read["TradeView"]
    assert (found["price"], found["quantity"], found["is_sell"], found["trade_id"]) == (100.5, 0.007, True, 99)
    assert (found["venue_ns"], found["time_ns"]) == (START + SECOND - 5, START + SECOND)


def test_a_fill_shows_what_it_cost_and_what_remains(keeps: Keeps) -> None:
    found = keeps.read["FillView"]
    assert (found["price"], found["quantity"], found["remaining"]) == (101.0, 0.02, 0.0)
    assert (found["is_sell"], found["is_maker"], found["is_done"]) == (False, False, True)
    assert (found["fee"], found["venue_ns"]) == (0.00404, START + SECOND + SECOND // 100)


def test_an_order_shows_its_terms_and_its_state(keeps: Keeps) -> None:
    found = keeps.read["OrderView"]
    assert (found["id"], found["price"], found["quantity"]) == (keeps.read["FillView"]["order_id"], 101.0, 0.02)
    assert (found["filled"], found["remaining"], found["is_done"]) == (0.02, 0.0, True)
    assert (found["state"], found["order_type"], found["time_in_force"]) == (OrderState.DONE, OrderType.LIMIT, TimeInForce.GTC)
    assert not found["is_sell"]


def test_a_refusal_shows_its_number_and_its_order(keeps: Keeps) -> None:
    found = keeps.read["RejectView"]
    assert (found["reason"], found["is_sell"]) == (Reject.BALANCE_TOO_SMALL, False)
    assert found["order_id"] == keeps.read["FillView"]["order_id"] + 1


def test_a_bar_is_labelled_with_its_open_time(keeps: Keeps) -> None:
    found = keeps.read["BarView"]
    assert (found["open_ns"], found["interval_ns"], found["trades"]) == (START + 2 * SECOND, 2 * SECOND, 0)
    assert (found["open"], found["high"], found["low"], found["close"], found["volume"]) == (100.5, 100.5, 100.5, 100.5, 0.0)


def test_a_timer_shows_its_number_and_a_feed_its_state(keeps: Keeps) -> None:
    assert keeps.read["TimerView"]["number"] == 2  # the first is that of the bars
    assert (keeps.read["FeedView"]["is_gap"], keeps.read["FeedView"]["is_up"]) == (False, False)


def test_a_position_shows_what_is_held_and_what_it_made() -> None:
    class Holds(Strategy):
        seen: tuple = ()

        def on_trade(self, trade) -> None:
            steps = {1: lambda: self.buy(0.1), 2: lambda: self.sell(0.05), 3: lambda: None}
            self.state_of = shown(self.position)
            self.count = getattr(self, "count", 0) + 1
            steps.get(self.count, lambda: None)()

    holds = Holds()
    run(holds, [*book(), *trades(4)])
    found = holds.state_of
    assert (found["quantity"], found["flat"], found["cost"]) == (0.05, False, 5.05)
    assert (found["realised"], found["unrealised"]) == (-0.05, -0.025)  # bought at 101, sold at 100, the middle at 100.5
    assert found["fees"] == pytest.approx(10.1 * 0.002 + 5.0 * 0.002)


def test_a_book_shows_depth_from_the_best_and_nan_where_a_side_is_empty() -> None:
    class Looks(Strategy):
        seen: tuple = ()

        def on_book(self, book) -> None:
            self.seen = (*self.seen, (book.bid, book.ask, book.middle, book.spread, book.bids(2), book.asks(2)))

    looks = Looks()
    rows = [
        row(0, Kind.L3_ADD, 200, 5, 1), row(1, Kind.L3_ADD, 198, 7, 2), row(2, Kind.L3_ADD, 200, 6, 3),
        row(3, Kind.L3_ADD, 190, 1, 4), row(4, Kind.L3_ADD, 202, 9, 5, Flag.SELL),
    ]  # fmt: skip
    run(looks, rows)
    bid, ask, middle, spread, bids, asks = looks.seen[0]
    assert (bid, bids, asks) == (100.0, [(100.0, 0.005)], [])
    assert all(math.isnan(one) for one in (ask, middle, spread))
    assert looks.seen[-1] == (100.0, 101.0, 100.5, 1.0, [(100.0, 0.011), (99.0, 0.007)], [(101.0, 0.009)])


def test_quotes_alone_show_best_prices_and_no_depth() -> None:
    class Looks(Strategy):
        seen: tuple = ()

        def on_quote(self, book) -> None:
            self.seen = (*self.seen, (book.bid, book.ask, book.bid_quantity, book.ask_quantity, book.bids(), book.asks()))

    looks = Looks()
    quote = {"order_id": 203, "id2": 4}
    run(looks, [row(0, Kind.QUOTE, 200, 3, **quote), row(1, Kind.QUOTE, 200, 3, **quote), row(2, Kind.QUOTE, 201, 3, **quote)])
    assert looks.seen == ((100.0, 101.5, 0.003, 0.004, [], []), (100.5, 101.5, 0.003, 0.004, [], []))


def test_the_book_asked_for_outside_a_callback_is_shut() -> None:
    strategy = Strategy()
    merge = run(strategy, [*book(), *trades(1)])
    for ask in (lambda: strategy.book.bid, lambda: strategy.book.bids(), lambda: strategy.book_of(BTC.name).ask):
        with pytest.raises(StaleViewError):
            ask()
    assert merge.kernel.calling is None


def test_a_view_kept_from_one_callback_is_shut_in_the_next_of_another_kind() -> None:
    class Peeks(Strategy):
        raised: tuple = ()

        def on_trade(self, trade) -> None:
            self.trade = trade
            self.buy(0.01)

        def on_order(self, order) -> None:
            try:
                _ = self.trade.price
            except StaleViewError as error:
                self.raised = (*self.raised, error)

    peeks = Peeks()
    run(peeks, [*book(), *trades(2)])
    assert len(peeks.raised) > 0


def test_views_of_two_instruments_do_not_mix() -> None:
    class Both(Strategy):
        seen: tuple = ()

        def on_trade(self, trade) -> None:
            mine = self.book_of(trade.instrument)
            held = self.position_of(trade.instrument)
            self.seen = (*self.seen, (trade.instrument, trade.price, mine.bid, mine.ask, held.instrument))

    both = Both()
    eth = row(2, Kind.TRADE, 3_001, 3, instrument=2)
    merge = make_merge(plan(1, [BTC, ETH]), [both])
    merge.feed(np.concatenate([*book(), *book(2, 3_000), *trades(1), eth]))
    merge.finish()
    assert both.seen == ((BTC.name, 100.5, 100.0, 101.0, BTC.name), (ETH.name, 30.01, 30.0, 30.02, ETH.name))


def levels(time_s: float, *rows: tuple[int, int, int], flags: int = 0) -> list[np.ndarray]:
    """One venue message of (side, price, lots)."""
    marks = [flags] * len(rows)
    marks[0] |= Flag.BEGIN if flags else 0
    marks[-1] |= Flag.LAST
    pairs = zip(rows, marks, strict=True)
    return [row(time_s, Kind.L2_LEVEL, price, lots, flags=side | mark) for (side, price, lots), mark in pairs]


def test_a_book_of_levels_is_shown_when_its_message_is_whole() -> None:
    class Looks(Strategy):
        def __init__(self) -> None:
            super().__init__()
            self.books: list[tuple] = []
            self.quotes: list[tuple] = []

        def on_book(self, book) -> None:
            self.books.append((book.bids(2), book.asks(2), book.bid_quantity, book.ask_quantity))

        def on_quote(self, book) -> None:
            self.quotes.append((book.bid, book.ask))

    looks = Looks()
    message = [
        *levels(1, (0, 199, 5), (0, 198, 7), (1, 201, 9), flags=Flag.SNAPSHOT),
        *levels(2, (0, 201, 4), (1, 201, 0), (1, 203, 1)),
        *levels(3, (0, 150, 4)),
        *levels(4, (0, 150, 4)),
        row(5, Kind.QUOTE, 1, 1, order_id=2, id2=1),
    ]
    merge = run(looks, message)
    assert looks.quotes == [(99.5, 100.5), (100.5, 101.5)]
    assert len(looks.books) == 3
    assert looks.books[1][:2] == ([(100.5, 0.004), (99.5, 0.005)], [(101.5, 0.001)])
    assert merge.kernel.market(0)[:2] == (201, 203)
