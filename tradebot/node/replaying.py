"""A node's run replayed from its journal: while the node runs, up to what is written, and after it."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tradebot.domain.frames import Frame, FrameKind
from tradebot.engine.replay import replay_journal
from tradebot.node.config import config_from_dict
from tradebot.node.facts import frames_of
from tradebot.node.session_files import ENGINE, read_prepared
from tradebot.node.strategies import fingerprint_of, make_strategy


class Written:
    """The engine's frames up to what was there when they were first gone through to the end, each time the same."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count: int | None = None

    def __iter__(self) -> Iterator[Frame]:
        read = 0
        for frame in islice(frames_of(self.folder / ENGINE), self.count):
            read += 1
            if frame.kind == FrameKind.FACTS:
                yield frame
        self.count = read


def replay_node(folder: Path) -> dict[str, object]:
    """Step a run's journal again. `folded_epochs` are those of other code. Raises LocalError where nothing was run, or the
    beginning is pruned.
    """
    prepared = read_prepared(folder)
    config = config_from_dict(prepared.config)
    strategies = [make_strategy(use) for use in config.strategy]
    found = replay_journal(prepared.plan, strategies, Written(folder))
    difference = found.first_difference
    if difference is not None and fingerprint_of(config.strategy) != found.fingerprint:
        difference += "; the code or the parameters of the strategies, or tradebot itself, have changed since"
    return {
        "run_id": prepared.run_id,
        "facts": found.facts,
        "commands": found.commands,
        "digest": found.digest,
        "expected_digest": found.expected_digest,
        "identical": found.is_identical,
        "first_difference": difference,
        "epochs": found.epochs,
        "folded_epochs": found.folded_epochs,
    }
