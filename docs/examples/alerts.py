"""Two actors of docs/actors.md: one looks at the run, the other says what people should hear of, to a file and to a web hook."""

import asyncio
import json
import urllib.request
from pathlib import Path

from tradebot.actors.actor import Actor, Reachable, Struct, Terminated, Unreachable


class Alert(Struct, frozen=True, tag=1):
    """Somebody should look at this."""

    text: str


class HowMany(Struct, frozen=True, tag=2):
    """How many alerts were there?"""


class Count(Struct, frozen=True, tag=3):
    alerts: int


class Watchman(Actor):
    """Fills and troubles of the run, parts that die or fall silent, and prices that leave a band."""

    class Params(Struct, frozen=True):
        low: float = 0.0
        high: float = float("inf")
        to: str = "crier"

    messages = Count  # what the crier would answer, were it asked HowMany
    events = frozenset({"order_filled", "order_rejected", "strategy_quarantined", "trading_state_changed", "gap"})
    quotes = True
    resumes = True

    def start(self):
        self.is_outside = {}
        for part in ("engine", "gateway", "venue", "feed"):
            self.monitor(part)

    def hear(self, message, sender):
        match message:
            case Terminated() | Unreachable() | Reachable():
                self.say(f"{message.name}: {type(message).__name__.lower()}")
            case _ if hasattr(message, "bid"):
                self.look(message)
            case _:
                self.say(message.text)

    def look(self, quote):
        if quote.last is not None:
            is_outside = not self.params.low <= float(quote.last) <= self.params.high
            if is_outside and not self.is_outside.get(quote.instrument):
                self.say(f"{quote.instrument} trades at {quote.last}")
            self.is_outside[quote.instrument] = is_outside

    def say(self, text):
        if not self.tell(self.params.to, Alert(text)):
            raise RuntimeError("the crier takes nothing now")  # then it is started again and hears the events once more


class Crier(Actor):
    """Writes each alert into a file and, where it has one, posts it to a web hook."""

    messages = Alert | HowMany

    class Params(Struct, frozen=True):
        file: str
        url: str = ""

    def start(self):
        self.alerts = 0

    async def hear(self, alert, sender):
        self.alerts += 1
        with Path(self.params.file).open("a") as file:
            file.write(f"{sender}: {alert.text}\n")
        if self.params.url:
            await asyncio.to_thread(self.post, alert.text)

    def post(self, text):
        body = json.dumps({"text": text}).encode()
        request = urllib.request.Request(self.params.url, body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=5).close()

    def answer(self, question, sender):
        return Count(self.alerts)
