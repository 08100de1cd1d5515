"""Orders in words: sides, types, refusals, the life of an order as a table, and the client order id.

The numbers come from `_core.types`, which is their one source.
"""

from tradebot._core.types import Kind, OrderFlag, OrderState, OrderType, Reject, Side, TimeInForce, TradingState

__all__ = [
    "NEXT",
    "Kind",
    "OrderFlag",
    "OrderState",
    "OrderType",
    "Reject",
    "Side",
    "TimeInForce",
    "TradingState",
    "client_order_id",
    "split_client_order_id",
]

# (state, what happened) -> state. A fill goes to DONE when nothing remains. What is absent cannot happen: the kernel
# asserts it.
NEXT: dict[tuple[OrderState, Kind], OrderState] = {
    (OrderState.SENT, Kind.ORDER_ACCEPTED): OrderState.OPEN,
    (OrderState.SENT, Kind.ORDER_REJECTED): OrderState.DONE,
    (OrderState.SENT, Kind.CANCEL_ORDER): OrderState.CANCELLING,
    (OrderState.OPEN, Kind.ORDER_FILLED): OrderState.OPEN,
    (OrderState.SENT, Kind.AMEND_ORDER): OrderState.SENT,
    (OrderState.OPEN, Kind.AMEND_ORDER): OrderState.OPEN,
    (OrderState.OPEN, Kind.ORDER_AMENDED): OrderState.OPEN,
    (OrderState.OPEN, Kind.AMEND_REJECTED): OrderState.OPEN,
    (OrderState.OPEN, Kind.ORDER_TRIGGERED): OrderState.OPEN,
    (OrderState.OPEN, Kind.ORDER_CANCELLED): OrderState.DONE,
    (OrderState.OPEN, Kind.CANCEL_ORDER): OrderState.CANCELLING,
    (OrderState.CANCELLING, Kind.ORDER_ACCEPTED): OrderState.CANCELLING,
    (OrderState.CANCELLING, Kind.ORDER_REJECTED): OrderState.DONE,
    (OrderState.CANCELLING, Kind.ORDER_FILLED): OrderState.CANCELLING,
    (OrderState.CANCELLING, Kind.ORDER_AMENDED): OrderState.CANCELLING,
    (OrderState.CANCELLING, Kind.AMEND_REJECTED): OrderState.CANCELLING,
    (OrderState.CANCELLING, Kind.ORDER_TRIGGERED): OrderState.CANCELLING,
    (OrderState.CANCELLING, Kind.ORDER_CANCELLED): OrderState.DONE,
    (OrderState.CANCELLING, Kind.CANCEL_REJECTED): OrderState.OPEN,
}

NUMBER_BITS = 40
EPOCH_BITS = 13
ACCOUNT_BITS = 10


def client_order_id(account: int, epoch: int, number: int) -> int:
    """The id a venue sees, at most 63 bits: a function of account, birth epoch and command number, and of nothing else.

    The same three give the same id after any restart, which is what lets a lost answer be asked for by id.
    """
    assert 0 <= account < 1 << ACCOUNT_BITS
    assert 0 <= epoch < 1 << EPOCH_BITS
    assert 0 < number < 1 << NUMBER_BITS
    return (account << EPOCH_BITS | epoch) << NUMBER_BITS | number


def split_client_order_id(order_id: int) -> tuple[int, int, int]:
    """(account, epoch, number) of a client order id."""
    assert 0 < order_id < 1 << 63
    return (
        order_id >> (NUMBER_BITS + EPOCH_BITS),
        order_id >> NUMBER_BITS & ((1 << EPOCH_BITS) - 1),
        order_id & ((1 << NUMBER_BITS) - 1),
    )
