"""Times in every unit and as text: the unit is told by size, and what cannot be a time is refused."""

import pytest

from tradebot.store.times import TIMES, read_time

NOON = 1_704_110_400  # 2024-01-01T12:00:00Z


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        (f"{NOON}", NOON * 10**9),
        (f"{NOON}.25", NOON * 10**9 + 250_000_000),
        (f"{NOON}001", NOON * 10**9 + 1_000_000),
        (f"{NOON}001.5", NOON * 10**9 + 1_500_000),
        (f"{NOON}000001", NOON * 10**9 + 1_000),
        (f"{NOON}000000001", NOON * 10**9 + 1),
        ("2024-01-01", (NOON - 43_200) * 10**9),
        ("2024-01-01 12:00", NOON * 10**9),
        ("2024-01-01T12:00:00Z", NOON * 10**9),
        ("2024-01-01T12:00:00.123456789Z", NOON * 10**9 + 123_456_789),
        ("2024-01-01T14:30:00+02:30", NOON * 10**9),
        ("1970-01-01 00:00:01", 10**9),
    ],
)
def test_a_time_is_read_in_every_unit(text: str, time_ns: int) -> None:
    assert read_time(text) == time_ns
    assert list(TIMES.read_many([text, text])) == [time_ns] * 2


@pytest.mark.parametrize(
    "text",
    ["", "x", "1", "99999999", "-1704110400000", "1e12", "2024-13-01", "2024-01-01 25:00", "9" * 19, "2300-01-01",
     "1969-12-31", "1704110400.1234567891", "1704110400000000000.5", "١٧٠٤١١٠٤٠٠", "1704110400" + "0" * 12],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|month|hour"):
        read_time(text)
    with pytest.raises(ValueError, match=r"expected|month|hour"):
        list(TIMES.read_many([text]))


def test_a_column_may_change_its_unit_half_way() -> None:
    assert list(TIMES.read_many([f"{NOON}000", f"{NOON}000001"])) == [NOON * 10**9, NOON * 10**9 + 1_000]
