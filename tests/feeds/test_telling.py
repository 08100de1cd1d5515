"""A feed and its receivers over a wire that loses, doubles and reorders: everything is taken once and in order, or a gap is."""

import random

import pytest

from tradebot.domain.market import MarketAsked, Records
from tradebot.feeds.hearing import ASK_AGAIN_NS, Hearing
from tradebot.feeds.telling import AGAIN_MAX, Telling

GAP = b"gap"


def telling(stream: int = 7, kept_bytes: int = 1 << 20) -> Telling:
    return Telling(stream, lambda now_ns: GAP, kept_bytes)


def body(number: int) -> bytes:
    return f"message {number}".encode()


@pytest.mark.parametrize("seed", range(30))
def test_whatever_the_wire_does_all_is_taken_once_and_in_order(seed: int) -> None:
    """The receiver dies now and then, and goes on from what it had written down; so does the feed, and then a gap is taken."""
    chance = random.Random(seed)
    feed, hears, taken, expected, wire = telling(), Hearing("one"), [], [GAP], []
    wire += [feed.begin(0)]
    now_ns = begins = 0
    for number in range(2_000):
        now_ns += 1_000_000
        if chance.random() < 0.01:
            expected.append(GAP)
            wire.append(feed.begin(now_ns))
        if chance.random() < 0.002:
            feed = telling(feed.stream + 1)
            begins = len(expected)
            wire, expected = [feed.begin(now_ns)], [*expected, GAP]
        expected.append(body(number))
        wire.append(feed.tell(body(number)))
        if number % 5 == 0:
            wire.append(feed.pulse())
        if chance.random() < 0.02:
            chance.shuffle(wire)
        if chance.random() < 0.01:
            wire.clear()
        if chance.random() < 0.01:
            again = Hearing("one")
            again.stand_at(hears.stream, hears.sequence)
            hears = again
            wire += list(feed.again(hears.asked(), now_ns))
        for message in wire:
            if chance.random() < 0.05:
                continue
            for one in [message] * (1 + (chance.random() < 0.05)):
                if hears.take(one):
                    taken.append(one.data)
        wire.clear()
        if (asked := hears.ask(now_ns)) is not None and chance.random() < 0.9:
            wire += list(feed.again(asked, now_ns))
    for _ in range(20):
        now_ns += ASK_AGAIN_NS
        hears.take(feed.pulse())
        taken += [one.data for one in feed.again(hears.asked(), now_ns) if hears.take(one)]
    tail = expected[begins:]
    assert taken[-len(tail) :] == tail, "all that the last feed told; what one told that died may be gone with it"
    numbers = [int(one.split()[1]) for one in taken if one != GAP]
    assert numbers == sorted(set(numbers)), "once, and in order"


def test_a_later_round_hides_nothing_that_is_missing_of_the_one_before() -> None:
    feed, hears = telling(), Hearing("one")
    assert hears.take(feed.begin(0)) and hears.take(feed.tell(body(1)))
    lost = [feed.tell(body(2)), feed.tell(body(3))]
    again = feed.begin(1)
    assert not hears.take(again), "it comes too early"
    told = list(feed.again(hears.asked(), 1))
    assert told == [*lost, again] and all(map(hears.take, told))


def test_what_is_no_longer_kept_is_a_gap_and_what_follows_it_is_next() -> None:
    feed, hears = telling(kept_bytes=100), Hearing("one")
    assert hears.take(feed.begin(0)) and hears.take(feed.tell(body(1)))
    for number in range(2, 60):
        feed.tell(body(number))
    late = feed.tell(body(60))
    assert not hears.take(late)
    (gap,) = feed.again(hears.asked(), 0)
    assert gap.data == GAP and gap.is_new and hears.take(gap)
    assert hears.take(feed.tell(body(61))) and not hears.take(late)


def test_one_question_brings_so_much_and_the_next_the_rest() -> None:
    feed, hears = telling(), Hearing("one")
    assert hears.take(feed.begin(0))
    for number in range(AGAIN_MAX + 5):
        feed.tell(body(number))
    first = list(feed.again(hears.asked(), 0))
    assert len(first) == AGAIN_MAX and all(hears.take(one) for one in first)
    assert sum(hears.take(one) for one in feed.again(hears.asked(), 0)) == 5
    assert not hears.take(feed.pulse()) and hears.ask(ASK_AGAIN_NS) is None, "it has all of it"


def test_it_asks_only_while_something_is_missing_and_not_all_the_time() -> None:
    feed, hears = telling(), Hearing("one")
    lost, second = feed.begin(0), feed.tell(body(1))
    assert hears.ask(10**12) is None
    assert not hears.take(second)
    assert hears.ask(10**12) == MarketAsked(1, "one", 0, 0)
    assert hears.ask(10**12 + ASK_AGAIN_NS - 1) is None
    assert [hears.take(one) for one in feed.again(hears.asked(), 0)] == [True, True]
    assert not hears.take(lost) and hears.ask(10**13) is None


def test_messages_of_an_older_feed_and_of_none() -> None:
    hears = Hearing("one")
    assert hears.take(telling(9).begin(0)) and not hears.take(telling(8).begin(0))
    assert hears.take(Records(1, 4, b"x")) and hears.take(Records(1, 4, b"x")), "of no stream: as it comes"
    assert (hears.stream, hears.sequence) == (9, 1)


def test_who_heard_an_earlier_start_last_is_told_all_of_this_one() -> None:
    """It was down when the feed began anew: what it had heard of the one before says nothing of this one."""
    feed = telling(stream=8)
    told = [feed.begin(0), *(feed.tell(body(number)) for number in range(9))]
    hears = Hearing("one")
    hears.stand_at(7, 500)
    again = list(feed.again(hears.asked(), 1))
    assert again == told and all(hears.take(one) for one in again)
    small = telling(stream=8, kept_bytes=1)
    for message in (small.begin(0), small.tell(body(1)), small.tell(body(2))):
        assert message.stream == 8
    assert [one.is_new for one in small.again(MarketAsked(1, "one", 7, 500), 1)] == [True], "its beginning is no longer kept"
