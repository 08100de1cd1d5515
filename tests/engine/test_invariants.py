"""What must be so in every run, at every grade, for every kind of instrument, whatever strategies ask for and whatever comes.

No order that only reduces turns a position round. Spot without borrowing never goes below zero, and locks no more than
is there, but for what orders that only reduce lack. When nothing is under way, the venue's orders, positions and books are
ours. A restart changes nothing.
"""

import os

import pytest

from tests.engine.markets import GRADES, KINDS, Everything, check_run, facts_of, settings
from tests.support import MS
from tradebot._core.types import Kind
from tradebot.engine import snapshot
from tradebot.engine.drive import hand_over
from tradebot.engine.plan import make_merge
from tradebot.engine.ports import Nobody

FULL = os.environ.get("TRADEBOT_FULL") == "1"
LATENCIES = (0, 5 * MS, 300 * MS)
RESTS = {0: 100, 5 * MS: 100, 300 * MS: 1}      # how often, at least, nothing is under way: at 300 ms something nearly always is
COUNT = {"bars": 300, "trades": 900, "quotes": 900, "levels": 900, "orders": 1_200}


def two(seed: int, size: int = 6) -> list[Everything]:
    return [Everything({"seed": seed + number, "eager": 0.25, "size": size}) for number in (1, 2)]


@pytest.mark.parametrize("fees", ["quote", "base", "third"])
@pytest.mark.parametrize("latency_ns", LATENCIES)
@pytest.mark.parametrize("grade", GRADES)
@pytest.mark.parametrize("seed", range(20 if FULL else 1))
def test_a_spot_account_holds_what_it_promises(seed: int, grade: str, latency_ns: int, fees: str) -> None:
    kinds = check_run(settings(grade, "spot", latency_ns, fees), facts_of(grade, seed, COUNT[grade]), two(seed))
    assert kinds.get(int(Kind.ORDER_FILLED), 0) > 10 and kinds[0] >= RESTS[latency_ns]


@pytest.mark.parametrize("is_cross", [False, True])
@pytest.mark.parametrize("latency_ns", LATENCIES)
@pytest.mark.parametrize("grade", GRADES)
@pytest.mark.parametrize("kind", ["linear", "inverse"])
@pytest.mark.parametrize("seed", range(20 if FULL else 1))
def test_an_account_of_contracts_holds_what_it_promises(
    seed: int, kind: str, grade: str, latency_ns: int, is_cross: bool
) -> None:
    planned = settings(grade, kind, latency_ns, is_cross=is_cross)
    kinds = check_run(planned, facts_of(grade, seed, COUNT[grade]), two(seed, 12 if kind == "linear" else 4))
    assert kinds.get(int(Kind.ORDER_FILLED), 0) > 10 and kinds[0] >= RESTS[latency_ns]


@pytest.mark.parametrize("latency_ns", LATENCIES)
@pytest.mark.parametrize("grade", GRADES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_restart_in_the_middle_changes_nothing(kind: str, grade: str, latency_ns: int) -> None:
    planned, facts = settings(grade, kind, latency_ns, "base"), facts_of(grade, 5, COUNT[grade] // 2)
    ends = []
    for every in (1 << 40, 37):
        merge = make_merge(planned, two(9))
        merge.load(facts)
        while merge.run(every):
            hand_over(merge, Nobody())
            saved, merge = snapshot.to_bytes(merge), make_merge(planned, two(9))
            snapshot.from_bytes(merge, saved)
            assert snapshot.to_bytes(merge) == saved
        ends.append((merge.kernel.digest_text, snapshot.to_bytes(merge)))
    assert ends[0] == ends[1]
