"""What a node held when its journal ended, for an operator whose node is down: books, orders and who last changed trading.

The newest snapshot of the engine and the frames after it are folded beside the folder, without a strategy. Nothing is locked or
written, so a start is never held up by it. What is torn or damaged at the end is left, and told: all before it is known.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tradebot.domain.errors import Diverged, LocalError, NotRunning
from tradebot.domain.frames import Frame, FrameKind
from tradebot.domain.orders import TradingState
from tradebot.domain.units import money_text, time_text
from tradebot.engine.session import changes_state, note_of
from tradebot.engine.shadow import Shadow
from tradebot.node.chronicle import by_whom
from tradebot.node.facts import frames_of
from tradebot.node.health import read_parts
from tradebot.node.holdings import orders_of, positions_of
from tradebot.node.latch import read_killed
from tradebot.node.root_lock import has_root
from tradebot.node.session_files import ENGINE, Prepared, find_current, read_prepared
from tradebot.store.journal_segments import list_segments, read_head
from tradebot.store.journal_snapshots import Snapshots

SEGMENTS_MAX: Final = 3  # of the end of a journal, that are looked through for who changed trading
ACTIVE: Final = "active"


def read_remains(home: Path) -> dict[str, Any]:
    """All of it, under the keys that a running node answers with. Raises NotRunning where the home has no run, or its engine has
    written nothing.
    """
    folder = find_current(home)
    if not list_segments(folder / ENGINE):
        raise NotRunning(f"expected a node in {home}, found that run {folder.name} has no journal yet: see `tradebot run`")
    prepared = read_prepared(folder)
    shadow, epoch, trouble = fold_end(folder / ENGINE, prepared)
    kernel = shadow.kernel
    trading = TradingState(kernel.trading_state).name.lower()
    names = [str(use["name"]) for use in prepared.config.get("strategy", [])]
    orders = orders_of(kernel, prepared.plan, names)
    return {
        "running": False,
        "as_of": as_of(home, shadow, trouble),
        "run_id": prepared.run_id,
        "mode": prepared.config.get("mode"),
        "epoch": epoch,
        "facts": shadow.sequence,
        "time_ns": shadow.time_ns,
        "trading": trading,
        "trading_cause": None if trading == ACTIVE else last_cause(folder / ENGINE),
        "killed": killed_of(home),
        "orders_open": len(orders),
        "quarantined": [{"strategy": number, "fact": None, "error": "see `tradebot logs`"} for number in kernel.quarantined],
        "balances": {
            asset: money_text(total) for asset, (_, total, _) in zip(prepared.plan.assets, kernel.balances(), strict=True)
        },
        "orders": orders,
        "positions": positions_of(kernel, prepared.plan, names),
        "parts": read_parts(folder),
    }


def fold_end(journal: Path, prepared: Prepared) -> tuple[Shadow, int, str | None]:
    """The books at the end, the epoch that was, and what was found wrong behind it."""
    snapshot = Snapshots(journal).newest()
    shadow = Shadow.at(prepared.plan, snapshot) if snapshot else None
    shadow = shadow or Shadow(prepared.plan)
    epoch = shadow.epoch
    try:
        for frame in frames_of(journal, shadow.sequence):
            if frame.kind == FrameKind.FACTS and frame.base_sequence >= shadow.sequence:
                shadow.take(frame)
            epoch = max(epoch, frame.epoch)
    except (Diverged, LocalError) as error:
        return shadow, epoch, str(error)
    return shadow, epoch, None


def as_of(home: Path, shadow: Shadow, trouble: str | None) -> dict[str, Any]:
    when = time_text(shadow.time_ns)
    who = "a root runs, but its engine does not answer" if has_root(home) else "the node is not running"
    text = f"as of fact {shadow.sequence}, {when}, from the journal: {who}; the venue may have moved on"
    return {"fact": shadow.sequence, "time": when, "text": text, "journal_error": trouble}


def killed_of(home: Path) -> dict[str, Any] | None:
    """The latch of `kill`; None where it is not set."""
    killed = read_killed(home)
    return None if killed is None else killed.told()


def last_cause_of(home: Path) -> dict[str, Any] | None:
    """As `last_cause`, of the home's run."""
    return last_cause(find_current(home) / ENGINE)


def last_cause(journal: Path) -> dict[str, Any] | None:
    """Who changed trading last, when and why, looked for from the end; None where that is longer ago than is looked for."""
    segments = list_segments(journal)[-SEGMENTS_MAX:]
    starts: list[int | None] = []
    for segment in segments:
        try:
            starts.append(read_head(segment).base_sequence)
        except (LocalError, OSError):
            continue  # a tail that is torn at its head, or one that was pruned at this moment
    for start, end in reversed(list(pairwise([*starts, None]))):
        found = None
        try:
            for frame in frames_of(journal, start):
                if end is not None and frame.base_sequence >= end:
                    break
                found = cause_of(frame) or found
        except LocalError:
            pass  # damaged: what was found before it is the last that is known
        if found:
            return found
    return None


def cause_of(frame: Frame) -> dict[str, Any] | None:
    """Who and why, where the frame changes trading."""
    if frame.kind != FrameKind.FACTS or not frame.body or not changes_state(frame.facts):
        return None
    who, why = by_whom(note_of(frame))
    return {"who": who, "why": why, "time": time_text(frame.time_ns), "fact": frame.end_sequence}
