"""`data sample / import / list / remove`: ticks into the store, what it holds, and out. `download` and `inspection` hold the
other verbs.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from tradebot.cli import download, inspection
from tradebot.cli.call import Call, Verbs
from tradebot.cli.output import Output
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED, EXIT_REFUSED

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
    group.add("list", list_data, "what the store holds, per instrument, and its imports with their ids")
    remover = group.add("remove", remove, "take imports out of the store again")
    remover.add_argument(
        "imports", metavar="IMPORT", nargs="+", help="the id of an import as `data list` shows it, or the start of one"
    )
    remover.add_argument("--yes", action="store_true", help="remove; without it, only show what would go")
    remover.add_argument("--force", action="store_true", help="also where a run in the store was made of it")
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
    for path in cast(Sequence[str], found["skipped"]):
        call.output.note(f"skipped {path}: it is no recording")
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


def remove(call: Call) -> int:
    """Without --yes nothing goes, and the call has not done what it was asked for."""
    from tradebot.node.withdrawals import remove_imports

    words = call.words
    found = remove_imports(call.make_home(), words.imports, words.yes, words.force, call.output.progress, call.load_dsn())
    imports = cast(Sequence[Mapping[str, object]], found["imports"])
    call.output.answer(found, lambda: _draw_imports(call.output, "removed" if found["removed"] else "would go", imports))
    if found["removed"]:
        return EXIT_DONE
    call.output.note(f"tradebot: expected --yes to remove {found['rows']:,} rows, did not find it: nothing was removed")
    return EXIT_REFUSED


def _draw_imports(output: Output, head: str, imports: Sequence[Mapping[str, object]]) -> None:
    columns = ("import_id", "instrument", "format", "rows", "first_ns", "last_ns", "path")
    rows = [[_moment_text(name, one) for name in columns] for one in imports]
    output.table((head, *(name.removesuffix("_ns") for name in columns[1:])), rows)


def _moment_text(name: str, one: Mapping[str, object]) -> object:
    """What is not finished, or is of no row, has no times."""
    return "" if name.endswith("_ns") and not one[name] else _field_text(name, one[name])


def _draw_import(output: Output, found: Mapping[str, object]) -> None:
    _draw_fields(output, {name: value for name, value in found.items() if name not in ("rejects", "beside")})
    beside = cast(Mapping[str, int], found["beside"])
    if beside:
        held = ", ".join(f"{rows:,} of {kind}" for kind, rows in beside.items())
        output.line(
            f"warning: other imports hold rows of these kinds over the same range ({held}): a run sees both. Where they "
            "are the same recording, take one out: `tradebot data list` has the ids, `tradebot data remove IMPORT` removes one"
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
    output.line("")
    _draw_imports(output, "import", [one for entry in entries for one in cast(Sequence[Mapping[str, object]], entry["held"])])


def _field_text(name: str, value: object) -> object:
    from tradebot.domain.units import time_text

    if isinstance(value, Mapping):
        return ", ".join(f"{key} {below:,}" for key, below in value.items()) or "none"
    return time_text(value) if name.endswith("_ns") and isinstance(value, int) else value
