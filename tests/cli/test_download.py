"""`data download` as a process of its own: killed, interrupted, refused, configured. The peers are servers in this process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import environment, failure, run

from tests.venues.exchanges import Market, serve_binance, trade_line
from tests.venues.local_server import Asked, Hang, LocalServer, Status
from tests.venues.vision import pack, publish

DAYS = [f"spot/daily/trades/BTCUSDT/BTCUSDT-trades-2024-03-0{number}.zip" for number in (1, 2, 3)]
START_MS = 1_706_745_600_000  # 2024-02-01
ARCHIVE = ["data", "download", "BTC/USDT", "--venue", "binance", "--what", "trades", "--from", "2024-03-01", "--to", "2024-03-03"]
EXCHANGE = ["data", "download", "BTC/USDT", "--venue", "binance", "--what", "trades", "--source", "exchange"]
EXCHANGE += ["--from", "2024-02-01", "--to", "2024-02-01T10:00"]
LOCAL = {"no_proxy": "127.0.0.1"}


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer().running() as running:
        yield running


@pytest.fixture
def archive(server: LocalServer) -> LocalServer:
    """Three days, the second one of some size."""
    for rows, path in zip((10, 60_000, 20), DAYS, strict=True):
        publish(server, path, rows)
    return server


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tradebot", *arguments, "--json"],
        cwd=folder, env=environment(**LOCAL), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_until(is_so: Callable[[], bool], child: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline and child.poll() is None, child.communicate()
        os.sched_yield()


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_a_range_of_the_archive_arrives(archive: LocalServer, tmp_path: Path) -> None:
    done = run(tmp_path, *ARCHIVE, "--url", archive.url, "--json", **LOCAL)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["files"], found["rows"], found["skipped"], found["missing"]) == (3, 60_030, 0, [])
    assert [Path(path).name for path in found["paths"]] == [Path(path).name for path in DAYS]
    assert found["bytes"] == sum(len(Path(path).read_bytes()) for path in found["paths"])
    assert found["path"] == str(tmp_path / "tradebot_home" / "data" / "downloads" / "binance-vision")
    again = run(tmp_path, *ARCHIVE, "--url", archive.url, **LOCAL)
    assert again.returncode == 0
    assert [line.split() for line in again.stdout.splitlines()[1:5]] == [
        ["files", "0"], ["bytes", "0"], ["rows", "0"], ["skipped", "3"],
    ]  # fmt: skip


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_download_of_the_archive_that_was_killed_goes_on(archive: LocalServer, tmp_path: Path, sent: signal.Signals) -> None:
    """The second file hangs in its middle when the signal comes; then only its rest and the third are asked for."""
    body = archive.files[f"data/{DAYS[1]}"]
    half = len(body) // 2
    archive.faults[f"data/{DAYS[1]}"] = [Hang(half)]
    part = tmp_path / "files" / f"{DAYS[1]}.part"
    child = start(tmp_path, *ARCHIVE, "--url", archive.url, "--into", "files")
    wait_until(lambda: size(part) == half, child)
    child.send_signal(sent)
    out, error = child.communicate(timeout=60)
    assert (out, "Traceback" in error) == ("", False)
    assert child.returncode == (-9 if sent == signal.SIGKILL else 1)
    archive.asked.clear()
    done = run(tmp_path, *ARCHIVE, "--url", archive.url, "--into", "files", "--json", **LOCAL)
    found = json.loads(done.stdout)
    assert (found["files"], found["skipped"], found["missing"]) == (2, 1, [])
    assert found["bytes"] == len(body) - half + len(archive.files[f"data/{DAYS[2]}"])
    assert [one.range for one in archive.asked if one.path == f"data/{DAYS[1]}"] == [f"bytes={half}-"]
    assert f"data/{DAYS[0]}" not in archive.paths()
    assert [Path(path).read_bytes() for path in found["paths"]] == [archive.files[f"data/{path}"] for path in DAYS]


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_download_from_an_exchange_that_was_killed_goes_on(server: LocalServer, tmp_path: Path, sent: signal.Signals) -> None:
    market = Market(START_MS + 86_400_000)
    market.fill_trades([START_MS + number // 3 * 7_000 for number in range(5_500)])
    serve_binance(server, market)
    answer = server.pages["api/v3/aggTrades"]

    def hanging(asked: Asked) -> tuple[int, bytes]:
        if int(asked.query.get("fromId", 0)) > 3_000:
            server.release.wait()
        return answer(asked)

    server.pages["api/v3/aggTrades"] = hanging
    part = tmp_path / "files" / "binance" / "trades" / "BTC-USDT-trades-20240201T000000Z.csv.part"
    child = start(tmp_path, *EXCHANGE, "--url", server.url, "--into", "files")
    wait_until(lambda: bool(server.asked) and int(server.asked[-1].query.get("fromId", 0)) > 3_000, child)
    came = part.read_text().count("\n") - 1
    assert 0 < came < 5_500
    child.send_signal(sent)
    child.communicate(timeout=60)
    server.pages["api/v3/aggTrades"] = answer
    found = json.loads(run(tmp_path, *EXCHANGE, "--url", server.url, "--into", "files", "--json", **LOCAL).stdout)
    inside = [one for one in market.trades if one.time_ms < START_MS + 36_000_000]
    assert (found["files"], found["rows"]) == (1, len(inside) - came)
    assert Path(found["paths"][0]).read_text().splitlines()[1:] == list(map(trade_line, inside))
    assert not part.exists()


def test_holes_are_said_and_the_rest_is_kept(archive: LocalServer, tmp_path: Path) -> None:
    del archive.files[f"data/{DAYS[1]}.CHECKSUM"]
    done = run(tmp_path, *ARCHIVE, "--url", archive.url, **LOCAL)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == f"missing {DAYS[1]}"


def test_nothing_at_all_has_failed(server: LocalServer, tmp_path: Path) -> None:
    done = run(tmp_path, *ARCHIVE, "--url", server.url, "--json", **LOCAL)
    assert done.returncode == 1
    assert json.loads(done.stdout)["missing"] == DAYS
    assert done.stderr.startswith("tradebot: expected something to download, found nothing") and done.stderr.count("\n") == 1


def test_a_wrong_checksum_is_one_line_that_names_both(archive: LocalServer, tmp_path: Path) -> None:
    archive.files[f"data/{DAYS[1]}"] = pack("other.csv", "1,2\n")
    line = failure(tmp_path, 1, *ARCHIVE, "--url", archive.url, "--into", "files", **LOCAL)
    expected = archive.files[f"data/{DAYS[1]}.CHECKSUM"].decode().split()[0]
    assert f"{DAYS[1]} with sha256 {expected}, found " in line and "the file is removed" in line
    assert not (tmp_path / "files" / DAYS[1]).exists() and (tmp_path / "files" / DAYS[2]).exists()


def test_a_status_that_does_not_pass_is_one_line(archive: LocalServer, tmp_path: Path) -> None:
    archive.faults[f"data/{DAYS[0]}"] = [Status(403)]
    line = failure(tmp_path, 1, *ARCHIVE, "--url", archive.url, **LOCAL)
    assert f"{archive.url}/data/{DAYS[0]}, found HTTP 403" in line


def test_the_base_url_comes_from_file_environment_or_option(archive: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "mirror.toml").write_text(f'[download]\narchive_url = "{archive.url}"\n')
    assert run(tmp_path, *ARCHIVE, "-c", "mirror.toml", **LOCAL).returncode == 0
    assert run(tmp_path, *ARCHIVE, "--home", "b", TRADEBOT__DOWNLOAD__ARCHIVE_URL=archive.url, **LOCAL).returncode == 0
    assert run(tmp_path, *ARCHIVE, "--home", "c", "--set", f"download.archive_url={archive.url}", **LOCAL).returncode == 0
    assert "download.archive_url" in failure(tmp_path, 2, *ARCHIVE, "--set", "download.archive_uri=x", **LOCAL)
    market = Market(START_MS + 86_400_000)
    market.fill_trades([START_MS])
    serve_binance(archive, market)
    done = run(tmp_path, *EXCHANGE, TRADEBOT__DOWNLOAD__EXCHANGE_URLS__BINANCE=archive.url, **LOCAL)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--what", "trades", "--from", "2024-03-01"], "required: --venue"),
        (["--venue", "binance", "--what", "klines", "--from", "2024-03-01"], "expected --interval to be one of 1s, 1m"),
        (["--venue", "binance", "--what", "metrics", "--from", "2024-03-01"], "expected one of the markets um, cm"),
        (["--venue", "krakn", "--what", "ohlcv", "--from", "2024-03-01"], "did you mean kraken?"),
        (["--venue", "binance", "--what", "trades", "--from", "2199-01-01"], "found a --from in the future"),
        (["--venue", "binance", "--what", "trades", "--from", "2024-03-01", "--to", "2199-01-01"], "a range up to today"),
        (["--venue", "binance", "--what", "trades", "--from", "2024-03-01", "--url", "x"], "expected a URL such as"),
        (["--venue", "binance", "--what", "trades", "--from", "2024-03-01", "--into", "file/x"], "choose another --into"),
    ],
)
def test_wrong_usage_ends_with_two_and_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "file").write_text("")
    assert said in failure(tmp_path, 2, "data", "download", "BTC/USDT", *arguments)
