"""A store on a ClickHouse server or cluster, over its HTTP interface.

The server looks after its own disk, its own clients and its own copies; what the house adds is that one insert is one
block (so that an import can be resumed) and that a block is never dropped as a repetition of one that was removed.
Nobody here is told of other processes: two that bring in the same files at the same time would both write, which the
count before the manifest finds and refuses.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tradebot.domain.errors import StoreError, UsageError
from tradebot.store.backend import Column, explain, local_parts
from tradebot.store.native import encode_block
from tradebot.store.schema import Layout

SCHEME: Final = "clickhouse"
PORT: Final = 8123
PORT_SECURE: Final = 8443

_EXAMPLE: Final = "clickhouse://user:password@host:8123/database"
_OPTIONS: Final = ("cluster", "replicated", "secure")
# How the layers below say that no connection came about.
_REASON: Final = re.compile(r"\[Errno -?\d+\] ([\w ]+)|([Tt]imed out)|(Remote end closed connection)")
_YES: Final = {"1": True, "true": True, "0": False, "false": False}


class Dsn(Struct, frozen=True):
    """Where a server is and who we are there."""

    host: str
    port: int
    user: str
    password: str
    database: str
    secure: bool
    layout: Layout

    @property
    def place(self) -> str:
        """For people and logs: without the password."""
        return f"{SCHEME}://{self.user}@{self.host}:{self.port}/{self.database}"


def read_dsn(text: str) -> Dsn:
    """`clickhouse://user:password@host:port/database?cluster=NAME&replicated=1&secure=1`. Raises UsageError, which never
    repeats the password.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        secure, replicated = (_YES[options.get(name, "0")] for name in ("secure", "replicated"))
    except (ValueError, KeyError) as error:
        raise UsageError(f"expected a store such as {_EXAMPLE}, found another port, query or flag") from error
    unknown = sorted(set(options) - set(_OPTIONS))
    cluster = options.get("cluster")
    if parts.scheme != SCHEME or not parts.hostname or unknown or "`" in (cluster or ""):
        found = f"the option {unknown[0]!r}" if unknown else f"{parts.scheme}://{parts.hostname or ''}"
        raise UsageError(f"expected a store such as {_EXAMPLE} with the options {', '.join(_OPTIONS)}, found {found}")
    return Dsn(
        host=parts.hostname,
        port=port or (PORT_SECURE if secure else PORT),
        user=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.strip("/")) or "default",
        secure=secure,
        layout=Layout(cluster or None, replicated),
    )


class Server:
    """A Backend on a server."""

    def __init__(self, dsn: Dsn) -> None:
        import clickhouse_connect

        # What it logs, with tracebacks, is raised as well, and we say it in one line.
        logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
        self.place = dsn.place
        self.layout = dsn.layout
        with self._guard():
            self._client = clickhouse_connect.get_client(
                interface="https" if dsn.secure else "http",
                host=dsn.host,
                port=dsn.port,
                username=dsn.user,
                password=dsn.password,
                database=dsn.database,
                autogenerate_session_id=False,
                settings=_settings(dsn.layout),
            )

    def close(self) -> None:
        self._client.close()

    def command(self, sql: str) -> None:
        with self._guard():
            self._client.command(sql)

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        with self._guard():
            return [tuple(row) for row in self._client.query(sql, parameters=dict(parameters or {})).result_rows]

    def insert(self, table: str, columns: Mapping[str, Column], types: Mapping[str, str]) -> None:
        block = b"".join(encode_block(columns, types))
        with self._guard():
            self._client.raw_insert(table, list(columns), block, fmt="Native")

    def blocks(self, sql: str) -> Iterator[list[npt.NDArray[Any]]]:
        with self._guard(), self._client.query_column_block_stream(sql) as stream:
            for block in stream:
                yield [np.asarray(column) for column in block]

    def delete(self, table: str, where: str) -> None:
        self.command(
            f"ALTER TABLE {self.layout.kept(table)}{self.layout.everywhere} DELETE WHERE {where} SETTINGS mutations_sync = 2"
        )

    def parts(self, table: str) -> str:
        if not self.layout.cluster:
            return local_parts(table)
        return (
            f"(SELECT * FROM clusterAllReplicas(`{self.layout.cluster}`, system.parts) WHERE active "
            f"AND database = currentDatabase() AND table = '{self.layout.kept(table)}')"
        )

    def lease(self, name: str, wait_s: float) -> AbstractContextManager[None]:
        return nullcontext()

    def check_room(self, needed_bytes: int) -> None:
        """The server minds its own disk."""

    @contextmanager
    def _guard(self) -> Iterator[None]:
        from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

        try:
            yield
        except OperationalError as error:
            raise self._unreachable(error) from error
        except (ClickHouseError, OSError) as error:
            raise explain(self.place, error) from error

    def _unreachable(self, error: Exception) -> StoreError:
        """A server that does not answer; what it says itself is passed on."""
        found = _REASON.search(str(error))
        if found is None:
            return explain(self.place, error)
        return StoreError(
            f"expected a ClickHouse server that answers at {self.place}, found: {_first(found)}; check that it runs and "
            "that the key store names its HTTP port"
        )


def _first(found: "re.Match[str]") -> str:
    return next(group for group in found.groups() if group).strip()


def _settings(layout: Layout) -> dict[str, int]:
    """A block that was removed and comes again is not a repetition; an insert into a cluster is there when it
    returns.
    """
    settings = {"insert_deduplicate": 0}
    return settings | {"insert_distributed_sync": 1} if layout.cluster else settings
