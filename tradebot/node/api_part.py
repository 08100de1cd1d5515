"""The part of a node that its clients reach over tcp: streams of state, facts and figures, and a desk where they ask and steer.

It reads the engine's journal and asks the desks a few times a second, however many clients there are; it yields the processor to
all other parts; controls it passes on to the engine, under the name that the client's key has. Nobody waits for it: where it is
slow, its clients are late, and where it dies, it is started again and trading has not noticed.
"""

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import Coroutine, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

from tradebot.actors.curve import public_key_of, read_or_make_secret
from tradebot.actors.front import Front
from tradebot.actors.inquiry import Inquiry
from tradebot.actors.requests import Address
from tradebot.domain.codec import Message
from tradebot.domain.errors import LocalError
from tradebot.domain.wire import (
    FACTS,
    METRICS,
    PLACES,
    STATE,
    STREAMS_PORT_AFTER,
    VERSION,
    Answer,
    Code,
    Facts,
    Metrics,
    Places,
    Refusal,
    State,
    Unread,
    encode,
    read_request,
)
from tradebot.node.api_desk import ApiDesk, Unmet
from tradebot.node.api_journal import JournalNews
from tradebot.node.api_view import NodeView, Pace
from tradebot.node.config import config_from_dict
from tradebot.node.node_schema import Api
from tradebot.node.part import Addressed, Base
from tradebot.node.session_files import API, ENGINE, GATEWAY, home_of, ipc_folder, read_prepared

STATE_S: Final = 0.5
FACTS_S: Final = 0.2  # those of a kind in this time are one message: it goes to each client, behind a cipher of its own
EVENTS_MAX: Final = 200  # in one message
METRICS_S: Final = 1.0
REPEAT_S: Final = 0.1  # between two times that last messages are said again
DESK_S: Final = 2.0
RATE: Final = 20.0  # requests a second of one name
BURST: Final = 40.0
EXPLAIN_COST: Final = 9.0  # more than any other: the journal is read for it
SERVING_MAX: Final = 500  # requests that are under way
MEMORY_MAX: Final = 1 << 30  # bytes; beyond, somebody makes this part hold what it should not, and it begins anew
NICE: Final = 10
END_S: Final = 1.0


def secret_path(home: Path) -> Path:
    """Where the node's own key is."""
    return home / "keys" / "api.secret"


def told_address(api: Api, home: Path) -> dict[str, str]:
    """What a client must know of a node; its key is made where there is none."""
    endpoint = api.endpoint
    key = public_key_of(read_or_make_secret(secret_path(home)))
    return {"address": endpoint.address(), "streams": endpoint.address(STREAMS_PORT_AFTER), "key": key}


class ApiPart(Base):
    """The process around it: no other part sends it anything."""

    name = API

    def __init__(self, folder: Path) -> None:
        prepared = read_prepared(folder)
        api = config_from_dict(prepared.config).node.api
        assert api is not None, "this part is started where the configuration has it"
        self.api, self.folder, self.run_id = api, folder.resolve(), prepared.run_id
        self.home = home_of(folder)
        self.told = told_address(api, self.home)
        self.requests: Counter[str] = Counter()
        self.refusals: Counter[int] = Counter()
        self.refused_by_name: Counter[str] = Counter()
        self.pace = Pace(RATE, BURST)
        self.tasks: set[asyncio.Task[None]] = set()
        self.due: dict[str, float] = dict.fromkeys((STATE, FACTS, METRICS, "repeat"), 0.0)
        self.facts: tuple[float, int] | None = None

    def open(self, now_ns: int) -> Iterable[Addressed]:
        with contextlib.suppress(OSError):
            os.nice(NICE)
        self.stream_id = now_ns
        secret = read_or_make_secret(secret_path(self.home))
        self.front = Front(self.api.names, secret, self.told["address"], self.told["streams"], self.hear, (PLACES, self.places))
        self.engine, latched, gateway = (self.questions(name) for name in (ENGINE, ENGINE, GATEWAY))
        self.news = JournalNews(self.folder)
        self.view = NodeView(self.home, self.run_id, self.questions(ENGINE), gateway)
        self.desk = ApiDesk(self.home, self.run_id, self.api.roles, self.engine, latched, self.view, self.news)
        self.news.start()
        return ()

    def questions(self, name: str) -> Inquiry:
        return self.front.questions(ipc_folder(self.folder), f"{name}.desk", DESK_S)

    def take(self, messages: list[Message], now_ns: int) -> Iterable[Addressed]:
        return ()

    # Requests

    def hear(self, who: str, address: Address, body: bytes) -> None:
        """One request; what is wrong with it is told at once."""
        self.requests[who] += 1
        try:
            if not self.pace.admits(who) or len(self.tasks) >= SERVING_MAX:
                raise Unread(Code.TOO_MANY, f"expected at most {RATE:g} requests a second, found more: wait a second")
            request = read_request(body)
            if request.verb == "explain" and not self.pace.admits(who, EXPLAIN_COST):
                raise Unread(Code.TOO_MANY, "expected at most two explanations a second, found more: wait", request.number)
        except Unread as error:
            self.refuse(who, address, error.number, error.code, str(error))
            return
        self.begin(self.serve(who, address, request))

    async def serve(self, who: str, address: Address, request: Any) -> None:
        try:
            body = await self.desk.reply(who, request)
        except Unmet as error:
            self.refuse(who, address, request.number, error.code, str(error))
            return
        self.front.requests.answer(address, encode(Answer(VERSION, request.number, body)))

    def refuse(self, who: str, address: Address, number: int, code: Code, why: str) -> None:
        self.refusals[code] += 1
        self.refused_by_name[who] += 1
        self.front.requests.answer(address, encode(Refusal(VERSION, number, code, why)))

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """What fails there ends this process, as any bug does."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.done)

    def done(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler({"message": str(error), "exception": error})

    # Streams

    def on_clock(self, now_ns: int) -> Iterable[Addressed]:
        if self.is_due(FACTS, FACTS_S):
            self.tell_facts(now_ns)
        has_subscribers = self.front.stream.peers.connected > 0
        if not has_subscribers:  # nothing is asked for them, and what was said to the last ones grows old
            self.front.stream.forget(STATE)
            self.front.stream.forget(METRICS)
        elif self.is_due(STATE, STATE_S):
            self.begin(self.tell_state(now_ns))
        if self.is_due(METRICS, METRICS_S):
            if memory_bytes() > MEMORY_MAX:
                raise LocalError(f"expected at most {MEMORY_MAX} bytes of memory, found more: clients make it grow")
            if has_subscribers:
                self.begin(self.tell_metrics(now_ns))
        if self.is_due("repeat", REPEAT_S):
            self.front.stream.repeat()
        return ()

    def is_due(self, name: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self.due[name]:
            return False
        self.due[name] = now + every_s
        return True

    def tell_facts(self, now_ns: int) -> None:
        kinds: dict[str, list[dict[str, Any]]] = {}
        for event in self.news.take():
            kinds.setdefault(event["event"], []).append(event)
        for kind, events in kinds.items():
            for at in range(0, len(events), EVENTS_MAX):
                self.publish(f"{FACTS}.{kind}", Facts, events[at : at + EVENTS_MAX], now_ns)

    async def tell_state(self, now_ns: int) -> None:
        self.publish(STATE, State, await self.view.now(), now_ns)

    async def tell_metrics(self, now_ns: int) -> None:
        found = await self.view.now()
        status, gateway = found["status"] or {}, found["gateway"] or {}
        facts = status.get("facts")
        names = ("facts", "commands", "commands_waiting", "orders_open", "fills", "trading", "epoch")
        body = {name: status.get(name) for name in names} | {
            "facts_per_s": self.rate(facts) if facts is not None else None,
            "orders_unknown": len(gateway["unknown"]) if gateway else None,
            "behind": max(0, facts - self.news.sequence) if facts is not None else None,
            "api": self.status(),
        }
        self.publish(METRICS, Metrics, body, now_ns)

    def rate(self, facts: int) -> float | None:
        """Facts a second since the last figures."""
        before, self.facts = self.facts, (time.monotonic(), facts)
        if before is None or facts < before[1] or self.facts[0] <= before[0]:
            return None
        return round((facts - before[1]) / (self.facts[0] - before[0]), 1)

    def publish(self, topic: str, make: type[State | Facts | Metrics], body: Any, now_ns: int) -> None:
        self.front.stream.publish(topic, partial(self.encoded, make, body, now_ns))

    def encoded(self, make: type[State | Facts | Metrics], body: Any, now_ns: int, sequence: int) -> bytes:
        return encode(make(VERSION, self.stream_id, sequence, now_ns, body))

    def places(self, found: dict[str, int]) -> bytes:
        return encode(Places(VERSION, self.stream_id, found))

    def close(self) -> None:
        for task in tuple(self.tasks):
            task.cancel()
        self.news.close(END_S)
        self.front.close()

    def status(self) -> dict[str, Any]:
        return {
            **self.told,
            **self.front.figures(),
            "requests": dict(self.requests),
            "refused": {Code(code).name.lower(): count for code, count in self.refusals.items()},
            "refused_by_name": dict(self.refused_by_name),
            "polls": self.view.polls,
            "journal_error": self.news.error,
        }


def memory_bytes() -> int:
    """What this process has in memory."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
