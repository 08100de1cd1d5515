"""A root is who holds the home's lock: the number that a killed one left behind may be a stranger's."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.node.nodes import Place
from tradebot.actors.watching import ROOT
from tradebot.cli.main import main
from tradebot.domain.errors import EXIT_DONE, EXIT_NOT_RUNNING, NotRunning, Refused
from tradebot.node.root_lock import has_root, only_root, root_of


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    return tmp_path


def test_a_number_without_the_lock_is_no_root(home: Path) -> None:
    assert not has_root(home)
    with only_root(home):
        assert root_of(home) == os.getpid()
        assert has_root(home), "to ask does not take it away"
        with pytest.raises(Refused, match=f"process {os.getpid()} runs"), only_root(home):
            pass
    assert (home / "journal" / "root").read_text() == f"{os.getpid()}\n"
    with pytest.raises(NotRunning, match="found none"):
        root_of(home)


def test_the_process_that_has_the_number_of_a_killed_root_is_left_alone(place: Place) -> None:
    place.start()
    assert place.node.root is not None
    place.node.signal(ROOT, signal.SIGKILL)
    place.node.root.wait(20)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (place.node.home / "journal" / "root").write_text(f"{stranger.pid}\n")
        for words in (["reload"], ["restart", "engine"], ["pause"]):
            assert place.call(EXIT_NOT_RUNNING, *words)["error"].count("\n") == 1
        place.capsys.readouterr()
        assert main(["--home", str(place.node.home), "status"]) == EXIT_NOT_RUNNING
        said = place.capsys.readouterr().out
        assert "THE ROOT" not in said and str(stranger.pid) not in said and "the node is not running" in said
        assert place.call(EXIT_DONE, "kill")["by"] == "latch"
        assert stranger.poll() is None, "SIGHUP would have ended it"
        stranger.kill()
