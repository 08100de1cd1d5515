"""The offline stand-in: the same for the same seed, and consistent by a plain book that applies it."""

import hashlib
from collections import defaultdict, deque
from itertools import islice

import pytest

from tests.store.support import Records, joined
from tradebot._core.types import Flag, Kind
from tradebot.store.client import Store
from tradebot.store.synthetic import INSTRUMENT, draws, open_source

EVENTS = 40_000
# Of the records of seed 1; another value means that synthetic.VERSION must rise.
GOLDEN = "be62f60d8f350427afa1bd270d1aff78d38f43a00cdc4e6b828b957ebb97f34a"


@pytest.fixture(scope="module")
def records() -> Records:
    return joined(open_source(events=EVENTS)[1])


def test_chance_is_splitmix64() -> None:
    # The first numbers of the published algorithm for the seed 1234567.
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert list(islice(draws(1234567), 4)) == expected
    long = list(islice(draws(3), 70_000))
    assert len(set(long)) == 70_000


def test_a_seed_gives_one_stream_and_another_seed_another(records: Records) -> None:
    assert joined(open_source(events=EVENTS)[1]).tobytes() == records.tobytes()
    assert joined(open_source(seed=2, events=EVENTS)[1]).tobytes() != records.tobytes()
    assert hashlib.sha256(records.tobytes()).hexdigest() == GOLDEN


def test_an_import_has_its_seed_in_its_name(store: Store) -> None:
    report = store.import_records(INSTRUMENT, *open_source(events=5_000))
    other = store.import_records(INSTRUMENT, *open_source(seed=2, events=5_000))
    assert report.import_id != other.import_id
    assert store.import_records(INSTRUMENT, *open_source(events=5_000)).repeated
    assert store.catalogue()[0].instrument == "BTC/USD@synthetic"


def test_time_and_numbers_go_forward_over_half_an_hour(records: Records) -> None:
    for name in ("time_ns", "venue_ns"):
        assert (records[name][1:] >= records[name][:-1]).all()
    assert (records["time_ns"] > records["venue_ns"]).all()
    minutes = (records["time_ns"][-1] - records["time_ns"][0]) / 60e9
    assert 28 < minutes < 32
    assert len(records) >= EVENTS
    trades = records[records["kind"] == int(Kind.TRADE)]
    assert trades["venue_sequence"].tolist() == list(range(1, len(trades) + 1))
    assert len(trades) > 100


def test_the_book_is_never_crossed_and_executions_are_first_in_first_out_at_the_best(
    records: Records,
) -> None:
    levels: tuple[dict[int, deque[int]], ...] = (defaultdict(deque), defaultdict(deque))
    lots: dict[int, int] = {}
    executed: list[tuple[int, int, int, int]] = []
    for kind, flags, price, quantity, number, number2 in records[
        ["kind", "flags", "price", "quantity", "id", "id2"]
    ].tolist():
        side = flags & int(Flag.SELL)
        assert quantity > 0
        if kind == int(Kind.L3_ADD):
            assert number not in lots
            other = best(levels, 1 - side)
            assert other is None or (price < other if side == 0 else price > other)
            levels[side][price].append(number)
            lots[number] = quantity
        elif kind == int(Kind.L3_DELETE):
            assert lots.pop(number) == quantity
            remove(levels[side], price, number)
        elif kind == int(Kind.L3_EXECUTE):
            assert price == best(levels, side)
            assert levels[side][price][0] == number
            assert lots[number] >= quantity
            lots[number] -= quantity
            executed.append((price, quantity, *((number, number2) if side == 0 else (number2, number))))
            if not lots[number]:
                del lots[number]
                remove(levels[side], price, number)
        else:
            assert executed.pop(0) == (price, quantity, number, number2)
    assert executed == []


def best(levels: tuple[dict[int, deque[int]], ...], side: int) -> int | None:
    if not levels[side]:
        return None
    return min(levels[side]) if side else max(levels[side])


def remove(levels: dict[int, deque[int]], price: int, number: int) -> None:
    levels[price].remove(number)
    if not levels[price]:
        del levels[price]
