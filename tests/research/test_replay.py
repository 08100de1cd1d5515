"""Where two runs part: the first fact that differs, wherever it is, and what has changed around it."""

from pathlib import Path

import numpy as np
import pytest

from tradebot._core.types import FACT_DTYPE
from tradebot.domain.orders import Kind
from tradebot.domain.units import time_text
from tradebot.engine.ports import Records
from tradebot.research import replay
from tradebot.research.replay import changed_environment, first_difference
from tradebot.research.results import Manifest


def facts(count: int) -> Records:
    found = np.zeros(count, FACT_DTYPE)
    found["kind"] = Kind.PLACE_ORDER
    found["id"] = np.arange(count)
    found["time_ns"] = 10**9 + np.arange(count)
    return found


def compare(tmp_path: Path, expected: bytes, found: bytes) -> str | None:
    (tmp_path / "expected").write_bytes(expected)
    (tmp_path / "found").write_bytes(found)
    return first_difference(tmp_path / "expected", tmp_path / "found")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "BLOCK_FACTS", 8)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16, 30])
def test_equal_files_have_no_difference(tmp_path: Path, count: int) -> None:
    assert compare(tmp_path, facts(count).tobytes(), facts(count).tobytes()) is None


@pytest.mark.parametrize("at", [0, 7, 8, 15, 29])
def test_the_first_fact_that_differs_is_named_with_its_slots(tmp_path: Path, at: int) -> None:
    other = facts(30)
    other["price"][at:] += 5
    other["quantity"][at] = 3
    what = f"PLACE_ORDER of order {at} at {time_text(10**9 + at)}"
    text = f"entry {at} of its commands and answers, {what}: price 0 -> 5, quantity 0 -> 3"
    assert compare(tmp_path, facts(30).tobytes(), other.tobytes()) == text


@pytest.mark.parametrize("at", [0, 7, 8, 29])
def test_a_run_that_ends_earlier_or_later_is_named(tmp_path: Path, at: int) -> None:
    whole, part = facts(30).tobytes(), facts(at).tobytes()
    text = f"PLACE_ORDER of order {at} at {time_text(10**9 + at)}"
    assert compare(tmp_path, whole, part) == f"entry {at} of its commands and answers: expected {text}, found the end"
    assert compare(tmp_path, part, whole) == f"entry {at} of its commands and answers: expected the end, found {text}"


def test_a_torn_file_is_named_as_such(tmp_path: Path) -> None:
    whole = facts(10).tobytes()
    assert compare(tmp_path, whole + b"torn", whole) == "the file of the earlier run is torn after entry 10"


def test_an_unknown_kind_is_shown_by_its_number(tmp_path: Path) -> None:
    other = facts(2)
    other["kind"][1] = 255
    found = compare(tmp_path, other.tobytes(), facts(2).tobytes())
    assert found is not None and found.startswith("entry 1 of its commands and answers, kind 255 of order 1 ")


def test_what_changed_in_the_environment_is_listed_by_name() -> None:
    manifest = Manifest(run_id="one", instruments=[], versions={"numpy": "2.1.0", "python": "3.11.7", "gone": "1"})
    now = {"numpy": "2.2.0", "python": "3.11.7", "new": "3"}
    assert changed_environment(manifest, now) == ["gone 1 -> absent", "new absent -> 3", "numpy 2.1.0 -> 2.2.0"]
    assert changed_environment(manifest, manifest.versions) == []
