"""The last panel of the demo's report: the same strategy on the same ticks at bar grade, and the difference in money.

A backtest on candles is the usual way to be wrong: a candle tells neither who stood before us in the queue nor how often the
price came to us inside it. Where a run was made a second time at another grade its manifest says so, and this panel shows
both. The money is divided into what the trades made and the fees: without a book there is no middle price to earn a spread
from.
"""

from decimal import Decimal

from tradebot.research.figures import steps_figure
from tradebot.research.metrics import Metrics
from tradebot.research.page import Html, money, number, section, table
from tradebot.research.results import Beside, Manifest


def beside_section(manifest: Manifest, metrics: Metrics) -> Html:
    """The panel; nothing where the run was made at one grade only."""
    other = manifest.beside
    if other is None:
        return Html("")
    asset, here, there = metrics.quote_asset, _word(manifest.grade.name), _word(other.grade.name)
    rows = [
        _row(name, there_value, here_value, asset)
        for name, there_value, here_value in (
            ("gross P&L", other.gross_pnl, metrics.gross_pnl),
            ("fees", other.fees, metrics.fees),
            ("net P&L", other.net_pnl, metrics.net_pnl),
        )
    ]
    rows += [
        ["fills", number(other.fills), number(metrics.fills), number(metrics.fills - other.fills, sign=True)],
        ["orders", number(other.orders), number(metrics.orders), number(metrics.orders - other.orders, sign=True)],
    ]
    return section(
        f"The same strategy at {there}",
        table(["", there, here, "difference"], rows),
        _steps(other, metrics, there, here),
        note=f"{other.grade.note}. The same strategy, costs and ticks; in {asset}. The difference is what {other.grade.name} "
        f"do not see. That run is {other.run_id}.",
    )


def _word(grade: str) -> str:
    return f"{grade.removesuffix('s')} grade"


def _row(name: str, there: str, here: str, asset: str) -> list[str]:
    apart = Decimal(here) - Decimal(there)
    return [name, money(there, asset, sign=True), money(here, asset, sign=True), money(str(apart), asset, sign=True)]


def _steps(other: Beside, metrics: Metrics, there: str, here: str) -> Html:
    rest = Decimal(metrics.net_pnl) - Decimal(metrics.gross_pnl) - (Decimal(other.net_pnl) - Decimal(other.gross_pnl))
    steps = [("gross P&L", Decimal(metrics.gross_pnl) - Decimal(other.gross_pnl)), ("fees", rest)]
    title = f"From the net P&L at {there} to that at {here}"
    return steps_figure(title, metrics.quote_asset, (there, Decimal(other.net_pnl)), steps, here)
