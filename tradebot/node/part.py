"""What the parts of a node have in common: they count what a full mailbox refused, and answer questions at their desk."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from tradebot.domain.codec import Message
from tradebot.domain.errors import LocalError, Refused

Addressed = tuple[str, Message]


class Base:
    """What parts have in common."""

    name: str
    full = 0
    traps_exits = False

    def refused(self, name: str, message: Message) -> None:
        self.full += 1

    def ask(
        self, body: bytes, now_ns: int, figures: Callable[[], dict[str, Any]] = dict
    ) -> tuple[bytes, Iterable[Addressed]]:
        """A question in JSON, `{"verb": ...}`, and its answer; a part that knows other verbs than `status` has its own
        `answer`. To a status come the `figures` of its mailbox.
        """
        question = msgspec.json.decode(body, type=dict[str, Any])
        found: list[Addressed] = []
        try:
            answer = self.answer(question, now_ns, found)
            if question["verb"] == "status":
                answer = {**answer, "mailbox": figures()}
        except Refused as error:
            answer = {"accepted": False, "by": self.name, "why": str(error)}
        except (KeyError, ValueError, LocalError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        return msgspec.json.encode(answer), found

    def answer(self, question: dict[str, Any], now_ns: int, found: list[Addressed]) -> dict[str, Any]:
        if question["verb"] != "status":
            raise ValueError(f"expected a verb of the {self.name}, found {question['verb']!r}")
        return self.status()

    def status(self) -> dict[str, Any]:
        return {"refused": self.full}
