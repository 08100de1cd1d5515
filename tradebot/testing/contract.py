"""What every strategy must do: survive a restart after any fact, and come to the same end.

A live session is stopped and started; a run is replayed from a snapshot. Both work for a strategy that keeps what it must
remember in its State, and in what it declared in on_start, and nowhere else. A strategy that keeps a list on the side runs
well until the first restart, and then trades on what it no longer knows. So here it is restarted all the time.
"""

from collections.abc import Callable

from tradebot.engine import snapshot
from tradebot.engine.drive import hand_over
from tradebot.engine.plan import Plan, make_merge
from tradebot.engine.ports import Nobody, Records
from tradebot.strategies.strategy import Strategy


def check_restarts(make: Callable[[], Strategy], plan: Plan, facts: Records, every: int = 1) -> None:
    """Snapshot and restore into a new engine with a new object after `every` facts; digest and state must be the plain run's.

    Raises AssertionError that says what a strategy's author can do about it.
    """
    assert every > 0
    plain = make_merge(plan, [make()])
    plain.load(facts)
    plain.run(10**9)
    hand_over(plain, Nobody())
    for _, sequence, error in plain.kernel.failures:
        raise AssertionError(f"it raised {type(error).__name__} on fact {sequence}: {error}") from error
    merge = make_merge(plan, [make()])
    merge.load(facts)  # not feed, which steps all but the last seconds at once
    while merge.run(every):
        hand_over(merge, Nobody())
        saved = snapshot.to_bytes(merge)
        merge = make_merge(plan, [make()])
        snapshot.from_bytes(merge, saved)
        assert snapshot.state_hash(snapshot.to_bytes(merge)) == snapshot.state_hash(saved), (
            f"by fact {merge.kernel.sequence} a restart changes what is saved: on_start must declare the same bars and "
            "indicators each time"
        )
    assert merge.kernel.digest_text == plain.kernel.digest_text and snapshot.to_bytes(merge) == snapshot.to_bytes(plain), (
        "restarted it does not trade as it does in one piece: keep all that it must remember in its State"
    )
