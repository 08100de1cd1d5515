"""The walk over pages, against exchanges made up for the purpose: honest ones, windowed ones, stubborn ones. Each row once, and
always an end.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradebot.venues.exchange import Candle, Print, TradePage
from tradebot.venues.pages import CROWD_MIN, SILENT_MAX, WINDOW_MS, TradeWalk, candle_pages
from tradebot.venues.stretches import Span

MINUTE = 60_000


def candle(time_ms: int) -> Candle:
    return Candle(time_ms, "1", "2", "0.5", "1.5", "3")


class Candles:
    """Has a candle at each of `times`; `show` picks the page from those that are asked for."""

    def __init__(self, times: list[int], style: str) -> None:
        self.times, self.style, self.asked = times, style, 0

    def candles(self, symbol: str, interval: str, since_ms: int, limit: int) -> list[Candle]:
        self.asked += 1
        later = [time_ms for time_ms in self.times if time_ms >= since_ms]
        if self.style == "windowed":
            later = [time_ms for time_ms in later if time_ms < since_ms + limit * MINUTE]
        if self.style == "inclusive":  # begins one too early
            later = [*[time_ms for time_ms in self.times if time_ms < since_ms][-1:], *later]
        if self.style == "newest":
            later = self.times[-limit:]
        return list(map(candle, later[:limit]))


def walked(source: Candles, span: Span, limit: int = 5) -> list[int]:
    pages = candle_pages(source, "A/B", "1m", MINUTE, limit, span)
    return [row.time_ms for page in pages for row in page]


@pytest.mark.parametrize("style", ["plain", "windowed", "inclusive"])
@settings(deadline=None)
@given(kept=st.sets(st.integers(0, 60)), first=st.integers(0, 40), count=st.integers(1, 40))
def test_every_candle_of_the_span_comes_once(style: str, kept: set[int], first: int, count: int) -> None:
    times = [number * MINUTE for number in sorted(kept)]
    span = Span(first * MINUTE, (first + count) * MINUTE)
    assert walked(Candles(times, style), span) == [time_ms for time_ms in times if span.start_ms <= time_ms < span.end_ms]


def test_an_exchange_that_shows_one_page_whatever_is_asked_is_asked_no_more_than_needed() -> None:
    source = Candles([number * MINUTE for number in range(100)], "newest")
    assert walked(source, Span(0, 98 * MINUTE)) == [95 * MINUTE, 96 * MINUTE, 97 * MINUTE]
    assert source.asked == 1
    source = Candles([number * MINUTE for number in range(100)], "newest")
    assert walked(source, Span(0, 200 * MINUTE)) == [number * MINUTE for number in range(95, 100)]
    assert source.asked <= 1 + 100 // 5


def test_a_page_behind_the_span_ends_the_walk() -> None:
    source = Candles([1000 * MINUTE], "plain")
    assert walked(source, Span(0, 900 * MINUTE)) == [] and source.asked == 1


def test_silence_ends_the_walk_over_candles() -> None:
    source = Candles([], "plain")
    assert walked(source, Span(0, 10**12)) == [] and source.asked == SILENT_MAX


def trades(times: list[int], with_ids: bool = True) -> list[Print]:
    return [Print(time_ms, str(number) if with_ids else "", "buy", "1", "2") for number, time_ms in enumerate(times)]


class Trades:
    """Has `rows`, by time. `cursor`: it shows exactly what is behind a row; else what is at a time or later, `limit` at once."""

    def __init__(self, rows: list[Print], limit: int, style: str) -> None:
        self.rows, self.limit, self.style, self.asked = rows, limit, style, 0

    def trades(self, symbol: str, since_ms: int, cursor: dict[str, object] | None) -> TradePage:
        self.asked += 1
        if cursor is not None:
            found = [row for row in self.rows if int(row.id) > int(str(cursor["after"]))]
        else:
            found = [row for row in self.rows if row.time_ms >= since_ms]
            if self.style == "windowed":
                found = [row for row in found if row.time_ms <= since_ms + WINDOW_MS]
            if self.style == "newest":
                found = self.rows[-self.limit :]
        page = found[: self.limit]
        after = {"after": page[-1].id} if page and self.style == "cursor" else None
        return TradePage(page, after, cursor is not None)


def walk(source: Trades, span: Span, seen: list[Print] | None = None) -> tuple[TradeWalk, list[Print]]:
    walking = TradeWalk(source, "A/B", span, seen or [])
    return walking, [row for page in walking.pages() for row in page]


@pytest.mark.parametrize("style", ["plain", "windowed", "cursor"])
@pytest.mark.parametrize("with_ids", [True, False])
@settings(deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 60), span_ms=st.integers(1, 6 * WINDOW_MS))
def test_every_trade_of_the_span_comes_once(style: str, with_ids: bool, seed: int, count: int, span_ms: int) -> None:
    """Up to three of one moment, pages of five, so that moments lie across the borders of pages."""
    chance = random.Random(seed)
    times = sorted(chance.randrange(0, span_ms * 2) for _ in range(count))
    rows = trades([time_ms for time_ms in times for _ in range(chance.randrange(1, 4))], with_ids or style == "cursor")
    span = Span(span_ms // 3, span_ms)
    crowded = any(sum(row.time_ms == one.time_ms for row in rows) >= 5 for one in rows)
    walking, found = walk(Trades(rows, 5, style), span)
    expected = [row for row in rows if span.start_ms <= row.time_ms < span.end_ms]
    if crowded and style != "cursor":
        assert set(found) <= set(expected)
    else:
        assert found == expected
    assert walking.lost == []


def test_a_walk_begins_behind_what_is_here() -> None:
    rows = trades([10, 20, 20, 20, 30])
    for style in ("plain", "windowed", "cursor"):
        _, found = walk(Trades(rows, 5, style), Span(0, 100), seen=rows[1:3])
        assert found == rows[3:], style


def test_a_row_that_an_exchange_shows_twice_on_a_page_is_taken_once() -> None:
    rows = trades([10, 20, 30])
    _, found = walk(Trades([rows[0], rows[1], rows[1], rows[2]], 5, "plain"), Span(0, 100))
    assert found == rows


def test_an_exchange_that_shows_the_same_trades_whatever_is_asked_is_left() -> None:
    source = Trades(trades([10, 20, 30]), 3, "newest")
    _, found = walk(source, Span(0, 10 * WINDOW_MS))
    assert found == source.rows and source.asked < SILENT_MAX + 10


def test_a_moment_that_no_page_holds_is_passed_and_told() -> None:
    """By time nobody sees behind the first `CROWD_MIN` trades of a moment; by a cursor all come."""
    rows = trades([10] * (CROWD_MIN + 20) + [5000])
    walking, found = walk(Trades(rows, CROWD_MIN, "plain"), Span(0, 6000))
    assert found == rows[:CROWD_MIN] + rows[-1:]
    assert [(span.start_ms, span.end_ms) for span in walking.lost] == [(10, 11)]
    walking, found = walk(Trades(rows, CROWD_MIN, "cursor"), Span(0, 6000))
    assert found == rows and walking.lost == []


def test_silence_ends_the_walk_over_trades() -> None:
    source = Trades([], 5, "windowed")
    walk(source, Span(0, 10**13))
    assert source.asked == SILENT_MAX


def test_an_exact_question_with_no_answer_ends_the_walk() -> None:
    source = Trades(trades([10, 20]), 5, "cursor")
    walking, found = walk(source, Span(0, 100 * WINDOW_MS))
    assert len(found) == 2 and source.asked == 2 and walking.reached_end
