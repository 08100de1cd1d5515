"""nautilus_trader's own figures for sequences of fills of a contract: realised profit, commissions, margins.

Reads one JSON object: kind ("linear" or "inverse"), leverage, maintenance, and fills as [is_sell, price, quantity]. Prints a line of
JSON for each fill: the position after it and what its Position objects and MarginAccount say. A fill that crosses zero is split,
as its execution engine does, for a Position of theirs ends when it is flat.
"""

import json
import sys
from decimal import Decimal

from nautilus_trader.accounting.accounts.margin import MarginAccount
from nautilus_trader.accounting.margin_models import StandardMarginModel
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.model.currencies import BTC, USD, USDT
from nautilus_trader.model.enums import AccountType, LiquiditySide, OrderSide, OrderType
from nautilus_trader.model.events import AccountState, OrderFilled
from nautilus_trader.model.identifiers import (
    AccountId, ClientOrderId, InstrumentId, PositionId, StrategyId, Symbol, TradeId, TraderId, VenueOrderId,
)
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import AccountBalance, Currency, Money, Price, Quantity
from nautilus_trader.model.position import Position

FEE = Decimal("0.0005")


def make_instrument(kind, maintenance):
    is_inverse = kind == "inverse"
    return CryptoPerpetual(
        instrument_id=InstrumentId.from_str("BTCUSD-PERP.BINANCE"), raw_symbol=Symbol("BTCUSD"), base_currency=BTC,
        quote_currency=USD if is_inverse else USDT, settlement_currency=BTC if is_inverse else USDT, is_inverse=is_inverse,
        price_precision=1, size_precision=0 if is_inverse else 3, price_increment=Price.from_str("0.1"),
        size_increment=Quantity.from_int(1) if is_inverse else Quantity.from_str("0.001"),
        multiplier=Quantity.from_int(100 if is_inverse else 1), max_quantity=None, min_quantity=None, max_notional=None,
        min_notional=None, max_price=None, min_price=None, margin_init=Decimal(1), margin_maint=Decimal(maintenance),
        maker_fee=FEE, taker_fee=FEE, ts_event=0, ts_init=0,
    )


def make_account(currency, leverage):
    total = Money(1_000_000, currency)
    state = AccountState(
        account_id=AccountId("BINANCE-1"), account_type=AccountType.MARGIN, base_currency=None, reported=True,
        balances=[AccountBalance(total, Money(0, currency), total)], margins=[], info={}, event_id=UUID4(), ts_event=0, ts_init=0,
    )
    account = MarginAccount(state)
    account.set_default_leverage(Decimal(leverage))
    return account


class Book:
    """The positions of one instrument, one after the other."""

    def __init__(self, instrument, account):
        self.instrument, self.account = instrument, account
        self.position, self.ended, self.trades = None, Decimal(0), 0
        self.commission = Decimal(0)

    def fill(self, is_sell, price, quantity):
        held = Decimal(str(self.position.signed_qty)).quantize(Decimal(quantity)) if self.position else Decimal(0)
        size = Decimal(quantity)
        closing = min(abs(held), size) if held and (held < 0) != is_sell else Decimal(0)
        for part in (closing, size - closing):
            if part:
                self.apply(is_sell, price, str(part))

    def apply(self, is_sell, price, quantity):
        self.trades += 1
        px, qty = Price.from_str(price), Quantity.from_str(quantity)
        paid = self.account.calculate_commission(self.instrument, qty, px, LiquiditySide.TAKER)
        self.commission += paid.as_decimal()
        event = OrderFilled(
            TraderId("T-1"), StrategyId("S-1"), self.instrument.id, ClientOrderId(f"O-{self.trades}"), VenueOrderId(str(self.trades)),
            self.account.id, TradeId(str(self.trades)), PositionId("P-1"), OrderSide.SELL if is_sell else OrderSide.BUY,
            OrderType.MARKET, qty, px, self.instrument.quote_currency, paid, LiquiditySide.TAKER, UUID4(), 0, 0,
        )
        if self.position is None:
            self.position = Position(self.instrument, event)
        else:
            self.position.apply(event)
        if self.position.is_closed:
            self.ended += self.position.realized_pnl.as_decimal()
            self.position = None


def main():
    case = json.load(sys.stdin)
    instrument = make_instrument(case["kind"], case["maintenance"])
    account = make_account(instrument.settlement_currency, case["leverage"])
    standard = make_account(instrument.settlement_currency, case["leverage"])
    standard.set_margin_model(StandardMarginModel())
    book = Book(instrument, account)
    for is_sell, price, quantity in case["fills"]:
        book.fill(is_sell, price, quantity)
        open_ = book.position
        px, qty = Price.from_str(price), Quantity.from_str(quantity)
        print(json.dumps({
            "position": str(open_.signed_qty if open_ else 0),
            "realised": str(book.ended + (open_.realized_pnl.as_decimal() if open_ else 0)),
            "commission": str(book.commission),
            "unrealised": str(open_.unrealized_pnl(px).as_decimal() if open_ else 0),
            "initial": str(account.calculate_margin_init(instrument, qty, px).as_decimal()),
            "maintenance": str(standard.calculate_margin_maint(instrument, open_.side if open_ else None, qty, px).as_decimal())
            if open_ else None,
        }))


main()
