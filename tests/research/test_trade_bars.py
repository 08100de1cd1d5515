"""Bars made of stored trades: equal to the plainest builder, whole, told at their close, however the data are split."""

import random

import numpy as np
import pytest

from tests.reference.bars import time_bars
from tests.support import SECOND, START, Flow, delayed, records
from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.research import trade_bars as made
from tradebot.research.trade_bars import Records, as_trades, trade_bars


def flow(seed: int, events: int = 3_000) -> Records:
    found = records(list(Flow(seed, gap_ns=80_000_000).rows(events)))
    return delayed(random.Random(seed), found, 20_000_000)


def derived(facts: Records, interval_ns: int, rows: int = 10**9) -> Records:
    return np.concatenate(list(trade_bars([facts[at : at + rows] for at in range(0, len(facts), rows)], interval_ns)))


def bars_of(facts: Records) -> list[tuple[int, ...]]:
    bars = facts[facts["kind"] == Kind.BAR]
    slots = ("time_ns", "venue_ns", "venue_sequence", "id", "id2", "price", "quantity", "owner")
    return [tuple(int(bar[slot]) for slot in slots) for bar in bars]


def expected(facts: Records, interval_ns: int) -> list[tuple[int, ...]]:
    trades = facts[facts["kind"] == Kind.TRADE]
    plain = time_bars(zip(*(trades[slot].tolist() for slot in ("time_ns", "price", "quantity")), strict=True), interval_ns)
    found, label = [], plain[0].label_ns
    while label + interval_ns <= facts["time_ns"][-1]:
        if plain and plain[0].label_ns == label:
            bar = plain.pop(0)
            prices, close = (bar.open, bar.high, bar.low, bar.close), bar.close
            volume = bar.volume
        else:
            prices, volume = (close,) * 4, 0
        found.append((label + interval_ns, label, *prices, volume, interval_ns // SECOND))
        label += interval_ns
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("seconds", [1, 5])
def test_the_bars_are_those_of_the_plainest_builder(seed: int, seconds: int) -> None:
    facts = flow(seed)
    found = bars_of(derived(facts, seconds * SECOND))
    assert found == expected(facts, seconds * SECOND)
    assert len(found) > 12 and (seconds > 1 or any(bar[6] == 0 for bar in found))


def test_a_bar_comes_at_its_close_before_every_other_fact_of_the_instant() -> None:
    facts = flow(4)
    facts["time_ns"] -= facts["time_ns"] % (SECOND // 10)
    whole = derived(facts, SECOND)
    assert (np.diff(whole["time_ns"]) >= 0).all()
    at = np.flatnonzero(whole["kind"] == Kind.BAR)
    assert (whole["time_ns"][at - 1] < whole["time_ns"][at]).all()
    assert whole[whole["kind"] != Kind.BAR].tobytes() == facts.tobytes()


@pytest.mark.parametrize("rows", [1, 7, 400])
def test_any_split_into_batches_gives_the_same(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = flow(5, 800), flow(6, 800)
    second["instrument"] = 2
    second["time_ns"][400:] += 40 * SECOND
    both = np.concatenate([first, second])
    both = both[np.argsort(both["time_ns"], kind="stable")]
    monkeypatch.setattr(made, "SILENT_INTERVALS_MAX", 9)
    assert derived(both, SECOND, rows).tobytes() == derived(both, SECOND).tobytes()


def test_a_long_silence_brings_a_bounded_number_of_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "SILENT_INTERVALS_MAX", 3)
    trades = np.zeros(2, RECORD_DTYPE)
    trades["kind"], trades["instrument"], trades["price"], trades["quantity"] = Kind.TRADE, 1, 100, 5
    trades["time_ns"] = START, START + 50 * SECOND
    labels = [bar[1] - START for bar in bars_of(derived(trades, SECOND))]
    assert labels == [0, SECOND, 2 * SECOND, 3 * SECOND]


def test_executions_become_the_trades_that_the_venue_tells_beside_them() -> None:
    facts = flow(7)
    told = facts[facts["kind"] == Kind.TRADE]
    found = np.concatenate(list(as_trades([facts[facts["kind"] != Kind.TRADE]], [1])))
    found = found[found["kind"] == Kind.TRADE]
    for slot in ("price", "quantity", "id", "id2", "flags"):
        assert (found[slot] == told[slot]).all(), slot


def test_a_void_execution_is_no_trade() -> None:
    facts = flow(8, 400)
    facts["flags"][facts["kind"] == Kind.L3_EXECUTE] |= np.uint8(Flag.VOID)
    facts = facts[facts["kind"] != Kind.TRADE]
    assert not np.isin(np.concatenate(list(as_trades([facts], [1])))["kind"], [Kind.TRADE, Kind.L3_EXECUTE]).any()
