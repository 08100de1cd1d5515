"""The venue's numbers and clock: breaks only where numbers are consecutive, trades that fill steps, days that carry over."""

import numpy as np

from tests.research.ticks import FIRST_DAY, SECOND, joined, row
from tradebot._core.types import Flag, Kind
from tradebot.research.numbering import Numbering


def trades(numbers: list[int], first: int = 0) -> np.ndarray:
    return joined(
        [row(FIRST_DAY + (first + at) * SECOND, Kind.TRADE, venue_sequence=number) for at, number in enumerate(numbers)]
    )


def test_a_break_tells_where_it_is_and_how_much_is_missing() -> None:
    numbering = Numbering()
    numbering.add(trades([*range(5, 40), *range(50, 80)]))
    backwards, breaks = numbering.take_day()
    assert (backwards, breaks.count, breaks.missing) == (0, 1, 10)
    assert breaks.spans.kept == [(FIRST_DAY + 34 * SECOND, FIRST_DAY + 35 * SECOND)]


def test_numbers_that_do_not_go_by_one_have_no_breaks() -> None:
    numbering = Numbering()
    numbering.add(trades([number * 3 for number in range(1, 60)]))
    assert numbering.take_day()[1].count == 0


def test_a_counter_that_others_use_too_has_no_breaks_and_one_that_lost_little_has() -> None:
    """Bitstamp's trade ids of 2015 skip in one step of twelve, and nothing was lost: tests/store/test_exactness.py."""
    for every, count in ((12, 0), (40, 0), (60, 49), (300, 9)):
        numbering = Numbering()
        numbering.add(trades([number for number in range(1, 3000) if number % every]))
        assert numbering.take_day()[1].count == count, every


def test_a_short_stream_may_have_one_break_and_a_shorter_one_none() -> None:
    for length, count in ((9, 0), (10, 1), (30, 1)):
        numbering = Numbering()
        numbering.add(trades([number for number in range(1, length + 3) if number != 5]))
        assert numbering.take_day()[1].count == count, length


def test_neighbours_that_changed_places_leave_nothing_missing() -> None:
    numbers = list(range(1, 400))
    for at in (50, 120, 300):
        numbers[at], numbers[at + 1] = numbers[at + 1], numbers[at]
    for cuts in ([], [51], [120, 121, 122], list(range(1, 399))):
        numbering = Numbering()
        for part in np.split(trades([*numbers, *range(405, 800)]), cuts):
            numbering.add(part)
        breaks = numbering.take_day()[1]
        assert (breaks.missing, breaks.count) == (5, 1), "the five at the end, and not the swapped"


def test_a_break_between_two_days_belongs_to_the_later_and_none_follows_another_recording() -> None:
    numbering = Numbering()
    numbering.add(trades(list(range(1, 30))))
    assert numbering.take_day()[1].count == 0
    numbering.add(trades(list(range(40, 70)), first=100))
    assert numbering.take_day()[1].count == 1
    numbering.forget()
    numbering.add(trades(list(range(900, 930)), first=200))
    assert numbering.take_day()[1].count == 0


def test_order_events_may_share_their_numbers_with_the_trades_between_them() -> None:
    rows = []
    for number in range(1, 100):
        kind = Kind.TRADE if number % 20 == 0 else Kind.L3_ADD
        sequence = number // 20 if kind == Kind.TRADE else number
        rows.append(row(FIRST_DAY + number, kind, venue_sequence=sequence))
    for cuts in ([], [19], [20], [19, 20, 21]):
        numbering = Numbering()
        for part in np.split(joined(rows), cuts):
            numbering.add(part)
        assert numbering.take_day()[1].count == 0, cuts
    numbering = Numbering()
    numbering.add(np.delete(joined(rows), [49, 50]))
    assert numbering.take_day()[1].missing == 2


ONE_COUNTER = [
    row(FIRST_DAY + number, (Kind.TRADE, Kind.L3_ADD, Kind.QUOTE)[number % 3], venue_sequence=number) for number in range(1, 90)
]


def test_one_counter_for_all_streams_is_judged_as_one() -> None:
    numbering = Numbering()
    numbering.add(joined(ONE_COUNTER))
    assert numbering.take_day()[1].count == 0
    numbering = Numbering()
    numbering.add(joined([one for one in ONE_COUNTER if not 40 <= one["venue_sequence"] < 45]))
    assert (breaks := numbering.take_day()[1]).count == 1 and breaks.missing == 5


def test_one_counter_for_all_but_the_trades_is_judged_as_one_beside_them() -> None:
    rows, trades = [], 0
    for number in range(1, 200):
        kind = (Kind.L2_LEVEL, Kind.L3_ADD)[number % 2]
        rows.append(row(FIRST_DAY + number, kind, venue_sequence=number, flags=int(Flag.LAST)))
        if number % 5 == 0:
            trades += 3 if trades == 10 else 1
            rows.append(row(FIRST_DAY + number, Kind.TRADE, venue_sequence=trades))
    numbering = Numbering()
    numbering.add(joined(rows))
    assert (breaks := numbering.take_day()[1]).count == 1 and breaks.missing == 2, "the break of the trades alone"


def test_the_rows_of_a_message_share_its_number() -> None:
    rows = [
        row(FIRST_DAY + number, Kind.L2_LEVEL, venue_sequence=number, flags=int(Flag.LAST) if last else 0)
        for number in (1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14)
        for last in (False, False, True)
    ]
    numbering = Numbering()
    numbering.add(joined(rows))
    assert numbering.take_day()[1].missing == 1


def test_the_clock_of_each_stream_is_its_own() -> None:
    rows = [
        row(FIRST_DAY, Kind.TRADE, venue_ns=100),
        row(FIRST_DAY, Kind.QUOTE, venue_ns=50),
        row(FIRST_DAY, Kind.TRADE, venue_ns=99),
        row(FIRST_DAY, Kind.TRADE, venue_ns=0),
        row(FIRST_DAY, Kind.TRADE, venue_ns=99),
        row(FIRST_DAY, Kind.TRADE, venue_ns=10, flags=int(Flag.VOID)),
    ]
    numbering = Numbering()
    for one in rows:
        numbering.add(joined([one]))
    assert numbering.take_day()[0] == 1
