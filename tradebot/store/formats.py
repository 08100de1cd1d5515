"""The import formats by name, and how a file, a format and an instrument come together.

Only formats that exist are here. `auto` asks each whether it recognises the file.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tradebot.domain.errors import BadContainer, UnknownInstrument, UsageError
from tradebot.domain.instrument import Instrument, split_name
from tradebot.store import (
    binance_raw,
    binance_vision,
    bitstamp_l3,
    ccxt_ohlcv,
    cryptofeed_raw,
    freqtrade,
    hftbacktest,
    lobster,
    parquet,
    tardis,
    trades_csv,
)
from tradebot.store.batches import Records
from tradebot.store.imports import ImportSource
from tradebot.store.instruments import find_instrument, make_instrument
from tradebot.store.symbols import Named

AUTO: Final = "auto"


Opened = tuple[ImportSource, Iterator[Records]]


def _no_names(path: Path) -> list[Named]:
    return []


class Importer(NamedTuple):
    """A format: how to tell it, how to read it, and which instruments a file of it names: with tick and lot, or by name only."""

    name: str
    recognises: Callable[[Path], bool]
    open_source: Callable[[Path, Instrument], tuple[ImportSource, Iterator[Records]]]
    instruments: Callable[[Path], list[Instrument]]
    names: Callable[[Path], list[Named]] = _no_names
    open_sources: Callable[[Sequence[Path], Instrument, int | None], list[Opened]] | None = None  # where files follow others


class Import(NamedTuple):
    """What `Store.import_records` takes."""

    instrument: Instrument
    source: ImportSource
    batches: Iterator[Records]


_BARS: Final = "places between two bars without one: bar_gaps of data audit"
# What a format's importer counts as gaps, and the figure of the audit that counts the same over the stored rows. A format that
# is not here tells of none.
GAPS: Final = {
    "binance-raw": "places where the book was lost: gap_facts of data audit",
    "cryptofeed-raw": "places where the book was lost: gap_facts of data audit",
    "binance-vision": f"numbers that trades skip: sequence_breaks of data audit; {_BARS}",
    "freqtrade": _BARS,
    "ccxt-ohlcv": _BARS,
    "bitstamp-l3": "connections that the recorder noted as lost, which the rows do not tell",
}

FORMATS: Final = {
    one.NAME: Importer(
        one.NAME,
        one.recognises,
        one.open_source,
        one.instruments,
        getattr(one, "names", _no_names),
        getattr(one, "open_sources", None),
    )
    for one in (
        bitstamp_l3,
        binance_raw,
        cryptofeed_raw,
        lobster,
        parquet,
        tardis,
        binance_vision,
        hftbacktest,
        freqtrade,
        trades_csv,
        ccxt_ohlcv,
    )
}


def open_import(
    path: Path,
    format_name: str = AUTO,
    instrument: str | None = None,
    tick: str | None = None,
    lot: str | None = None,
    known: Sequence[Instrument] = (),
) -> Import:
    """Make a file ready for import. `known` are the store's instruments; `tick` and `lot` are decimal text.

    Raises UsageError for an unknown format, UnknownInstrument where the instrument has no tick and lot,
    BadContainer where the file is not what the format says.
    """
    importer, chosen = _choose(path, format_name, instrument, tick, lot, known)
    return Import(chosen, *importer.open_source(path, chosen))


def open_imports(
    paths: Sequence[Path],
    format_name: str,
    instrument: str | None,
    tick: str | None,
    lot: str | None,
    known: Sequence[Instrument],
    newest_book: Callable[[Instrument], int | None],
) -> list[Import]:
    """As `open_import` of each path, in the order in which they are to be imported: what may follow one another is opened
    together. `newest_book` says when the store last told of a book of an instrument.
    """
    groups: dict[tuple[str, int], tuple[Importer, Instrument, list[Path]]] = {}
    nameless = {path for path in paths if _is_nameless(path, format_name, instrument)}
    for path in sorted(paths, key=nameless.__contains__):
        other = _only_other(groups) if path in nameless else None
        name = other.name if other else instrument
        importer, chosen = _choose(path, format_name, name, tick, lot, [*known, other] if other else known)
        groups.setdefault((importer.name, chosen.id), (importer, chosen, []))[2].append(path)
    found: list[Import] = []
    for importer, chosen, together in groups.values():
        if importer.open_sources is None:
            opened = [importer.open_source(path, chosen) for path in together]
        else:
            opened = importer.open_sources(together, chosen, newest_book(chosen))
        found += [Import(chosen, *one) for one in opened]
    return found


def _is_nameless(path: Path, format_name: str, instrument: str | None) -> bool:
    """Whether a path names no instrument by itself, as the few last lines of a recording may."""
    if instrument is not None or not path.exists():
        return False
    importer = find_importer(path, format_name)
    return importer.open_sources is not None and not importer.instruments(path)


def _only_other(groups: Mapping[tuple[str, int], tuple[Importer, Instrument, list[Path]]]) -> Instrument | None:
    """The instrument of all the paths before, where it is one, and they are of a format whose files follow others."""
    found = [chosen for importer, chosen, _ in groups.values() if importer.open_sources is not None]
    return found[0] if len(found) == len(groups) == 1 else None


def _choose(
    path: Path, format_name: str, instrument: str | None, tick: str | None, lot: str | None, known: Sequence[Instrument]
) -> tuple[Importer, Instrument]:
    if not path.exists():
        raise UsageError(f"expected a file or folder to import, found nothing at {path}")
    importer = find_importer(path, format_name)
    offered, names = importer.instruments(path), importer.names(path)
    return importer, choose_instrument(importer, offered, instrument, tick, lot, known, names)


def find_importer(path: Path, format_name: str) -> Importer:
    """By name, or by looking at the file where the name is "auto"."""
    if format_name == AUTO:
        for importer in FORMATS.values():
            if importer.recognises(path):
                return importer
        raise BadContainer(
            f"expected one of the formats {_listed()} in {path}, recognised none; name it with --format"
        )
    if format_name not in FORMATS:
        raise UsageError(f"expected one of the formats {AUTO}, {_listed()}, found {format_name!r}")
    return FORMATS[format_name]


def choose_instrument(
    importer: Importer,
    offered: Sequence[Instrument],
    name: str | None,
    tick: str | None,
    lot: str | None,
    known: Sequence[Instrument],
    names: Sequence[Named] = (),
) -> Instrument:
    """The instrument named, from the store, from what the file offers, or from tick and lot."""
    if name is None:
        name = _only_name(importer, [one.name for one in offered] + [one.name for one in names])
    hint = next((one for one in names if name in (one.name, split_name(one.name)[0])), Named(name))
    named = _find_named(offered, hint.name, known)
    if named is None:
        return _make_instrument(hint, tick, lot)
    if tick is None and lot is None:
        return named
    wished = make_instrument(
        named.name, tick or named.tick, lot or named.lot, named.multiplier, named.version, named.valid_from_ns
    )
    if named in known and (wished.tick_size, wished.lot_size) != (named.tick_size, named.lot_size):
        raise UsageError(
            f"expected tick {named.tick} and lot {named.lot}, which {named.name} has in the store, "
            f"found tick {wished.tick} and lot {wished.lot}; leave them away"
        )
    return named if named in known else wished


def _only_name(importer: Importer, names: Sequence[str]) -> str:
    if not names:
        raise UsageError(f"expected --instrument for the format {importer.name}, found none")
    if len(names) > 1:
        raise UsageError(f"expected --instrument to choose one of {', '.join(names)}, found none")
    return names[0]


def _find_named(offered: Sequence[Instrument], name: str, known: Sequence[Instrument]) -> Instrument | None:
    """None where nobody knows it; the store's word comes before the file's."""
    symbol, venue = split_name(name)
    for one in offered:
        if one.symbol == symbol and venue in (None, one.venue):
            return next((same for same in known if same.id == one.id), one)
    try:
        return find_instrument(known, name)
    except UnknownInstrument:
        if venue is None:
            raise
        return None


def _make_instrument(named: Named, tick: str | None, lot: str | None) -> Instrument:
    if tick is None or lot is None:
        raise UnknownInstrument(
            f"expected a known instrument, found {named.name!r}; give its --tick and --lot, "
            "or see `tradebot data list`"
        )
    return make_instrument(named.name, tick, lot, named.multiplier)


def _listed() -> str:
    return ", ".join(FORMATS)
