"""What every strategy must do: survive a restart after any fact, and come to the same end."""

from collections.abc import Callable

from tradebot.engine import snapshot
from tradebot.engine.drive import hand_over
from tradebot.engine.plan import Plan, make_merge
from tradebot.engine.ports import Nobody, Records
from tradebot.strategies.strategy import Strategy


def check_restarts(make: Callable[[], Strategy], plan: Plan, facts: Records) -> None:
    """Snapshot and restore into a new engine with a new object after every fact; digest and state must be the plain run's."""
    plain = make_merge(plan, [make()])
    plain.feed(facts)
    plain.run(10**9)
    hand_over(plain, Nobody())
    merge = make_merge(plan, [make()])
    merge.feed(facts)
    while merge.run(1):
        hand_over(merge, Nobody())
        saved = snapshot.to_bytes(merge)
        merge = make_merge(plan, [make()])
        snapshot.from_bytes(merge, saved)
        assert snapshot.state_hash(snapshot.to_bytes(merge)) == snapshot.state_hash(saved)
    assert not merge.kernel.failures
    assert merge.kernel.digest_text == plain.kernel.digest_text
    assert snapshot.to_bytes(merge) == snapshot.to_bytes(plain)
