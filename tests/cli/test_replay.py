"""`replay`: a finished run comes out the same again; where it does not, the first difference is named, and what changed.

The demo's real run is replayed as it is; what is tampered with is a copy of a small run.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Demo, environment, failure, run

from tradebot._core.types import FACT_DTYPE

STRATEGY = """
from tradebot import Strategy

class Mine(Strategy):
    def on_start(self):
        self.timer("10s")

    def on_timer(self, timer):
        self.buy(0.01) if self.position.flat else self.close()
"""

CONFIG = """
account = { venue = "synthetic", start = "100000 USD" }

[[strategy]]
use = "mine.py:Mine"
instruments = ["BTC/USD"]
"""

KEYS = {"run_id", "facts", "commands", "digest", "expected_digest", "identical", "first_difference"}

MORE = """
import sys
from pathlib import Path
import numpy as np
from tradebot.store import synthetic
from tradebot.store.client import open_store
from tradebot.store.imports import ImportSource
with open_store(Path(sys.argv[1]) / "data") as store:
    records = np.concatenate(list(store.stream([synthetic.INSTRUMENT.id])))
    records["time_ns"] += 3_600 * 10**9
    records["venue_ns"] += 3_600 * 10**9
    store.import_records(synthetic.INSTRUMENT, ImportSource("test", 1, "an hour later", "nowhere"), iter([records]))
"""


@pytest.fixture(scope="module")
def finished(small_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home that holds one finished run of a user's strategy."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(small_home, folder / "tradebot_home", symlinks=True)
    (folder / "mine.py").write_text(STRATEGY)
    (folder / "run.toml").write_text(CONFIG)
    done = run(folder, "backtest", "-c", "run.toml", "--json")
    assert done.returncode == 0, done
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """The results folder of that run, the test's own; a path names a run as its id does."""
    (folder,) = (finished / "tradebot_home" / "results").iterdir()
    return shutil.copytree(folder, tmp_path / "results" / folder.name)


def verify(finished: Path, name: object) -> dict[str, Any]:
    """The answer of a replay that must find a difference; its line on stderr says the same."""
    done = run(finished, "replay", str(name), "--verify", "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, found["identical"], set(found)) == (1, False, KEYS), done
    line = f"tradebot: expected the same digest, found another: {found['first_difference']}\n"
    assert done.stderr == line or done.stderr.endswith(line)
    return found


def edit(folder: Path, old: str, new: str) -> None:
    manifest = folder / "manifest.json"
    text = manifest.read_text()
    assert text.count(old) == 1, text.count(old)
    manifest.write_text(text.replace(old, new))


@pytest.mark.sample
def test_the_last_run_replays_identically(demo: Demo) -> None:
    done = run(demo.folder, "replay", "last", "--verify", "--json")
    assert done.returncode == 0, done
    found, made = json.loads(done.stdout), json.loads(demo.second.stdout)
    assert set(found) == KEYS
    assert (found["run_id"], found["identical"], found["first_difference"]) == (made["run_id"], True, None)
    assert found["digest"] == found["expected_digest"] == made["digest"]
    assert found["facts"] == made["facts"] and found["commands"] >= made["orders"]


def test_a_run_is_named_by_its_id_the_start_of_it_or_its_folder(finished: Path, copy: Path) -> None:
    for name in (copy.name, copy.name[:-4], str(copy)):
        done = run(finished, "replay", name)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert done.stdout.splitlines()[-1].split() == ["identical", "true"]
    assert list(copy.parent.iterdir()) == [copy], "a replay leaves nothing behind"


def test_a_fact_that_was_changed_is_the_first_difference(finished: Path, copy: Path) -> None:
    facts = np.fromfile(copy / "facts.bin", FACT_DTYPE)
    facts["price"][7] += 1
    facts["price"][9] += 1
    facts.tofile(copy / "facts.bin")
    found = verify(finished, copy)
    price = int(facts["price"][7])
    assert found["first_difference"].startswith("entry 7 of its commands and answers, ")
    assert f"price {price} -> {price - 1}" in found["first_difference"]


def test_facts_that_were_cut_off_are_the_first_difference(finished: Path, copy: Path) -> None:
    facts = np.fromfile(copy / "facts.bin", FACT_DTYPE)
    facts[:-3].tofile(copy / "facts.bin")
    start = f"entry {len(facts) - 3} of its commands and answers: expected the end, found "
    assert verify(finished, copy)["first_difference"].startswith(start)


def test_without_verify_a_difference_is_told_and_no_failure(finished: Path, copy: Path) -> None:
    facts = np.fromfile(copy / "facts.bin", FACT_DTYPE)
    facts[1:].tofile(copy / "facts.bin")
    done = run(finished, "replay", str(copy), "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["identical"] is False


def test_a_strategy_that_was_changed_is_named_beside_the_first_difference(finished: Path) -> None:
    file = finished / "mine.py"
    try:
        file.write_text(STRATEGY.replace("0.01", "0.02"))
        found = verify(finished, "last")
    finally:
        file.write_text(STRATEGY)
    assert found["first_difference"].startswith("entry 0 of its commands and answers, PLACE_ORDER of order ")
    assert "quantity 1000000 -> 2000000" in found["first_difference"]
    assert found["first_difference"].endswith("; the source of strategy mine has changed")


def test_a_changed_manifest_is_named_beside_the_first_difference(finished: Path, copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["config"]["costs"]["latency"] = "60ms"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    found = verify(finished, copy)
    assert found["first_difference"].startswith("entry ")
    assert found["first_difference"].endswith("; the manifest's costs.latency: 50ms -> 60ms")


def test_another_environment_is_named(finished: Path, copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["versions"]["numpy"] = "1.0.0"
    manifest["digest"] = "0" * 32
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert "numpy 1.0.0 -> " in verify(finished, copy)["first_difference"]


def test_ticks_that_came_later_are_no_part_of_an_earlier_run(finished: Path, tmp_path: Path) -> None:
    home = tmp_path / "tradebot_home"
    shutil.copytree(finished / "tradebot_home", home, symlinks=True)
    command = [sys.executable, "-c", MORE, str(home)]
    subprocess.run(command, env=environment(), check=True, timeout=60)
    (entry,) = json.loads(run(tmp_path, "data", "list", "--json").stdout)["instruments"]
    assert entry["rows"] == 40_000
    done = run(tmp_path, "replay", "last", "--verify", "--json")
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["identical"] is True


def test_ticks_that_come_later_within_the_range_are_not_part_of_the_run(finished: Path, tmp_path: Path) -> None:
    """The same hour again, half a second later and as bars too: another import, between the rows of the first."""
    home = shutil.copytree(finished / "tradebot_home", tmp_path / "tradebot_home", symlinks=True)
    (tmp_path / "mine.py").write_text(STRATEGY)
    more = MORE.replace("3_600 * 10**9", "500_000_000").replace("an hour later", "half a second later")
    more = more.replace("    store.import", '    records["kind"][::7] = 8\n    store.import')
    subprocess.run([sys.executable, "-c", more, str(home)], env=environment(), check=True, timeout=60)
    done = run(tmp_path, "replay", "last", "--verify", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["identical"] is True, done


def test_a_home_without_the_ticks_says_so(finished: Path, copy: Path, tmp_path: Path) -> None:
    line = failure(tmp_path, 2, "replay", str(copy), "--verify")
    assert "BTC/USD@synthetic" in line and "tradebot data" in line


def test_a_run_that_is_not_there_is_refused_with_the_latest_there_are(finished: Path, tmp_path: Path) -> None:
    assert "expected a run 'nothing'" in (line := failure(finished, 2, "replay", "nothing"))
    assert next((finished / "tradebot_home" / "results").iterdir()).name in line
    assert "none: start one with `tradebot demo`" in failure(tmp_path, 2, "replay", "last")
    assert list(tmp_path.iterdir()) == [], "asking makes no home"


def drop_facts(folder: Path) -> None:
    (folder / "facts.bin").unlink()


def tear_facts(folder: Path) -> None:
    body = (folder / "facts.bin").read_bytes()
    (folder / "facts.bin").write_bytes(body[:-5])


def garble(folder: Path) -> None:
    (folder / "manifest.json").write_text("{ not a manifest")


def empty(folder: Path) -> None:
    (folder / "manifest.json").write_text("{}")


def unfinish(folder: Path) -> None:
    edit(folder, '"digest": "', '"was": "')


def forget_config(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "config": {"strategy": []}}))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (drop_facts, "expected facts.bin in "),
        (tear_facts, "expected whole records of 128 bytes in "),
        (garble, "expected a run's manifest in "),
        (empty, "expected a run's manifest in "),
        (unfinish, "found one that did not end: run it again"),
        (forget_config, "expected the configuration of a run in "),
    ],
)
def test_a_spoilt_results_folder_is_one_line(
    finished: Path, copy: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(copy)
    line = failure(finished, 1, "replay", str(copy), "--verify", "--json")
    assert said in line and "again" in line


def test_a_replay_takes_no_configuration(finished: Path) -> None:
    assert "found one: a replay takes all from" in failure(finished, 2, "replay", "last", "--set", "costs.latency=1ms")


def test_a_run_that_only_the_store_has_says_what_is_missing_and_how_to_get_it(place: Path) -> None:
    made = json.loads(run(place, "backtest", "-c", "maker.toml", "--json").stdout)["run_id"]
    assert run(place, "store", "backup", "copy").returncode == 0
    restored = run(place, "store", "restore", "copy", "--home", "other", "--json")
    assert json.loads(restored.stdout)["runs_without_folder"] == 1
    assert restored.stderr.startswith("note: runs in the store without their result folders, which no backup holds: 1;")
    for words in (("replay", made), ("replay", "last"), ("report", made[:12])):
        line = failure(place, 2, *words, "--home", "other")
        assert f"results/{made}" in line and "found none: a backup holds the store without result folders" in line
        assert "tradebot backtest -c maker.toml" in line
    shutil.copytree(place / "tradebot_home" / "results", place / "other" / "results", dirs_exist_ok=True)
    assert json.loads(run(place, "replay", made, "--verify", "--json", "--home", "other").stdout)["identical"]
