"""Units: decimal text becomes integers exactly or is refused; time as text agrees with the standard library."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradebot.domain import errors, units
from tradebot.domain.orders import NEXT, Kind, OrderState, client_order_id, split_client_order_id


@given(st.integers(-(10**18), 10**18), st.sampled_from(["1", "0.1", "0.05", "0.00000001", "25"]))
def test_steps_survive_the_way_to_text_and_back(count: int, step: str) -> None:
    text = units.steps_text(count, Decimal(step))
    assert units.steps_exactly(units.parse_decimal(text), Decimal(step)) == count


@pytest.mark.parametrize("text", ["1e999999999", "-1e999999999", "1e-999999999", "0." + "1" * 80, "9" * 80])
def test_a_number_beyond_all_sense_is_refused_not_rounded(text: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        units.steps_exactly(units.parse_decimal(text), Decimal("0.01"))


@pytest.mark.parametrize("text", ["", "abc", "nan", "inf", "1,5", "0x10"])
def test_text_that_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        units.parse_decimal(text)


def test_a_price_off_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="not a multiple"):
        units.steps_exactly(Decimal("100.05"), Decimal("0.1"))


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999_999))
def test_time_text_agrees_with_datetime(seconds: int, ns: int) -> None:
    expected = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    assert units.time_text(seconds * 10**9 + ns) == f"{expected}.{ns:09}Z"


@given(st.integers(1, 10**17))
def test_durations_survive_the_way_to_text_and_back(ns: int) -> None:
    assert units.parse_duration(units.duration_text(ns)) == ns


@given(st.integers(0, 2**10 - 1), st.integers(0, 2**13 - 1), st.integers(1, 2**40 - 1))
def test_a_client_order_id_is_its_three_parts_in_63_bits(account: int, epoch: int, number: int) -> None:
    order_id = client_order_id(account, epoch, number)
    assert 0 < order_id < 2**63
    assert split_client_order_id(order_id) == (account, epoch, number)


def test_the_table_of_an_orders_life_is_that_of_the_core() -> None:
    from tradebot._core.orders import next_state

    for state in OrderState:
        for kind in Kind:
            assert next_state(state, kind) == NEXT.get((state, kind), 0)


def test_each_kind_of_error_ends_with_its_exit_code() -> None:
    assert errors.ConfigError("").exit_code == 2
    assert errors.BadContainer("").exit_code == 1


def test_an_error_that_quotes_a_damaged_file_keeps_its_place_and_its_remedy() -> None:
    text = str(errors.BadContainer(f"expected a whole a.npz, found: {'x' * 5_000}; fetch the file again"))
    assert text.startswith("expected a whole a.npz, found: x") and text.endswith("x; fetch the file again") and len(text) < 1_500
    assert str(errors.Refused("as it is")) == "as it is"
    assert errors.NotRunning("").exit_code == 3
    assert errors.Refused("").exit_code == 4
    assert errors.StrategyBlocked("").exit_code == 5
