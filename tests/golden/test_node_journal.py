"""What an engine of an earlier version wrote, this one comes to again; a changed digest is a decision, told in its commit."""

from tests.golden.node_journal import FILE, recorded, settings, strategies
from tradebot.engine.replay import replay_journal

DIGEST = "85ab8e638722cd420e20fe95e93c79fa"


def test_a_journal_of_before_replays_to_the_digest_of_before() -> None:
    found = replay_journal(settings(), strategies(), recorded())
    assert found.first_difference is None
    assert (found.digest, found.expected_digest) == (DIGEST, DIGEST)
    assert found.epochs > 1 and found.commands > 50, "an engine that died in the middle, and traded"


def test_the_golden_journal_is_small() -> None:
    assert FILE.stat().st_size < 64 << 10
