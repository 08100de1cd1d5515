"""Where a server is and who we are there; the contract of the store over a server is in test_client."""

import pytest

from tradebot.domain.errors import StoreError, UsageError
from tradebot.store.client import open_store
from tradebot.store.schema import Layout
from tradebot.store.server import read_dsn


def test_a_dsn_says_everything() -> None:
    dsn = read_dsn("clickhouse://me:p%40ss%2Fword@db.example:9000/ticks?cluster=main&replicated=1&secure=true")
    assert (dsn.host, dsn.port, dsn.user, dsn.password, dsn.database) == ("db.example", 9000, "me", "p@ss/word", "ticks")
    assert dsn.secure and dsn.layout == Layout("main", replicated=True)
    assert dsn.place == "clickhouse://me@db.example:9000/ticks"


def test_what_a_dsn_leaves_out_is_usual() -> None:
    dsn = read_dsn("clickhouse://db.example")
    assert (dsn.port, dsn.user, dsn.password, dsn.database, dsn.secure) == (8123, "default", "", "default", False)
    assert dsn.layout == Layout()
    assert read_dsn("clickhouse://db.example?secure=1").port == 8443


@pytest.mark.parametrize(
    "text",
    [
        "postgres://me:secret@db/x",
        "clickhouse:///x",
        "clickhouse://me:secret@db:port/x",
        "clickhouse://me:secret@db/x?speed=1",
        "clickhouse://me:secret@db/x?secure=perhaps",
        "clickhouse://me:secret@db/x?cluster=a%60b",
        "",
    ],
)
def test_a_dsn_that_is_none_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(UsageError, match="clickhouse://user:password@host") as found:
        read_dsn(text)
    assert "secret" not in str(found.value)


def test_a_wrong_password_is_said_in_one_line_and_not_repeated(server_dsn: str) -> None:
    wrong = server_dsn.replace("s%3Acret", "guess")
    with pytest.raises(StoreError, match=r"clickhouse://tester@127\.0\.0\.1.*AUTHENTICATION_FAILED") as found:
        open_store(wrong)
    assert "guess" not in str(found.value) and "\n" not in str(found.value)


def test_a_server_that_is_not_there_is_named(server_dsn: str) -> None:
    with pytest.raises(StoreError, match=r"answers at clickhouse://tester@127\.0\.0\.1:1/x, found: Connection refused; check"):
        open_store("clickhouse://tester:secret@127.0.0.1:1/x")
