"""Candles and trades of a real venue through the command line, each at its grade: what is said, the heading, and replay."""

import json
from pathlib import Path
from typing import Any

import pytest
from command import failure, run

CONFIG = """
account = { venue = "binance", start = "1000 ETH" }
costs = { fees = { maker = "0.1%", taker = "0.1%" } }

[[strategy]]
use = "tradebot.strategies.crossover:Crossover"
instruments = ["XRP/ETH"]
params = { interval = "5m", fast = 4, slow = 12, notional = 0.05 }
"""
INSTRUMENT = ("--instrument", "XRP/ETH@binance", "--tick", "0.00000001", "--lot", "0.1")


@pytest.fixture
def place(tmp_path: Path, shared_dir: Path) -> Path:
    (tmp_path / "run.toml").write_text(CONFIG)
    return tmp_path


def bring(place: Path, shared_dir: Path, name: str) -> None:
    done = run(place, "data", "import", str(shared_dir / "data" / "trades_candles" / name), *INSTRUMENT)
    assert done.returncode == 0, done


def backtest(place: Path, *settings: str) -> dict[str, Any]:
    done = run(place, "backtest", "-c", "run.toml", "--json", *settings)
    assert (done.returncode, done.stderr) == (0, ""), done
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_stored_candles_are_run_at_bar_grade_and_replay_to_the_same(place: Path, shared_dir: Path) -> None:
    bring(place, shared_dir, "XRP_ETH-5m.feather")
    found = backtest(place)
    assert found["grade"] == "bars" and found["note"] == "bar grade: orders are matched on stored bars of 5m"
    assert found["fills"] > 10 and found["metrics"]["books_agree"]
    assert "<b>bar grade</b>" in Path(found["report"]).read_text()
    shown = run(place, "backtest", "-c", "run.toml").stdout
    assert "bar grade: orders are matched on stored bars of 5m" in shown
    assert json.loads(run(place, "replay", "last", "--verify", "--json").stdout)["identical"] is True


def test_stored_trades_are_run_at_trade_grade_or_on_bars_made_of_them(place: Path, shared_dir: Path) -> None:
    bring(place, shared_dir, "XRP_ETH-trades.feather")
    found = backtest(place)
    assert found["grade"] == "trades" and found["fills"] > 10
    bars = backtest(place, "--set", "data.grade=bars", "--set", "data.bars=5m")
    assert bars["note"] == "bar grade: orders are matched on bars of 5m made of the stored trades" and bars["fills"] > 10
    said = failure(place, 2, "backtest", "-c", "run.toml", "--set", "data.grade=book")
    assert "expected a book of XRP/ETH@binance in the store, found trades" in said
