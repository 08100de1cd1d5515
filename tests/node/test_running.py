"""A node of real processes: what it says, what it is asked and told, and what it is after any of them was killed.

The market is a seeded one that trades soon after its start, told twenty times as fast; the strategies are written here, into a
file of each test's own, so that they can be edited between two starts.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from tests.node.nodes import CONFIG, RESTING, Place
from tradebot.actors.watching import ROOT
from tradebot.domain.errors import EXIT_DONE, EXIT_NOT_RUNNING, EXIT_REFUSED, EXIT_USAGE
from tradebot.node.service import tell_watchdog
from tradebot.node.session_files import ENGINE, FEED, GATEWAY, STORE, VENUE
from tradebot.testing.chaos import PARTS
from tradebot.testing.chaos_judge import judge

LIFE_LINE_S: Final = 2.0

# It sees what the code before it left: one more entry, as large as the position that it finds. Its State has another field, else
# it would know that it has bought already.
EDITED: Final = (
    RESTING.partition("            self.buy")[0] + "            self.buy(self.position.quantity, price=self.book.bid - 3_500)\n"
).replace("is_done", "is_done_again")

RAISING: Final = RESTING + '            raise ArithmeticError("no such\\x1b\\nluck")\n'


def test_a_home_has_one_node_and_a_second_is_refused_before_it_touches_anything(place: Place) -> None:
    run_id = place.start()
    before = place.ask("status")
    said = place.start_refused(EXIT_REFUSED)
    assert str(place.node.pids(ROOT)[0]) in said
    after = place.ask("status")
    assert (after["run_id"], after["epoch"], after["trading"]) == (run_id, before["epoch"], before["trading"])
    assert place.stop() == 0


def test_a_node_says_that_it_is_ready_answers_and_ends_when_told_to(place: Place) -> None:
    """SIGTERM: entries are cancelled, what guards a position stays, at the venue too."""
    run_id = place.start()
    ready = place.events()[-1]
    assert ready["event"] == "ready" and ready["run_id"] == run_id and sorted(ready["pids"]) == sorted(PARTS)
    place.wait_orders(2)
    expected = [("0.01000000", True), ("0.02000000", False)]  # the entry is an order too until it fills
    place.wait(lambda: sorted((one["quantity"], one["is_guard"]) for one in place.ask("orders")["orders"]) == expected)
    place.wait(lambda: place.ask("status")["gateway"]["unknown"] == [])  # an attempt is, until its answer is in
    status = place.ask("status")
    assert (status["run_id"], status["epoch"], status["trading"]) == (run_id, 1, "active")
    assert status["quarantined"] == [] and status["fills"] > 0
    assert [one["quantity"] for one in place.ask("positions")["positions"]] == ["0.01000000"]
    fills = place.ask("fills")["fills"]
    assert len(fills) == status["fills"] and {one["side"] for one in fills} == {"buy"}
    assert [one["strategy"] for one in place.ask("pnl")["pnl"]] == [0]
    assert place.stop() == EXIT_DONE
    assert place.events()[-1]["event"] == "stopped" and place.alive() == []
    assert place.open_at_venue() and all(one.trigger for one in place.open_at_venue())
    assert judge(place.node.folder).findings == []
    assert place.call(EXIT_NOT_RUNNING, "status") == {"error": ""}, "its answer is what the journal holds (test_remains)"
    assert place.call(EXIT_NOT_RUNNING, "reload")["error"].count("\n") == 1


def test_any_part_may_be_killed(place: Place) -> None:
    """The same run goes on, in the engine's next epoch where it was the engine; the books stay equal."""
    run_id = place.start()
    place.wait_orders(2)
    for name in (ENGINE, GATEWAY, VENUE, FEED, STORE):
        place.node.signal(name, signal.SIGKILL)
        place.node.wait_trading()
        status = place.ask("status")
        assert (status["run_id"], status["epoch"]) == (run_id, 2), name
        assert len(place.ask("orders")["orders"]) == 2, name
    assert {one["part"] for one in place.events() if one["event"] == "restart"} == set(PARTS)
    place.node.settle()
    found = judge(place.node.folder)
    assert found.findings == [] and found.orders >= 3


def test_killing_the_root_ends_its_children_and_the_next_start_goes_on(place: Place) -> None:
    run_id = place.start()
    place.wait_orders(2)
    began = time.monotonic()
    place.node.signal(ROOT, signal.SIGKILL)
    place.wait(lambda: not place.alive())
    assert time.monotonic() - began < LIFE_LINE_S
    assert place.start() == run_id
    assert place.ask("status")["epoch"] == 2
    assert len(place.wait_orders(2)) == 2


def test_a_stop_does_not_shut_trading_for_the_next_start(place: Place) -> None:
    """It reduces, so that nothing opens while it ends; the next start trades again, unless an operator had shut it."""
    place.start()
    assert place.stop() == EXIT_DONE
    place.start()
    assert place.events()[-1]["trading"] == "active"
    place.ask("pause", "--why", "lunch")
    assert place.stop() == EXIT_DONE
    place.start()
    assert place.events()[-1]["trading"] == "halted"
    assert [why for _, why in place.controls()] == ["stop", "stop", "start", "lunch", "stop"]


def test_a_killed_home_trades_again_only_when_the_latch_is_lifted(place: Place) -> None:
    place.start()
    place.wait_orders(2)
    found = place.ask("kill", "--why", "enough")
    assert found["accepted"] and (found["cancels"], found["closes"]) == (1, 0)
    assert place.ask("status")["trading"] == "halted"
    assert place.wait_orders(1)[0]["is_guard"], "a position is not left bare"
    found = place.ask("kill", "--flatten")
    assert (found["cancels"], found["closes"]) == (1, 1)
    assert place.wait_orders(0) == []
    assert place.stop() == EXIT_DONE
    said = place.start_refused(EXIT_REFUSED)
    assert "enough" in said and "--after-kill" in said
    assert "--after-kill" in place.call(EXIT_REFUSED, "resume")["error"]
    assert place.ask("resume", "--after-kill") == {"accepted": True, "by": "latch"}
    place.start()
    assert place.events()[-1]["trading"] == "halted"  # the latch is off; that trading is halted is a fact of the run
    place.ask("resume")
    assert place.ask("status")["trading"] == "active"


@pytest.mark.parametrize("then", [signal.SIGCONT, signal.SIGKILL])
def test_an_engine_that_stood_still_when_the_home_was_killed_halts_before_anything_else(place: Place, then: int) -> None:
    """Nobody can tell it: it goes on, or another one starts, and neither was asked."""
    place.start()
    place.wait_orders(2)
    place.node.signal(ENGINE, signal.SIGSTOP)
    assert "halts and cancels entries before anything else" in place.call(EXIT_NOT_RUNNING, "kill", "--why", "enough")["error"]
    place.node.signal(ENGINE, then)
    place.wait(lambda: [one["is_guard"] for one in place.wait_orders(1)] == [True])
    assert place.ask("status")["trading"] == "halted"
    assert [why for _, why in place.controls()] == ["enough", "enough"], "once, whoever carried it out"
    assert place.node.ask(ENGINE, "state", state="ACTIVE")["accepted"] is False
    place.wait(lambda: place.node.ask(ENGINE, "status")["reconcile"]["gate"] == "open")
    assert place.ask("resume", "--after-kill")["accepted"]
    assert place.ask("status")["trading"] == "active"


def test_controls_take_effect_and_stand_in_the_journal_with_who_and_why(place: Place) -> None:
    place.start()
    place.wait_orders(2)
    place.ask("pause", "--why", "lunch")
    assert place.ask("status")["trading"] == "halted"
    place.ask("resume", "--why", "back")
    assert place.ask("status")["trading"] == "active"
    place.ask("cancel-all", "--why", "tidy")
    assert [one["is_guard"] for one in place.wait_orders(1)] == [True]
    place.ask("flatten", "--why", "home")
    place.wait(lambda: [one["quantity"] for one in place.ask("positions")["positions"]] == ["0.00000000"])
    assert place.wait_orders(0) == []
    who = place.controls()[0][0]
    assert place.controls() == [(who, "lunch"), (who, "back"), (who, "tidy"), (who, "home"), (who, "home")]


def test_an_edited_strategy_goes_on_from_true_positions_and_orders(place: Place) -> None:
    """Kill, edit, start; then edited while it runs, which the engine's next start notices by itself."""
    run_id = place.start()
    place.wait_orders(2)
    place.node.signal(ROOT, signal.SIGKILL)
    place.wait(lambda: not place.alive())
    place.strategy.write_text(EDITED)
    assert place.start() == run_id
    assert sorted(one["quantity"] for one in place.wait_orders(3)) == ["0.01000000", "0.01000000", "0.02000000"]
    place.strategy.write_text(EDITED.replace("3_500", "3_700").replace("is_done_again", "is_done_thrice"))
    place.node.signal(ENGINE, signal.SIGKILL)
    place.node.wait_trading()
    assert len(place.wait_orders(4)) == 4
    assert place.ask("status")["refused_answers"] == []


def test_a_start_with_the_same_configuration_needs_no_store(place: Place) -> None:
    """What the store is to hold waits in the journal until it is back."""
    run_id = place.start()
    place.wait_orders(2)
    assert place.stop() == EXIT_DONE
    with (place.node.home / "data.owner").open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # it has an owner who does not answer
        assert place.start() == run_id
        assert place.ask("status")["trading"] == "active"
        place.wait(lambda: place.ask("status")["parts"][STORE]["is_written"] is False)
    place.wait(lambda: place.ask("status")["parts"][STORE]["is_written"])
    place.wait(lambda: place.ask("status")["parts"][STORE]["behind"] < 1_000)


def test_strategies_keep_their_names_and_places(place: Place) -> None:
    """Positions and orders are theirs by both; what a name uses may change."""
    place.start()
    assert place.stop() == EXIT_DONE
    text = place.node.config.read_text()
    place.node.config.write_text(text.replace('name = "resting"', 'name = "other"'))
    said = place.start_refused(EXIT_USAGE)
    assert "expected the names resting in this order" in said and "found other" in said and "--new" in said
    place.node.config.write_text(text + text[text.index("[[strategy]]") :].replace('"resting"', '"second"'))
    assert "found resting, second" in place.start_refused(EXIT_USAGE)


def test_another_account_is_another_run(place: Place) -> None:
    run_id = place.start()
    assert place.stop() == EXIT_DONE
    place.node.config.write_text(place.node.config.read_text().replace("100000 USD", "50000 USD"))
    said = place.start_refused(EXIT_USAGE)
    assert "account.start" in said and run_id in said and "--new" in said
    assert place.start("--new") != run_id


def test_a_strategy_that_raises_is_quarantined_once(place: Place) -> None:
    """Also by the engine's next start; the entry that it had sent is cancelled, its guard stays."""
    place.strategy.write_text(RAISING)
    place.start()
    place.wait(lambda: place.ask("status")["quarantined"])
    before = place.ask("status")["quarantined"]
    line = RAISING.splitlines().index(RAISING.splitlines()[-1]) + 1
    why = f"ArithmeticError: no such luck, at {place.strategy}:{line} in on_trade"
    assert [one["error"] for one in before] == [why]
    place.wait(lambda: [one["why"] for one in place.events() if one["event"] == "quarantined"] == [why])
    log = place.node.home / "logs" / f"{place.node.folder.name}.log"
    assert f"engine: strategy resting is quarantined on fact {before[0]['fact']}: {why}\n" in log.read_text()
    place.node.signal(ENGINE, signal.SIGKILL)
    place.node.wait_trading()
    assert place.ask("status")["quarantined"] == before


def test_with_json_the_events_are_on_stdout_and_nothing_else_there(place: Place) -> None:
    words = [sys.executable, "-m", "tradebot", "--home", str(place.node.home), "--json", "run", "-c", str(place.node.config)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as root:
        assert root.stdout is not None
        assert json.loads(root.stdout.readline())["event"] == "ready"
        root.send_signal(signal.SIGTERM)
        lines = [json.loads(one) for one in root.stdout.read().splitlines()]
    assert [one["event"] for one in lines] == ["stopped"] and root.returncode == EXIT_DONE


def test_what_cannot_run_says_so_in_one_line(place: Place) -> None:
    assert "expected a node" in place.call(EXIT_NOT_RUNNING, "status")["error"]
    place.node.config.write_text(CONFIG.replace("FILE", str(place.strategy)).replace("speed", "sped"))
    assert "node.sped" in place.start_refused(EXIT_USAGE)
    place.node.config.write_text(CONFIG.replace("FILE", str(place.strategy)).replace("sandbox", "backtest"))
    assert "tradebot backtest" in place.start_refused(EXIT_USAGE)
    place.node.config.write_text(CONFIG.replace("FILE", "nowhere.py"))
    assert "nowhere.py" in place.start_refused(EXIT_USAGE)


def test_a_home_whose_path_is_too_long_for_a_socket_runs_as_any_other(
    market: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / ("long-" * 30)
    shutil.copytree(market, folder / "home", symlinks=True)
    place = Place(folder, capsys)
    try:
        run_id = place.start()
        assert place.ask("status")["run_id"] == run_id
        assert len(os.fsencode(place.node.folder)) > 107
        assert place.stop() == EXIT_DONE
    finally:
        place.node.close()


def test_parts_that_live_together_trade_die_and_go_on_as_others_do(place: Place) -> None:
    """One process instead of four: any of its parts that raises is started again in it; killed, it goes on from its journals."""
    place.node.config.write_text(place.node.config.read_text().replace("node = {", 'node = { place = "together",'))
    place.strategy.write_text(RESTING)
    assert place.node.root is None
    place.node.start()
    place.node.find()
    place.node.wait_trading()
    place.wait_orders(2)
    (pid,) = place.node.pids("trading")
    assert place.node.pids(ENGINE) == [] and sorted(place.ask("status")["parts"]) == [STORE, "trading"]
    os.kill(pid, signal.SIGKILL)
    place.node.wait_trading()
    place.wait_orders(2)
    assert place.ask("status")["epoch"] == 2
    assert place.ask("reconcile")["equal"]
    assert place.ask("replay", place.node.folder.name, "--verify")["identical"]
    assert place.stop() == EXIT_DONE and place.node.pids("trading") == []
    assert judge(place.node.folder).findings == []


@pytest.mark.parametrize("process", ["mine", "none", "another"])
def test_the_watchdog_is_told_twice_in_its_time_where_it_is_on_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, process: str
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if process != "none":
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + (process == "another")))

    async def told() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(tell_watchdog(), 0.55)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.setblocking(False)
        asyncio.run(told())
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(line.recv(64))
    assert set(found) <= {b"WATCHDOG=1"} and len(found) in ((0,) if process == "another" else (5, 6))


def test_a_root_under_a_watchdog_goes_on_saying_that_it_turns(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    monkeypatch.setenv("NOTIFY_SOCKET", str(place.folder / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(place.folder / "notify"))
        line.settimeout(20)
        place.node.start()
        while line.recv(64) != b"READY=1":
            pass
        assert line.recv(64) == b"WATCHDOG=1"
        place.node.signal(ROOT, signal.SIGSTOP)
        time.sleep(0.5)
        line.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                line.recv(64)
        time.sleep(1)
        with pytest.raises(BlockingIOError):
            line.recv(64)
        place.node.signal(ROOT, signal.SIGCONT)
