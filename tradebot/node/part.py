"""What the parts of a node have in common: they count what a full mailbox refused, and answer questions at their desk."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from tradebot.actors.cell import Plain
from tradebot.domain.codec import Message
from tradebot.domain.errors import LocalError, Refused

Addressed = tuple[str, Message]

QUESTION_BYTES_MAX: Final = 16_384  # what is asked may come to stand in a journal


class Unreadable(ValueError):
    """What was asked is no question."""


def read_question(body: bytes) -> dict[str, str]:
    """A question in JSON: a verb, and words by name, which are all text. Raises Unreadable, whatever the bytes are."""
    if len(body) > QUESTION_BYTES_MAX:
        raise Unreadable(f"expected a question of at most {QUESTION_BYTES_MAX} bytes, found {len(body)}")
    try:
        question = msgspec.json.decode(body, type=dict[str, str])
    except (ValueError, RecursionError) as error:  # deep nesting is the second
        raise Unreadable(f"expected a question in JSON whose words are text, found: {error}") from error
    if "verb" not in question:
        raise Unreadable("expected a question with a verb, found none")
    return question


class Base(Plain):
    """What parts have in common."""

    name: str
    full = 0
    garbage_questions = 0  # that could not be read
    traps_exits = False

    def refused(self, name: str, message: Message) -> None:
        self.full += 1

    def ask(
        self, body: bytes, now_ns: int, figures: Callable[[], dict[str, Any]] = dict
    ) -> tuple[bytes, Iterable[Addressed]]:
        """The answer to a question (`read_question`); a part that knows other verbs than `status` has its own `answer`. To a
        status come the `figures` of its mailbox. What an asker sends ends no part: it is told what is wrong with it.
        """
        found: list[Addressed] = []
        try:
            question = read_question(body)
            answer = self.answer(question, now_ns, found)
            if question["verb"] == "status":
                answer = {**answer, "mailbox": {**figures(), "garbage_questions": self.garbage_questions}}
        except Unreadable as error:
            self.garbage_questions += 1
            answer = {"error": str(error)}
        except Refused as error:
            answer = {"accepted": False, "by": self.name, "why": str(error)}
        except KeyError as error:
            answer = {"error": f"expected {error} with that question, found none"}
        except (ValueError, LocalError) as error:
            answer = {"error": str(error)}
        return msgspec.json.encode(answer), found

    def answer(self, question: dict[str, str], now_ns: int, found: list[Addressed]) -> dict[str, Any]:
        if question["verb"] != "status":
            raise ValueError(f"expected a verb of the {self.name}, found {question['verb']!r}")
        return self.status()

    def status(self) -> dict[str, Any]:
        return {"refused": self.full}


class Host(Base):
    """The desk of a process in which parts live together: that it answers says that their loop turns."""

    def __init__(self, name: str) -> None:
        self.name = name

    def status(self) -> dict[str, Any]:
        return {}
