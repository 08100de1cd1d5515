"""What the command line asks of this package: words in, plain data out."""

from pathlib import Path

import msgspec

from tradebot.domain.errors import UsageError
from tradebot.domain.units import parse_duration


def replay_answer(path: Path, strategy: str, interval: str, latency: str, tick: str, lot: str, face: str) -> dict[str, object]:
    """`bench replay`; the keys are those of CLI.md. Raises UsageError on a malformed duration, and as `replay_bench.replay`."""
    from tradebot.testing.replay_bench import replay

    try:
        interval_ns, latency_ns = parse_duration(interval), parse_duration(latency)
    except ValueError as error:
        raise UsageError(f"--interval and --latency: {error}") from error
    if interval_ns <= 0 or latency_ns < 0:
        raise UsageError(f"expected a positive --interval and a --latency of 0 or more, found {interval} and {latency}")
    return dict(msgspec.to_builtins(replay(path, strategy, interval_ns, latency_ns, tick, lot, face)))
