"""`data book / bbo / audit`: look at what the store holds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Final, cast

from tradebot.cli.call import Call, Parser, Verbs
from tradebot.domain.errors import EXIT_DONE

if TYPE_CHECKING:
    from tradebot.node.inspection import Quote

_MOMENT: Final = "a time such as 2024-01-31T12:00Z, or nanoseconds since 1970"
_AUDIT_HELP: Final = (
    "Score the ticks of each instrument and day, and draw them. gaps: places inside a recording where data is missing, told by "
    "gap facts, by numbers of the venue that are skipped, by silences; signs that overlap are one place, and days without any "
    "facts are days_without_facts. What `data import` calls gaps is counted apart, by the rule of the format: bar_gaps (places "
    "between two bars without one, a closed weekend too), gap_facts, sequence_breaks."
)
_BBO_KEYS: Final = ("time_ns", "venue_sequence", "bid", "bid_quantity", "ask", "ask_quantity")
_AUDIT_KEYS: Final = ("instrument", "day", "score", "rows", "coverage", "gaps", "duplicates", "outliers", "crossed", "void")
_BBO_WIDTHS: Final = (30, 20, 14, 18, 14, 18)


def add(group: Verbs) -> None:
    book = group.add("book", show_book, "the order book of an instrument at a moment")
    _add_instrument(book, is_required=True)
    book.add_argument("--at", metavar="TIME", required=True, help=_MOMENT)
    book.add_argument("--depth", metavar="N", type=int, default=10, help="price levels a side (default 10)")
    _add_sort(book)
    bbo = group.add("bbo", stream_bbo, "best bid and offer after each book event")
    _add_instrument(bbo, is_required=True)
    _add_range(bbo)
    _add_sort(bbo)
    audit = group.add("audit", audit_ticks, "score the ticks of each instrument and day, and draw them", _AUDIT_HELP)
    _add_instrument(audit, is_required=False)
    _add_range(audit)


def show_book(call: Call) -> int:
    from tradebot.node.inspection import show_book

    words = call.words
    found = show_book(call.make_home(), words.instrument, words.at, words.depth, words.kind, call.load_dsn())

    def draw() -> None:
        bids, asks = (cast(Sequence[Sequence[str]], found[side]) for side in ("bids", "asks"))
        rows = [(*_level(bids, at)[::-1], *_level(asks, at)) for at in range(max(len(bids), len(asks)))]
        call.output.table(("bid_quantity", "bid", "ask", "ask_quantity"), rows)

    call.output.answer(found, draw)
    return EXIT_DONE


def _level(levels: Sequence[Sequence[str]], at: int) -> tuple[object, object]:
    """Price and quantity, or nothing where a side is shorter."""
    return (levels[at][0], levels[at][1]) if at < len(levels) else ("", "")


def stream_bbo(call: Call) -> int:
    from tradebot.node.inspection import stream_bbo

    words = call.words
    found = stream_bbo(call.make_home(), words.instrument, words.start, words.end, words.kind, call.load_dsn())
    with closing(found) as blocks:
        call.output.stream(_json_lines(blocks) if call.output.is_json else _table_lines(blocks))
    return EXIT_DONE


def _json_lines(blocks: "Iterable[list[Quote]]") -> Iterator[str]:
    """Written by hand: they are numbers and decimal text, and there may be a hundred million of them."""
    for block in blocks:
        yield "".join(
            f'{{"time_ns": {time_ns}, "venue_sequence": {sequence}, "bid": {_quoted(bid)}, '
            f'"bid_quantity": {_quoted(bid_quantity)}, "ask": {_quoted(ask)}, "ask_quantity": {_quoted(ask_quantity)}}}\n'
            for time_ns, sequence, bid, bid_quantity, ask, ask_quantity in block
        )


def _quoted(text: str | None) -> str:
    return "null" if text is None else f'"{text}"'


def _table_lines(blocks: "Iterable[list[Quote]]") -> Iterator[str]:
    from tradebot.domain.units import time_text

    head = _table_line(("time", *_BBO_KEYS[1:]))
    for block in blocks:
        yield head + "".join(_table_line((time_text(row[0]), *row[1:])) for row in block)
        head = ""


def _table_line(cells: Sequence[object]) -> str:
    texts = ("-" if cell is None else str(cell) for cell in cells)
    return "  ".join(text.ljust(width) for text, width in zip(texts, _BBO_WIDTHS, strict=True)).rstrip() + "\n"


def audit_ticks(call: Call) -> int:
    from tradebot.node.audit import audit_store

    words = call.words
    dsn = call.load_dsn()
    found = audit_store(call.make_home(), words.instrument, words.start, words.end, call.output.progress, dsn)

    def draw() -> None:
        days = cast(Sequence[Mapping[str, object]], found["audit"])
        call.output.table(_AUDIT_KEYS, [[day[key] for key in _AUDIT_KEYS] for day in days])
        if found["bar_gaps"]:
            call.output.line(f"bar_gaps: {found['bar_gaps']:,} places between two bars without one, days without facts included")
        call.output.line(f"picture: {found['picture']}")

    call.output.answer(found, draw)
    return EXIT_DONE


def _add_instrument(verb: Parser, is_required: bool) -> None:
    verb.add_argument("--instrument", metavar="I", required=is_required, help='such as "BTC/USD@bitstamp"')


def _add_range(verb: Parser) -> None:
    verb.add_argument("--from", dest="start", metavar="TIME", help=f"the first moment: {_MOMENT}")
    verb.add_argument("--to", dest="end", metavar="TIME", help="the moment after the last; a date means to its end")


def _add_sort(verb: Parser) -> None:
    verb.add_argument(
        "--kind", choices=("auto", "l3", "l2"), default="auto",
        help="the book order by order (l3) or by price levels (l2); default: l3 where it is there",
    )  # fmt: skip
