"""`monitor`: a running node in a terminal, redrawn each second; with --json one state per line."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tradebot.cli.call import Call, Verbs
from tradebot.cli.output import json_text
from tradebot.domain.errors import EXIT_DONE, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

EVERY_S: Final = 1.0
CLOCK_AT: Final = slice(11, 23)
ORDERS_MAX: Final = 12
COLOURS: Final = {"active": "green", "reducing": "yellow", "halted": "red", "buy": "green", "sell": "red"}


def add(verbs: Verbs) -> None:
    watching = verbs.add("monitor", monitor, "the home's node in this terminal, redrawn each second; --json: one state per line")
    watching.add_argument("--states", type=int, default=0, metavar="N", help="end after N states")


def monitor(call: Call) -> int:
    """Until interrupted. Raises NotRunning where the home never had a node, UsageError where there is no terminal to draw on."""
    import sys

    from tradebot.node.watch import Watch

    watch = Watch(call.home)
    try:
        if call.output.is_json:
            for state in states(watch, call.words.states):
                call.output.stream([f"{json_text(state)}\n"])
                call.output.flush()
        elif sys.stdout.isatty():
            draw(watch, call.words.states)
        else:
            raise UsageError("expected a terminal to draw on, found none: use `tradebot monitor --json`")
    except KeyboardInterrupt:
        return EXIT_DONE  # how watching ends
    finally:
        watch.close()
    return EXIT_DONE


def states(watch: Any, count: int) -> Any:
    """One state a second, `count` of them, for ever where it is 0."""
    due_s, number = time.monotonic(), 0
    while True:
        yield watch.look()
        number += 1
        if number == count:
            return
        due_s = max(due_s + EVERY_S, time.monotonic())
        time.sleep(max(due_s - time.monotonic(), 0))


def draw(watch: Any, count: int) -> None:
    from rich.live import Live

    with Live(screen=True, auto_refresh=False) as live:
        for state in states(watch, count):
            live.update(picture(state), refresh=True)


def picture(state: Mapping[str, Any]) -> "RenderableType":
    """Everything on one screen: how it stands, what is held and open, what was filled, what needs a person."""
    from rich.console import Group

    parts: list[RenderableType] = [head(state)]
    if state["is_running"]:
        parts += [money(state["status"], state["positions"]), "", orders(state["orders"])]
    return Group(*parts, "", fills(state), "", alerts(state["alerts"]))


def head(state: Mapping[str, Any]) -> "RenderableType":
    from rich.panel import Panel
    from rich.table import Table

    if not state["is_running"]:
        return Panel("[bold red]no answer[/]", title=f"tradebot {state['run_id']}", title_align="left", border_style="red")
    status = state["status"]
    gateway, books = status["gateway"], status["reconcile"]
    colour = COLOURS.get(status["trading"], "white")
    table = Table.grid(padding=(0, 3), expand=True)
    for _ in range(4):
        table.add_column(no_wrap=True)
    rate = state["facts_per_s"]
    table.add_row(
        f"trading [bold {colour}]{status['trading']}[/]",
        f"books {_books(books)}",
        f"open orders [bold]{status['orders_open']}[/]",
        f"fills [bold]{status['fills']:,}[/]",
    )
    table.add_row(
        f"facts [bold]{status['facts']:,}[/]" + (f" ({rate:,.0f}/s)" if rate is not None else ""),
        f"commands waiting [bold]{status['commands_waiting']}[/]",
        f"unknown [bold]{len(gateway['unknown'])}[/]",
        f"refusals [bold]{state['refusals']:,}[/]",
    )
    title = f"tradebot {state['run_id']} · {status['mode']} · epoch {status['epoch']} · {state['time'][CLOCK_AT]}"
    return Panel(table, title=title, title_align="left", border_style=colour)


def _books(books: Mapping[str, Any]) -> str:
    if books["differences"]:
        return "[bold red]differ[/]"
    return "[bold yellow]not compared[/]" if books["gate"] == "waiting" else "[bold green]agree[/]"


def money(status: Mapping[str, Any], positions: Sequence[Mapping[str, Any]]) -> "RenderableType":
    from rich.columns import Columns

    balances = _table("balances", ("asset", "total"), right=("total",))
    for asset, total in status["balances"].items():
        balances.add_row(asset, total)
    held = _table("positions", ("strategy", "instrument", "quantity", "realised", "unrealised", "fees"),
                  right=("quantity", "realised", "unrealised", "fees"))  # fmt: skip
    for row in positions:
        held.add_row(
            str(row["strategy"]), row["instrument"], row["quantity"],
            *(_signed(row[name]) for name in ("realised", "unrealised")), _short(row["fees"]),
        )  # fmt: skip
    return Columns([held, balances], padding=(0, 4))


def orders(rows: Sequence[Mapping[str, Any]]) -> "RenderableType":
    table = _table("open orders", ("order", "strategy", "instrument", "side", "price", "quantity", "filled", "state", ""),
                   right=("price", "quantity", "filled"))  # fmt: skip
    for row in rows[:ORDERS_MAX]:
        mark = "guard" if row["is_guard"] else ""
        table.add_row(
            str(row["id"]), str(row["strategy"]), row["instrument"], _side(row["side"]), row["trigger"] or row["price"],
            row["quantity"], row["filled"], row["state"], mark,
        )  # fmt: skip
    if len(rows) > ORDERS_MAX:
        table.add_row(f"and {len(rows) - ORDERS_MAX} more")
    return table


def fills(state: Mapping[str, Any]) -> "RenderableType":
    table = _table("last fills", ("time", "strategy", "instrument", "side", "price", "quantity", "fee", "", "order"),
                   right=("price", "quantity", "fee"))  # fmt: skip
    for fill in state["fills"]:
        table.add_row(
            fill["time"][CLOCK_AT], fill["strategy"], fill.get("instrument", ""), _side(fill["side"]), fill.get("price", ""),
            fill["quantity"], f"{_short(fill['fee'])} {fill['fee_asset']}", "maker" if fill["is_maker"] else "taker",
            str(fill.get("order", "")),
        )  # fmt: skip
    return table


def alerts(rows: Sequence[Mapping[str, Any]]) -> "RenderableType":
    from rich.text import Text

    table = _table("alerts", ("time", "what"))
    for row in rows:
        table.add_row(row["time"][CLOCK_AT], Text(row["text"], style="bold red" if row["event"] == "warning" else ""))
    if not rows:
        table.add_row("", "none")
    return table


def _table(title: str, columns: Sequence[str], right: Sequence[str] = ()) -> "Table":
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", no_wrap=name != "what")
    return table


def _side(side: str) -> str:
    return f"[{COLOURS[side]}]{side}[/]"


def _short(text: str) -> str:
    """Money to the cent, as text: for reading, not for reckoning."""
    from decimal import Decimal

    return f"{Decimal(text):,.2f}"


def _signed(text: str) -> str:
    return f"[{'red' if text.startswith('-') else 'green'}]{_short(text)}[/]"
