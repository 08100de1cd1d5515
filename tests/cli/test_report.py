"""`report`: a finished run's report comes out again byte for byte; a folder that is spoilt or unfinished gives none."""

import json
import shutil
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from command import Demo, failure, run


class Boxes(HTMLParser):
    """The texts of the boxes that one click selects."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "pre":
            self.inside = True
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "pre"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[-1] += data


@pytest.fixture
def finished(place: Path) -> Path:
    """The results folder of a finished run."""
    done = run(place, "backtest", "-c", "maker.toml", "--json")
    assert done.returncode == 0, done
    return Path(json.loads(done.stdout)["report"]).parent


@pytest.mark.sample
def test_the_report_of_the_demo_comes_out_again_byte_for_byte(demo: Demo, tmp_path: Path) -> None:
    made = json.loads(demo.second.stdout)
    folder = shutil.copytree(Path(made["report"]).parent, tmp_path / made["run_id"])
    before = {name: (folder / name).read_bytes() for name in ("report.html", "report.json")}
    for name in before:
        (folder / name).unlink()
    done = run(tmp_path, "report", str(folder), "--json")
    assert json.loads(done.stdout) == {"run_id": made["run_id"], "report": str(folder / "report.html"), "overlaps": []}
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_the_path_is_whole_and_the_json_tells_what_the_backtest_told(place: Path, finished: Path) -> None:
    done = run(place, "report", "last")
    assert (done.returncode, done.stdout) == (0, f"report: {finished / 'report.html'}\n")
    assert json.loads((finished / "report.json").read_text())["run_id"] == finished.name


def test_the_configuration_in_the_report_runs_to_the_same_digest(place: Path, finished: Path) -> None:
    box = Boxes((finished / "report.html").read_text()).texts[1]
    assert tomllib.loads(box)["strategy"][0]["name"] == "maker"
    (place / "again.toml").write_text(box)
    again = json.loads(run(place, "backtest", "-c", "again.toml", "--json").stdout)
    assert again["digest"] == json.loads((finished / "manifest.json").read_text())["digest"]
    assert again["run_id"].split("-")[1] == finished.name.split("-")[1], "it is the same run"


def test_the_box_to_reproduce_names_command_digest_and_all_parameters(finished: Path) -> None:
    box = Boxes((finished / "report.html").read_text()).texts[0]
    assert box.startswith("tradebot backtest -c maker.toml --json\n")
    for words in (json.loads((finished / "manifest.json").read_text())["digest"], "# version   numpy ", "half_spread = 2.0"):
        assert words in box


def test_a_run_that_did_not_end_has_no_report(place: Path, finished: Path) -> None:
    manifest = json.loads((finished / "manifest.json").read_text())
    del manifest["digest"]
    (finished / "manifest.json").write_text(json.dumps(manifest))
    (finished / "report.html").unlink()
    assert "found one that did not end: run it again" in failure(place, 1, "report", "last")
    assert not (finished / "report.html").exists()


def test_a_torn_folder_has_no_report_and_says_what_is_torn(place: Path, finished: Path) -> None:
    (finished / "samples.bin").write_bytes(b"torn")
    assert "expected whole records of 72 bytes in " in failure(place, 1, "report", "last", "--json")
    (finished / "samples.bin").unlink()
    assert "expected samples.bin in " in failure(place, 1, "report", finished.name)
    shutil.rmtree(finished)
    assert "of a run that is in the store, found none" in failure(place, 2, "report", "last")
