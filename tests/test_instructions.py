"""Counting of instructions: the verdicts as values, the workloads at a small size, and one true count where valgrind is."""

import json
import shutil

import pytest

from benchmarks import instructions
from benchmarks.instructions import BASELINE, Change, check, compiler_of
from benchmarks.workloads import WORKLOADS, make_l2_rows, make_l3_rows
from tradebot._core.book import L3Book
from tradebot._core.depth import L2Book

HERE = {"compiler": "GCC: (x) 12.2.0", "python": "3.11"}
BEFORE = {"machine": HERE, "instructions": {"apply": 100.0, "fill": 1000.0}}


def test_a_rise_of_more_than_three_percent_fails_and_names_the_operation(capsys: pytest.CaptureFixture[str]) -> None:
    assert check({"apply": 103.1, "fill": 1000.0}, HERE, BEFORE) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "apply: 103.1 instructions, baseline 100.0 (+3.10%) ROSE"
    assert said[1] == "fill: 1,000.0 instructions, baseline 1,000.0 (+0.00%) same"
    assert said[2].startswith("failed: apply: more than 3%")


def test_a_rise_of_three_percent_and_a_fall_do_not_fail(capsys: pytest.CaptureFixture[str]) -> None:
    assert check({"apply": 103.0, "fill": 900.0}, HERE, BEFORE) == 0
    assert "(-10.00%) fell" in capsys.readouterr().out


def test_under_another_compiler_or_interpreter_the_check_only_warns(capsys: pytest.CaptureFixture[str]) -> None:
    for key in HERE:
        assert check({"apply": 200.0, "fill": 1000.0}, {**HERE, key: "another"}, BEFORE) == 0
        said = capsys.readouterr().out
        assert "apply: 200.0 instructions, baseline 100.0 (+100.00%) ROSE" in said
        assert said.splitlines()[-1] == f"warning: the baseline is of another machine ({key} {HERE[key]}), so nothing fails"


def test_an_operation_that_only_one_of_both_knows_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert check({"apply": 100.0}, HERE, BEFORE) == 1
    assert check({"apply": 100.0, "fill": 1000.0, "new": 1.0}, HERE, BEFORE) == 1
    assert "new: counted but not in the baseline" in capsys.readouterr().out
    assert "fill: in the baseline but not a workload" in str(Change("fill", None, 1000.0))


def test_the_compiler_is_read_from_what_it_left_in_the_module() -> None:
    assert compiler_of(b"\x00GCC: (Debian 12.2.0-14) 12.2.0\x00rest") == "GCC: (Debian 12.2.0-14) 12.2.0"
    assert compiler_of(b"\x00Debian clang version 16.0.6 (1)\x00") == "clang version 16.0.6"
    assert compiler_of(b"stripped") == "unknown"


def test_the_baseline_counts_every_workload_and_nothing_else() -> None:
    kept = json.loads(BASELINE.read_text())
    assert kept["instructions"].keys() == WORKLOADS.keys()
    assert kept["machine"].keys() == instructions.machine().keys()


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_does_the_same_again(name: str) -> None:
    first, again = (WORKLOADS[name].prepare(600)(600) for _ in range(2))
    assert first == again


def test_orders_of_the_workloads_are_filled_and_cancelled() -> None:
    filled = WORKLOADS["order: submit to fill"].prepare(502)(502)
    cancelled = WORKLOADS["order: rest and cancel"].prepare(502)(502)
    assert isinstance(filled, dict) and isinstance(cancelled, dict)
    assert (filled["orders"], filled["fills"]) == (500, 499)  # the last is on its way when the stream ends
    assert (cancelled["orders"], cancelled["fills"]) == (500, 0)


def test_the_rows_of_the_workloads_fill_a_book_that_holds_together() -> None:
    by_order, by_level = L3Book(), L2Book()
    by_order.apply(make_l3_rows(5_000))
    by_level.apply(make_l2_rows(5_000))
    for book in (by_order, by_level):
        book.validate()
        assert book.bid is not None and book.ask is not None and book.bid < book.ask
    assert by_order.unknown_count == 0 and by_order.order_count > 1_000


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed, so no instruction is counted")
def test_a_count_repeats_and_grows_with_the_work() -> None:
    first, again = (instructions.count_one("digest: a fact", 20_000) for _ in range(2))
    assert first == pytest.approx(again, rel=0.01)
    assert 20 < first < 1_000
