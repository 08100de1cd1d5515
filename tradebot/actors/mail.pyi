"""Names of the compiled module that Python may use; held true by tests/test_stubs.py."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Any

class Mail:
    most_waited: int
    refused: int
    dropped: int
    conflated: int
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        take: Callable[[list[Any]], object],
        key: Callable[[Any], Hashable] | None = None,
        drops: bool = False,
        most: int = 10_000,
        batch_max: int = 256,
    ) -> None: ...
    def tell(self, message: object) -> bool: ...
    def ask(self, body: object, timeout_s: float) -> asyncio.Future[Any]: ...
    def close(self) -> None: ...
    def __len__(self) -> int: ...

class Question:
    number: int
    body: Any
    future: asyncio.Future[Any]
    def answer(self, value: object) -> bool: ...

class Questions:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None: ...
    def begin(self, body: object, timeout_s: float) -> Question: ...
    def answer(self, number: int, value: object) -> bool: ...
    def fail(self, number: int, error: Exception) -> None: ...
    def __len__(self) -> int: ...
