"""The picture of an audit: well-formed, escaped, the same bytes from the same ticks, and every mark where it belongs."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import msgspec
import pytest

from tests.research.ticks import DAY, FIRST_DAY, INSTRUMENT, MINUTE, SECOND, Market, joined, row
from tradebot._core.types import Kind
from tradebot.domain.errors import StoreFull
from tradebot.research import audit_page
from tradebot.research.audit import DayAudit, audit_days
from tradebot.research.audit_figures import HOLE_DAYS_MAX, day_bands, day_strip, score_class
from tradebot.research.audit_page import audit_html, write_audit
from tradebot.research.chart import LEFT, RIGHT, WIDTH


def some_days(count: int, skip: int = 0) -> list[DayAudit]:
    """A day of ticks, again and again, with a hole of `skip` days before the last."""
    records = joined(Market(2, faults=0.02).rows(300))
    parts = []
    for day in range(count):
        later = records.copy()
        for name in ("time_ns", "venue_ns"):
            later[name] += (day + (skip if day == count - 1 else 0)) * DAY
        parts.append(later)
    return list(audit_days(INSTRUMENT, parts))


def elements(svg: str, classes: str) -> list[ElementTree.Element]:
    return [one for one in ElementTree.fromstring(svg).iter() if one.get("class") == classes]


def test_the_page_is_whole_and_fetches_nothing() -> None:
    html = audit_html(some_days(3))
    for svg in re.findall(r"<svg.*?</svg>", html):
        ElementTree.fromstring(svg)
    assert "<script" not in html and "http" not in html and "url(" not in html
    assert html == audit_html(some_days(3))


def test_names_are_escaped() -> None:
    day = msgspec.structs.replace(some_days(1)[0], instrument="<b>&")
    html = audit_html([day])
    assert "<b>&" not in html and "&lt;b&gt;&amp;" in html


def test_a_cell_stands_for_each_day_and_each_day_without_facts() -> None:
    days = some_days(3, skip=2)
    svg = day_strip(days)
    coloured = [one for name in ("s1", "s2", "s3", "s4", "s5") for one in elements(svg, name)]
    assert (len(coloured), len(elements(svg, "s0"))) == (3, 2)
    assert [day.day in svg for day in days] == [True] * 3
    far = day_strip(some_days(3, skip=HOLE_DAYS_MAX + 1))
    assert len(elements(far, "s0")) == 1 and f"{HOLE_DAYS_MAX + 1} days without facts" in far


def test_many_days_go_over_several_lines_inside_the_drawing() -> None:
    day = some_days(1)[0]
    days = [msgspec.structs.replace(day, first_ns=day.first_ns + at * DAY) for at in range(200)]
    svg = ElementTree.fromstring(day_strip(days))
    cells = [one for one in svg.iter() if one.tag == "rect"]
    assert len(cells) == 200
    height = int(svg.get("viewBox", "").split()[3])
    assert all(float(one.get("x", "")) + float(one.get("width", "")) <= WIDTH for one in cells)
    assert max(float(one.get("y", "")) + float(one.get("height", "")) for one in cells) <= height
    assert len({(one.get("x"), one.get("y")) for one in cells}) == 200


def test_gaps_and_outliers_are_marked_at_their_time_of_the_day() -> None:
    times = [*range(6 * 3600, 7 * 3600), *range(12 * 3600, 13 * 3600)]
    prices = {12 * 3600 + 1800: 999}
    rows = [row(FIRST_DAY + second * SECOND, Kind.TRADE, price=prices.get(second, 100 + second % 2)) for second in times]
    (day,) = audit_days(INSTRUMENT, [joined(rows)])
    svg = day_bands([day])
    (gap,) = elements(svg, "gap")
    per_hour = (WIDTH - LEFT - RIGHT) / 24
    assert float(gap.get("x", "")) == pytest.approx(LEFT + 7 * per_hour, abs=0.2)
    assert float(gap.get("width", "")) == pytest.approx(5 * per_hour, abs=0.2)
    assert gap[0].text == "gap: 06:59:59.000 to 12:00:00.000, 5 h"
    (mark,) = elements(svg, "mark odd")
    assert float(mark.get("d", "")[1:].split(",")[0]) == pytest.approx(LEFT + 12.5 * per_hour, abs=0.2)
    first, second = elements(svg, "covered")
    assert float(first.get("width", "")) == float(second.get("width", "")) == pytest.approx(per_hour, abs=0.2)


def test_only_the_lowest_scores_are_drawn_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_page, "BANDS_MAX", 2)
    day = some_days(1)[0]
    scores = (90.0, 10.0, 95.0, 20.0)
    days = [msgspec.structs.replace(day, score=score, day=f"2024-01-0{at}") for at, score in enumerate(scores, 1)]
    minutes = audit_html(days).split("<h2>Minutes</h2>")[1].split("<h2>")[0]
    assert re.findall(r'class="day"[^>]*>([^<]+)<', minutes) == ["2024-01-02", "2024-01-04"]
    assert "The 2 of 4 days with the lowest scores" in minutes


def test_a_day_of_slow_bars_is_drawn_too() -> None:
    bars = [row(FIRST_DAY + at * DAY, Kind.BAR, venue_ns=FIRST_DAY + (at - 1) * DAY, price=5) for at in range(1, 4)]
    hours = [row(FIRST_DAY + at * 60 * MINUTE, Kind.BAR, venue_ns=FIRST_DAY + at, price=5, owner=3600) for at in range(1, 20)]
    for rows in (bars, hours):
        ElementTree.fromstring(day_bands(list(audit_days(INSTRUMENT, [joined(rows)]))))


def test_the_file_is_named_for_what_is_in_it(tmp_path: Path) -> None:
    days = some_days(2)
    assert write_audit(tmp_path, days).name == "audit-btc-usdt-usdt-venue-20240318-20240319.html"
    other = msgspec.structs.replace(days[0], instrument="ETH/USDT@venue")
    assert write_audit(tmp_path, [*days, other]).name == "audit-all-20240318-20240319.html"


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    days = some_days(1)
    (tmp_path / write_audit(tmp_path, days).name).unlink()
    (tmp_path / "audit-btc-usdt-usdt-venue-20240318-20240318.html").symlink_to("/dev/full")
    with pytest.raises(StoreFull):
        write_audit(tmp_path, days)


def test_every_score_has_a_colour() -> None:
    assert [score_class(score) for score in (100.0, 99.9, 95.0, 94.9, 80.0, 50.0, 49.9, 0.0)] == [
        "s5", "s4", "s4", "s3", "s3", "s2", "s1", "s1",
    ]  # fmt: skip
