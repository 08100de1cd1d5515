"""What clients ask of a node, and what they have it do, once their key, the form of the request and their role are right.

Answers come from what the view and the journal's reader have; only a comparison of the books and a control go on to the engine,
one of each at a time. A control is tried once: where the engine does not answer in time, the client is told that what became of
it is not known.
"""

import asyncio
from pathlib import Path
from typing import Any, Final

import msgspec

from tradebot.actors.inquiry import Crowded, Inquiry
from tradebot.domain.errors import TradebotError
from tradebot.domain.wire import CONTROLS, QUESTIONS, VERSION, Argument, Ask, Code, Control, Request, Role
from tradebot.domain.words import WHY_MAX, one_line
from tradebot.node.api_journal import FILLS_MAX, JournalNews
from tradebot.node.api_view import NodeView, ask_desk
from tradebot.node.ladder import Step, act_of, steps_of
from tradebot.node.latch import IN_WORDS, new_kill, read_killed, set_latch

RECONCILE_S: Final = 10.0
RECONCILE_EVERY_S: Final = 2.0  # from one round that clients asked for to the next: the engine makes it
LOOK_S: Final = 0.1
EXPLAINING_MAX: Final = 4
LIFE_MAX: Final = 500  # steps of an order's life that are told
FILLS_TOLD: Final = 100  # where a client does not say how many

Body = dict[str, Any]


class Unmet(Exception):
    """A request that came to nothing."""

    def __init__(self, code: Code, why: str) -> None:
        super().__init__(why)
        self.code = code


class ApiDesk:
    def __init__(
        self,
        home: Path,
        run_id: str,
        roles: dict[str, Role],
        engine: Inquiry,
        latched: Inquiry,
        view: NodeView,
        news: JournalNews,
    ) -> None:
        """Both are of the engine's desk; `latched` is for `kill` alone, which waits behind nobody."""
        self._home, self._run_id, self._roles = home, run_id, roles
        self._engine, self._latched, self._view, self._news = engine, latched, view, news
        self._steering = asyncio.Lock()
        self._explaining = asyncio.Lock()
        self._explaining_count = 0
        self._round: asyncio.Task[Body] | None = None
        self._round_s = -RECONCILE_EVERY_S

    async def reply(self, who: str, request: Request) -> Body:
        """Raises Unmet."""
        if isinstance(request, Control):
            return await self._control(who, request)
        return await self._answer(who, request)

    async def _answer(self, who: str, request: Ask) -> Body:
        words = Arguments(request.arguments)
        match request.verb:
            case "hello":
                words.end()
                return self._hello(who)
            case "fills":
                last = words.number("last", FILLS_TOLD, FILLS_MAX)
                words.end()
                return {"fills": list(self._news.fills)[-last:], "journal_from": self._news.begins_behind}
            case "explain":
                order = words.number("order", None, 2**64 - 1)
                words.end()
                return await self._explain(order)
            case "reconcile":
                words.end()
                return await self._reconcile()
        words.end()
        found = await self._view.now()
        if not found["is_running"]:
            raise Unmet(Code.NOBODY_ANSWERS, "expected the engine to answer, found nobody: it may be starting, try again")
        if request.verb == "status":
            return {**found["status"], "gateway": found["gateway"], "killed": found["killed"]}
        names = ("orders", "orders_left_out") if request.verb == "orders" else ("positions",)
        return {name: found[name] for name in names}

    def _hello(self, who: str) -> Body:
        role = self._roles[who]
        controls = [verb for verb, roles in CONTROLS.items() if role in roles]
        about = {"name": who, "role": role, "run_id": self._run_id, "version": VERSION}
        return about | {"questions": list(QUESTIONS), "controls": controls}

    async def _explain(self, order: int) -> Body:
        """The journal is read from its beginning: one at a time, beside the loop."""
        from tradebot.node.explanation import explain

        if self._explaining_count >= EXPLAINING_MAX:
            raise Unmet(Code.TOO_MANY, f"expected at most {EXPLAINING_MAX} explanations at once, found as many: try again")
        self._explaining_count += 1
        try:
            async with self._explaining:
                found = await asyncio.to_thread(explain, self._home, order, self._run_id)
        except TradebotError as error:
            raise Unmet(Code.NOT_FOUND, str(error)) from error
        finally:
            self._explaining_count -= 1
        left_out = max(0, len(found["life"]) - LIFE_MAX)
        return found | {"life": found["life"][:LIFE_MAX], "life_left_out": left_out}

    async def _reconcile(self) -> Body:
        """One comparison for all who ask while it goes on."""
        if self._round is None or self._round.done():
            self._round = asyncio.get_running_loop().create_task(self._compare())
        return await asyncio.shield(self._round)

    async def _compare(self) -> Body:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._round_s + RECONCILE_EVERY_S - loop.time()))
        self._round_s = loop.time()
        asked = await ask_desk(self._engine, "reconcile")
        until = loop.time() + RECONCILE_S
        while asked is not None and loop.time() < until:
            found = await ask_desk(self._engine, "books")
            if found is not None and found["round"] >= asked["round"]:
                return found
            await asyncio.sleep(LOOK_S)
        raise Unmet(Code.NOBODY_ANSWERS, f"expected books that can be compared within {RECONCILE_S:g} s, found none: try again")

    # Controls

    async def _control(self, who: str, request: Control) -> Body:
        role = self._roles[who]
        if role not in CONTROLS[request.verb]:
            allowed, article = " or ".join(sorted(CONTROLS[request.verb])), "an" if role[0] in "aeiou" else "a"
            raise Unmet(Code.ROLE, f"expected {allowed} for {request.verb}, found {who}, whose key is that of {article} {role}")
        try:
            steps = steps_of(request.verb, request.arguments, read_killed(self._home) is not None)
        except ValueError as error:
            raise Unmet(Code.WRONG_ARGUMENTS, str(error)) from error
        if request.verb == "kill":
            return await self._kill(who, request)
        async with self._steering:
            if request.verb == "resume" and (killed := read_killed(self._home)) is not None:
                raise Unmet(
                    Code.KILLED,
                    f"expected a home that was not killed, found that {killed.who} killed it: {killed.why}; at the machine, "
                    "`tradebot resume --after-kill` lifts it",
                )
            return await self._do(who, one_line(request.why, WHY_MAX), steps)

    async def _kill(self, who: str, request: Control) -> Body:
        """The latch is on the disk before anything else, and waits for nobody; the engine acts by it, asked or not. Where a disk
        does not take it there is still the engine.
        """
        words, unwritten = request.arguments, ""
        act = act_of(bool(words.get("flatten")), bool(words.get("guards")))
        name, killed = new_kill(who, one_line(request.why, WHY_MAX), act)
        try:
            await asyncio.to_thread(set_latch, self._home, name, killed)
        except OSError as error:
            unwritten = f"the latch could not be written ({error}), so a start of this home is not kept from trading"
        try:
            found = await self._ask_once(self._latched, {"verb": "kill", "nonce": name, **msgspec.to_builtins(killed)})
        except Unmet as error:
            if unwritten:
                raise Unmet(error.code, f"{unwritten}; {error}") from error
            why = f"latched: once the engine runs it halts and {IN_WORDS[act]} before anything else; {error}"
            return {"accepted": True, "by": "latch", "why": why}
        return found | ({"why": unwritten} if unwritten else {})

    async def _do(self, who: str, why: str, steps: list[Step]) -> Body:
        found: Body = {}
        for step in steps:
            found = await self._ask_once(self._engine, step | {"who": who, "why": why})
        return found

    async def _ask_once(self, engine: Inquiry, words: Step) -> Body:
        try:
            said = await engine.ask(msgspec.json.encode(words))
        except Crowded as error:
            raise Unmet(Code.TOO_MANY, f"{error}: nothing was done, try again") from error
        finally:
            self._view.changed()
        if said is None:
            raise Unmet(
                Code.OUTCOME_UNKNOWN,
                "expected the engine to answer, found nobody: whether it was done is not known; ask for the status first",
            )
        answer = msgspec.json.decode(said, type=Body)
        if "error" in answer:
            raise Unmet(Code.REFUSED, f"expected the engine to do it, found: {answer['error']}")
        if not answer["accepted"]:
            raise Unmet(Code.REFUSED, str(answer["why"]))
        return answer


class Arguments:
    """What a question says beside its verb."""

    def __init__(self, given: dict[str, Argument]) -> None:
        self._left = dict(given)

    def number(self, name: str, default: int | None, most: int) -> int:
        """From 1 to `most`. Raises Unmet."""
        value = self._left.pop(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise Unmet(Code.WRONG_ARGUMENTS, f"expected {name} from 1 to {most}, found {str(value)[:40]!r}")
        return value

    def end(self) -> None:
        if self._left:
            raise Unmet(Code.WRONG_ARGUMENTS, f"expected no argument {next(iter(self._left))[:40]!r}")
