"""From the user's words to the right source, folder and importer. The archive and the exchange are a local server."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.venues.exchanges import MINUTE_MS, Market, serve_binance
from tests.venues.local_server import LocalServer
from tests.venues.vision import publish
from tradebot._core.types import RECORD_DTYPE, Kind
from tradebot.domain.errors import DownloadFailed, NotBuiltYet, UnknownInstrument, UsageError
from tradebot.domain.instrument import Instrument
from tradebot.node.config import Download
from tradebot.node.downloads import Wish, archive_symbol, download
from tradebot.node.home import make_home
from tradebot.node.progress import Silent
from tradebot.node.ticks import list_catalogue
from tradebot.store.archive import Archive
from tradebot.store.formats import FORMATS, Importer
from tradebot.store.imports import ImportSource

START_MS = 1_706_745_600_000  # 2024-02-01
DAY = "spot/daily/trades/BTCUSDT/BTCUSDT-trades-2024-02-01.zip"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with LocalServer().running() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


def wish(**words: Any) -> Wish:
    usual = {"symbol": "BTC/USDT", "venue": "binance", "what": "trades", "interval": None}
    return Wish(**{**usual, "from_text": "2024-02-01", "to_text": "2024-02-01", **words})


def run(home: Path, server: LocalServer, **words: Any) -> dict[str, Any]:
    settings = Download(archive_url=server.url, exchange_urls={"binance": server.url}, requests_per_s=100)
    return download(home, wish(**words), settings, Silent())


@pytest.mark.parametrize(
    ("symbol", "venue", "market", "found"),
    [
        ("BTC/USDT", "binance", None, ("spot", "BTCUSDT")),
        ("BTC/USDT@binance", "binance", None, ("spot", "BTCUSDT")),
        ("BTC/USDT:USDT", "binance", None, ("um", "BTCUSDT")),
        ("BTC/USDT:USDT-240628", "binance", None, ("um", "BTCUSDT_240628")),
        ("BTC/USD:BTC", "binance", None, ("cm", "BTCUSD_PERP")),
        ("BTC/USD:BTC-240628", "binance", "cm", ("cm", "BTCUSD_240628")),
        ("BTCUSDT", "binance", None, ("spot", "BTCUSDT")),
        ("BTCUSDT", "binanceusdm", None, ("um", "BTCUSDT")),
        ("BTCUSD", "binance", "cm", ("cm", "BTCUSD")),
    ],
)
def test_a_symbol_says_where_the_archive_has_it(symbol: str, venue: str, market: str | None, found: tuple[str, str]) -> None:
    assert archive_symbol(wish(symbol=symbol, venue=venue, market=market)) == found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"symbol": "BTC/USDT", "market": "um"}, "expected --market spot for BTC/USDT, found um"),
        ({"symbol": "BTC/USDT:EUR"}, "expected a symbol such as BTC/USDT, .* found 'BTC/USDT:EUR'"),
        ({"what": "depth"}, "expected --what to be one of trades, aggTrades, .*ohlcv, found 'depth'"),
        ({"from_text": "yesterday"}, "--from and --to: expected a date such as"),
        ({"to_text": "2024-01-31"}, "expected --to after --from 2024-02-01, found 2024-01-31"),
        ({"venue": "kraken", "source": "archive"}, "expected a venue with an archive of trades, found kraken"),
        ({"venue": "kraken", "what": "metrics"}, "one of ohlcv, trades for the exchange kraken, found 'metrics'"),
        ({"venue": "kraken", "market": "um"}, "expected --market for an archive only"),
        ({"url": "kraken.example"}, "expected a URL such as https://host.example, found 'kraken.example'"),
        ({"symbol": "BTCUSDT", "is_imported": True}, "expected --instrument for BTCUSDT to import it"),
    ],
)
def test_wrong_words_are_refused_before_any_request(
    server: LocalServer, home: Path, words: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        run(home, server, **words)
    assert server.asked == []


def test_the_archive_is_asked_first_and_its_files_lie_in_the_home(server: LocalServer, home: Path) -> None:
    publish(server, DAY, rows=7)
    found = run(home, server, what="TRADES")
    folder = home / "data" / "downloads" / "binance-vision"
    assert found == {
        "files": 1, "bytes": len(server.files[f"data/{DAY}"]), "rows": 7, "skipped": 0, "missing": [],
        "path": str(folder), "paths": [str(folder / DAY)],
    }  # fmt: skip


def test_other_names_and_another_folder(server: LocalServer, home: Path, tmp_path: Path) -> None:
    publish(server, "futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-02.zip")
    found = run(home, server, what="funding", symbol="BTC/USDT:USDT", into=tmp_path / "here")
    assert found["paths"] == [str(tmp_path / "here/futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-02.zip")]


def test_a_refused_file_ends_the_call(server: LocalServer, home: Path) -> None:
    publish(server, DAY)
    server.files[f"data/{DAY}.CHECKSUM"] = b"0" * 64
    with pytest.raises(DownloadFailed, match=r"with sha256 0{64}, found [0-9a-f]{64}; the file is removed"):
        run(home, server)


def test_the_exchange_is_asked_where_it_is_named(server: LocalServer, home: Path) -> None:
    market = Market(START_MS + 2 * 86_400_000)
    market.fill_trades([START_MS + number for number in range(10)])
    market.fill_minutes(START_MS, START_MS + 86_400_000)
    serve_binance(server, market)
    found = run(home, server, source="exchange", to_text="2024-02-01T00:30")
    assert (found["files"], found["rows"]) == (1, 10)
    assert found["path"] == str(home / "data" / "downloads" / "exchanges" / "binance" / "trades")
    found = run(home, server, what="ohlcv", interval="1m")
    assert (found["files"], found["rows"], found["missing"]) == (1, 1440, [])


def lined_importer(name: str) -> Importer:
    """A stand-in for an importer: a trade record for each row of trades-csv."""

    def open_source(path: Path, instrument: Instrument) -> tuple[ImportSource, Iterator[Any]]:
        rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
        records = np.zeros(len(rows), dtype=RECORD_DTYPE)
        for record, (time_ms, trade_id, _, price, amount) in zip(records, rows, strict=True):
            record["kind"], record["instrument"] = Kind.TRADE, instrument.id
            record["time_ns"] = record["venue_ns"] = int(time_ms) * 1_000_000
            record["id"], record["price"], record["quantity"] = int(trade_id), instrument.ticks(price), instrument.lots(amount)
        content = Archive(path, path.name).content_sha256([path.name])
        return ImportSource(name, 1, content, str(path)), iter([records])

    return Importer(name, lambda path: False, open_source, lambda path: [])


def test_files_are_handed_to_the_importer_with_the_exchanges_tick_and_lot(
    server: LocalServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The importer is chosen by its name; what is here is imported once however often it is asked for."""
    monkeypatch.setitem(FORMATS, "trades-csv", lined_importer("trades-csv"))
    market = Market(START_MS + 86_400_000)
    market.fill_trades([START_MS + number * MINUTE_MS for number in range(10)])
    serve_binance(server, market)
    words = {"source": "exchange", "to_text": "2024-02-01T00:30", "is_imported": True}
    first, again = run(home, server, **words)["import"], run(home, server, **words)["import"]
    assert (first["instrument"], first["rows"], first["repeated"]) == ("BTC/USDT@binance", 10, False)
    assert again["repeated"] is True
    (entry,) = list_catalogue(home)
    assert (entry["instrument"], entry["rows"]) == ("BTC/USDT@binance", 10)


def test_an_import_that_cannot_work_is_refused_before_the_download(
    server: LocalServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server, DAY)
    monkeypatch.setitem(FORMATS, "binance-vision", lined_importer("binance-vision"))
    with pytest.raises(UnknownInstrument, match="found 'BTC/USDT@binance'; give its --tick and --lot"):
        run(home, server, is_imported=True)
    with pytest.raises(UsageError, match="expected a positive tick"):
        run(home, server, is_imported=True, tick="-1", lot="1")
    monkeypatch.delitem(FORMATS, "binance-vision")
    with pytest.raises(NotBuiltYet, match="expected an importer of binance-vision for --import, found none in this version"):
        run(home, server, is_imported=True, tick="0.01", lot="0.00001")
    assert server.asked == []
