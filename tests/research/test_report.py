"""The report of a made run: well-formed, alone, escaped, honest in red, and the same bytes each time."""

import json
import re
import tomllib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tradebot._core.types import FACT_DTYPE, SAMPLE_DTYPE
from tradebot.domain.orders import Kind
from tradebot.domain.units import time_text
from tradebot.research import report
from tradebot.research.metrics import metrics
from tradebot.research.page import money, number, percent, span
from tradebot.research.report import config_text, write_report

MAKE = Callable[..., Path]
VOID_TAGS = {"meta", "br", "hr", "img", "input", "link"}
PAID = {"maker_fee": "0.1", "taker_fee": "0.1"}
SECTIONS = [
    "Price and fills",
    "Equity and drawdown",
    "Position",
    "Where the P&L came from",
    "Net P&L by fee and latency",
    "Markouts",
    "Orders",
    "Fills",
    "Beside it: buy and hold",
    "All figures",
    "Assumptions",
    "Gaps and quality of the data",
    "Run it again",
]


class Reader(HTMLParser):
    """Follows open tags and collects text by tag; raises where a tag closes that is not the innermost."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.texts.setdefault(tag, []).append("")
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data


def read(folder: Path) -> tuple[str, Reader]:
    html = write_report(folder).read_text(encoding="utf-8")
    return html, Reader(html)


def banner(html: str) -> str:
    found = re.search(r'<div class="banner".*?</div>', html, re.DOTALL)
    return found.group() if found else ""


def test_the_page_is_well_formed_and_holds_its_sections_in_order(make_run: MAKE) -> None:
    _, reader = read(make_run())
    assert reader.texts["h2"] == SECTIONS
    assert reader.tags.count("svg") == 6
    assert reader.texts["h1"] == ["maker on BTC/USD@bitstamp"]


def test_the_page_stands_alone(make_run: MAKE) -> None:
    html, reader = read(make_run())
    assert re.search(r"https?://|url\(|@import|@font-face", html) is None
    assert {"script", "link", "img", "iframe", "object", "embed"}.isdisjoint(reader.tags)
    assert {"src", "href"}.isdisjoint(name for name, _ in reader.attributes)
    assert not any(name.startswith("on") for name, _ in reader.attributes)


def test_names_from_a_run_are_shown_as_text(make_run: MAKE) -> None:
    evil = "<script>alert('x')</script>\"&"
    folder = make_run(
        seconds=300,
        strategies=[{"number": 1, "name": evil}],
        command=evil,
        config={"evil": evil},
        assumptions=[evil],
        quarantined=[evil],
        book_check={"misses": [evil]},
        run_id="<b>bold</b>",
    )
    html, reader = read(folder)
    assert "<script" not in html
    assert "<b>bold" not in html
    assert "script" not in reader.tags
    assert evil in reader.texts["h1"][0]
    assert any(evil in text for text in reader.texts["li"])


def test_a_run_with_costs_and_equal_books_has_no_banner(make_run: MAKE) -> None:
    html, _ = read(make_run(seconds=300))
    assert banner(html) == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"maker_fee": "0"}, "maker fee of this run is zero"),
        ({"taker_fee": "0.000"}, "taker fee of this run is zero"),
        ({"costs": {**PAID, "answer_latency_ns": 1}}, "latency of this run is zero"),
        ({"costs": {**PAID, "order_latency_ns": 1}}, "latency of this run is zero"),
        ({"quarantined": [1]}, "maker raised an error and was quarantined"),
    ],
)
def test_what_flatters_a_run_stands_in_red_before_everything_else(
    make_run: MAKE, options: dict[str, object], words: str
) -> None:
    folder = make_run(seconds=120, **options)
    html, _ = read(folder)
    assert words in banner(html)
    assert html.index('class="banner"') < html.index("<h1>")
    assert words in " ".join(json.loads((folder / "report.json").read_text())["warnings"])


def test_books_that_disagree_are_shown_in_red(make_run: MAKE) -> None:
    folder = make_run(seconds=300)
    samples = np.fromfile(folder / "samples.bin", SAMPLE_DTYPE)
    samples["realised"][-1] -= 5
    samples.tofile(folder / "samples.bin")
    html, _ = read(folder)
    assert "The books disagree" in banner(html)
    assert "DIFFERENT" in html


def test_the_headline_is_the_sum_of_the_metrics(make_run: MAKE) -> None:
    folder = make_run()
    html, _ = read(folder)
    found = metrics(folder)
    head = html[html.index("<header>") : html.index("</header>")]
    for name in ("spread_earned", "adverse_selection", "net_pnl"):
        assert money(found[name], "USD", sign=True) in head
    assert "30 minutes prove nothing about an edge" in head
    assert percent(found["break_even_maker_fee"], 4) in head


def test_each_fill_is_a_mark_with_its_story(make_run: MAKE) -> None:
    folder = make_run()
    _, reader = read(folder)
    found = metrics(folder)
    stories = [text for text in reader.texts["title"] if " as maker · " in text or " as taker · " in text]
    assert len(stories) == found["fills"]
    makers = [story for story in stories if " as maker" in story]
    assert len(makers) == found["maker_fills"] > 100
    for word in ("UTC", " BTC at 65,", "fee ", "in the queue ", "ahead when accepted ", "ahead at the fill "):
        assert all(word in story for story in makers)


def test_a_story_is_that_of_its_own_fill(make_run: MAKE) -> None:
    folder = make_run(seconds=600)
    _, reader = read(folder)
    facts = np.fromfile(folder / "facts.bin", FACT_DTYPE)
    fills = facts[facts["kind"] == Kind.ORDER_FILLED]
    stories = [text.split("\n") for text in reader.texts["title"] if "er · maker" in text]
    assert len(stories) == len(fills)
    for story, fill in zip(stories, fills, strict=True):
        assert story[1] == f"{time_text(int(fill['time_ns']))[:23].replace('T', ' ')} UTC"
        assert story[2].endswith(f" at {fill['price'] / 100:,.2f} USD")
        assert story[3] == f"fee {money(int(fill['fee']), 'USD')} USD"


def test_capped_tables_say_how_many_rows_are_left_out(
    make_run: MAKE, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run()
    found = metrics(folder)
    monkeypatch.setattr(report, "FILLS_MAX", 10)
    monkeypatch.setattr(report, "ORDERS_MAX", 200)
    html, _ = read(folder)
    assert f"The first 200 of {found['orders']:,} orders; {found['orders'] - 200:,} are left out." in html
    assert f"The first 10 of {found['fills']:,} fills; {found['fills'] - 10:,} are left out." in html
    fills = html[html.index("<h2>Fills") : html.index("<h2>Beside it")]
    assert fills.count("<tr>") == 11


def test_the_heat_table_outlines_the_runs_own_cell(make_run: MAKE) -> None:
    html, _ = read(make_run(seconds=120))
    own = re.findall(r'<td class="own"[^>]*>(.*?)<div', html)
    assert own == [money((900 - 40 * 50) * 10**8 // 50 - 5 * 10**9, "USD", sign=True)]


def test_without_a_grid_there_is_no_heat_table(make_run: MAKE) -> None:
    _, reader = read(make_run(seconds=120, grid=None))
    assert "Net P&L by fee and latency" not in reader.texts["h2"]


def test_the_json_report_carries_the_runs_identity_and_all_metrics(make_run: MAKE) -> None:
    folder = make_run(seconds=300)
    write_report(folder)
    data = json.loads((folder / "report.json").read_text())
    assert (data["run_id"], data["digest"]) == ("2026-01-05-made-0001", "8d5f0a6b1c2e3f40")
    assert data["metrics"] == metrics(folder)
    assert set(data["definitions"]) == set(data["metrics"])


def test_the_same_results_give_the_same_bytes(make_run: MAKE) -> None:
    first, second = make_run("one", seconds=300), make_run("two", seconds=300)
    assert write_report(first).read_bytes() == write_report(second).read_bytes()
    assert (first / "report.json").read_bytes() == (second / "report.json").read_bytes()


def test_a_run_that_did_nothing_still_has_a_report(make_run: MAKE) -> None:
    folder = make_run(seconds=0, opening={}, account={"start": []}, grid=[], book_check=None)
    for name in ("facts", "samples", "markouts"):
        (folder / f"{name}.bin").write_bytes(b"")
    html, reader = read(folder)
    assert "No fills to follow." in html
    assert reader.texts["h2"][0] == "Price and fills"


def test_the_reproduction_box_names_command_digest_checksum_and_versions(make_run: MAKE) -> None:
    _, reader = read(make_run(seconds=120))
    box = reader.texts["pre"][0]
    for words in (
        "tradebot backtest -c maker.toml",
        "8d5f0a6b1c2e3f40",
        "5b1e0c77",
        "numpy 2.4.6",
        "9f31a2c4",
    ):
        assert words in box


def test_the_configuration_is_printed_as_toml_that_reads_back() -> None:
    config: dict[str, object] = {
        "mode": "backtest",
        "empty": [],
        "unset": None,
        "costs": {"latency": "50ms", "fees": {"maker": 0.1, "on": True}},
        "strategy": [{"use": 'a"b\\c', "params": {"n": 3}}, {"use": "two", "list": [1, 2]}],
        "odd key": "ü",
    }
    parsed = tomllib.loads(config_text(config))
    assert parsed == {key: value for key, value in config.items() if value is not None}


def test_numbers_are_written_for_people() -> None:
    assert money("1234567.891", "USD") == "1,234,567.89"
    assert money("-0.001", "USD", sign=True) == "0.00"
    assert money(-123_456_789, "BTC") == "−1.23456789"
    assert number(5, sign=True) == "+5"
    assert percent("0.003") == "0.30 %"
    assert percent(None) == "–"
    lengths = [50_000_000, 2_500_000_000, 1_800_000_000_000, 7_500_000_000_000, 3 * 86_400 * 10**9]
    assert [span(ns) for ns in lengths] == ["50 ms", "2.5 s", "30 minutes", "2 h 5 min", "3 days"]
