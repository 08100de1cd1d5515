"""Facts of a run in words: what a person reads in `logs`, `explain` and `monitor`.

A fact is integers: ticks, lots, numbers of strategies and refusals. Here they become the names and the decimal text of the run,
as one flat mapping per fact, with one sentence of it under `text`. Keys are there where they mean something.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from tradebot._core.types import Act, Flag, Kind, OrderType, TimeInForce
from tradebot.domain.instrument import Instrument
from tradebot.domain.market import kind_name
from tradebot.domain.orders import OrderFlag, Reject, TradingState
from tradebot.domain.units import money_text, time_text

ALL_STRATEGIES: Final = 65_535
ALWAYS_SIDED: Final = frozenset({Kind.ORDER_FILLED, Kind.LIQUIDATED, Kind.PLACE_ORDER, Kind.ORDER_REJECTED, Kind.ORDER_CANCELLED,
                                 Kind.ORDER_ACCEPTED, Kind.ORDER_AMENDED, Kind.ORDER_TRIGGERED})  # fmt: skip
WITHOUT_AMOUNT: Final = frozenset({Kind.CANCEL_ORDER, Kind.CANCEL_REJECTED, Kind.AMEND_REJECTED})


class Teller:
    """Knows the names of one run."""

    def __init__(self, instruments: Sequence[Instrument], assets: Sequence[str], strategies: Mapping[int, str]) -> None:
        self.instruments = {one.id: one for one in instruments}
        self.assets, self.strategies = assets, strategies

    def tell(self, fact: np.void) -> dict[str, Any]:
        """A fact by names. Numbers that this version does not know are told as numbers."""
        kind = int(fact["kind"])
        found: dict[str, Any] = {"time": time_text(int(fact["time_ns"])), "event": kind_name(kind)}
        if kind >= Kind.PLACE_ORDER or Kind.ORDER_ACCEPTED <= kind <= Kind.LIQUIDATED:
            found |= self.order_slots(fact, kind)
        elif kind >= Kind.STRATEGY_QUARANTINED:
            found |= self.control_slots(fact, kind)
        else:
            found |= self.market_slots(fact, kind)
        return found | {"text": self.sentence(found, fact, kind)}

    def strategy(self, number: int) -> str:
        return "all" if number == ALL_STRATEGIES else self.strategies.get(number, f"strategy {number}")

    def order_slots(self, fact: np.void, kind: int) -> dict[str, Any]:
        found: dict[str, Any] = {"order": int(fact["id"])} if fact["id"] else {}
        found["strategy"] = self.strategy(int(fact["owner"]))
        instrument = self.instruments.get(int(fact["instrument"]))
        if instrument is None:
            return found
        found["instrument"] = instrument.name
        if kind == Kind.FUNDING_PAID:
            return found | self.fee_slots(fact)
        if kind in ALWAYS_SIDED:
            found["side"] = "sell" if fact["flags"] & Flag.SELL else "buy"
        if kind not in WITHOUT_AMOUNT:
            found["quantity"] = instrument.quantity_text(int(fact["quantity"]))
            if fact["price"]:
                found["price"] = instrument.price_text(int(fact["price"]))
        if kind == Kind.PLACE_ORDER:
            found |= self.place_slots(fact, instrument)
        if kind in (Kind.ORDER_FILLED, Kind.LIQUIDATED):
            found |= {"trade": int(fact["trade_id"]), "is_maker": bool(fact["flags"] & Flag.MAKER), **self.fee_slots(fact)}
        if kind == Kind.ORDER_FILLED:
            found["remaining"] = instrument.quantity_text(int(fact["parent"]))
        if fact["reject"]:
            found["reject"] = reject_words(int(fact["reject"]))
        return found

    def place_slots(self, fact: np.void, instrument: Instrument) -> dict[str, Any]:
        found: dict[str, Any] = {"type": _name(OrderType, int(fact["order_type"]))}
        if fact["time_in_force"]:
            found["time_in_force"] = _name(TimeInForce, int(fact["time_in_force"]))
        prices = {"trigger": fact["trigger"], "trails_by": fact["display"], "stop_loss": fact["id2"],
                  "take_profit": fact["venue_sequence"]}  # fmt: skip
        found |= {name: instrument.price_text(int(value)) for name, value in prices.items() if value}
        if fact["parent"]:
            found["parent"] = int(fact["parent"])
        found |= {f"is_{flag.name.lower()}": True for flag in OrderFlag if fact["flags2"] & flag}
        return found

    def fee_slots(self, fact: np.void) -> dict[str, Any]:
        asset = int(fact["fee_asset"])
        name = self.assets[asset] if asset < len(self.assets) else str(asset)
        return {"fee": money_text(int(fact["fee"])), "fee_asset": name}

    def control_slots(self, fact: np.void, kind: int) -> dict[str, Any]:
        number = int(fact["id"])
        if kind == Kind.STRATEGY_QUARANTINED:
            return {"strategy": self.strategy(int(fact["owner"])), "fact": number}
        if kind == Kind.TRADING_STATE_CHANGED:
            return {"state": _name(TradingState, number)}
        if kind == Kind.OPERATOR_ACT:
            return {"act": _name(Act, number), "strategy": self.strategy(int(fact["owner"]))}
        return {"epoch": number, "is_anew": bool(fact["id2"])}

    def market_slots(self, fact: np.void, kind: int) -> dict[str, Any]:
        if kind == Kind.TIMER:
            owner = int(fact["owner"])
            return {"strategy": "bars" if owner == ALL_STRATEGIES else self.strategy(owner), "timer": int(fact["id"])}
        instrument = self.instruments.get(int(fact["instrument"]))
        if instrument is None:
            return {}
        found = {"instrument": instrument.name}
        if kind not in (Kind.GAP, Kind.FEED_STATE, Kind.INSTRUMENT_CHANGED, Kind.OPEN_INTEREST):
            found["price"] = instrument.price_text(int(fact["price"]))
        if Kind.TRADE <= kind <= Kind.L3_EXECUTE:
            found["quantity"] = instrument.quantity_text(int(fact["quantity"]))
            found["side"] = "sell" if fact["flags"] & Flag.SELL else "buy"
        return found

    def sentence(self, found: Mapping[str, Any], fact: np.void, kind: int) -> str:
        """What happened, to people."""
        words = " ".join(str(found[name]) for name in ("side", "quantity") if name in found)
        at = f" at {found['price']}" if "price" in found else ""
        why = f": {found['reject']}" if "reject" in found else ""
        whose = f" for {found['strategy']}" if "strategy" in found else ""
        name = found.get("instrument", "")
        if kind == Kind.PLACE_ORDER:
            terms = " ".join(found[one] for one in ("type", "time_in_force") if one in found)
            trigger = f" when {found['trigger']} trades" if "trigger" in found else ""
            guard = f", guards {found['parent']}" if "parent" in found else ""
            return f"placed: {words} {name}{at}, {terms}{trigger}{whose}{guard}"
        if kind == Kind.ORDER_FILLED:
            how = "maker" if found.get("is_maker") else "taker"
            rest = f", {found['remaining']} left" if fact["parent"] else ", filled whole"
            return f"filled: {words} {name}{at} as {how}, fee {found.get('fee')} {found.get('fee_asset')}{rest}"
        if kind in SENTENCES:
            return SENTENCES[kind].format(words=words, name=name, at=at, why=why, whose=whose, **_safe(found))
        return f"{found['event'].replace('_', ' ')} {words} {name}{at}".replace("  ", " ").strip()


SENTENCES: Final[dict[int, str]] = {
    Kind.ORDER_ACCEPTED: "accepted: {words} {name}{at}",
    Kind.ORDER_REJECTED: "refused: {words} {name}{at}{whose}{why}",
    Kind.ORDER_CANCELLED: "cancelled, {quantity} left{why}",
    Kind.CANCEL_REJECTED: "cancel refused{why}",
    Kind.ORDER_AMENDED: "changed: {words}{at}{why}",
    Kind.AMEND_REJECTED: "change refused{why}",
    Kind.ORDER_TRIGGERED: "triggered, {quantity} left{at}",
    Kind.FUNDING_PAID: "funding of {name}{whose}: paid {fee} {fee_asset}",
    Kind.LIQUIDATED: "liquidated: {words} {name}{at}{whose}",
    Kind.CANCEL_ORDER: "cancel asked{whose}",
    Kind.AMEND_ORDER: "change asked: {words}{at}{whose}",
    Kind.STRATEGY_QUARANTINED: "{strategy} is quarantined: it raised on fact {fact}; the node's log says where",
    Kind.TRADING_STATE_CHANGED: "trading is {state}",
    Kind.OPERATOR_ACT: "{act} of {strategy}",
    Kind.EPOCH_STARTED: "epoch {epoch} begins",
    Kind.TIMER: "timer {timer} of {strategy}",
    Kind.GAP: "gap in the feed of {name}",
}


def _safe(found: Mapping[str, Any]) -> dict[str, Any]:
    """Every name that a sentence may use; "?" where a fact does not have it."""
    names = ("quantity", "fee", "fee_asset", "strategy", "fact", "state", "act", "epoch", "timer")
    return {name: found.get(name, "?") for name in names}


def reject_words(number: int) -> str:
    """A refusal in words: "price out of band", "by the venue: post only would take"."""
    try:
        name = Reject(number).name
    except ValueError:  # of a later version
        return f"reason {number}"
    words = name.removeprefix("VENUE_").lower().replace("_", " ")
    return f"by the venue: {words}" if name.startswith("VENUE_") else words


def _name(names: Any, number: int) -> str:
    try:
        return str(names(number).name).lower().replace("_", " ")
    except ValueError:
        return str(number)
