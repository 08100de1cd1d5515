"""What clients are answered from: the desks are asked at its own pace, however many ask, and a control makes it new."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tradebot.node import api_view
from tradebot.node.api_view import NodeView, Pace


class Desk:
    """A desk that counts what it is asked; it may be silent."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers, self.asked = answers, []  # type: ignore[var-annotated]

    async def ask(self, body: bytes) -> bytes | None:
        verb = msgspec.json.decode(body)["verb"]
        self.asked.append(verb)
        await asyncio.sleep(0)
        found = self.answers.get(verb)
        return None if found is None else msgspec.json.encode(found)


def make(home: Path, engine: Desk) -> NodeView:
    return NodeView(home, "run", engine, Desk({"status": {"unknown": []}}))  # type: ignore[arg-type]


ENGINE = {"status": {"orders_open": 1, "facts": 7}, "orders": {"orders": [{"id": 1}]}, "positions": {"positions": []}}


def test_many_who_ask_at_once_are_one_question(tmp_path: Path) -> None:
    async def body() -> None:
        engine = Desk(ENGINE)
        view = make(tmp_path, engine)
        found = await asyncio.gather(*(view.now() for _ in range(200)))
        assert engine.asked == ["status", "orders", "positions"] and view.polls == 1
        assert all(one == found[0] for one in found)
        assert found[0]["is_running"] and found[0]["orders"] == [{"id": 1}]

    asyncio.run(body())


def test_after_a_control_nobody_is_told_what_was_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_view, "EVERY_S", 0.02)

    async def body() -> None:
        engine = Desk(ENGINE)
        view = make(tmp_path, engine)
        first = asyncio.create_task(view.now())
        await asyncio.sleep(0)
        engine.answers = {**ENGINE, "status": {"orders_open": 0, "facts": 8}}
        view.changed()  # while the first look is under way
        assert (await view.now())["status"]["facts"] == 8
        await first

    asyncio.run(body())


def test_a_silent_engine_is_a_state_too_and_a_crowd_of_orders_is_not_asked_for(tmp_path: Path) -> None:
    async def body() -> None:
        assert not (await make(tmp_path, Desk({})).now())["is_running"]
        engine = Desk({**ENGINE, "status": {"orders_open": api_view.ROWS_MAX + 1}})
        found = await make(tmp_path, engine).now()
        assert found["orders"] == [] and found["orders_left_out"] == api_view.ROWS_MAX + 1 and "orders" not in engine.asked

    asyncio.run(body())


def test_each_name_has_a_pace_of_its_own() -> None:
    now = 100.0
    pace = Pace(rate=2.0, burst=3.0, clock=lambda: now)
    assert [pace.admits("a") for _ in range(5)] == [True, True, True, False, False]
    assert pace.admits("b")
    now += 1.0
    assert [pace.admits("a") for _ in range(3)] == [True, True, False]
    now += 1_000.0
    assert [pace.admits("a") for _ in range(4)] == [True, True, True, False]
    now += 1_000.0
    assert [pace.admits("a", 2.0), pace.admits("a", 2.0), pace.admits("a")] == [True, False, True]
