"""A recording that grows in blocks: where it stands is what is in the store, on each kind of store."""

import numpy as np
import pytest

from tests.store.support import FIRST, SECOND, random_records
from tradebot.domain.instrument import Instrument
from tradebot.store import tape
from tradebot.store.batches import Records
from tradebot.store.client import Store
from tradebot.store.tape import BLOCK_BITS, Tape, told_again

TIME = 1_700_000_000_000_000_000
BOTH = [FIRST, SECOND]


def begin(store: Store, run_id: str = "run") -> Tape:
    return Tape(store, run_id, BOTH, store.told(run_id), lambda one: one)


def facts(instrument: Instrument, seed: int, time_ns: int = TIME) -> Records:
    records = random_records(instrument, 5, seed)
    records["time_ns"] = time_ns
    return records


def stored(store: Store, instrument: Instrument) -> bytes:
    return np.concatenate(list(store.stream([instrument.id]))).tobytes()


def test_blocks_of_one_moment_are_read_in_their_order(store: Store) -> None:
    """A clock that stands still must not mix what two blocks hold."""
    parts = [facts(FIRST, seed) for seed in range(1, 7)]
    for at in range(len(parts)):
        one = begin(store)
        for number, part in enumerate(parts[: at + 1], 1):  # each start is told all from the first fact
            one.take(part, 5 * number, TIME)
        one.write()
    assert stored(store, FIRST) == b"".join(part.tobytes() for part in parts)
    ids = [int(one.import_id, 16) for one in store.imports()]
    assert ids == sorted(ids) and len({one >> BLOCK_BITS for one in ids}) == 1


def test_a_block_that_one_instrument_lacks_is_made_whole_to_the_same_end(store: Store) -> None:
    def halfway(*arguments: object) -> object:
        if arguments[0] is SECOND:
            raise KeyboardInterrupt
        return imported(*arguments)

    one = begin(store)
    one.take(facts(FIRST, 1), 5, TIME)
    one.take(facts(SECOND, 2), 10, TIME)
    imported, one.store = store.import_records, type("Halfway", (), {"import_records": staticmethod(halfway)})()
    with pytest.raises(KeyboardInterrupt):
        one.write()
    again = begin(store)
    assert (again.number, again.start, again.upto) == (1, 0, 10)
    again.take(facts(FIRST, 1), 5, TIME)
    again.write()
    assert again.start == 0, "it is not cut anew where it stands"
    again.take(facts(SECOND, 2), 10, TIME)
    assert (again.number, again.start, again.upto) == (2, 10, None)
    again.take(facts(FIRST, 3), 15, TIME)
    again.write()
    assert stored(store, FIRST) == facts(FIRST, 1).tobytes() + facts(FIRST, 3).tobytes()
    assert stored(store, SECOND) == facts(SECOND, 2).tobytes()


def test_a_block_ends_by_its_facts_or_its_age(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "BLOCK_FACTS", 10)
    one = begin(store)
    one.take(facts(FIRST, 1), 5, TIME)
    assert store.told("run") is None
    one.take(facts(FIRST, 2), 10, TIME)
    told = store.told("run")
    assert told is not None and (told.number, told.start, told.end) == (1, 0, 10)
    one.take(facts(FIRST, 3), 12, TIME)
    one.take(facts(FIRST, 4, TIME + tape.BLOCK_NS), 14, TIME + tape.BLOCK_NS)
    told = store.told("run")
    assert told is not None and (told.number, told.start, told.end) == (2, 10, 14)


def test_runs_stand_for_themselves(store: Store) -> None:
    begin(store, "run").take(facts(FIRST, 1), 5, TIME)
    one = begin(store, "other")
    one.take(facts(FIRST, 1), 7, TIME)
    one.write()
    assert store.told("run") is None and store.told("oth") is None
    told = store.told("other")
    assert told is not None and told.end == 7


def test_what_is_told_again_is_another_instrument() -> None:
    again = told_again(FIRST)
    assert (again.venue, again.symbol, again.tick) == ("venue-again", FIRST.symbol, FIRST.tick)
    assert again.id != FIRST.id
