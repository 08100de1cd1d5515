"""Commands are taken once, whatever the order in which they are settled."""

import random

from tradebot.execution.taken_commands import TakenCommands


def test_the_number_up_to_which_all_are_settled_is_that_of_a_set() -> None:
    chance = random.Random(3)
    for _ in range(50):
        commands, settled = TakenCommands(upto=4), set(range(1, 5))
        for number in chance.sample(range(5, 40), 30):
            commands.settle(number)
            settled.add(number)
            assert commands.upto == next(one for one in range(1, 60) if one + 1 not in settled)
            assert {one for one in range(1, 60) if commands.has(one)} == settled
            assert all(one > commands.upto for one in commands.done)


def test_one_that_waits_is_had_and_not_settled() -> None:
    commands = TakenCommands()
    commands.queued.add(1)
    assert commands.has(1) and commands.upto == 0
    commands.settle(1)
    assert commands.upto == 1 and not commands.queued
