"""The first thing a newcomer sees: a market maker over half an hour of a real order-by-order book, in six lines.

Nothing is polished for show: fees are those of the venue's lowest tier, latency is 50 ms each way, and the loss is stated.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tradebot.domain.instrument import Instrument
from tradebot.domain.units import time_text
from tradebot.engine.ports import Records
from tradebot.node.build import backtest_in, replay_in
from tradebot.node.config import Config, config_from_dict
from tradebot.node.places import store_path
from tradebot.node.progress import Progress
from tradebot.node.runs import find_folder
from tradebot.node.ticks import import_sample_into
from tradebot.research.book_check import check_book
from tradebot.research.results import BookCheck

if TYPE_CHECKING:
    from tradebot.store.client import Store

# Enough of both assets that capital never decides; the position limit does.
START: Final = ["100000 USD", "1 BTC"]
STRATEGY: Final = "tradebot.strategies.maker:InventoryMaker"


def demo(home: Path, progress: Progress, command: str) -> dict[str, object]:
    """Fetch, import, check, run, replay, report. Offline it says so and runs on the seeded stream."""
    from tradebot.store.client import open_store

    with open_store(store_path(home)) as store:
        sample = import_sample_into(store, home, progress)
        instrument = store.instrument(str(sample["instrument"]))
        check = _check(store, instrument, progress)
        found = backtest_in(store, demo_config(instrument), home, progress, command, check)
        replayed = replay_in(store, find_folder(home, str(found["run_id"])), progress)
        checksum = store.selection([instrument.id]).checksum
    found["replayed_identical"] = replayed["identical"]
    found["data"] = sample
    found["lines"] = [
        *([str(sample["note"])] if sample["note"] else []),
        _data_line(sample, checksum),
        _book_line(check),
        _run_line(found),
        _replay_line(replayed),
        _pnl_line(found),
        _end_line(found, sample, home),
    ]
    return found


def demo_config(instrument: Instrument) -> Config:
    """The configuration of the demo, whole; `config/maker.toml` is the same as a file."""
    return config_from_dict(
        {
            "mode": "backtest",
            "account": {"venue": instrument.venue, "start": START},
            "risk": {"position_max": "0.2", "quantity_max": "0.1"},
            "strategy": [{"use": STRATEGY, "name": "maker", "instruments": [instrument.symbol]}],
            "report": {"sample": "1s", "grid": True},
        }
    )


def _check(store: "Store", instrument: Instrument, progress: Progress) -> BookCheck | None:
    def stream() -> Iterable[Records]:
        return store.stream([instrument.id])

    progress.start("checking the book against the trades", None)
    try:
        return check_book(instrument, stream)
    finally:
        progress.done()


def _data_line(sample: dict[str, object], checksum: str) -> str:
    rows, first, last = int(str(sample["rows"])), int(str(sample["first_ns"])), int(str(sample["last_ns"]))
    span = f"{time_text(first)[:16].replace('T', ' ')} to {time_text(last)[11:16]} UTC"
    made = "" if sample["source"] == "sample" else " (seeded, not real)"
    return f"data    {rows:,} events of {sample['instrument']}{made}, {span}, checksum {checksum[:16]}"


def _book_line(check: BookCheck | None) -> str:
    if check is None:
        return "book    no taker shows as an order in this stream: nothing to check the book against"
    missed = f"; missed {'; '.join(check.misses)}" if check.misses else ""
    return (
        f"book    {check.trades_exact} of {check.trades} trades reproduced (maker, price, size), "
        f"{check.takers_exact} of {check.takers} takers{missed}"
    )


def _run_line(found: dict[str, object]) -> str:
    return (
        f"run     {int(str(found['events_per_s'])):,} events/s, {found['orders']} orders, {found['fills']} fills, "
        f"digest {found['digest']}"
    )


def _replay_line(replayed: dict[str, object]) -> str:
    if replayed["identical"]:
        return f"replay  identical: {replayed['facts']:,} facts, {replayed['commands']} commands, the same digest"
    return f"replay  DIFFERENT: {replayed['first_difference']}"


def _pnl_line(found: dict[str, object]) -> str:
    metrics = found["metrics"]
    assert isinstance(metrics, dict)
    even = metrics["break_even_maker_fee"]
    even_text = "none without fills" if even is None else f"{float(even):.4%}"
    return (
        f"P&L     spread earned {_money(metrics['spread_earned'])}, adverse selection {_money(metrics['adverse_selection'])}, "
        f"fees {_money('-' + str(metrics['fees']))}: net {_money(metrics['net_pnl'])} {metrics['quote_asset']}; "
        f"it would break even at a maker fee of {even_text}"
    )


def _money(text: object) -> str:
    """To the cent, half to even as in the report; decimal all the way."""
    return f"{Decimal(str(text).replace('--', '')).quantize(Decimal('0.01')):+,}"


def _end_line(found: dict[str, object], sample: dict[str, object], home: Path) -> str:
    minutes = (int(str(sample["last_ns"])) - int(str(sample["first_ns"]))) / 60e9
    program = _program()
    at = "" if home == Path("tradebot_home").resolve() else f" --home {shlex.quote(str(home))}"
    return (
        f"note    {minutes:.0f} minutes prove nothing about an edge; report: {found['report']}; next: "
        f"`{program} replay last --verify{at}`, `{program} data list{at}`, `{program} config schema`"
    )


def _program() -> str:
    """How the user calls us: by name where that is on the path, else by the shortest path."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return "python -m tradebot"
    if shutil.which("tradebot"):
        return "tradebot"
    return shlex.quote(os.path.relpath(called))
