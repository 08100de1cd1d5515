"""`init`: a new project, then every command of its README in order, as its reader would run them."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import environment, failure, run

from tradebot.store.sample import FILE_NAME

OFFLINE = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}


def commands(readme: str) -> list[list[str]]:
    """The commands of the README's boxes, in order."""
    boxes = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)
    return [shlex.split(line) for box in boxes for line in box.splitlines()]


def follow(folder: Path, **more: str) -> dict[str, str]:
    """Run every command of the README; what each said."""
    said = {}
    for words in commands((folder / "README.md").read_text()):
        name = " ".join(words)
        if words[0] == "tradebot":
            done = run(folder, *words[1:], **OFFLINE, **more)
        else:
            assert words[0] == "python", words
            env = environment(**more, PYTHONDONTWRITEBYTECODE="1")
            command = [sys.executable, *words[1:], "-p", "no:cacheprovider"]
            done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, (name, done)
        said[name] = done.stdout
    return said


def check_said(said: dict[str, str]) -> None:
    assert re.search(r"\b3 passed in ", said["python -m pytest"])
    assert "report: " in said["tradebot backtest -c run.toml"]
    fills = re.search(r"^fills +(\d+)", said["tradebot backtest -c run.toml"], re.MULTILINE)
    assert fills is not None and int(fills[1]) > 0, "a first run that trades nothing teaches nothing"
    assert re.search(r"^identical +true", said["tradebot replay last --verify"], re.MULTILINE)
    compared = said["tradebot compare last~1 last"]
    assert "NOT COMPARABLE" not in compared and re.search(r"latency to the venue +50ms +5ms", compared)


@pytest.mark.sample
def test_every_command_of_the_readme_runs_in_order(tmp_path: Path, sample_wheel: Path) -> None:
    done = run(tmp_path, "init", "mine", "--json")
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["path"] == str(tmp_path / "mine")
    downloads = tmp_path / "mine" / "tradebot_home" / "data" / "downloads"
    downloads.mkdir(parents=True)
    shutil.copy(sample_wheel, downloads / FILE_NAME)
    said = follow(tmp_path / "mine")
    assert "BTC/USD@bitstamp" in said["tradebot data list"]
    check_said(said)


def test_without_a_network_the_made_up_market_serves_with_the_one_word_changed_that_it_names(tmp_path: Path) -> None:
    assert run(tmp_path, "init", "mine").returncode == 0
    folder = tmp_path / "mine"
    config = folder / "run.toml"
    config.write_text(config.read_text().replace('venue = "bitstamp"', 'venue = "synthetic"'))
    said = follow(folder)
    assert "BTC/USD@synthetic" in said["tradebot data list"]
    check_said(said)


def test_people_are_told_what_was_made_and_what_is_next(tmp_path: Path) -> None:
    done = run(tmp_path, "init", "my project")
    assert done.returncode == 0
    first, second = done.stdout.splitlines()
    assert first.startswith(f"made {tmp_path / 'my project'} with ") and "README.md" in first
    assert second == "next: cd 'my project'; its README.md has the commands in order"
    assert not (tmp_path / "tradebot_home").exists(), "a home comes with the first run, inside the project"


def test_a_folder_that_holds_anything_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note").write_text("dear to me")
    assert "expected an empty folder, found note: nothing was written" in failure(tmp_path, 2, "init", "mine")
    assert "expected an empty folder, found mine: nothing was written" in failure(tmp_path, 2, "init", ".")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["note"]
    assert "give yours to `tradebot backtest`" in failure(tmp_path, 2, "init", "new", "--set", "costs.latency=1ms")
    assert not (tmp_path / "new").exists()
