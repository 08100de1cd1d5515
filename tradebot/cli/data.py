"""`data sample / import / list`: ticks into the store, and what it holds. `download` and `inspection` hold the other verbs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from tradebot.cli import download, inspection
from tradebot.cli.call import Call, Verbs
from tradebot.cli.output import Output
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED

REJECTS_SHOWN_MAX: Final = 20

# The store's own list would have to be imported to say --help.
FORMATS: Final = (
    "bitstamp-l3", "binance-raw", "cryptofeed-raw", "lobster", "parquet", "tardis", "binance-vision",
    "hftbacktest", "freqtrade", "trades-csv", "ccxt-ohlcv",
)  # fmt: skip


def add(verbs: Verbs) -> None:
    group = verbs.add_group("data", "bring ticks into the store and see what it holds")
    group.add("sample", sample, "get the real sample ticks, or the seeded stand-in where there is no network")
    importer = group.add("import", import_files, "import recorded ticks from files, folders or archives")
    importer.add_argument(
        "paths", metavar="PATH", nargs="+", type=Path, help="a file, a folder or an archive"
    )
    importer.add_argument(
        "--format", metavar="F", default="auto", help=f"auto (default), {', '.join(FORMATS)}"
    )
    importer.add_argument(
        "--instrument", metavar="I", help='such as "BTC/USD@bitstamp"; default: what the format says'
    )
    importer.add_argument("--tick", metavar="T", help="price step, for an instrument the store does not know")
    importer.add_argument(
        "--lot", metavar="L", help="quantity step, for an instrument the store does not know"
    )
    exporter = group.add("export", export, "write the ticks of an instrument as Parquet")
    exporter.add_argument("--instrument", metavar="I", required=True, help='such as "BTC/USD@bitstamp"')
    exporter.add_argument("--out", metavar="FILE", required=True, type=Path, help="the file to write")
    exporter.add_argument("--from", dest="start", metavar="T", help="first time; default: where the ticks begin")
    exporter.add_argument("--to", dest="end", metavar="T", help="time to end before, or last day; default: all")
    exporter.add_argument(
        "--text", action="store_true", help="also price and quantity as decimal text, for people"
    )
    group.add("list", list_data, "what the store holds, per instrument")
    download.add(group)
    inspection.add(group)


def sample(call: Call) -> int:
    from tradebot.node.ticks import import_sample

    found = import_sample(call.make_home(), call.output.progress, call.load_dsn())
    call.output.answer(found, lambda: _draw_fields(call.output, found))
    if found["note"]:
        call.output.note(str(found["note"]))
    return EXIT_DONE


def import_files(call: Call) -> int:
    """Rows that cannot be read are listed and the rest is imported; only an import of nothing at all has
    failed."""
    from tradebot.node.ticks import import_paths

    words = call.words
    found = import_paths(
        call.make_home(),
        words.paths,
        words.format,
        words.instrument,
        words.tick,
        words.lot,
        call.output.progress,
        call.load_dsn(),
    )
    call.output.answer(found, lambda: _draw_import(call.output, found))
    if found["late"]:
        call.output.note(
            f"tradebot: expected rows in order of receipt, found {found['late']:,} that run back in time; they were put in their "
            "place: sort the file where that is not meant"
        )
    if found["rows"]:
        return EXIT_DONE
    call.output.note(
        "tradebot: expected rows to import, found none: check the files, --format and --instrument"
    )
    return EXIT_FAILED


def export(call: Call) -> int:
    from tradebot.node.ticks import export_ticks

    words = call.words
    found = export_ticks(
        call.make_home(),
        words.instrument,
        words.start,
        words.end,
        words.out,
        words.text,
        call.output.progress,
        call.load_dsn(),
    )
    call.output.answer(found, lambda: _draw_fields(call.output, found))
    return EXIT_DONE


def list_data(call: Call) -> int:
    from tradebot.node.ticks import list_catalogue

    entries = list_catalogue(call.make_home(), call.load_dsn())
    call.output.answer({"instruments": entries}, lambda: _draw_catalogue(call.output, entries))
    return EXIT_DONE


def _draw_import(output: Output, found: Mapping[str, object]) -> None:
    _draw_fields(output, {name: value for name, value in found.items() if name not in ("rejects", "beside")})
    beside = cast(Mapping[str, int], found["beside"])
    if beside:
        held = ", ".join(f"{rows:,} of {kind}" for kind, rows in beside.items())
        output.line(
            f"warning: other imports hold rows of these kinds over the same range ({held}): a run sees both. Where they "
            "are the same recording, import it into another --home"
        )
    notes = cast(Mapping[str, int], found["notes"])
    lost = sum(count for name, count in notes.items() if name.endswith("_without_book"))
    if lost:
        output.line(
            f"warning: {lost:,} updates had no book to apply to and are left out. Where a file goes on from another, give "
            "both to one import"
        )
    rejects = cast(Sequence[Mapping[str, object]], found["rejects"])
    for reject in rejects[:REJECTS_SHOWN_MAX]:
        output.line(f"rejected {reject['file']}:{reject['line']}: {reject['why']}")
    rest = cast(int, found["rejected"]) - min(len(rejects), REJECTS_SHOWN_MAX)
    if rest:
        output.line(f"and {rest:,} more rejected rows; --json lists more of them")


def _draw_fields(output: Output, found: Mapping[str, object]) -> None:
    rows = [(name, _field_text(name, value)) for name, value in found.items() if value not in (None, "")]
    output.table(("ticks", "value"), rows)


def _draw_catalogue(output: Output, entries: Sequence[Mapping[str, object]]) -> None:
    if not entries:
        output.line("no ticks yet: bring some with `tradebot data sample` or `tradebot data import`")
        return
    columns = ("instrument", "rows", "first_ns", "last_ns", "bytes", "kinds")
    rows = [[_field_text(name, entry[name]) for name in columns] for entry in entries]
    output.table([name.removesuffix("_ns") for name in columns], rows)


def _field_text(name: str, value: object) -> object:
    from tradebot.domain.units import time_text

    if isinstance(value, Mapping):
        return ", ".join(f"{key} {below:,}" for key, below in value.items()) or "none"
    return time_text(value) if name.endswith("_ns") and isinstance(value, int) else value
