"""A ccxt client of its own kind: which exchanges there are, where its requests may go, what it says of a market."""

import time
from pathlib import Path

import ccxt
import pytest

from tests.venues.conftest import Clock
from tests.venues.exchanges import Market, serve_binance, serve_kraken
from tests.venues.local_server import LocalServer
from tradebot.domain.errors import DownloadFailed, UsageError
from tradebot.venues.exchange import Exchange, point_at


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def urls(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [url for below in value.values() for url in urls(below)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["binance", "kraken", "bybit", "okx", "gate", "coinbase", "bitstamp", "htx"])
def test_every_url_of_an_exchange_moves_and_keeps_its_path(name: str) -> None:
    client, moved = getattr(ccxt, name)(), getattr(ccxt, name)()
    point_at(moved, "http://127.0.0.1:1/base/")
    before, after = urls(client.urls["api"]), urls(moved.urls["api"])
    assert len(after) == len(before) > 0
    assert all(url.startswith("http://127.0.0.1:1/base") for url in after)
    assert all(new.endswith("/".join(old.split("/")[3:])) for old, new in zip(before, after, strict=True))


def test_a_request_to_any_other_host_never_leaves(server: LocalServer, clock: Clock) -> None:
    serve_kraken(server, Market(0))
    exchange = Exchange("kraken", server.url, clock.patience(), 5.0)
    exchange._client.urls["api"]["public"] = "https://other.example"
    with pytest.raises(DownloadFailed, match=r"to the given base URL only, found one to other\.example"):
        exchange.now_ms()
    exchange._client.urls["api"]["public"] = server.url.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(DownloadFailed, match=r"found one to 127\.0\.0\.2"):
        exchange.now_ms()
    exchange.close()


def test_an_exchange_that_is_none_is_told_with_the_nearest(clock: Clock) -> None:
    with pytest.raises(UsageError, match="found 'krakn': did you mean kraken"):
        Exchange("krakn", None, clock.patience(), 5.0)


def test_a_market_says_its_tick_and_lot(server: LocalServer, clock: Clock) -> None:
    serve_binance(server, Market(0))
    exchange = Exchange("binance", server.url, clock.patience(), 5.0)
    found = exchange.market("BTC/USDT")
    assert (found.tick, found.lot, found.is_plain) == ("0.01", "0.00001", True)
    with pytest.raises(UsageError, match="found 'BTC/USDC': did you mean BTC/USDT"):
        exchange.market("BTC/USDC")
    exchange.close()


def test_an_exchange_out_of_reach_is_told(clock: Clock) -> None:
    with LocalServer().running() as gone:
        pass
    with pytest.raises(DownloadFailed, match=r"expected its markets of kraken, found NetworkError.* at 2 attempts in a row"):
        Exchange("kraken", gone.url, clock.patience(2), 5.0)


def test_without_ccxt_the_extra_is_named(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ccxt", None)
    with pytest.raises(UsageError, match=r"pip install 'tradebot\[live\]'"):
        Exchange("kraken", None, clock.patience(), 5.0)


def test_the_package_loads_without_ccxt(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, tradebot.venues.archive, tradebot.venues.history, tradebot.node.downloads, tradebot.cli.main\n"
        "assert 'ccxt' not in sys.modules and 'requests' not in sys.modules"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
