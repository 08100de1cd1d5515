"""The first thing a newcomer sees: a market maker over half an hour of a real order-by-order book, in seven lines.

Nothing is polished for show: fees are those of the venue's lowest tier, latency is 50 ms each way, and the loss is stated.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import msgspec

from tradebot.domain.instrument import Instrument
from tradebot.domain.units import time_text
from tradebot.engine.ports import Records
from tradebot.node.build import backtest_in, replay_in
from tradebot.node.comparison import compare_folders
from tradebot.node.config import Config, config_from_dict
from tradebot.node.places import store_path
from tradebot.node.progress import Progress
from tradebot.node.runs import find_folder
from tradebot.node.ticks import import_sample_into
from tradebot.research.book_check import check_book
from tradebot.research.results import Beside, BookCheck, GradeEntry

if TYPE_CHECKING:
    from tradebot.store.client import Store

# Enough of both assets that capital never decides; the position limit does.
START: Final = ["100000 USD", "1 BTC"]
BARS: Final = "1m"
STRATEGY: Final = "tradebot.strategies.maker:InventoryMaker"


def demo(home: Path, progress: Progress, command: str) -> dict[str, object]:
    """Fetch, import, check, run, replay, report. Offline it says so and runs on the seeded stream."""
    from tradebot.store.client import open_store

    with open_store(store_path(home)) as store:
        sample = import_sample_into(store, home, progress)
        instrument = store.instrument(str(sample["instrument"]))
        check = _check(store, instrument, progress)
        bars = _run_on_bars(store, instrument, home, progress, command)
        found = backtest_in(store, demo_config(instrument), home, progress, command, check, bars)
        folders = [find_folder(home, str(run_id)) for run_id in (bars.run_id, found["run_id"])]
        replayed = replay_in(store, folders[1], progress)
        checksum = store.selection([instrument.id]).checksum
    found["replayed_identical"] = replayed["identical"]
    found["data"] = sample
    found["bar_grade"] = msgspec.to_builtins(bars)
    found["comparison"] = compare_folders(folders)["page"]
    found["lines"] = [
        *([str(sample["note"])] if sample["note"] else []),
        _data_line(sample, checksum),
        _book_line(check),
        _run_line(found),
        _replay_line(replayed),
        _pnl_line(found),
        _grades_line(found, bars),
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


def _run_on_bars(store: "Store", instrument: Instrument, home: Path, progress: Progress, command: str) -> Beside:
    """The same run at bar grade, before the other, so that `last` means that."""
    config = demo_config(instrument)
    data = msgspec.structs.replace(config.data, grade="bars", bars=BARS)
    report = msgspec.structs.replace(config.report, grid=False)
    found = backtest_in(store, msgspec.structs.replace(config, data=data, report=report), home, progress, command)
    metrics = cast(Mapping[str, str], found["metrics"])
    return Beside(
        run_id=str(found["run_id"]),
        grade=GradeEntry(str(found["grade"]), str(found["note"])),
        gross_pnl=metrics["gross_pnl"],
        fees=metrics["fees"],
        net_pnl=metrics["net_pnl"],
        orders=int(str(found["orders"])),
        fills=int(str(found["fills"])),
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


def _grades_line(found: dict[str, object], bars: Beside) -> str:
    metrics = cast(Mapping[str, str], found["metrics"])
    apart = abs(Decimal(metrics["net_pnl"]) - Decimal(bars.net_pnl)).quantize(Decimal("0.01"))
    return (
        f"grades  bar grade {_money(bars.net_pnl)} with {bars.fills} fills, book grade {_money(metrics['net_pnl'])} with "
        f"{found['fills']}: difference {apart:,} {metrics['quote_asset']} is what bars of {BARS} do not see"
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
