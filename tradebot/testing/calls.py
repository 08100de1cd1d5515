"""What the command line asks of this package: words in, plain data out."""

import tempfile
from collections.abc import Callable
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


def store_answer(
    rows: int, path: Path | None, format_name: str, instrument: str | None, folder: Path, told: Callable[[int], None]
) -> dict[str, object]:
    """`bench store`; the keys are those of CLI.md, and each stream's own under `streams`. What it writes lies in a folder of
    its own in `folder` and is removed.
    """
    from tradebot.testing.store_bench import measure, total

    with tempfile.TemporaryDirectory(prefix="bench-", dir=folder) as scratch:
        found = measure(rows, Path(scratch), path, format_name, instrument, told)
    return {**total(found), "streams": msgspec.to_builtins(found)}


def match_answer(path: Path) -> dict[str, object]:
    """`bench match`; the keys are those of CLI.md. Raises as `match_bench.match`."""
    from tradebot.testing.match_bench import match

    return dict(msgspec.to_builtins(match(path)))
