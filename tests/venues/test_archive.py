"""Binance's archive: the plan of files by day and month, and their download from a server of the same layout."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.conftest import Clock
from tests.venues.local_server import LocalServer, Status
from tests.venues.vision import pack, publish
from tradebot.domain.errors import BadContainer, DownloadFailed, UsageError
from tradebot.node.progress import Silent
from tradebot.venues.archive import KINDS, Archive, Period, Series, count_rows, make_series, plan
from tradebot.venues.disk import part_of, sole_writer
from tradebot.venues.outcome import Outcome
from tradebot.venues.transfer import Transfer

TODAY = date(2024, 5, 10)
TRADES = make_series("spot", "trades", "BTCUSDT", None)
MONTH = "spot/monthly/trades/BTCUSDT/BTCUSDT-trades-{}.zip"
DAY = "spot/daily/trades/BTCUSDT/BTCUSDT-trades-{}.zip"


def texts(first: date, last: date, series: Series = TRADES, *here: str, today: date = TODAY) -> list[str]:
    """The plan from `first` to `last`, which is in it."""
    periods = plan(series, first, last + timedelta(1), today, lambda period: period.text in here)
    return [period.text for period in periods]


def days(first: date, count: int) -> list[str]:
    return [f"{first + timedelta(number):%Y-%m-%d}" for number in range(count)]


def test_whole_months_come_as_months_and_the_rest_as_days() -> None:
    found = texts(date(2024, 1, 30), date(2024, 4, 2))
    assert found == ["2024-01-30", "2024-01-31", "2024-02", "2024-03", "2024-04-01", "2024-04-02"]


@pytest.mark.parametrize(("year", "length"), [(2023, 28), (2024, 29)])
def test_a_february_is_whole_with_its_last_day_only(year: int, length: int) -> None:
    first = date(year, 2, 1)
    assert texts(first, date(year, 2, length)) == [f"{year}-02"]
    assert texts(first, date(year, 2, length - 1)) == days(first, length - 1)


def test_the_month_under_way_comes_as_days_until_it_is_over() -> None:
    assert texts(date(2024, 5, 1), date(2024, 5, 10)) == days(date(2024, 5, 1), 10)
    assert texts(date(2024, 5, 1), date(2024, 5, 31), today=date(2024, 6, 1)) == ["2024-05"]
    assert texts(date(2024, 5, 1), date(2024, 5, 31), today=date(2024, 5, 31)) == days(date(2024, 5, 1), 31)


def test_a_year_of_whole_months_crosses_the_new_year() -> None:
    assert texts(date(2023, 11, 1), date(2024, 2, 29)) == ["2023-11", "2023-12", "2024-01", "2024-02"]


def test_no_moment_lies_in_two_files() -> None:
    """A day that is here keeps its month in days; a month that is here stands for its days."""
    assert texts(date(2024, 2, 1), date(2024, 2, 29), TRADES, "2024-02-11") == days(date(2024, 2, 1), 29)
    assert texts(date(2024, 2, 5), date(2024, 2, 6), TRADES, "2024-02") == ["2024-02"]


def test_some_data_has_only_days_and_some_only_months() -> None:
    metrics = make_series("um", "metrics", "BTCUSDT", None)
    assert texts(date(2024, 2, 1), date(2024, 2, 29), metrics) == days(date(2024, 2, 1), 29)
    funding = make_series("um", "fundingRate", "BTCUSDT", None)
    assert texts(date(2024, 2, 28), date(2024, 3, 1), funding) == ["2024-02", "2024-03"]
    weeks = make_series("spot", "klines", "BTCUSDT", "1w")
    assert texts(date(2024, 2, 28), date(2024, 2, 28), weeks) == ["2024-02"]


@settings(deadline=None)
@given(st.dates(date(2017, 1, 1), date(2026, 1, 1)), st.integers(0, 500), st.integers(0, 500), st.sets(st.integers(0, 500)))
def test_a_plan_covers_each_day_once(first: date, count: int, age: int, kept: set[int]) -> None:
    last = first + timedelta(count)
    here = {f"{first + timedelta(number):%Y-%m-%d}" for number in kept}
    periods = plan(TRADES, first, last + timedelta(1), last + timedelta(age), lambda period: period.text in here)
    covered = [day.text for period in periods for day in period.days]
    assert covered == days(first, count + 1)


@pytest.mark.parametrize(
    ("market", "what", "interval", "path"),
    [
        ("spot", "aggTrades", None, "spot/monthly/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-02.zip"),
        ("spot", "klines", "1m", "spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-02.zip"),
        ("um", "markPriceKlines", "1h", "futures/um/monthly/markPriceKlines/BTCUSDT/1h/BTCUSDT-1h-2024-02.zip"),
        ("cm", "fundingRate", None, "futures/cm/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-02.zip"),
        ("um", "bookTicker", None, "futures/um/monthly/bookTicker/BTCUSDT/BTCUSDT-bookTicker-2024-02.zip"),
    ],
)
def test_each_kind_lies_where_the_archive_has_it(market: str, what: str, interval: str | None, path: str) -> None:
    series = make_series(market, what, "BTCUSDT", interval)
    assert series.path(Period(date(2024, 2, 1), date(2024, 3, 1), True)) == path
    day = series.path(Period(date(2024, 2, 29), date(2024, 3, 1), False))
    assert day == path.replace("monthly", "daily").replace("2024-02", "2024-02-29")


@pytest.mark.parametrize(
    ("market", "what", "symbol", "interval", "said"),
    [
        ("spot", "depth", "BTCUSDT", None, "expected --what to be one of trades, aggTrades,"),
        ("spot", "metrics", "BTCUSDT", None, "expected one of the markets um, cm for metrics, found 'spot'"),
        ("spot", "klines", "BTCUSDT", None, "expected --interval to be one of 1s, 1m, .* for klines, found none"),
        ("spot", "klines", "BTCUSDT", "7m", "found 7m"),
        ("spot", "trades", "BTCUSDT", "1m", "expected no --interval for trades, found 1m"),
        ("spot", "trades", "../BTC", None, "expected a symbol such as BTCUSDT, found '../BTC'"),
    ],
)
def test_what_the_archive_cannot_have_is_refused(
    market: str, what: str, symbol: str, interval: str | None, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        make_series(market, what, symbol, interval)


def test_every_kind_has_days_or_months() -> None:
    assert all(kind.daily or kind.monthly for kind in KINDS.values())


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def download(
    server: LocalServer, clock: Clock, folder: Path, first: str, end: str, series: Series = TRADES, now: str = "2024-05-10T12:00"
) -> Outcome:
    archive = Archive(Transfer(server.url, clock.patience(), clock.pace()), folder, Silent())
    return archive.download(series, ns(first), ns(end), ns(now))


def test_a_range_comes_with_its_checksums(server: LocalServer, clock: Clock, tmp_path: Path) -> None:
    paths = [MONTH.format("2024-02"), DAY.format("2024-03-01"), DAY.format("2024-03-02")]
    bodies = [publish(server, path, rows) for rows, path in enumerate(paths, 2)]
    found = download(server, clock, tmp_path, "2024-02-01", "2024-03-02T00:00:01")
    assert found.paths == [tmp_path / path for path in paths]
    assert [path.read_bytes() for path in found.paths] == bodies
    assert (found.files, found.skipped, found.missing, found.rows) == (3, 0, [], 2 + 3 + 4)
    assert found.bytes == sum(map(len, bodies))
    for path in found.paths:
        kept = path.with_name(path.name + ".CHECKSUM").read_text()
        assert kept == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"


def test_what_is_here_is_checked_and_not_asked_for_again(server: LocalServer, clock: Clock, tmp_path: Path) -> None:
    for day in ("2024-03-01", "2024-03-02"):
        publish(server, DAY.format(day))
    first = download(server, clock, tmp_path, "2024-03-01", "2024-03-03")
    server.asked.clear()
    again = download(server, clock, tmp_path, "2024-03-01", "2024-03-03")
    assert server.asked == []
    assert (again.files, again.skipped, again.bytes, again.rows, again.paths) == (0, 2, 0, 0, first.paths)
    first.paths[0].write_bytes(b"damaged")
    third = download(server, clock, tmp_path, "2024-03-01", "2024-03-03")
    assert (third.files, third.skipped) == (1, 1)
    assert third.paths[0].read_bytes() == server.files[f"data/{DAY.format('2024-03-01')}"]


def test_a_month_that_is_not_published_comes_as_its_days(server: LocalServer, clock: Clock, tmp_path: Path) -> None:
    for day in days(date(2024, 4, 1), 30):
        publish(server, DAY.format(day))
    found = download(server, clock, tmp_path, "2024-04-01", "2024-05-01")
    assert (found.files, found.missing) == (30, [])
    publish(server, MONTH.format("2024-04"))
    server.asked.clear()
    assert download(server, clock, tmp_path, "2024-04-01", "2024-05-01").skipped == 30
    assert server.asked == [], "the month came too late: its days are here"


def test_holes_are_listed_and_never_silent(server: LocalServer, clock: Clock, tmp_path: Path) -> None:
    publish(server, DAY.format("2024-05-08"))
    found = download(server, clock, tmp_path, "2024-05-07", "2024-05-10T12:00")
    assert found.files == 1
    assert found.missing == [
        DAY.format("2024-05-07"),
        DAY.format("2024-05-09"),
        f"{DAY.format('2024-05-10')}: the day is not over",
    ]
    assert f"data/{DAY.format('2024-05-10')}.CHECKSUM" not in server.paths()
    publish(server, DAY.format("2024-05-09"))
    later = download(server, clock, tmp_path, "2024-05-07", "2024-05-10T12:00")
    assert (later.files, later.skipped, len(later.missing)) == (1, 1, 2)


def test_a_checksum_without_its_file_is_a_hole(server: LocalServer, clock: Clock, tmp_path: Path) -> None:
    publish(server, DAY.format("2024-05-08"))
    del server.files[f"data/{DAY.format('2024-05-08')}"]
    assert download(server, clock, tmp_path, "2024-05-08", "2024-05-09").missing == [DAY.format("2024-05-08")]


def test_a_wrong_checksum_refuses_one_file_and_the_others_come(server: LocalServer, clock: Clock, tmp_path: Path) -> None:
    for day in ("2024-05-07", "2024-05-08"):
        publish(server, DAY.format(day))
    wrong = "0" * 64
    server.files[f"data/{DAY.format('2024-05-07')}.CHECKSUM"] = f"{wrong}  some.zip\n".encode()
    found = download(server, clock, tmp_path, "2024-05-07", "2024-05-09")
    assert found.paths == [tmp_path / DAY.format("2024-05-08")]
    right = hashlib.sha256(server.files[f"data/{DAY.format('2024-05-07')}"]).hexdigest()
    with pytest.raises(DownloadFailed, match=rf"2024-05-07.zip with sha256 {wrong}, found {right}; the file is removed"):
        found.raise_refused()
    assert not (tmp_path / DAY.format("2024-05-07")).exists() and not part_of(tmp_path / DAY.format("2024-05-07")).exists()


def test_a_checksum_that_is_none_is_refused(server: LocalServer, clock: Clock, tmp_path: Path) -> None:
    publish(server, DAY.format("2024-05-07"))
    server.files[f"data/{DAY.format('2024-05-07')}.CHECKSUM"] = b"<html>welcome</html>"
    with pytest.raises(BadContainer, match=r"expected a sha256 in http.*CHECKSUM, found '<html>welcome</html>'"):
        download(server, clock, tmp_path, "2024-05-07", "2024-05-08")


def test_a_busy_archive_is_asked_again(server: LocalServer, clock: Clock, tmp_path: Path) -> None:
    path = DAY.format("2024-05-07")
    publish(server, path)
    server.faults[f"data/{path}.CHECKSUM"] = [Status(429, {"Retry-After": "3"})]
    server.faults[f"data/{path}"] = [Status(503)]
    assert download(server, clock, tmp_path, "2024-05-07", "2024-05-08").files == 1
    assert clock.slept == [3.0, 0.5]


def test_requests_keep_the_pace(server: LocalServer, clock: Clock, tmp_path: Path) -> None:
    for day in days(date(2024, 5, 1), 5):
        publish(server, DAY.format(day))
    archive = Archive(Transfer(server.url, clock.patience(), clock.pace(10.0)), tmp_path, Silent())
    archive.download(TRADES, ns("2024-05-01"), ns("2024-05-06"), ns("2024-05-10"))
    assert clock.now_s == pytest.approx(0.9), "ten requests, ten a second, the first at once"


def test_ranges_outside_the_archive_are_refused(server: LocalServer, clock: Clock, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a range up to today, 2024-05-10, found one up to 2024-05-11"):
        download(server, clock, tmp_path, "2024-05-07", "2024-05-12")
    with pytest.raises(UsageError, match="from 2017-01-01 on"):
        download(server, clock, tmp_path, "2016-12-31", "2024-05-07")
    assert server.asked == []


def test_a_second_download_of_the_same_series_is_refused(server: LocalServer, clock: Clock, tmp_path: Path) -> None:
    publish(server, DAY.format("2024-05-07"))
    with sole_writer(tmp_path, TRADES.name):
        with pytest.raises(DownloadFailed, match="expected to be alone with spot-trades-BTCUSDT"):
            download(server, clock, tmp_path, "2024-05-07", "2024-05-08")
        other = make_series("spot", "aggTrades", "BTCUSDT", None)
        assert download(server, clock, tmp_path, "2024-05-07", "2024-05-08", other).files == 0


@pytest.mark.parametrize(
    ("text", "rows"),
    [("", 0), ("1,2\n", 1), ("1,2\n3,4", 2), ("id,price\n1,2\n3,4\n", 2), ("id,price\n", 0), ("id,price", 0)],
)
def test_rows_are_counted_without_a_header(tmp_path: Path, text: str, rows: int) -> None:
    (tmp_path / "file.zip").write_bytes(pack("file.csv", text))
    assert count_rows(tmp_path / "file.zip") == rows


def test_a_file_that_is_no_zip_is_told(tmp_path: Path) -> None:
    (tmp_path / "file.zip").write_bytes(b"no zip")
    with pytest.raises(BadContainer, match=r"expected a zip at .*file.zip, found"):
        count_rows(tmp_path / "file.zip")
