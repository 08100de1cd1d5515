"""`data download`: history from public archives and exchanges, into files and, where asked, into the store."""

from collections.abc import Mapping, Sequence
from os import environ
from pathlib import Path
from typing import Final, cast

from tradebot.cli.call import Call, Verbs
from tradebot.cli.output import Output
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED

MISSING_SHOWN_MAX: Final = 20


def add(group: Verbs) -> None:
    """The verb, in the group `data`."""
    verb = group.add("download", download, "fetch history from public archives and exchanges; again goes on")
    verb.add_argument("symbol", metavar="SYMBOL", help='such as "BTC/USDT", "BTC/USDT:USDT" or BTCUSDT')
    verb.add_argument("--venue", metavar="V", required=True, help="binance, or the name of an exchange of ccxt")
    verb.add_argument("--what", metavar="W", required=True, help=(
        "archive: trades, aggTrades, klines, bookTicker, bookDepth, metrics, funding, markPriceKlines and the like; "
        "exchange: ohlcv, trades"
    ))  # fmt: skip
    verb.add_argument("--interval", metavar="N", help="of klines and ohlcv, such as 1m")
    verb.add_argument("--from", dest="from_text", metavar="TIME", required=True, help="a date or a time, UTC")
    verb.add_argument("--to", dest="to_text", metavar="TIME", help="to the end of that date, or up to that time; default: now")
    verb.add_argument("--source", choices=("auto", "archive", "exchange"), default="auto", help="who is asked (default auto)")
    verb.add_argument("--market", choices=("spot", "um", "cm"), help="of the archive, for a bare symbol such as BTCUSDT")
    verb.add_argument("--url", metavar="URL", help="base URL in the place of the archive's or the exchange's")
    verb.add_argument("--into", metavar="DIR", type=Path, help="folder for the files (default: data/downloads in the home)")
    verb.add_argument("--import", dest="is_imported", action="store_true", help="put them into the store, too")
    verb.add_argument("--instrument", metavar="I", help="its name in the store (default: SYMBOL@V)")
    verb.add_argument("--tick", metavar="T", help="price step, for an instrument the store does not know")
    verb.add_argument("--lot", metavar="L", help="quantity step, for an instrument the store does not know")


def download(call: Call) -> int:
    """What the peer does not have is listed; only a range of which there is nothing has failed."""
    from tradebot.node.config import load_download
    from tradebot.node.downloads import Wish, download

    settings = load_download(call.files, environ, call.settings)
    given = {name: getattr(call.words, name) for name in Wish._fields if name != "dsn"}
    wish = Wish(**given, dsn=call.load_dsn())
    found = download(call.make_home(), wish, settings, call.output.progress)
    call.output.answer(found, lambda: _draw(call.output, found))
    if found["paths"]:
        return EXIT_DONE
    call.output.note("tradebot: expected something to download, found nothing: check SYMBOL, --from, --to and --market")
    return EXIT_FAILED


def _draw(output: Output, found: Mapping[str, object]) -> None:
    missing = cast(Sequence[str], found["missing"])
    rows: list[Sequence[object]] = [(name, found[name]) for name in ("files", "bytes", "rows", "skipped")]
    rows += [("missing", len(missing)), ("path", found["path"])]
    imported = cast(Mapping[str, object], found.get("import", {}))
    rows += [(f"imported {name}", imported[name]) for name in ("instrument", "rows", "rejected") if name in imported]
    output.table(("download", "value"), rows)
    for text in missing[:MISSING_SHOWN_MAX]:
        output.line(f"missing {text}")
    if len(missing) > MISSING_SHOWN_MAX:
        output.line(f"and {len(missing) - MISSING_SHOWN_MAX:,} more; --json lists them")
