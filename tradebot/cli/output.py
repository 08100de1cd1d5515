"""What the command line says: the answer on stdout, everything else on stderr.

With --json the answer is one JSON object. Without it: tables, drawn by rich on a terminal and as plain
aligned text elsewhere. Progress appears only when the work takes longer than a second.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Final, TextIO

from tradebot.domain.words import one_line, shown

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

QUIET_S: Final = 1.0  # work shorter than this says nothing
LINE_S: Final = 5.0  # between two lines where there is no terminal
CELL_MAX: Final = 1_000

Row = Sequence[object]


class Output:
    """Where a verb's words go."""

    def __init__(self, is_json: bool) -> None:
        self.is_json = is_json
        self._answers = sys.stdout
        self.progress = Progress(sys.stderr, time.monotonic)

    def answer(self, values: Mapping[str, object], draw: Callable[[], None]) -> None:
        """The result of the call: as JSON, or as `draw` shows it to people."""
        self.progress.done()
        if self.is_json:
            print(json_text(values), file=self._answers)
        else:
            draw()

    def event(self, values: Mapping[str, object]) -> None:
        """One of an answer that goes on: a line of JSON, for people too, handed over at once."""
        print(json_text(values), file=self._answers, flush=True)

    def stream(self, blocks: Iterable[str]) -> None:
        """An answer of many lines, as JSON or for people: blocks of whole lines go out as they come."""
        for block in blocks:
            self._answers.write(shown(block))

    def flush(self) -> None:
        """Hand over what was said: somebody follows it."""
        self._answers.flush()

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """With --json, what anybody else prints goes to stderr: a strategy may print what it likes."""
        with redirect_stdout(sys.stderr) if self.is_json else nullcontext():
            yield

    def line(self, text: str) -> None:
        """One line of the answer, for people."""
        print(shown(text))

    def note(self, text: str) -> None:
        """One line beside the answer."""
        print(shown(text), file=sys.stderr)

    def table(self, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """A table of the answer, for people."""
        texts = [[_cell_text(cell) for cell in row] for row in rows]
        if sys.stdout is not None and sys.stdout.isatty():
            _draw_table(columns, texts)
        else:
            _print_table(columns, texts)

    def close(self) -> None:
        """Take down what is still drawn, and hand everything over."""
        self.progress.done()
        if sys.stdout is not None:
            sys.stdout.flush()


class Progress:
    """A bar on a terminal, a line every few seconds elsewhere, nothing for work shorter than a second."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._bar: Bar | None = None
        self._what: str | None = None
        self._total: int | None = None
        self._count = 0
        self._started = self._line_due = 0.0

    def start(self, what: str, total: int | None) -> None:
        self.done()
        self._what, self._total, self._count = what, total, 0
        self._started = self._clock()
        self._line_due = self._started + QUIET_S

    def advance(self, count: int) -> None:
        self._count += count
        if self._what is None or self._clock() < self._line_due:
            return
        if self._stream.isatty():
            self._draw()
        else:
            self._line_due = self._clock() + LINE_S
            self._say(f"{self._what}: {self._position()}")

    def done(self) -> None:
        what, self._what = self._what, None
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        elif what is not None and self._clock() - self._started >= QUIET_S:
            self._say(f"{what}: took {self._clock() - self._started:.1f} s")

    def _position(self) -> str:
        return f"{self._count:,}" if self._total is None else f"{self._count:,} of {self._total:,}"

    def _say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def _draw(self) -> None:
        if self._bar is None:
            self._bar = _make_bar(self._stream)
            self._bar.add_task(self._what or "", total=self._total)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=self._count)


def json_text(values: Mapping[str, object]) -> str:
    """One line of JSON. A number that is not finite has no JSON form and becomes null."""
    from json import dumps

    return dumps(_finite(values), allow_nan=False, ensure_ascii=False)


def counted(count: int, noun: str) -> str:
    """ "1 order", "2 orders"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _finite(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(below) for below in value]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value if value is None or isinstance(value, str | int) else str(value)


def _cell_text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.6g}" if isinstance(value, float) else one_line(str(value), CELL_MAX)


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in [columns, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _draw_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def _make_bar(stream: TextIO) -> "Bar":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(file=stream), transient=True)
