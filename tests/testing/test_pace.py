"""The pace of a generator: every beat is told once, with the time it was meant, also those that were missed."""

import time

from tradebot.testing.pace import Pace
from tradebot.testing.tick_stream import stream_of


def test_beats_that_were_missed_are_told_with_their_times() -> None:
    pace = Pace(1_000_000, delay_ns=0)
    found = list(pace.wait())
    time.sleep(0.02)
    more = list(pace.wait())
    assert len(more) >= 19 and found + more == list(range(pace.beats))
    assert pace.meant_ns(more[-1]) <= time.monotonic_ns() < pace.meant_ns(more[-1] + 2) + 20_000_000
    pace.close()


def test_a_stream_offers_its_rate_in_messages_of_whole_facts() -> None:
    for rate in (10, 200, 1_000, 1_500, 10_000, 100_000, 256_000):
        stream = stream_of(rate, 2.0)
        assert abs(stream.facts * 1e9 / stream.every_ns - rate) < rate / 1_000
        assert stream.count * stream.facts == 2 * rate
        assert len(stream.message(0, 0)) == 64 * stream.facts
        assert sum(map(stream.has_trade, range(stream.count))) == stream.trades > 0
