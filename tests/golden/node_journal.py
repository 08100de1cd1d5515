"""The golden journal of a node: the frames of an engine that died and went on, recorded once from the simulation.

Its bytes are kept, so that a later version is held to what an earlier one wrote down, not to what it would write itself. Where a
version comes to another digest, that is a decision: record it anew by `python -m tests.golden.node_journal`, and say in the
commit why runs of before no longer replay.
"""

import zlib
from pathlib import Path
from typing import Final

from tests.strategies.support import BTC, plan
from tests.support import stream
from tradebot.domain.frames import Frame, read_frame
from tradebot.engine.plan import Plan
from tradebot.strategies.strategy import Strategy
from tradebot.testing.simulation import ENGINE, Faults, Restless, World

FILE: Final = Path(__file__).parent / "node.journal.z"
SEED: Final = 7


def settings() -> Plan:
    return plan(1, [BTC], order_latency_ns=5_000_000, answer_latency_ns=0)


def strategies() -> list[Strategy]:
    return [Restless({"seed": 7, "eager": 0.9})]


def recorded() -> list[Frame]:
    """The frames that are kept."""
    body, at, found = zlib.decompress(FILE.read_bytes()), 0, []
    while at < len(body) and (frame := read_frame(body, at)) is not None:
        found.append(frame)
        at += frame.size
    assert at == len(body)
    return found


def record() -> None:
    world = World(SEED, settings(), stream(1, 700), strategies, Faults(crash=0.01))
    world.finish()
    FILE.write_bytes(zlib.compress(bytes(world.journals[ENGINE].body), 9))


if __name__ == "__main__":
    record()
