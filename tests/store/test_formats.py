"""Formats by name, and which instrument an import gets."""

from pathlib import Path

import pytest

from tests.store.test_bitstamp_l3 import BOOK, write_capture
from tradebot.domain.errors import BadContainer, UnknownInstrument, UsageError
from tradebot.store.bitstamp_l3 import DEFAULT_INSTRUMENT
from tradebot.store.formats import FORMATS, open_import
from tradebot.store.instruments import make_instrument, spot_instrument

OTHER = spot_instrument("ETH/USD@bitstamp", tick="1", lot="0.00000001")


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return write_capture(tmp_path / "capture", BOOK)


def test_auto_recognises_the_layout_and_takes_its_instrument(capture: Path) -> None:
    opened = open_import(capture)
    assert opened.instrument == DEFAULT_INSTRUMENT
    assert opened.source.format == "bitstamp-l3"
    assert sum(len(batch) for batch in opened.batches) == 3


def test_auto_says_what_it_knows_where_it_recognises_nothing(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(BadContainer, match=r"formats bitstamp-l3, .*trades-csv.* in .*some\.csv, recognised none"):
        open_import(path)


def test_an_unknown_format_lists_the_known_ones(capture: Path) -> None:
    with pytest.raises(UsageError, match=r"formats auto, bitstamp-l3, .*, found 'tape'"):
        open_import(capture, "tape")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing at .*absent"):
        open_import(tmp_path / "absent", "bitstamp-l3")


@pytest.mark.parametrize("name", ["BTC/USD", "BTC/USD@bitstamp"])
def test_the_formats_own_instrument_needs_no_tick_or_lot(capture: Path, name: str) -> None:
    assert open_import(capture, instrument=name).instrument == DEFAULT_INSTRUMENT


def test_a_known_instrument_needs_no_tick_or_lot(capture: Path) -> None:
    assert open_import(capture, instrument="ETH/USD", known=[OTHER]).instrument == OTHER


def test_an_unknown_instrument_needs_tick_and_lot(capture: Path) -> None:
    with pytest.raises(UnknownInstrument, match="give its --tick and --lot"):
        open_import(capture, instrument="ETH/USD@bitstamp", tick="1")
    made = open_import(capture, instrument="ETH/USD@bitstamp", tick="1", lot="0.00000001").instrument
    assert made == OTHER


def test_an_unknown_symbol_without_a_venue_is_refused(capture: Path) -> None:
    with pytest.raises(UnknownInstrument, match="the nearest is ETH/USD@bitstamp"):
        open_import(capture, instrument="ETH/EUR", tick="1", lot="1", known=[OTHER])


def test_another_tick_than_the_stores_is_refused(capture: Path) -> None:
    same = open_import(capture, instrument="ETH/USD", tick="1.0", known=[OTHER])
    assert same.instrument == OTHER
    with pytest.raises(UsageError, match=r"expected tick 1 and lot 0\.00000001.* found tick 0\.5"):
        open_import(capture, instrument="ETH/USD", tick="0.5", known=[OTHER])


@pytest.mark.parametrize(("tick", "lot"), [("0", "1"), ("-1", "1"), ("1", "x")])
def test_a_tick_or_lot_that_is_none_is_refused(capture: Path, tick: str, lot: str) -> None:
    with pytest.raises(UsageError, match=r"(tick|lot) for A/B@c"):
        open_import(capture, instrument="A/B@c", tick=tick, lot=lot)


@pytest.mark.parametrize("name", ["AB@c", "A/@c", "/B@c", "A/B@"])
def test_a_name_that_is_none_is_refused(capture: Path, name: str) -> None:
    with pytest.raises(UsageError):
        open_import(capture, instrument=name, tick="1", lot="1")


@pytest.mark.parametrize(
    ("name", "kind"), [("A/B@c", "spot"), ("A/B:B@c", "linear"), ("A/B:A@c", "inverse"), ("1000A/B:B@c", "linear")]
)
def test_the_name_says_the_kind(name: str, kind: str) -> None:
    made = make_instrument(name, "0.1", "1", multiplier="100")
    assert (made.kind, made.name) == (kind, name)


@pytest.mark.parametrize("name", ["A/B:C@c", "A/A@c", "A/B:B", "A/B:@c"])
def test_a_settlement_in_neither_asset_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="expected an instrument such as"):
        make_instrument(name, "1", "1")


def test_a_multiplier_must_be_positive() -> None:
    with pytest.raises(UsageError, match="expected a positive multiplier for A/B:B@c, found 0"):
        make_instrument("A/B:B@c", "1", "1", multiplier="0")


RECORDINGS = {
    "binance_coinm_depth0ms": "binance-raw",
    "binance_coinm_depth0ms/btcusd_perp_20240809.gz": "binance-raw",
    "cryptofeed_raw": "cryptofeed-raw",
    "cryptofeed_raw/KRAKEN.ws.50.0.gz": "cryptofeed-raw",
    "l3": "bitstamp-l3",
    "l3/bitstamp_btcusd_2015-05-01.log.xz": "bitstamp-l3",
    "lobster": "lobster",
    "lobster/AMZN_2012-06-21_34200000_57600000_orderbook_1.csv.xz": "lobster",
}


@pytest.mark.shared
@pytest.mark.parametrize(("name", "expected"), RECORDINGS.items())
def test_a_recording_is_taken_for_what_it_is_and_for_nothing_else(shared_dir: Path, name: str, expected: str) -> None:
    path = shared_dir / "data" / name
    assert [found for found, importer in FORMATS.items() if importer.recognises(path)] == [expected]


@pytest.mark.parametrize(("tick", "lot"), [("1e-18", "1e-18"), ("1e-19", "1"), ("1", "1e30"), ("1e-999999999", "1")])
def test_steps_that_the_core_cannot_count_with_are_refused(tick: str, lot: str) -> None:
    with pytest.raises(UsageError, match="between 1e-18 and 1e18"):
        make_instrument("A/B@c", tick, lot)
