"""The tables, as one list that the embedded engine, a server and a cluster all take.

`ticks` holds the record of `_core.types` column by column, plus the import it came with and its row there.
The sort key is the order of reading, so that a read in time order never sorts: within one instrument by time,
then by import, then as the import had it. Times are Int64 nanoseconds; `time` shows them to people. The
codecs are the best of ten measured on real books and on made-up trades (6.1 bytes a row of an order-by-order book; a
raw row is 64): times as differences, the venue's numbers as differences of differences, prices with their empty bits
cut away, the rest left to ZSTD alone, which beats every transform on quantities and order ids. What is counted or
constant within an import (`row`, `import`, `instrument`) takes a codec that costs nothing: ZSTD on top of a difference
that is always one made `row` the dearest column of all, to write and to read.

The table has no partitions: no rows are dropped by month here, and one read then opens few parts. A part is
on disk before its insert returns, so a manifest never names rows that a power cut takes away.

Results are plain tables, sorted by run. A run is cleared before it is written again; with replacing tables,
each reader would have to remember FINAL, and the tail of a longer earlier writing would stay.
"""

from typing import Final

from msgspec import Struct

VERSION: Final = 2

_DURABLE: Final = "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"

TICK_COLUMNS: Final = {
    "instrument": "UInt32",
    "time_ns": "Int64",
    "import": "UInt64",
    "row": "UInt64",
    "venue_ns": "Int64",
    "venue_sequence": "UInt64",
    "price": "Int64",
    "quantity": "Int64",
    "id": "UInt64",
    "id2": "UInt64",
    "kind": "UInt8",
    "flags": "UInt8",
    "owner": "UInt16",
}

TICK_CODECS: Final = {
    "instrument": "T64",
    "time_ns": "Delta, ZSTD(1)",
    "import": "T64",
    "row": "Delta, LZ4",
    "venue_ns": "Delta, ZSTD(1)",
    "venue_sequence": "DoubleDelta, ZSTD(1)",
    "price": "T64, ZSTD(1)",
    "quantity": "ZSTD(1)",
    "id": "ZSTD(1)",
    "id2": "ZSTD(1)",
    "kind": "ZSTD(1)",
    "flags": "ZSTD(1)",
    "owner": "ZSTD(1)",
}

IMPORT_COLUMNS: Final = {
    "id": "UInt64",
    "instrument": "UInt32",
    "rows": "UInt64",
    "first_ns": "Int64",
    "last_ns": "Int64",
    "path": "String",
    "report": "String",
}

RUN_COLUMNS: Final = {"run_id": "String", "manifest": "String"}

ORDER_COLUMNS: Final = {
    "run_id": "LowCardinality(String)",
    "row": "UInt64",
    "time_ns": "Int64",
    "instrument": "UInt32",
    "strategy": "LowCardinality(String)",
    "order_id": "UInt64",
    "event": "LowCardinality(String)",
    "side": "LowCardinality(String)",
    "order_type": "LowCardinality(String)",
    "time_in_force": "LowCardinality(String)",
    "price": "Int64",
    "quantity": "Int64",
    "reject": "UInt16",
    "cause": "UInt64",
}

FILL_COLUMNS: Final = {
    "run_id": "LowCardinality(String)",
    "row": "UInt64",
    "time_ns": "Int64",
    "instrument": "UInt32",
    "strategy": "LowCardinality(String)",
    "order_id": "UInt64",
    "trade_id": "UInt64",
    "other_order_id": "UInt64",
    "side": "LowCardinality(String)",
    "maker": "UInt8",
    "price": "Int64",
    "quantity": "Int64",
    "remaining": "Int64",
    "fee": "Int64",
    "fee_asset": "UInt16",
    "ahead": "Int64",
}

EQUITY_COLUMNS: Final = {
    "run_id": "LowCardinality(String)",
    "time_ns": "Int64",
    "instrument": "UInt32",
    "strategy": "LowCardinality(String)",
    "bid": "Int64",
    "ask": "Int64",
    "position": "Int64",
    "realised": "Int64",
    "unrealised": "Int64",
    "fees": "Int64",
}

_TIME: Final = "time DateTime64(9, 'UTC') ALIAS fromUnixTimestamp64Nano(time_ns, 'UTC')"


def _columns(columns: dict[str, str], codecs: dict[str, str] | None = None) -> str:
    return ", ".join(
        f"`{name}` {type_}" + (f" CODEC({codecs[name]})" if codecs else "") for name, type_ in columns.items()
    )


class Layout(Struct, frozen=True):
    """How a server keeps the tables: one of it alone, replicated, or spread over the shards of a cluster."""

    cluster: str | None = None
    replicated: bool = False

    def kept(self, table: str) -> str:
        """The table that has the rows; the one of the plain name asks all shards where there is a cluster."""
        return f"{table}_local" if self.cluster else table

    @property
    def everywhere(self) -> str:
        """What a statement needs behind the table's name to reach all servers."""
        return f" ON CLUSTER `{self.cluster}`" if self.cluster else ""


class Table(Struct, frozen=True):
    """`order` is the sort key; rows of one `shard` value lie on one shard, so that an insert of them is one insert."""

    name: str
    columns: str
    order: str
    shard: str

    def statements(self, layout: Layout) -> list[str]:
        """What makes the table."""
        engine = "ReplicatedMergeTree" if layout.replicated else "MergeTree"
        kept = (
            f"CREATE TABLE IF NOT EXISTS {layout.kept(self.name)}{layout.everywhere} ({self.columns}) "
            f"ENGINE = {engine} ORDER BY ({self.order}) {_DURABLE}"
        )
        if not layout.cluster:
            return [kept]
        return [
            kept,
            f"CREATE TABLE IF NOT EXISTS {self.name}{layout.everywhere} AS {layout.kept(self.name)} "
            f"ENGINE = Distributed(`{layout.cluster}`, currentDatabase(), {layout.kept(self.name)}, {self.shard})",
        ]


VERSIONS: Final = Table("schema_versions", "`version` UInt32", "version", "version")

TABLES: Final = [
    Table("instruments", "`id` UInt32, `definition` String", "id", "id"),
    Table(
        "ticks",
        f"{_columns(TICK_COLUMNS, TICK_CODECS)}, {_TIME}",
        "instrument, time_ns, `import`, `row`",
        "instrument",
    ),
    # An import is announced here before its first row, so that one which was killed is known.
    Table("imports_begun", "`id` UInt64, `instrument` UInt32", "id", "id"),
    # Its row here, the manifest, makes the import's rows visible, all at once.
    Table(
        "imports", f"{_columns(IMPORT_COLUMNS)}, `committed` DateTime64(3, 'UTC') DEFAULT now64(3)", "id", "id"
    ),
    Table(
        "runs",
        f"{_columns(RUN_COLUMNS)}, `written` DateTime64(3, 'UTC') DEFAULT now64(3)",
        "run_id",
        "cityHash64(run_id)",
    ),
    Table("orders", f"{_columns(ORDER_COLUMNS)}, {_TIME}", "run_id, `row`", "cityHash64(run_id)"),
    Table("fills", f"{_columns(FILL_COLUMNS)}, {_TIME}", "run_id, `row`", "cityHash64(run_id)"),
    Table(
        "equity",
        f"{_columns(EQUITY_COLUMNS)}, {_TIME}",
        "run_id, time_ns, instrument, strategy",
        "cityHash64(run_id)",
    ),
]

RUN_TABLES: Final = ("runs", "orders", "fills", "equity")
