"""`backtest` as users meet it: their strategy in their folder, their settings, and what happens when either is wrong.

Each test has a home of its own with a small seeded market. A failure must end with the right code and one line, leave the
ticks and the earlier runs where they were, and let the next run through.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import environment, failure, run
from conftest import MAKER

from tradebot._core.types import FACT_DTYPE, SAMPLE_DTYPE
from tradebot.cli.main import main
from tradebot.domain.orders import Kind

KEYS = {"run_id", "events", "seconds", "events_per_s", "orders", "fills", "digest", "metrics", "report"}

STRATEGY = """
from tradebot import Int, Strategy
from msgspec import Struct

class Mine(Strategy):
    class Params(Struct, frozen=True, forbid_unknown_fields=True):
        size: Int[1, 5] = 1
        every: Int[1, 60] = 10

    def on_start(self):
        self.timer(f"{self.params.every}s")

    def on_timer(self, timer):
        BODY
"""
TRADE = "self.buy(0.01 * self.params.size) if self.position.flat else self.close()"

CONFIG = """
account = { venue = "synthetic", start = "100000 USD" }

[[strategy]]
use = "strategies/mine.py:Mine"
instruments = ["BTC/USD"]
"""

QUERY = """
import json, sys
from pathlib import Path
from tradebot.store.client import open_store
with open_store(Path(sys.argv[1]) / "data") as store:
    print(json.dumps([store.query(sql) for sql in sys.argv[2:]]))
"""


@pytest.fixture
def user(place: Path) -> Callable[[str], Path]:
    """Writes the user's strategy, whose timer does what is given, and his configuration."""

    def write(body: str, source: str = STRATEGY) -> Path:
        folder = place / "project"
        (folder / "strategies").mkdir(parents=True, exist_ok=True)
        (folder / "strategies" / "mine.py").write_text(source.replace("BODY", body))
        (folder / "run.toml").write_text(CONFIG)
        return place

    return write


def backtest(place: Path, *arguments: str, config: str = "maker.toml") -> dict[str, Any]:
    done = run(place, "backtest", "-c", config, "--json", *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def query(place: Path, *statements: str) -> list[list[list[Any]]]:
    """The store's answers, from a process of its own."""
    command = [sys.executable, "-c", QUERY, str(place / "tradebot_home"), *statements]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True, timeout=60)
    answers: list[list[list[Any]]] = json.loads(done.stdout)
    return answers


@pytest.fixture
def refused(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The one line of a backtest that is refused as wrong; in this process, which saves a second each."""

    def call(*arguments: str) -> str:
        monkeypatch.chdir(place)
        assert main(["backtest", *arguments]) == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.startswith("tradebot: ") and said.err.count("\n") == 1, said
        return said.err

    return call


def results(place: Path) -> list[str]:
    return sorted(path.name for path in (place / "tradebot_home" / "results").glob("*"))


def line_at(place: Path, text: str) -> str:
    """Where a piece of the user's strategy stands, as an error names it."""
    file = place / "project" / "strategies" / "mine.py"
    number = next(index for index, line in enumerate(file.read_text().splitlines(), 1) if text in line)
    return f"{file}:{number}"


def test_the_answer_has_the_keys_of_the_contract_and_names_its_files(place: Path) -> None:
    found = backtest(place)
    assert set(found) >= KEYS
    assert found["events"] == 20_000 and found["orders"] >= found["fills"] > 0
    folder = Path(found["report"]).parent
    assert folder.name == found["run_id"] == results(place)[0]
    assert {path.name for path in folder.iterdir()} == {
        "manifest.json", "facts.bin", "samples.bin", "markouts.bin", "report.json", "report.html",
    }  # fmt: skip
    facts = np.fromfile(folder / "facts.bin", FACT_DTYPE)
    assert np.count_nonzero(facts["kind"] == Kind.ORDER_FILLED) == found["fills"]
    assert np.count_nonzero(facts["kind"] == Kind.PLACE_ORDER) == found["orders"]


def test_the_same_run_has_the_same_digest_whatever_the_hash_seed(place: Path) -> None:
    digests = set()
    for seed in ("0", "4242"):
        done = run(place, "backtest", "-c", "maker.toml", "--json", PYTHONHASHSEED=seed)
        digests.add(json.loads(done.stdout)["digest"])
    assert len(digests) == 1
    assert len(results(place)) == 2


def test_the_store_tells_of_a_run_what_its_files_tell(place: Path) -> None:
    found = backtest(place)
    folder = Path(found["report"]).parent
    facts, samples = np.fromfile(folder / "facts.bin", FACT_DTYPE), np.fromfile(folder / "samples.bin", SAMPLE_DTYPE)
    where = f"WHERE run_id = '{found['run_id']}'"
    runs, events, fills, equity = query(
        place,
        "SELECT run_id, JSONExtractString(manifest, 'digest') FROM runs",
        f"SELECT event, count() FROM orders {where} GROUP BY event",
        f"SELECT order_id, price, quantity, fee, time_ns, side, strategy FROM fills {where} ORDER BY row",
        f"SELECT count(), max(time_ns), sum(position), argMax(fees, time_ns), any(strategy) FROM equity {where}",
    )
    assert runs == [[found["run_id"], found["digest"]]]
    names = [Kind(int(kind)).name for kind in facts["kind"]]
    assert dict(map(tuple, events)) == {name: names.count(name) for name in set(names)}
    mine = facts[facts["kind"] == Kind.ORDER_FILLED]
    assert [row[:5] for row in fills] == [
        [int(one[name]) for name in ("id", "price", "quantity", "fee", "time_ns")] for one in mine
    ]
    assert {row[6] for row in fills} == {"maker"}
    assert equity == [
        [len(samples), int(samples["time_ns"].max()), int(samples["position"].sum()), int(samples["fees"][-1]), "maker"]
    ]


def test_a_strategy_lives_in_the_users_folder_beside_its_configuration(user: Callable[[str], Path]) -> None:
    place = user(TRADE)
    found = backtest(place, config="project/run.toml")
    assert found["metrics"]["taker_fills"] == found["fills"] > 2
    manifest = json.loads((Path(found["report"]).parent / "manifest.json").read_text())
    assert manifest["strategies"][0]["params"] == {"size": 1, "every": 10}


def test_set_wins_over_the_file_and_changes_the_run(user: Callable[[str], Path]) -> None:
    place = user(TRADE)
    one = backtest(place, config="project/run.toml")
    two = backtest(
        place, "--set", "strategy.0.params.size=2", "--set", "costs.latency=1ms", config="project/run.toml"
    )
    assert float(two["metrics"]["turnover"]) == pytest.approx(2 * float(one["metrics"]["turnover"]), rel=0.01)
    assert one["digest"] != two["digest"] and one["run_id"].split("-")[1] != two["run_id"].split("-")[1]


def test_a_range_takes_part_of_the_ticks(place: Path) -> None:
    found = backtest(place, "--set", "data.to=2026-01-05T00:10:00Z")
    assert 5_000 < found["events"] < 9_000
    assert found["metrics"]["span_s"] < 600


def test_the_grid_runs_each_cell_and_agrees_with_the_run_itself(place: Path) -> None:
    grid = '--set=report.grid={fees=["0%","0.5%"],latencies=["1ms","50ms"]}'
    found = backtest(place, grid)
    cells = json.loads((Path(found["report"]).parent / "report.json").read_text())["grid"]
    assert [(cell["fee"], cell["latency_ns"]) for cell in cells] == [
        ("0", 1_000_000), ("0.005", 1_000_000), ("0", 50_000_000), ("0.005", 50_000_000),
    ]  # fmt: skip
    own = cells[3]
    assert own["net"] == int(found["metrics"]["net_pnl"].replace(".", "")) and own["fills"] == found["fills"]
    assert cells[2]["net"] > own["net"]


def test_what_a_strategy_prints_does_not_touch_the_json(user: Callable[[str], Path]) -> None:
    place = user("print('hello'); " + "self.state")
    done = run(place, "backtest", "-c", "project/run.toml", "--json")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1 and json.loads(done.stdout)["fills"] == 0
    assert "hello" in done.stderr


def test_for_people_there_is_a_table_and_the_path_of_the_report(place: Path) -> None:
    done = run(place, "backtest", "-c", "maker.toml")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["run", "value"]
    assert lines[-1].startswith("report: ") and Path(lines[-1].removeprefix("report: ")).is_file()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("costs.latenci=1ms", "costs.latenci: unknown key; the nearest valid key is costs.latency"),
        ("risk.orders_open_max=many", "risk.orders_open_max"),
        ("costs.latency=true", "costs.latency"),
        ("strategy.0.params.size=9999999", "size"),
        ("strategy.0.params.sise=1", "params.sise is no parameter of InventoryMaker: expected one of half_spread"),
        ('strategy.0.instruments=["ETH/USD"]', "ETH/USD@synthetic"),
        ("data.from=2030-01-01", "2026-01-05"),
        ("strategy.0.use=absent.module:Maker", "found ModuleNotFoundError"),
        ("strategy.0.use=absent.py:Maker", "expected a Python file, found none at"),
        ("strategy.0.use=json:JSONDecoder", "expected a Strategy class 'JSONDecoder', found strategies: none"),
        ("strategy.0.use=tradebot.strategies.maker:Maker", "found strategies: InventoryMaker"),
        ("risk.quantity_max=0.000000001", "risk.quantity_max"),
    ],
)
def test_a_wrong_configuration_ends_with_two_and_changes_nothing(
    place: Path, refused: Callable[..., str], setting: str, said: str
) -> None:
    assert said in refused("-c", "maker.toml", "--set", setting)
    assert results(place) == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("class Mine(:\n", "found SyntaxError"),
        ("import absent_module\n", "found ModuleNotFoundError: No module named 'absent_module' at "),
        ("raise SystemExit(0)\n", "found SystemExit"),
        ("class Mine:\n    pass\n", "expected a Strategy class 'Mine', found strategies: none"),
        (
            "from tradebot import Strategy\nclass Mine(Strategy):\n    def __init__(self, params):\n        1 / 0\n",
            "found ZeroDivisionError: division by zero at ",
        ),
    ],
)
def test_a_strategy_file_that_does_not_load_is_named(
    user: Callable[..., Path], refused: Callable[..., str], source: str, said: str
) -> None:
    place = user("", source)
    assert said in refused("-c", "project/run.toml", "--json")
    assert results(place) == []


def test_a_home_without_ticks_says_how_to_get_some(tmp_path: Path, place: Path) -> None:
    line = failure(place, 2, "backtest", "-c", "maker.toml", "--home", str(tmp_path / "empty"))
    assert "BTC/USD@synthetic" in line and "tradebot data" in line


def test_a_strategy_that_raises_is_quarantined_and_named_with_file_and_line(user: Callable[[str], Path]) -> None:
    place = user("self.buy(0.01, price=70000); self.cancel(1 // 0)")
    done = run(place, "backtest", "-c", "project/run.toml", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["events"], found["orders"]) == (20_000, 0), "the run goes on; what the callback asked for is dropped"
    assert done.stderr.startswith("tradebot: quarantined: strategy 'mine' raised ZeroDivisionError")
    assert done.stderr.count("\n") == 1 and f" at {line_at(place, '1 // 0')} in on_timer" in done.stderr
    assert "was quarantined" in Path(found["report"]).read_text()


def test_an_error_raised_by_the_face_names_the_users_line(user: Callable[[str], Path]) -> None:
    place = user("self.buy(0.01, risk='1%')")
    done = run(place, "backtest", "-c", "project/run.toml")
    assert done.returncode == 1
    assert f" at {line_at(place, 'risk')} in on_timer" in done.stderr and "is not built yet" in done.stderr


def test_the_other_strategy_goes_on_when_one_is_quarantined(user: Callable[[str], Path]) -> None:
    place = user("raise RuntimeError('two\\nlines')")
    second = '[[strategy]]\nuse = "tradebot.strategies.maker:InventoryMaker"\nname = "maker"\ninstruments = ["BTC/USD"]\n'
    config = place / "project" / "run.toml"
    config.write_text(CONFIG.replace('"100000 USD"', '["100000 USD", "1 BTC"]') + second)
    done = run(place, "backtest", "-c", "project/run.toml", "--json")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    alone = backtest(place)
    assert json.loads(done.stdout)["fills"] == alone["fills"] > 0


def test_a_strategy_that_ends_the_program_fails_the_run_and_is_named(user: Callable[[str], Path]) -> None:
    place = user("import sys; sys.exit(0)")
    line = failure(place, 1, "backtest", "-c", "project/run.toml", "--json")
    assert f"asked the program to end at {line_at(place, 'sys.exit')} in on_timer" in line
    assert results(place) == [], "what did not end leaves nothing behind"
    assert backtest(place)["fills"] > 0


def test_a_strategy_that_raises_an_interrupt_ends_as_one(user: Callable[[str], Path]) -> None:
    place = user("raise KeyboardInterrupt")
    assert "interrupted" in failure(place, 1, "backtest", "-c", "project/run.toml")
    assert results(place) == []


def test_a_strategy_that_blocks_times_out_with_file_and_line(user: Callable[[str], Path]) -> None:
    """It catches what it can, and still does not keep the run from ending."""
    lines = ("while True:", "    try:", "        self.state", "    except Exception:", "        pass")
    place = user("\n        ".join(lines))
    before = backtest(place)
    done = run(place, "backtest", "-c", "project/run.toml", "--json")
    assert (done.returncode, done.stdout) == (5, "")
    line = done.stderr.splitlines()[-1]
    assert "strategy 'mine' did not return from a callback for 10 s at " in line
    assert f"{place / 'project' / 'strategies' / 'mine.py'}:" in line
    assert results(place) == [before["run_id"]]


def interrupt_when(child: "subprocess.Popen[str]", is_so: Callable[[], bool]) -> str:
    """Ctrl-C as soon as `is_so`; the child's last line."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline and child.poll() is None, child.communicate()
        os.sched_yield()
    child.send_signal(signal.SIGINT)
    out, error = child.communicate(timeout=60)
    assert out == "" and "Traceback" not in error, error
    return error.splitlines()[-1]


def test_ctrl_c_ends_a_backtest_with_one_line_and_leaves_the_rest(user: Callable[[str], Path]) -> None:
    place = user("open('started', 'w').close(); import time; time.sleep(8)")
    before = backtest(place)
    child = subprocess.Popen(
        [sys.executable, "-m", "tradebot", "backtest", "-c", "project/run.toml", "--json"],
        cwd=place, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    line = interrupt_when(child, (place / "started").exists)
    assert line.startswith("tradebot: interrupted") and child.returncode == 1
    assert results(place) == [before["run_id"]]
    assert backtest(place)["digest"] == before["digest"]


def test_a_second_process_on_the_home_runs_beside_the_one_that_has_it(user: Callable[[str], Path]) -> None:
    place = user("open('started', 'w').close(); import time; time.sleep(8)")
    child = subprocess.Popen(
        [sys.executable, "-m", "tradebot", "backtest", "-c", "project/run.toml", "--json"],
        cwd=place, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    beside: list[dict[str, Any]] = []

    def is_done() -> bool:
        if not (place / "started").exists():
            return False
        beside.append(backtest(place))
        return True

    interrupt_when(child, is_done)
    alone = backtest(place)
    assert alone["fills"] > 0
    assert beside[0]["digest"] == alone["digest"], "what is read through another process is what is stored"


def test_a_full_disk_ends_a_backtest_with_one_line_and_nothing_is_lost(place: Path) -> None:
    """A limit on the size of a file stands for the disk: it needs no rights, and fails in the same calls."""
    before = backtest(place)
    for limit in (3_000, 20_000):  # bytes: the manifest is longer than the first, the samples than the second
        done = subprocess.run(
            [sys.executable, "-m", "tradebot", "backtest", "-c", "maker.toml", "--json"],
            cwd=place, env=environment(), text=True, capture_output=True, check=False, timeout=60,
            preexec_fn=partial(limit_files, limit),
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (1, ""), done
        assert done.stderr.count("\n") == 1 and "found the disk full; free some space, or give another --home" in done.stderr
        assert results(place) == [before["run_id"]]
    assert backtest(place)["digest"] == before["digest"]
    assert len(query(place, "SELECT run_id FROM runs")[0]) == 2


def limit_files(size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_what_the_report_says_in_red_and_what_was_assumed_stand_on_the_screen(place: Path) -> None:
    free = ("--set", "costs.latency=0ms", "--set", 'costs.fees={ maker = "0%", taker = "0%" }')
    done = run(place, "backtest", "-c", "maker.toml", *free)
    assert (done.returncode, done.stderr) == (0, "")
    (folder,) = results(place)
    told = json.loads((place / "tradebot_home" / "results" / folder / "report.json").read_text())["warnings"]
    for words in ("made up here", "maker fee of this", "taker fee of this", "latency of this run is zero"):
        assert any(words in line for line in told), words
    assert [line.removeprefix("warning: ") for line in done.stdout.splitlines() if line.startswith("warning: ")] == told
    assumed = done.stdout.partition("\nassumed")[2]
    assert "latency to the venue" in assumed and "configured" in assumed and "queue model" in assumed


def test_refusals_are_shown_with_their_reasons(place: Path) -> None:
    (place / "huge.py").write_text(
        "from tradebot import Strategy\n\n\nclass Huge(Strategy):\n    def on_start(self):\n        self.after(10**9)\n\n"
        "    def on_timer(self, timer):\n        self.buy(10_000)\n"
    )
    text = MAKER.replace("tradebot.strategies.maker:InventoryMaker", "huge.py:Huge")
    (place / "huge.toml").write_text(text)
    done = run(place, "backtest", "-c", "huge.toml")
    assert done.returncode == 0
    assert "\n1 rejected: 1 balance_too_small\n" in done.stdout
    assert "no order was filled" in done.stdout
