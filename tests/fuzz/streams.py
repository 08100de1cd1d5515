"""Streams of records, from what a venue would publish to arbitrary bytes in every slot, by a `random.Random`.

Few ids, prices and times, so that things meet; bounds of 64 bits, so that sums do.
"""

import random
from collections.abc import Callable
from typing import Final

import numpy as np

from tests.fuzz.mutations import LIMITS
from tests.support import MS, SECOND, START, Flow, delayed, records
from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.engine.ports import Records

ROWS: Final = 160
STORED: Final = [int(kind) for kind in Kind if kind < Kind.ORDER_ACCEPTED and kind != Kind.TIMER]
L3: Final = [int(kind) for kind in (Kind.L3_ADD, Kind.L3_ADD, Kind.L3_CHANGE, Kind.L3_DELETE, Kind.L3_EXECUTE)]
WORDS: Final = ("time_ns", "venue_ns", "venue_sequence", "price", "quantity", "id", "id2")
FIELDS: Final = (*WORDS, "instrument", "kind", "flags", "owner")


def stream(chance: random.Random) -> Records:
    """One to a few hundred records of one sort, in order of receipt, then perhaps damaged."""
    found = chance.choice(SORTS)(chance)
    if chance.random() < 0.5:
        found = damaged(chance, found)
    if chance.random() < 0.9:
        found = found[np.argsort(found["time_ns"], kind="stable")]
    return found


def flow(chance: random.Random) -> Records:
    """What a venue would publish, of one instrument or two."""
    parts = [
        delayed(chance, records(list(Flow(chance.randrange(10**9)).rows(chance.randrange(1, ROWS))), number), 20 * MS)
        for number in range(1, chance.randrange(2, 4))
    ]
    return np.concatenate(parts)


def orders(chance: random.Random) -> Records:
    """Anything of any of a few orders at a few prices."""
    return rows(chance, L3, lambda: chance.randrange(1, 12), lambda: chance.randrange(-2, 9))


def levels(chance: random.Random) -> Records:
    """Levels and trades, whole messages and parts of some, sides that cross."""
    kinds = [int(Kind.L2_LEVEL)] * 3 + [int(Kind.TRADE)]
    return rows(chance, kinds, lambda: 0, lambda: chance.choice((0, 0, 1, 5, 30, -1)))


def every(chance: random.Random) -> Records:
    """Every kind that is stored."""
    return rows(chance, STORED, lambda: chance.randrange(12), lambda: chance.randrange(-1, 9))


def rows(chance: random.Random, kinds: list[int], order_id: Callable[[], int], lots: Callable[[], int]) -> Records:
    found = np.zeros(chance.randrange(1, ROWS), RECORD_DTYPE)
    now, middle = START, chance.choice((1_000, 3, 256, -500, 1 << 40))
    far = chance.choice((2, 6, 300))
    for at in range(len(found)):
        now += chance.choice((0, 0, 1, MS, SECOND // 3, SECOND))
        shown = chance.choice((now, now, 0, now - 50 * MS, now - 20 * SECOND, now + 1))
        flags = chance.choice((0, 0, 0, int(Flag.LAST), int(Flag.LAST), int(Flag.SNAPSHOT), chance.randrange(256)))
        found[at] = (
            now, shown, chance.randrange(5), middle + chance.randrange(-far, far + 1), lots(), order_id(),
            chance.randrange(1 << 20), 1 + (chance.random() < 0.1), chance.choice(kinds), flags ^ chance.randrange(2),
            chance.randrange(4),
        )  # fmt: skip
    return found


def extreme(chance: random.Random) -> Records:
    """Bounds in every word, of kinds that are stored."""
    found = every(chance)
    for record in found:
        for name in chance.sample(WORDS[1:], 3):
            record[name] = bound(chance, name)
    return found


def noise(chance: random.Random) -> Records:
    """Arbitrary bytes in every slot."""
    return np.frombuffer(chance.randbytes(RECORD_DTYPE.itemsize * chance.randrange(1, 60)), RECORD_DTYPE).copy()


def framed_noise(chance: random.Random) -> Records:
    """Arbitrary bytes, but a kind, an instrument and a time that let the record in."""
    found = noise(chance)
    found["kind"] = [chance.choice(STORED) for _ in found]
    found["instrument"] = 1
    found["time_ns"] = START + np.arange(len(found)) * MS
    return found


def bound(chance: random.Random, name: str) -> int:
    kind = RECORD_DTYPE[name]
    value = chance.choice(LIMITS) % (1 << 8 * kind.itemsize)
    return value - (1 << 8 * kind.itemsize) if kind.kind == "i" and value >> (8 * kind.itemsize - 1) else value


def damaged(chance: random.Random, found: Records) -> Records:
    """A few slots with bounds in them, records swapped, doubled or lost."""
    found = found.copy()
    for _ in range(chance.randrange(1, 6)):
        draw, at, other = chance.random(), chance.randrange(len(found)), chance.randrange(len(found))
        name = chance.choice(FIELDS[3:] if draw < 0.5 else FIELDS)
        if draw < 0.7:
            found[at][name] = bound(chance, name)
        elif draw < 0.8:
            found[[at, other]] = found[[other, at]]
        else:
            found = np.insert(found, at, found[other]) if draw < 0.9 or len(found) < 2 else np.delete(found, at)
    return found


SORTS: Final = (flow, flow, orders, orders, levels, levels, every, extreme, framed_noise, noise)
