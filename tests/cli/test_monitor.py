"""The monitor on a run made within the test, whose node is not there; its picture of a state, as a terminal would draw it."""

import io
import json
from pathlib import Path
from typing import Any

from command import failure, run
from rich.console import Console

from tests.node.journaled import filled_then_cancelled
from tradebot.cli.monitor import picture

STATUS: dict[str, Any] = {
    "mode": "sandbox", "epoch": 2, "trading": "halted", "orders_open": 1, "fills": 1_234, "facts": 5_000, "commands_waiting": 0,
    "balances": {"USD": "99.50000000"}, "reconcile": {"gate": "shut", "differences": ["order 77: the engine has none"]},
    "gateway": {"unknown": [], "strangers": [77]},
}  # fmt: skip
STATE: dict[str, Any] = {
    "time": "2026-01-02T03:04:05.678901234Z", "run_id": "r", "is_running": True, "facts_per_s": 12.5, "refusals": 3,
    "status": STATUS,
    "positions": [{"strategy": "maker", "instrument": "BTC/USD", "quantity": "0.1", "realised": "-5.5", "unrealised": "1",
                   "fees": "0.25"}],
    "orders": [{"id": 9, "strategy": "maker", "instrument": "BTC/USD", "side": "sell", "price": "101", "quantity": "1",
                "filled": "0", "state": "open", "trigger": None, "is_guard": True}],
    "fills": [], "alerts": [{"time": "2026-01-02T03:04:05.678901234Z", "event": "warning", "text": "the books differ: order 77"}],
}  # fmt: skip


def drawn(state: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(picture(state))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_one_screen_shows_state_money_orders_and_what_needs_a_person() -> None:
    text = drawn(STATE)
    for words in ("trading halted", "books differ", "fills 1,234", "maker", "-5.50", "99.50000000", "guard", "the books differ"):
        assert words in text, text
    assert max(map(len, text.splitlines())) <= 120


def test_a_node_that_does_not_answer_is_drawn_as_such() -> None:
    gone = {name: STATE[name] for name in ("time", "run_id", "refusals", "fills", "alerts")} | {"is_running": False}
    assert "no answer" in drawn(gone)


def test_json_is_one_state_per_line_also_of_a_node_that_is_gone(tmp_path: Path) -> None:
    filled_then_cancelled(tmp_path / "tradebot_home")
    lines = run(tmp_path, "monitor", "--json", "--states", "2").stdout.splitlines()
    found = [json.loads(line) for line in lines]
    assert [one["is_running"] for one in found] == [False, False]
    assert found[0]["fills_count"] == 2 and found[0]["fills"][0]["strategy"] == "buyer"
    assert found[0]["alerts"][0]["text"].startswith("nobody answers")
    assert any(one["event"] == "operator_act" for one in found[0]["alerts"])


def test_without_a_terminal_it_says_what_to_use(tmp_path: Path) -> None:
    filled_then_cancelled(tmp_path / "tradebot_home")
    assert "use `tradebot monitor --json`" in failure(tmp_path, 2, "monitor")
