"""The panel of two grades: there where the manifest names another run, adding up, and nowhere else."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.research.test_report import Reader
from tradebot.research.metrics import measure
from tradebot.research.report import write_report
from tradebot.research.results import open_results

MAKE = Callable[..., Path]

BESIDE = {
    "run_id": "20260105T093000Z-bbbbbbbb",
    "grade": {"name": "bars", "note": "bar grade: orders are matched on bars of 1m made of the stored trades"},
    "gross_pnl": "4.00000000",
    "fees": "1.50000000",
    "net_pnl": "2.50000000",
    "orders": 12,
    "fills": 3,
}


def test_a_run_at_one_grade_has_no_panel(make_run: MAKE) -> None:
    assert "The same strategy at" not in write_report(make_run(seconds=300)).read_text()


def test_the_panel_shows_both_grades_and_their_difference(make_run: MAKE) -> None:
    folder = make_run(seconds=300, beside=BESIDE)
    html, metrics = write_report(folder).read_text(), measure(open_results(folder))
    assert "The same strategy at bar grade" in Reader(html).texts["h2"]
    panel = html[html.index("The same strategy at bar grade") :]
    rows = {
        cells[0]: cells[1:]
        for cells in (re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", panel))
        if cells
    }
    net = float(metrics.net_pnl)
    assert rows["net P&amp;L"][0] == "+2.50"
    assert [float(cell.replace("−", "-").replace(",", "")) for cell in rows["net P&amp;L"][1:]] == [
        round(net, 2),
        round(net - 2.5, 2),
    ]
    assert rows["fills"] == ["3", f"{metrics.fills:,}", f"{metrics.fills - 3:+,}"]
    assert BESIDE["run_id"] in panel and "The difference is what bars do not see" in panel


def test_the_steps_of_the_panel_add_up_to_the_net(make_run: MAKE) -> None:
    html = write_report(make_run(seconds=300, beside=BESIDE)).read_text()
    panel = html[html.index("The same strategy at bar grade") :]
    labels = re.findall(r'<text class="value"[^>]*>([^<]+)</text>', panel[: panel.index("</svg>")])
    start, gross, fees, end = (float(one.replace("−", "-").replace(",", "")) for one in labels)
    assert abs(start + gross + fees - end) < 0.02
