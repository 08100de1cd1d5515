"""The whole life of an order from its run's journal alone: what led to it, each command, answer and fill with the time between,
its guards and the order that it guards.

A command carries the sequence of the fact that it answers to (`cause`), and stands in the frame of that fact; so the fact is
found beside it. Where it is an operator's act, the frame's note says who and why. Of an order that is older than the beginning of
a journal that was pruned, what is left is told. Of a backtest the audit is read: market facts are not in it, so of those the
sequence alone is told.
"""

from collections.abc import Iterator
from pathlib import Path
from struct import pack
from typing import Any, Final

import numpy as np

from tradebot._core.types import FACT_DTYPE, Kind
from tradebot.domain.errors import UsageError
from tradebot.domain.frames import Frame, FrameKind
from tradebot.engine.session import Note, note_of
from tradebot.node.chronicle import tell_row, teller_of
from tradebot.node.facts import Row, beginning_of, frames_of, row_at, rows_of
from tradebot.node.journals import find_journal
from tradebot.node.runs import find_folder
from tradebot.node.session_files import ENGINE, current_run, read_prepared, run_folder
from tradebot.node.teller import Teller
from tradebot.research.results import RunFiles, open_results

NEAR: Final = 3
NUMBER_MASK: Final = (1 << 40) - 1
FIRST: Final = frozenset({Kind.PLACE_ORDER, Kind.ORDER_REJECTED})  # what our side says of an order first
ENDINGS: Final = {Kind.ORDER_REJECTED: "refused", Kind.ORDER_CANCELLED: "cancelled"}

Step = tuple[Row, dict[str, Any] | None]  # a row of the order, and of a command what led to it


def explain(home: Path, order: int, run: str | None) -> dict[str, Any]:
    """The life of an order of a run, of the home's node or else its last backtest where none is named. `order` is the whole
    client id or the number in it.

    Raises UsageError where the run does not have it, with those that are near.
    """
    folder = find_node_run(home, run)
    if folder is not None:
        prepared = read_prepared(folder)
        teller = teller_of(prepared)
        beginning = beginning_of(folder / ENGINE)
        known_in = named_in if beginning else placed_in
        whole = whole_id(order, (one for frame in frames_of(folder / ENGINE) for one in known_in(frame)), folder.name, beginning)
        steps = [one for frame in frames_of(folder / ENGINE) for one in steps_of(frame, whole, teller)]
        return life_of(whole, folder.name, steps, teller) | {"journal_from": beginning}
    files = open_results(find_folder(home, run or "last"))
    teller = teller_of_results(files)
    placed = files.facts["id"][np.isin(files.facts["kind"], list(FIRST))].tolist()
    whole = whole_id(order, iter(placed), files.manifest.run_id)
    return life_of(whole, files.manifest.run_id, steps_of_results(files, whole, teller), teller)


def find_node_run(home: Path, run: str | None) -> Path | None:
    """The folder of a node's run; None where a backtest is meant."""
    if run is None:
        current = current_run(home)
        return None if current is None else run_folder(home, current)
    try:
        folder = find_journal(home, run)
    except UsageError:
        return None
    return folder.parent if folder.name == ENGINE else folder


def placed_in(frame: Frame) -> Iterator[int]:
    """The orders that a frame wished for: sent, or refused before that."""
    outputs = np.frombuffer(frame.outputs, FACT_DTYPE)
    return (int(one["id"]) for one in outputs if one["kind"] in FIRST)


def named_in(frame: Frame) -> Iterator[int]:
    """The orders that any fact or output of a frame is about."""
    return (int(row.fact["id"]) for row in rows_of(frame, least=Kind.ORDER_ACCEPTED) if is_of_order(row))


def whole_id(order: int, placed: Iterator[int], run_id: str, beginning: dict[str, Any] | None = None) -> int:
    """The client id that is meant. Raises UsageError that names what is near."""
    known = sorted(set(placed))
    for one in known:
        if order in (one, one & NUMBER_MASK):
            return one
    since = f"; {beginning['text']}" if beginning else ""
    if not known:
        raise UsageError(f"expected an order of run {run_id}, found that it sent none{since}")
    near = sorted(known, key=lambda one: abs((one & NUMBER_MASK) - (order & NUMBER_MASK)))[:NEAR]
    raise UsageError(
        f"expected an order of run {run_id}, found none with id {order}; near it: {', '.join(map(str, sorted(near)))}, "
        f"of {len(known)} in all, {known[0]} to {known[-1]}{since}"
    )


def steps_of(frame: Frame, order: int, teller: Teller) -> Iterator[Step]:
    """What a frame holds of an order and of those that guard it."""
    needle = pack("<Q", order)
    if frame.kind != FrameKind.FACTS or (needle not in frame.outputs and needle not in frame.facts):
        return
    note = note_of(frame)
    for row in rows_of(frame, least=Kind.ORDER_ACCEPTED):
        if not is_of(row, order):
            continue
        yield row, cause_of(frame, row, note, teller) if row.is_output else None


def is_of_order(row: Row) -> bool:
    return row.kind >= Kind.ORDER_ACCEPTED and not Kind.FUNDING_PAID <= row.kind < Kind.PLACE_ORDER


def is_of(row: Row, order: int) -> bool:
    if not is_of_order(row):
        return False
    is_guard = row.kind == Kind.PLACE_ORDER and int(row.fact["parent"]) == order
    return int(row.fact["id"]) == order or is_guard


def cause_of(frame: Frame, row: Row, note: Note, teller: Teller) -> dict[str, Any]:
    cause = row_at(frame, row.sequence)
    return {"sequence": row.sequence} if cause is None else tell_row(cause, note, teller)


def teller_of_results(files: RunFiles) -> Teller:
    manifest = files.manifest
    return Teller(manifest.instruments, manifest.assets, {one.number: one.name for one in manifest.strategies})


def steps_of_results(files: RunFiles, order: int, teller: Teller) -> list[Step]:
    facts = files.facts
    mine = (facts["id"] == order) | ((facts["kind"] == Kind.PLACE_ORDER) & (facts["parent"] == order))
    rows = [Row(int(one["cause"]), one, int(one["kind"]) >= Kind.PLACE_ORDER or at == 0) for at, one in enumerate(facts[mine])]
    return [(row, {"sequence": row.sequence} if row.is_output else None) for row in rows if is_of(row, order)]


def life_of(order: int, run_id: str, steps: list[Step], teller: Teller) -> dict[str, Any]:
    """The steps told one after the other, each with the milliseconds since the one before and since the command."""
    mine = [step for step in steps if int(step[0].fact["id"]) == order]
    guards = [int(row.fact["id"]) for row, _ in steps if int(row.fact["id"]) != order]
    placed, cause = mine[0]
    said = teller.tell(placed.fact)
    life = list(timed(steps, order, teller))
    return {
        "order": order,
        "number": order & NUMBER_MASK,
        "run_id": run_id,
        "state": state_of([row for row, _ in mine]),
        **{name: said[name] for name in said if name not in ("time", "event", "text", "order")},
        **filled_of([row for row, _ in mine], teller),
        "parent": said.get("parent"),
        "guards": guards,
        "cause": cause,
        "life": life,
    }


def timed(steps: list[Step], order: int, teller: Teller) -> Iterator[dict[str, Any]]:
    first = before = int(steps[0][0].fact["time_ns"])
    for row, cause in steps:
        now = int(row.fact["time_ns"])
        found = teller.tell(row.fact)
        if found.get("order") != order:
            found = {**found, "event": "guard_placed", "text": f"guard {found.get('order')} {found['text']}"}
        found |= {"since_ms": (now - before) / 1e6, "age_ms": (now - first) / 1e6}
        before = now
        yield found if cause is None else found | {"cause": cause}


def state_of(rows: list[Row]) -> str:
    """How it stands after the last of its facts."""
    state = "sent"
    for row in rows:
        if row.kind in ENDINGS:
            state = ENDINGS[Kind(row.kind)]
        elif row.kind == Kind.ORDER_FILLED:
            state = "filled" if int(row.fact["parent"]) == 0 else "open"
        elif row.kind == Kind.ORDER_ACCEPTED:
            state = "open"
    return state


def filled_of(rows: list[Row], teller: Teller) -> dict[str, Any]:
    fills = [row.fact for row in rows if row.kind == Kind.ORDER_FILLED]
    instrument = teller.instruments.get(int(rows[0].fact["instrument"]))
    if instrument is None:
        return {"fills": len(fills)}
    return {"fills": len(fills), "filled": instrument.quantity_text(sum(int(one["quantity"]) for one in fills))}
