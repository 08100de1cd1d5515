"""The strategy of `bench latency`: each trade is answered by an order that rests far below, and the one before is taken back."""

from typing import Any

from tradebot.strategies.strategy import Strategy


class Pinger(Strategy):
    def on_trade(self, trade: Any) -> None:
        for order in self.open_orders():
            self.cancel(order)
        self.buy(self.lot * 10, price=self.book.bid - 100 * self.tick, time_in_force="POST_ONLY")
