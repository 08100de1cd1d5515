"""The page a report is printed on: escaping, tables, boxes, numbers for people, and the one style sheet.

Everything that comes from a run (names, reasons, configuration) is text and is escaped here; only this file
and `chart` write tags. The page has no script and fetches nothing. Light, dark and paper are three sets of
the same variables. Wide things scroll inside their own box, so that the page itself never does on a phone.
"""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from html import escape
from typing import Final

from msgspec import Struct

from tradebot.domain.units import MONEY_SCALE, NS_PER_SECOND, time_text

NOTHING: Final = "–"

# Assets whose smallest customary unit is a hundredth; all others are shown to 1e-8.
_CENT_ASSETS: Final = frozenset(
    {"USD", "EUR", "GBP", "CHF", "JPY", "USDT", "USDC", "DAI", "TUSD", "FDUSD", "PYUSD"}
)


class Html(str):
    """Text that is already HTML; everything else is escaped on its way into the page."""

    __slots__ = ()


class Cell(Struct, frozen=True):
    """A table cell with a look of its own."""

    inner: Html
    classes: str
    style: str


def text(value: object) -> Html:
    """Escape a value for the page, unless it is Html already."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def join(parts: Iterable[object], between: str = "") -> Html:
    return Html(between.join(text(part) for part in parts))


def element(tag: str, *children: object, classes: str = "", **attributes: str) -> Html:
    """One element around its children, which are escaped unless they are Html."""
    shown = {"class": classes, **attributes} if classes else attributes
    opening = "".join(f' {name}="{escape(value)}"' for name, value in shown.items())
    return Html(f"<{tag}{opening}>{join(children)}</{tag}>")


def section(title: str, *children: object, note: str = "") -> Html:
    """A headed section with a line of explanation under its heading."""
    lead = element("p", note, classes="note") if note else Html("")
    return element("section", element("h2", title), lead, *children)


def figure(svg: str, *caption: object) -> Html:
    """A chart that scrolls in its own box, with a caption or legend."""
    box = element("div", Html(svg), classes="scroll")
    return element("figure", box, element("figcaption", *caption) if caption else Html(""))


def table(head: Sequence[str], rows: Iterable[Sequence[object]], names: int = 1, classes: str = "") -> Html:
    """A table that scrolls in its own box; the first `names` columns are words, the others numbers."""
    top = element("tr", *(_cell("th", column, index < names) for index, column in enumerate(head)))
    body = (
        element("tr", *(_cell("td", cell, index < names) for index, cell in enumerate(row))) for row in rows
    )
    inner = element("table", element("thead", top), element("tbody", *body), classes=classes)
    return element("div", inner, classes="scroll")


def pairs(rows: Iterable[tuple[object, object]]) -> Html:
    """Names and values as a definition list."""
    items = (element("div", element("dt", name), element("dd", value)) for name, value in rows)
    return element("dl", *items)


def details(summary: object, *children: object) -> Html:
    """A part that opens on a click or a tap."""
    return element("details", element("summary", summary), *children)


def copy_box(content: str) -> Html:
    """Text that one click selects as a whole."""
    return element("pre", content, classes="copy")


def page(title: str, *children: object) -> str:
    """The whole file."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{join(children)}</main></body></html>\n"
    )


def number(value: Decimal | int | float | str, digits: int | None = None, sign: bool = False) -> str:
    """A number with separators of thousands and a true minus sign; `sign` shows a plus too."""
    decimal = Decimal(str(value))
    if digits is not None:
        decimal = decimal.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    if not decimal:
        decimal = abs(decimal)  # there is no negative zero on the page
    return f"{decimal:{'+' if sign and decimal else ''},f}".replace("-", "−")


def money(amount: str | int, asset: str, sign: bool = False) -> str:
    """Money of an asset: decimal text or an int of 1e-8, to the asset's customary digits, without its
    name."""
    value = Decimal(amount).scaleb(-MONEY_SCALE) if isinstance(amount, int) else Decimal(amount)
    return number(value, 2 if asset in _CENT_ASSETS else MONEY_SCALE, sign)


def percent(fraction: float | str | None, digits: int = 2, sign: bool = False) -> str:
    return NOTHING if fraction is None else f"{number(Decimal(str(fraction)) * 100, digits, sign)} %"


def clock(time_ns: int) -> str:
    """UTC to the millisecond, for tables: 2026-05-01 09:30:15.123."""
    return time_text(time_ns)[:23].replace("T", " ") if time_ns > 0 else NOTHING


def span(ns: int) -> str:
    """A length of time in the two units a person would use: "30 minutes", "2 h 5 min", "3 days"."""
    seconds = ns / NS_PER_SECOND
    if seconds < 1:
        return f"{number(ns / 1e6, 0 if ns % 1_000_000 == 0 else 3)} ms"
    if seconds < 120:
        return f"{number(seconds, 1)} s".replace(".0 s", " s")
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} minutes"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min".replace(" 0 min", "")
    return f"{number(seconds / 86_400, 1)} days".replace(".0 days", " days")


def _cell(tag: str, value: object, is_name: bool) -> Html:
    if isinstance(value, Cell):
        return element(tag, value.inner, classes=value.classes, style=value.style)
    return element(tag, value, classes="" if is_name else "n")


STYLE: Final = """
:root{--page:#fff;--ink:#1b1f24;--soft:#5c6670;--rule:#dfe3e8;--box:#f5f7f9;--buy:#0b6fc2;--sell:#c2570b;
--good:#1a7f43;--bad:#c0262d;--band:#8fa3b8;--line:#3c4a58;--second:#8a5cd0}
@media(prefers-color-scheme:dark){:root{--page:#14181d;--ink:#e4e8ec;--soft:#98a3ae;--rule:#2c343d;--box:#1c2229;
--buy:#58a9f0;--sell:#f0964a;--good:#4fc07a;--bad:#ff6b6b;--band:#5d7186;--line:#c3ced9;--second:#b794f4}}
@media print{:root{--page:#fff;--ink:#000;--soft:#444;--rule:#ccc;--box:#f4f4f4;--buy:#0b6fc2;--sell:#c2570b;
--good:#1a7f43;--bad:#c0262d;--band:#8fa3b8;--line:#333;--second:#8a5cd0}
body{font-size:10pt}section,figure,tr{break-inside:avoid}h2{break-after:avoid}.scroll{overflow:visible!important}
svg{min-width:0!important}details::details-content{content-visibility:visible;block-size:auto}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Liberation Sans",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1080px;margin:0 auto;padding:20px 16px 60px}
h1{font-size:1.5rem;line-height:1.25;margin:.2em 0}h2{font-size:1.15rem;margin:2.2em 0 .3em;padding-top:.7em;
border-top:1px solid var(--rule)}h3{font-size:1rem;margin:1.2em 0 .2em}
p{margin:.4em 0}.grade{border-left:3px solid var(--soft);padding-left:.6em}
.note,figcaption,.soft{color:var(--soft);font-size:.9rem}
.banner{background:var(--bad);color:#fff;padding:12px 16px;border-radius:8px;margin:0 0 16px;font-weight:600}
@media(prefers-color-scheme:dark){.banner{background:#a3222a}}
.banner ul{margin:.2em 0;padding-left:1.2em}
.sum{display:flex;flex-wrap:wrap;align-items:stretch;gap:8px;margin:14px 0}
.sum div{background:var(--box);border:1px solid var(--rule);border-radius:8px;padding:8px 14px;flex:1 1 130px}
.sum .total{border:2px solid var(--line)}
.sum span{display:block;color:var(--soft);font-size:.85rem}
.sum b{font-size:1.3rem;font-variant-numeric:tabular-nums;white-space:nowrap}
.sum i{align-self:center;font-style:normal;color:var(--soft);font-size:1.3rem}
.claim{font-size:1.05rem;border-left:4px solid var(--line);padding:.1em 0 .1em .8em;margin:1em 0}
.gain{color:var(--good)}.loss{color:var(--bad)}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(190px,1fr));gap:8px 18px;margin:.8em 0}
dt{color:var(--soft);font-size:.85rem}dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
figure{margin:.6em 0 1.2em}figcaption span{margin-right:1em;display:inline-block}
svg{display:block;width:100%;min-width:600px;height:auto;font:13px system-ui,-apple-system,"Segoe UI",Roboto,
"Liberation Sans",sans-serif}
table{border-collapse:collapse;font-size:.88rem;min-width:50%}
th,td{padding:4px 12px 4px 0;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top}
th{color:var(--soft);font-weight:600;white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.heat td{padding:6px 12px;text-align:right}.heat td.own{outline:2px solid var(--ink);outline-offset:-2px;
font-weight:600}
td{white-space:nowrap}details{margin:.2em 0}summary{cursor:pointer}
.define{width:100%}.define td{white-space:normal}.define td:first-child{width:50%;min-width:150px}
.define td:nth-child(2){overflow-wrap:anywhere;min-width:115px}.define details{margin:0;color:var(--soft)}
.define summary{color:var(--ink)}.define td:last-child{color:var(--soft);min-width:70px}
pre{background:var(--box);border:1px solid var(--rule);border-radius:8px;padding:12px;overflow-x:auto;
font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
.copy{user-select:all;-webkit-user-select:all;white-space:pre-wrap;overflow-wrap:anywhere}
.grid{stroke:var(--rule);stroke-width:1;fill:none}.tick{fill:var(--soft)}.day{fill:var(--ink)}.value{fill:var(--ink);font-weight:600;
stroke:var(--page);stroke-width:4px;paint-order:stroke}
.zero{stroke:var(--soft);stroke-width:1;fill:none}
.line{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke:var(--line)}.line.second{stroke:var(--second);
stroke-dasharray:5 3}.line.thin{stroke-width:1}
.line.r0{stroke-width:4}.line.r1{stroke:var(--buy);stroke-width:3.2}.line.r2{stroke:var(--sell);stroke-width:2.6}
.line.r3{stroke:var(--second);stroke-width:2.1}.line.r4{stroke:var(--good)}.line.r5{stroke:var(--bad);stroke-width:1.2}
.line.again{stroke-dasharray:7 3}b.r1{color:var(--buy)}b.r2{color:var(--sell)}
b.r3{color:var(--second)}b.r4{color:var(--good)}b.r5{color:var(--bad)}
.band{fill:var(--band);fill-opacity:.35;stroke:var(--band);stroke-width:1}
.area{stroke:none;fill:var(--line);fill-opacity:.15}.area.fall{fill:var(--bad);fill-opacity:.3}
.mark{stroke:var(--page);stroke-width:1}.mark.buy{fill:var(--buy)}.mark.sell{fill:var(--sell)}
.mark:hover{stroke:var(--ink);stroke-width:2}
b.buy,td .buy{color:var(--buy)}b.sell,td .sell{color:var(--sell)}
.bar.up{fill:var(--good)}.bar.down{fill:var(--bad)}
.s5{fill:var(--good)}.s4{fill:var(--good);fill-opacity:.55}.s3{fill:var(--sell);fill-opacity:.55}.s2{fill:var(--sell)}
.s1{fill:var(--bad)}.s0{fill:var(--rule)}.covered{fill:var(--buy);fill-opacity:.6}.gap{fill:var(--bad)}
.odd{fill:var(--second)}.on{fill:var(--ink);font-weight:600;stroke:var(--page);
stroke-width:3px;paint-order:stroke}
svg.key{display:inline-block;width:.8em;min-width:0;vertical-align:-.05em}
"""
