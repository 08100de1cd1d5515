"""`logs` and `explain` as people call them, on a run that was made within the test; `explain` on a backtest too."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from command import environment, failure, run

from tests.node.journaled import filled_then_cancelled


def test_logs_tell_a_line_for_each_event(tmp_path: Path) -> None:
    filled_then_cancelled(tmp_path / "tradebot_home")
    every = run(tmp_path, "logs").stdout.splitlines()
    assert "epoch 1 begins" in every[0] and "cancelled, 0.010 left" in every[-1]
    last = run(tmp_path, "logs", "--last", "4", "--json").stdout.splitlines()
    assert [json.loads(one)["event"] for one in last] == [
        "operator_act", "cancel_order", "cancel_order", "order_cancelled"
    ]  # fmt: skip


def test_logs_follow_until_they_are_interrupted(tmp_path: Path) -> None:
    made = filled_then_cancelled(tmp_path / "tradebot_home")
    command = [sys.executable, "-m", "tradebot.cli.main", "logs", "-f", "--json", "--last", "1"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["event"] == "order_cancelled"
        made.halt(9, "night")
        assert json.loads(following.stdout.readline())["why"] == "night"
        os.kill(following.pid, signal.SIGINT)
        assert following.wait(10) == 0


def test_explain_shows_a_life_and_says_what_is_near(tmp_path: Path) -> None:
    filled_then_cancelled(tmp_path / "tradebot_home")
    shown = run(tmp_path, "explain", "1").stdout
    assert "because: trade" in shown and "filled whole" in shown and "+1000.000" in shown
    assert json.loads(run(tmp_path, "explain", "1", "--json").stdout)["state"] == "filled"
    assert "near it" in failure(tmp_path, 2, "explain", "99")
    assert "a whole number" in failure(tmp_path, 2, "explain", "soon")


def test_logs_of_a_home_without_a_node_say_so(tmp_path: Path) -> None:
    assert "found none: start one" in failure(tmp_path, 3, "logs")


def test_explain_reads_a_backtest_from_its_audit(place: Path) -> None:
    done = run(place, "backtest", "-c", "maker.toml", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(run(place, "explain", "1", "--json").stdout)
    assert found["life"][0]["event"] == "place_order" and found["strategy"] == "maker"
    assert found["cause"]["sequence"] > 0 and found["run_id"] == json.loads(done.stdout)["run_id"]
