"""What goes out: JSON that every reader takes, tables without a terminal, progress only for long work.

The clock is a list of times, so that long work takes none.
"""

import io
import json
from pathlib import Path

import pytest

from tradebot.cli.output import Output, Progress, json_text


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_numbers_that_are_not_finite_become_null_in_json() -> None:
    values = {
        "a": float("nan"),
        "b": [float("inf"), 1.5],
        "c": {"d": -float("inf")},
        "p": Path("x"),
        "t": (True, None),
    }
    assert json.loads(json_text(values)) == {
        "a": None,
        "b": [None, 1.5],
        "c": {"d": None},
        "p": "x",
        "t": [True, None],
    }
    assert "\n" not in json_text({"text": "two\nlines"})


def test_a_terminal_obeys_nothing_that_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(is_json=False)
    output.line("\x1b]0;title\x07 on\ntwo lines\x9b2J")
    output.table(["who", "why"], [["a\nb", "x\x1b[2J\x00y"]])
    found = capsys.readouterr().out
    assert all(sign.isprintable() or sign == "\n" for sign in found)
    assert found.splitlines()[1].strip() == "two lines 2J" and found.count("\n") == 4


def test_a_table_without_a_terminal_is_aligned_text(capsys: pytest.CaptureFixture[str]) -> None:
    Output(is_json=False).table(
        ("name", "value"), [("rows", 314057), ("rate", 0.25), ("none", None), ("on", True)]
    )
    assert capsys.readouterr().out.splitlines() == [
        "name  value",
        "rows  314,057",
        "rate  0.25",
        "none  -",
        "on    true",
    ]


def test_an_answer_is_json_or_drawn_and_never_both(capsys: pytest.CaptureFixture[str]) -> None:
    for is_json, expected in ((True, '{"a": 1}\n'), (False, "drawn\n")):
        output = Output(is_json)
        output.answer({"a": 1}, lambda output=output: output.line("drawn"))  # type: ignore[misc]
        output.note("beside")
        out, err = capsys.readouterr()
        assert (out, err) == (expected, "beside\n")


def test_short_work_is_silent() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, clock)
    progress.start("import", 10)
    for _ in range(10):
        clock.now += 0.05
        progress.advance(1)
    progress.done()
    assert stream.getvalue() == ""


def test_long_work_says_a_line_now_and_then_and_when_it_is_done() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, clock)
    progress.start("import", 10_000)
    for _ in range(10):
        clock.now += 1.0
        progress.advance(1000)
    progress.done()
    progress.done()
    assert stream.getvalue().splitlines() == [
        "import: 1,000 of 10,000",
        "import: 6,000 of 10,000",
        "import: took 10.0 s",
    ]


def test_work_of_unknown_length_counts_up() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, clock)
    progress.start("read", None)
    clock.now += 2.0
    progress.advance(5)
    assert stream.getvalue() == "read: 5\n"


def test_a_start_ends_what_was_before() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, clock)
    progress.start("first", 2)
    clock.now += 1.5
    progress.start("second", 2)
    clock.now += 0.5
    progress.advance(1)
    progress.done()
    assert stream.getvalue() == "first: took 1.5 s\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_and_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream, clock = Terminal(), Clock()
    progress = Progress(stream, clock)
    progress.start("import", 2)
    clock.now += 2.0
    progress.advance(1)
    progress.advance(1)
    progress.done()
    drawn = stream.getvalue()
    assert "import" in drawn and "2/2" in drawn and "took" not in drawn
