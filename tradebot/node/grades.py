"""What a run's orders are matched on: a book, trades, or bars, by what the configuration asks and the stored data allow.

The finest grade that all instruments of the run hold is the default. A coarser one may be asked for: what is finer is then not
shown to strategies either, so that the run is what it would be on coarser data. A grade that the data do not hold is refused,
with the remedy. At bar grade the smallest stored interval fills, or the one that `data.bars` names; where no such bars are
stored and trades are, they are made of the trades, and the report says so.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from tradebot._core.types import Kind
from tradebot.domain.errors import ConfigError
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import duration_text
from tradebot.engine.plan import Grade
from tradebot.engine.ports import Records
from tradebot.node.config import Config
from tradebot.node.schema import Data
from tradebot.research.trade_bars import as_trades, interval_code, trade_bars

if TYPE_CHECKING:
    from tradebot.store.client import Store

WORDS: Final = {"book": Grade.BOOK, "trades": Grade.TRADES, "bars": Grade.BARS}
NAMES: Final = {grade: word for word, grade in WORDS.items()}
_BOOKS: Final = (Kind.L2_LEVEL, Kind.L3_ADD)
_BOOKS_OR_TOUCH: Final = (*_BOOKS, Kind.QUOTE)  # best quotes are a book of which only the touch is known
_TRADES: Final = (Kind.TRADE, Kind.L3_EXECUTE)
_BESIDE: Final = (Kind.MARK, Kind.OPEN_INTEREST, Kind.FUNDING, Kind.INSTRUMENT_CHANGED)  # told at every grade
_FEEDS: Final = (Kind.QUOTE, Kind.BAR, Kind.GAP, Kind.FEED_STATE)


class Held(Struct, frozen=True):
    """What the store holds of one instrument: rows by kind, and of its bars (shortest span in ns, lots in all) by code."""

    name: str
    kinds: dict[int, int]
    bars: dict[int, tuple[int, int]]

    @property
    def grades(self) -> list[Grade]:
        """The finest first."""
        found = [Grade.BOOK] if any(self.kinds.get(kind) for kind in _BOOKS_OR_TOUCH) else []
        found += [Grade.TRADES] if any(self.kinds.get(kind) for kind in _TRADES) else []
        return found + ([Grade.BARS] if self.bars else [])

    @property
    def has_touch_only(self) -> bool:
        return bool(self.kinds.get(Kind.QUOTE)) and not any(self.kinds.get(kind) for kind in _BOOKS)

    @property
    def words(self) -> str:
        book = "best quotes" if self.has_touch_only else "a book"
        names = {Grade.BOOK: book, Grade.TRADES: "trades", Grade.BARS: f"bars of {self.intervals}"}
        return ", ".join(names[grade] for grade in self.grades) or "none of these"

    @property
    def intervals(self) -> str:
        return ", ".join(duration_text(span) for span, _ in sorted(self.bars.values()))


class Graded(Struct, frozen=True):
    """How a run is matched. `bars_ns`: the interval of the bars that fill, by instrument; `derived_ns`: of those made of trades,
    0 where they are stored; `executions`: instruments whose trades are the executions of single orders. `note` is for people.
    """

    grade: Grade
    bars_ns: list[int] = []
    derived_ns: int = 0
    executions: list[int] = []
    note: str = ""

    @property
    def name(self) -> str:
        return NAMES[self.grade]


BY_BOOK: Final = Graded(Grade.BOOK)


def find_grade(
    store: "Store",
    data: Data,
    instruments: Sequence[Instrument],
    from_ns: int | None,
    to_ns: int | None,
    only: Sequence[str] | None = None,
) -> Graded:
    """From the stored data, or from some imports of it. Raises ConfigError where they do not hold what is asked for."""
    from tradebot.store.facts import bar_spans, count_kinds

    held = []
    for one in instruments:
        kinds = count_kinds(store, one.id, from_ns, to_ns, only)
        bars = bar_spans(store, one.id, from_ns, to_ns, only) if kinds.get(Kind.BAR) else {}
        held.append(Held(one.name, kinds, bars))
    grade = WORDS[data.grade] if data.grade else _finest(held)
    if grade == Grade.BARS:
        return _by_bars(data, instruments, held)
    _check_holds(grade, held)
    if grade == Grade.BOOK:
        touch = ", ".join(one.name for one in held if one.has_touch_only)
        return Graded(grade, note=f"book grade: of {touch} best quotes only are stored, and no depth") if touch else BY_BOOK
    executions = _executions(instruments, held)
    source = "executions of single orders" if executions else "trades"
    return Graded(grade, executions=executions, note=f"trade grade: orders are matched on the stored {source}")


def resolved(config: Config, graded: Graded) -> Config:
    """The configuration with its grade written out, so that a replay is matched alike whatever is stored later."""
    bars = duration_text(graded.derived_ns) if graded.derived_ns else config.data.bars
    data = msgspec.structs.replace(config.data, grade=graded.name, bars=bars)
    return msgspec.structs.replace(config, data=data)


def graded_stream(
    store: "Store",
    graded: Graded,
    instruments: Sequence[Instrument],
    from_ns: int | None,
    to_ns: int | None,
    only: Sequence[str] | None = None,
) -> Iterator[Records]:
    """The stored facts that a run of this grade sees."""
    ids = [one.id for one in instruments]
    kinds = None if graded.grade == Grade.BOOK else sorted(map(int, _kinds(graded)))
    batches = store.stream(ids, from_ns, to_ns, kinds=kinds, only=only)
    if graded.executions:
        batches = as_trades(batches, graded.executions)
    return trade_bars(batches, graded.derived_ns) if graded.derived_ns else batches


def _kinds(graded: Graded) -> list[Kind]:
    trades = [Kind.TRADE, *([Kind.L3_EXECUTE] if graded.executions else [])]
    if graded.grade == Grade.TRADES:
        return [*_BESIDE, *_FEEDS, *trades]
    return [*_BESIDE, *trades, *([] if graded.derived_ns else [Kind.BAR])]


def _finest(held: Sequence[Held]) -> Grade:
    """The finest that all instruments hold."""
    for grade in (Grade.BOOK, Grade.TRADES, Grade.BARS):
        if all(grade in one.grades for one in held):
            return grade
    if any(one.grades for one in held):
        lines = "; ".join(f"{one.name}: {one.words}" for one in held)
        raise ConfigError(
            f"data.grade: expected one grade that all instruments of the run hold, found {lines}; import what is missing, or run "
            "them apart"
        )
    return Grade.BOOK


def _check_holds(grade: Grade, held: Sequence[Held]) -> None:
    for one in held:
        if grade not in one.grades and (one.grades or grade != Grade.BOOK):
            asked = "a book" if grade == Grade.BOOK else "trades"
            best = NAMES[one.grades[0]] if one.grades else ""
            remedy = f'import them, or set data.grade = "{best}"' if best else "import them"
            raise ConfigError(f"data.grade: expected {asked} of {one.name} in the store, found {one.words}; {remedy}")


def _by_bars(data: Data, instruments: Sequence[Instrument], held: Sequence[Held]) -> Graded:
    named_ns = data.bars_ns
    stored = [_stored(one, named_ns) for one in held]
    if all(span for span in stored):
        _check_volume(held, stored)
        shown = ", ".join(dict.fromkeys(duration_text(span) for span in stored))
        return Graded(Grade.BARS, stored, note=f"bar grade: orders are matched on stored bars of {shown}")
    lacking = next(one for one, span in zip(held, stored, strict=True) if not span)
    if named_ns is None or not all(Grade.TRADES in one.grades for one in held):
        raise ConfigError(_remedy(lacking, named_ns))
    note = f"bar grade: orders are matched on bars of {duration_text(named_ns)} made of the stored trades"
    return Graded(Grade.BARS, [named_ns] * len(held), named_ns, _executions(instruments, held), note)


def _stored(held: Held, named_ns: int | None) -> int:
    """The interval of the stored bars that fill; 0 where none are stored, or none of that name."""
    if named_ns is None:
        return min((span for span, _ in held.bars.values()), default=0)
    span, _ = held.bars.get(interval_code(named_ns), (0, 0))
    return span if named_ns <= span < 2 * named_ns else 0


def _remedy(held: Held, named_ns: int | None) -> str:
    wanted = "bars" if named_ns is None else f"bars of {duration_text(named_ns)}"
    remedy = "import candles"
    if Grade.TRADES in held.grades:
        remedy = 'name an interval to have them made of the trades, such as data.bars = "1m"'
    elif held.bars:
        remedy = f"import them, or name a stored interval: {held.intervals}"
    return f"data.grade: expected stored {wanted} of {held.name}, found {held.words}; {remedy}"


def _check_volume(held: Sequence[Held], stored: Sequence[int]) -> None:
    """Orders take a share of each bar's volume; where none is told, nothing would ever fill, in silence."""
    for one, span in zip(held, stored, strict=True):
        if not any(lots for width, lots in one.bars.values() if width == span):
            raise ConfigError(
                f"data.grade: expected a volume in the stored bars of {one.name}, found zero in every one, so no order could "
                "fill; import candles with volumes"
            )


def _executions(instruments: Sequence[Instrument], held: Sequence[Held]) -> list[int]:
    """Instruments whose data tell executions and no trades."""
    return [one.id for one, there in zip(instruments, held, strict=True) if not there.kinds.get(Kind.TRADE)]
