"""Backtests of contracts from recording to report: perpetuals as recorded, and with marks and funding made up."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from command import environment, failure, run

FILL = """
import sys
from pathlib import Path
import numpy as np
from tradebot._core.types import RECORD_DTYPE, Kind
from tradebot.store import synthetic
from tradebot.store.client import open_store
from tradebot.store.imports import ImportSource
from tradebot.store.instruments import make_instrument
name, multiplier, lot = sys.argv[2:5]
instrument = make_instrument(name, tick="1", lot=lot, multiplier=multiplier)
records = np.concatenate(list(synthetic.open_source(events=20_000)[1]))
records["instrument"] = instrument.id
told = np.zeros(60, RECORD_DTYPE)
told["time_ns"] = told["venue_ns"] = np.linspace(records["time_ns"][200], records["time_ns"][-200], 60).astype(np.int64)
told["kind"], told["instrument"], told["price"] = Kind.MARK, instrument.id, 78_000
told["kind"][10::10], told["id"][10::10] = Kind.FUNDING, 100_000_000
told["price"][55] = int(sys.argv[5])
whole = np.concatenate([records, told])
whole = whole[np.argsort(whole["time_ns"], kind="stable")]
with open_store(Path(sys.argv[1]) / "data") as store:
    store.import_records(instrument, ImportSource("made", 1, name, name), iter([whole]))
"""

HOLDER = """
from msgspec import Struct
from tradebot import Strategy, Real

class Holder(Strategy):
    class Params(Struct, frozen=True):
        notional: Real[1.0, 1e9] = 20000.0

    class State(Struct):
        asked: int = 0

    def on_trade(self, trade):
        if not self.state.asked:
            self.state.asked = self.buy(notional=self.params.notional)
"""

HELD = """
account = {{ venue = "synthetic", start = "{start}", leverage = 10 }}
costs = {{ latency = "5ms", fees = {{ maker = "0.02%", taker = "0.05%" }} }}

[[strategy]]
use = "holder.py:Holder"
instruments = ["{symbol}"]
"""

MAKER = """
account = {{ venue = "{venue}", start = "{start}", leverage = 5, margin = "{margin}" }}
costs = {{ funding = "none" }}

[[strategy]]
use = "tradebot.strategies.maker:InventoryMaker"
instruments = ["{symbol}"]
params = {params}
"""


def made(folder: Path, symbol: str, start: str, multiplier: str, lot: str, crash: int) -> Path:
    """A home with a seeded market as a contract, marks, settlements of 0.01 %, and one mark of `crash`."""
    home = folder / "tradebot_home"
    command = [sys.executable, "-c", FILL, str(home), f"{symbol}@synthetic", multiplier, lot, str(crash)]
    subprocess.run(command, env=environment(), check=True, timeout=60)
    (folder / "holder.py").write_text(HOLDER)
    (folder / "held.toml").write_text(HELD.format(symbol=symbol, start=start))
    return folder


CASES = {"linear": ("BTC/USD:USD", "3000 USD", "1", "0.00000001"), "inverse": ("BTC/USD:BTC", "1 BTC", "1", "0.00001")}


def answer(folder: Path, *arguments: str) -> dict[str, object]:
    done = run(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def query(folder: Path, sql: str) -> list[list[object]]:
    """What the home's store answers."""
    code = (
        "import json, sys; from pathlib import Path; from tradebot.store.client import open_store\n"
        "with open_store(Path(sys.argv[1])) as store: print(json.dumps(store.query(sys.argv[2])))"
    )
    command = [sys.executable, "-c", code, str(folder / "tradebot_home" / "data"), sql]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True, timeout=60)
    found: list[list[object]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("kind", CASES)
def test_a_holder_pays_each_recorded_settlement_and_its_books_agree(tmp_path: Path, kind: str) -> None:
    symbol, start, multiplier, lot = CASES[kind]
    folder = made(tmp_path, symbol, start, multiplier, lot, 78_000)
    found = answer(folder, "backtest", "-c", "held.toml")
    metrics = found["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["books_agree"] and metrics["quote_asset"] == start.split()[1]
    worth = Decimal(20_000) / (78_000 if kind == "inverse" else 1)
    assert Decimal(metrics["funding"]) == pytest.approx(5 * worth / 10_000, rel=Decimal("0.01"))
    assert metrics["liquidations"] == 0
    parts = [Decimal(metrics[name]) for name in ("gross_pnl", "fees", "funding", "net_pnl")]
    assert parts[0] - parts[1] - parts[2] == parts[3]
    assert answer(folder, "replay", str(found["run_id"]), "--verify")["identical"]
    without = answer(folder, "backtest", "-c", "held.toml", "--set", "costs.funding=none")["metrics"]
    assert isinstance(without, dict)
    assert Decimal(without["net_pnl"]) - parts[3] == parts[2]


def test_funding_left_out_and_an_assumed_maintenance_are_said_on_the_screen(tmp_path: Path) -> None:
    symbol, start, multiplier, lot = CASES["linear"]
    folder = made(tmp_path, symbol, start, multiplier, lot, 78_000)
    done = run(folder, "backtest", "-c", "held.toml", "--set", "costs.funding=none")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"warning: Funding of {symbol}@synthetic is left out" in done.stdout
    assert "isolated, leverage 10, maintenance 1 %, assumed" in done.stdout
    paid = run(folder, "backtest", "-c", "held.toml", "--set", 'account.maintenance="0.4%"').stdout
    assert "Funding of" not in paid and "maintenance 0.4 %" in paid and "0.4 %, assumed" not in paid


@pytest.mark.parametrize("kind", CASES)
def test_a_liquidation_is_said_in_red_and_stands_among_the_fills(tmp_path: Path, kind: str) -> None:
    symbol, start, multiplier, lot = CASES[kind]
    folder = made(tmp_path, symbol, start, multiplier, lot, 60_000)
    found = answer(folder, "backtest", "-c", "held.toml")
    metrics, report = found["metrics"], Path(str(found["report"]))
    assert isinstance(metrics, dict)
    assert (metrics["liquidations"], metrics["books_agree"]) == (1, True)
    told = json.loads((report.parent / "report.json").read_text())
    assert told["warnings"][1].startswith("Liquidated: the venue closed 1 positions")
    assert "Liquidated: the venue closed" in report.read_text()
    fills = query(folder, "SELECT countIf(order_id = 0), count() FROM fills")
    assert fills == [[1, metrics["fills"]]]
    margin = Decimal(20_000) / 10 / (78_000 if kind == "inverse" else 1)
    assert -Decimal(metrics["net_pnl"]) == pytest.approx(margin, rel=Decimal("0.02")), "the margin, and the fee of the entry"
    assert answer(folder, "replay", str(found["run_id"]), "--verify")["identical"]


def test_a_perpetual_without_settlements_is_refused_in_one_line(tmp_path: Path, shared_dir: Path) -> None:
    folder = recorded(tmp_path, shared_dir, "linear")
    said = failure(folder, 2, "backtest", "-c", "maker.toml", "--set", "costs.funding=recorded")
    assert 'costs.funding = "recorded": expected settlements of SUSHI/USDT:USDT@binance-linear in the range, found none' in said


RECORDED = {
    "linear": (
        "cryptofeed_raw/BINANCE_FUTURES.ws.1.0.gz", "cryptofeed-raw", "SUSHI/USDT:USDT@binance-linear", "1000 USDT", "cross",
        "{ size = 10, inventory_max = 50, half_spread = 0.0, skew = 0.002, requote = 0.001, pause_ms = 50 }",
    ),
    "inverse": (
        "binance_coinm_depth0ms/btcusd_perp_20240808.gz", "binance-raw", "BTC/USD:BTC@binance-inverse", "1 BTC", "isolated",
        "{ size = 10, inventory_max = 30, half_spread = 0.5, skew = 2.0, requote = 1.0 }",
    ),
}  # fmt: skip


def recorded(folder: Path, shared_dir: Path, kind: str) -> Path:
    path, format_name, name, start, margin, params = RECORDED[kind]
    if not (shared_dir / "data" / path).is_file():
        pytest.skip(f"no recording at {shared_dir / 'data' / path}")
    done = run(folder, "data", "import", str(shared_dir / "data" / path), "--format", format_name, "--instrument", name)
    assert done.returncode == 0, done.stderr
    symbol, _, venue = name.partition("@")
    text = MAKER.format(venue=venue, start=start, margin=margin, symbol=symbol, params=params)
    (folder / "maker.toml").write_text(text)
    return folder


@pytest.mark.parametrize(("kind", "asset"), [("linear", "USDT"), ("inverse", "BTC")])
def test_a_maker_of_a_recorded_perpetual_ends_with_books_that_agree(
    tmp_path: Path, shared_dir: Path, kind: str, asset: str
) -> None:
    folder = recorded(tmp_path, shared_dir, kind)
    found = answer(folder, "backtest", "-c", "maker.toml")
    metrics = found["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["books_agree"] and metrics["fills"] > 20 and metrics["quote_asset"] == asset
    told = json.loads((Path(str(found["report"])).parent / "report.json").read_text())
    assert [line.partition(" of ")[0] for line in told["warnings"]] == ["Funding"]
    assert answer(folder, "replay", str(found["run_id"]), "--verify")["identical"]
