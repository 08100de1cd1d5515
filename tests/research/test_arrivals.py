"""Minutes and silences of a day: what a quiet and a busy instrument call usual, and where a day's edges are."""

import random

import numpy as np
import pytest

from tests.research.ticks import DAY, FIRST_DAY, MINUTE, SECOND, joined, row
from tradebot._core.types import Kind
from tradebot.research import arrivals
from tradebot.research.arrivals import Arrivals, Presence


def presence(times: list[int], follows: bool = False, goes_on: bool = False) -> Presence:
    """Of facts that came in these seconds of the day."""
    found = Arrivals(FIRST_DAY, follows)
    for part in np.array_split(np.array(times), 3):
        if len(part):
            found.add(joined([row(FIRST_DAY + int(second) * SECOND, Kind.TRADE) for second in part]))
    return found.finish(goes_on)


def spans(found: Presence) -> list[tuple[int, int]]:
    """Silences in seconds of the day."""
    return [((start - FIRST_DAY) // SECOND, (end - FIRST_DAY) // SECOND) for start, end in found.silences.kept]


def test_a_busy_instrument_is_silent_after_seconds() -> None:
    assert spans(presence([*range(500), *range(510, 900)])) == [(499, 510)]
    assert spans(presence([*range(500), *range(508, 900)])) == []


def test_a_few_seconds_are_no_silence_however_busy_the_instrument_is() -> None:
    times = [FIRST_DAY + at * SECOND // 1000 for at in range(4_000)]
    for pause, silences in ((4, 0), (6, 1)):
        found = Arrivals(FIRST_DAY, False)
        found.add(joined([row(time_ns, Kind.TRADE) for time_ns in [*times, times[-1] + pause * SECOND]]))
        assert found.finish(False).silences.count == silences


def test_a_quiet_instrument_is_silent_after_hours() -> None:
    chance = random.Random(4)
    times = sorted(chance.sample(range(40_000), 200))
    assert spans(presence(times)) == []
    late = [*times, times[-1] + 40_000, times[-1] + 40_001]
    assert spans(presence(late)) == [(times[-1], times[-1] + 40_000)]


def test_coverage_counts_minutes_between_the_edges_of_the_recording() -> None:
    times = [60 * minute + 7 for minute in range(600, 700) if minute % 4]
    assert presence(times).coverage == pytest.approx(75 / 99)
    assert presence(times, follows=True).coverage == pytest.approx(75 / 700)
    assert presence(times, goes_on=True).coverage == pytest.approx(75 / 839)
    assert presence(times, follows=True, goes_on=True).coverage == pytest.approx(75 / 1440)


def test_the_bits_are_the_minutes_that_have_facts() -> None:
    found = presence([0, 59, 60, 86_399])
    bits = np.unpackbits(np.frombuffer(found.covered, np.uint8))
    assert np.flatnonzero(bits).tolist() == [0, 1, 1439] and len(bits) == 1440


def test_the_edges_of_a_day_are_silent_where_its_neighbours_are_not() -> None:
    times = list(range(30_000, 50_000, 5))
    assert spans(presence(times)) == []
    found = presence(times, follows=True, goes_on=True)
    assert spans(found) == [(0, 30_000), (49_995, 86_400)]
    assert found.silent == pytest.approx(1 - 19_995 / 86_400)


def test_only_the_longest_candidates_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "CANDIDATES_MAX", 3)
    times = [*range(1_000)]
    for pause in (20, 70, 30, 60, 40):
        times += range(times[-1] + pause, times[-1] + pause + 1_000)
    assert [end - start for start, end in spans(presence(times))] == [70, 60, 40]


def test_one_fact_has_no_silence_and_its_minute() -> None:
    found = presence([600])
    assert (found.coverage, found.silent, found.silences.count, found.slot_ns) == (1.0, 0.0, 0, MINUTE)


def test_bars_beside_ticks_are_measured_in_minutes() -> None:
    found = Arrivals(FIRST_DAY, False)
    found.add(joined([row(FIRST_DAY + 300 * SECOND, Kind.BAR, owner=300)]))
    found.add(joined([row(FIRST_DAY + 301 * SECOND, Kind.TRADE), row(FIRST_DAY + DAY - 1, Kind.BAR, owner=300)]))
    assert found.finish(False).slot_ns == MINUTE


def test_of_bars_of_two_intervals_the_shorter_counts() -> None:
    found = Arrivals(FIRST_DAY, False)
    for minute in [*range(17), *range(18, 60)]:
        owners = [60, 300] if minute % 5 == 0 else [60]
        found.add(joined([row(FIRST_DAY + minute * MINUTE, Kind.BAR, owner=owner) for owner in owners]))
    day = found.finish(False)
    assert (day.slot_ns, day.coverage, day.silences.count) == (MINUTE, pytest.approx(59 / 60), 1)
    assert day.silences.kept == [(FIRST_DAY + 17 * MINUTE, FIRST_DAY + 18 * MINUTE)]
