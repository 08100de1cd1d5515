"""The peers' runner, held with a stand-in for a peer: the tests' own Python and a program of three lines."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.peers import PEERS, Peer, PeerFailed, Run

STAND_IN = "import json, sys\nprint('a word')\nprint(json.dumps(dict(w='idle', evps_med=2_000_000, seen=sys.argv[1:])))\n"


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Peer:
    (tmp_path / "program.py").write_text(STAND_IN)
    monkeypatch.setattr(peers, "YARDSTICKS", tmp_path)
    monkeypatch.setenv("TRADEBOT_PEER_STAND_IN", sys.executable)
    return Peer("stand_in", "TRADEBOT_PEER_STAND_IN", "numpy", (Run("program.py", ("a", "b")),))


def test_a_peer_runs_by_the_interpreter_that_its_variable_names(stand_in: Peer, tmp_path: Path) -> None:
    (figure,) = peers.measure(stand_in, tmp_path)
    assert (figure.what, figure.speed, figure.raw["seen"]) == ("idle", 2_000_000, ["a", "b"])
    assert figure.version.startswith(f"{np.__version__} (Python 3.")
    assert str(figure).startswith(f"stand_in {figure.version}, idle: 2.000 M events/s; ")


def test_a_peer_without_an_interpreter_is_skipped_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peers, "ENVIRONMENTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["peers", "100"])
    for peer in PEERS.values():
        monkeypatch.delenv(peer.variable, raising=False)
    assert peers.main() == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(PEERS)
    for line, peer in zip(said, PEERS.values(), strict=True):
        assert line == f"{peer.name}: skipped, expected its Python in {peer.variable} or from `make peers`, found none"


def test_a_named_interpreter_that_is_not_there_is_none(stand_in: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert peers.find_python(stand_in) == Path(sys.executable)
    monkeypatch.setenv(stand_in.variable, str(tmp_path / "gone"))
    assert peers.find_python(stand_in) is None


def test_a_peer_of_make_peers_is_found_without_a_variable(
    stand_in: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(stand_in.variable)
    monkeypatch.setattr(peers, "ENVIRONMENTS", tmp_path)
    assert peers.find_python(stand_in) is None
    python = tmp_path / stand_in.name / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert peers.find_python(stand_in) == python


def test_a_peer_that_breaks_says_its_last_line(stand_in: Peer, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("raise ValueError('no such book')")
    with pytest.raises(PeerFailed, match="found 1: ValueError: no such book"):
        peers.measure(stand_in, tmp_path)


def test_every_program_of_a_peer_is_there() -> None:
    for peer in PEERS.values():
        for run in peer.runs:
            assert (peers.YARDSTICKS / run.script).is_file(), run.script


def test_hftbacktests_file_is_made_once_from_the_levels(tmp_path: Path) -> None:
    levels = np.zeros(2, [("ts", "i8"), ("px", "i4"), ("qty", "i8"), ("kind", "i1"), ("side", "i1")])
    levels["ts"], levels["px"], levels["qty"], levels["side"] = (5, 6), (600_001, 599_999), (1500, 0), (-1, 1)
    np.save(tmp_path / "l2.npy", levels)
    data = peers.make_data(tmp_path)
    written = data.stat().st_mtime_ns
    assert peers.make_data(tmp_path) == data and data.stat().st_mtime_ns == written
    events = np.load(data)["data"]
    assert events["px"].tolist() == [60000.1, 59999.9] and events["qty"].tolist() == [1.5, 0.0]
    assert json.loads(json.dumps(events["local_ts"].tolist())) == [1_000_005, 1_000_006]
