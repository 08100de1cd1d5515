"""What the command line asks of this package: words in, plain data out."""

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from tradebot.domain.errors import UsageError
from tradebot.domain.units import parse_decimal, parse_duration

FILE_TICK: Final = "0.1"
FILE_LOT: Final = "0.001"


class ReplayWords(Struct, frozen=True, kw_only=True):
    """`bench replay` as it was typed. `tick` and `lot` are those of a file; stored ticks have their own."""

    input: str
    strategy: str
    face: str
    interval: str
    latency: str
    tick: str | None = None
    lot: str | None = None
    start: str | None = None
    end: str | None = None

    @property
    def is_file(self) -> bool:
        """An event file, there or not; else the name of an instrument."""
        return self.input.endswith(".npz") or Path(self.input).exists()


def replay_answer(words: ReplayWords, find_store: Callable[[], Path | str]) -> dict[str, object]:
    """`bench replay`; the keys are those of CLI.md. `find_store` is asked where stored ticks are named.

    Raises UsageError on a malformed number or duration, and as `read_file` and `read_stored`.
    """
    from tradebot.testing.replay_bench import measure, read_file
    from tradebot.testing.stored_recording import read_stored

    try:
        interval_ns, latency_ns = parse_duration(words.interval), parse_duration(words.latency)
    except ValueError as error:
        raise UsageError(f"--interval and --latency: {error}") from error
    if interval_ns <= 0 or latency_ns < 0:
        raise UsageError(
            f"expected a positive --interval and a --latency of 0 or more, found {words.interval} and {words.latency}"
        )
    tick, lot = (_step(option, text) for option, text in (("--tick", words.tick), ("--lot", words.lot)))
    if words.is_file:
        if words.start or words.end:
            raise UsageError("--from and --to: expected a stored instrument as --input, found a file: it is read whole")
        read = partial(read_file, Path(words.input), tick or FILE_TICK, lot or FILE_LOT)
    else:
        read = partial(read_stored, find_store(), words.input, words.start, words.end, tick, lot, words.strategy)
    return dict(msgspec.to_builtins(measure(read, words.strategy, interval_ns, latency_ns, words.face)))


def _step(option: str, text: str | None) -> str | None:
    try:
        is_positive = text is None or parse_decimal(text) > 0
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error
    if not is_positive:
        raise UsageError(f"{option}: expected a step above 0, found {text}")
    return text


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


def actors_answer(rounds: int, scale: float) -> dict[str, object]:
    """`bench actors`; the keys are those of CLI.md. Raises UsageError."""
    if rounds < 1 or not 0 < scale <= 100:
        raise UsageError(f"expected --rounds of 1 or more and a --scale above 0, at most 100, found {rounds} and {scale:g}")
    from tradebot.testing.actor_bench import measure

    return measure(rounds, scale)


def latency_answer(rate: int, mode: str, seconds: float, rounds: int) -> dict[str, object]:
    """`bench latency`; the keys are those of CLI.md. Raises UsageError, and as `latency_bench.measure`."""
    from tradebot.testing.tick_stream import RATE_MAX

    if not 0 < rate <= RATE_MAX or seconds <= 0 or rounds < 1:
        raise UsageError(
            f"expected a --rate from 1 to {RATE_MAX}, --seconds above 0 and --rounds of 1 or more, "
            f"found {rate}, {seconds:g} and {rounds}"
        )
    from tradebot.testing.latency_bench import measure

    return measure(rate, mode, seconds, rounds)


class ChaosWords(Struct, frozen=True, kw_only=True):
    """`chaos` as it was typed."""

    venue: str
    kills: int
    faults: int | None
    seed: int
    pause: float
    place: str
    folder: Path | None


def chaos_answer(words: ChaosWords, told: Callable[[int], None], note: Callable[[str], None]) -> tuple[dict[str, object], bool]:
    """`chaos`, and whether nothing was found; the keys are those of CLI.md. Where something was, what it was goes to `note` and
    the folder stays. Raises UsageError, and as `chaos.run`.
    """
    if words.venue != "paper":
        raise UsageError(f"--venue: expected paper, found {words.venue}: the loopback exchange comes with a later version")
    if words.kills < 0 or (words.faults or 0) < 0 or words.pause < 0:
        raise UsageError("expected --kills, --faults and --pause of 0 or more, found one below")
    from tradebot.testing import chaos

    wish = chaos.Wish(
        kills=words.kills,
        stops=words.kills // 10 if words.faults is None else words.faults,
        seed=words.seed,
        pause_s=words.pause,
        place=words.place,
    )
    place = words.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    verdict = chaos.run(wish, place.absolute(), told)
    for finding in verdict.judgement.findings:
        note(finding)
    if verdict.judgement.findings:
        note(f"the journals are in {place}")
    elif words.folder is None:
        shutil.rmtree(place)
    return verdict.answer(), not verdict.judgement.findings
