"""The page of a comparison: alone, escaped, loud where the data differ, its lines on one axis, the same bytes each time."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.research.conftest import INSTRUMENT
from tests.research.test_report import Reader
from tradebot.research.comparison import compare
from tradebot.research.comparison_page import COLOURS, comparison_html, write_comparison

MAKE = Callable[..., Path]


def two(make_run: MAKE, **changes: object) -> list[Path]:
    """Two runs that differ in their fees, and in `changes`."""
    settings = {"seconds": 300, "run_id": "b", "maker_fee": "0.01", **changes}
    return [make_run("a", seconds=300, run_id="a"), make_run("b", **settings)]


def lines(html: str) -> list[list[tuple[float, float]]]:
    """The points of each line of the first chart."""
    chart = re.findall(r"<svg.*?</svg>", html, re.DOTALL)[0]
    paths = re.findall(r'<path class="line r[^"]*" d="([^"]+)"', chart)
    return [[(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+),([\d.]+)", path)] for path in paths]


def test_the_page_is_well_formed_alone_and_in_order(make_run: MAKE) -> None:
    html = comparison_html(compare(two(make_run)))
    reader = Reader(html)
    assert reader.texts["h1"] == ["A and B side by side"]
    assert reader.texts["h2"] == [
        "What was set apart",
        "Equity",
        "Where the money differs",
        "Figures that differ",
        "Where they part",
        "Orders from there on",
        "Fills from there on",
    ]
    assert re.search(r"https?://|url\(|@import|@font-face|<script", html) is None
    assert {"script", "link", "img"}.isdisjoint(reader.tags) and {"src", "href"}.isdisjoint(name for name, _ in reader.attributes)
    assert 'role="alert"' not in html


def test_names_from_runs_are_shown_as_text(make_run: MAKE) -> None:
    evil = "<script>alert('x')</script>\"&"
    html = comparison_html(compare(two(make_run, strategies=[{"number": 1, "name": evil, "params": {evil: evil}}])))
    assert "<script" not in html and any(evil in text for text in Reader(html).texts["td"])


def test_runs_over_different_ranges_are_called_not_comparable_before_all_else(make_run: MAKE) -> None:
    html = comparison_html(compare(two(make_run, seconds=600)))
    assert html.index('role="alert"') < html.index("<h1")
    assert "NOT COMPARABLE" in html and "The runs cover different times: A 2026-01-05 09:30:00 to " in html


def test_the_run_with_the_higher_fee_is_drawn_below_and_both_begin_at_zero(make_run: MAKE) -> None:
    first, second = lines(comparison_html(compare(two(make_run))))
    assert first[0] == second[0]
    assert [x for x, _ in first] == [x for x, _ in second]
    assert second[-1][1] > first[-1][1], "down on the page is less money"


def test_a_longer_run_reaches_further_right(make_run: MAKE) -> None:
    first, second = lines(comparison_html(compare(two(make_run, seconds=600))))
    assert first[0][0] == second[0][0]
    width = [points[-1][0] - points[0][0] for points in (first, second)]
    assert width[1] == pytest.approx(2 * width[0], abs=0.5)


def test_steps_of_money_lead_from_one_net_to_the_other(make_run: MAKE) -> None:
    found = compare(two(make_run))
    reader = Reader(comparison_html(found))
    assert {"net of A", "spread earned", "adverse selection", "fees", "net of B"} <= set(reader.texts["text"])
    assert reader.tags.count("svg") == 2


def test_currencies_are_drawn_in_percent_and_nothing_is_taken_off(make_run: MAKE) -> None:
    other = {
        "instruments": [{**INSTRUMENT, "symbol": "BTC/EUR", "quote": "EUR"}],
        "assets": ["EUR", "BTC"],
        "account": {"start": [{"asset": "EUR", "amount": "10000"}]},
        "opening": {"EUR": "10000"},
    }
    html = comparison_html(compare(two(make_run, **other)))
    assert "P&amp;L after fees since the start, in percent of the opening equity" in html
    assert "no difference of money is given" in html
    assert "net of A" not in html and len(lines(html)) == 2


def test_equal_runs_say_so(make_run: MAKE) -> None:
    html = comparison_html(compare(two(make_run, maker_fee="0.0005")))
    assert "Nothing: the same strategy, data, costs and code." in html
    assert re.search(r"Nowhere: \d+ orders and \d+ fills are the same in all\.", html)


def test_more_runs_than_colours_are_told_apart_by_dashes(make_run: MAKE) -> None:
    runs = [make_run(f"run{at}", seconds=60, seed=at, run_id=f"run{at}") for at in range(COLOURS + 1)]
    html = comparison_html(compare(runs))
    assert len(set(re.findall(r'class="(line r\d[^"]*)"', html))) == COLOURS + 1


def test_warnings_of_each_report_are_said_again(make_run: MAKE) -> None:
    html = comparison_html(compare(two(make_run, maker_fee="0")))
    assert "B: The maker fee of this run is zero." in html and "A: The maker fee" not in html


def test_the_same_runs_give_the_same_file(make_run: MAKE, tmp_path: Path) -> None:
    folders = two(make_run)
    paths = [write_comparison(tmp_path, compare(folders)) for _ in range(2)]
    assert paths[0] == paths[1]
    other = write_comparison(tmp_path, compare(folders[::-1]))
    assert other != paths[0] and paths[0].read_text() != other.read_text()
