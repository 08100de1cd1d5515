"""A node's run replayed from its journal: while the node runs, up to what is written, and after it."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tradebot.domain.errors import LocalError
from tradebot.domain.frames import Frame, FrameKind
from tradebot.engine.replay import replay_journal
from tradebot.node.config import config_from_dict
from tradebot.node.facts import frames_of
from tradebot.node.session_files import ENGINE, read_prepared
from tradebot.node.strategies import fingerprint_of, make_strategy
from tradebot.store.journal_range import first_head
from tradebot.store.journal_snapshots import Snapshot, Snapshots


class Written:
    """The engine's frames behind fact `start`, up to what was there when they were first gone through to the end, each time the
    same.
    """

    def __init__(self, folder: Path, start: int = 0) -> None:
        self.folder, self.start = folder, start
        self.count: int | None = None

    def __iter__(self) -> Iterator[Frame]:
        read = 0
        for frame in islice(frames_of(self.folder / ENGINE, self.start), self.count):
            read += 1
            if frame.kind == FrameKind.FACTS and frame.base_sequence >= self.start:
                yield frame
        self.count = read


def find_beginning(journal: Path) -> Snapshot | None:
    """The snapshot that a replay begins at; None where the journal is whole. Raises LocalError where none is old enough."""
    head = first_head(journal)
    if head is None or not head.base_sequence:
        return None
    snapshots = Snapshots(journal)
    found = snapshots.oldest(head.base_sequence)
    if found is None:
        raise LocalError(
            f"expected a snapshot behind fact {head.base_sequence} in {journal}, where it begins, found none; bring one back "
            "from a copy"
        )
    return found


def replay_node(folder: Path) -> dict[str, object]:
    """Step a run's journal again, from the oldest snapshot that it covers where its beginning was removed. `folded_epochs` are
    those of other code. Raises LocalError where nothing was run.
    """
    prepared = read_prepared(folder)
    config = config_from_dict(prepared.config)
    strategies = [make_strategy(use) for use in config.strategy]
    snapshot = find_beginning(folder / ENGINE)
    start = snapshot.sequence if snapshot else 0
    found = replay_journal(prepared.plan, strategies, Written(folder, start), snapshot)
    difference = found.first_difference
    if difference is not None and fingerprint_of(config.strategy, prepared.plan) != found.fingerprint:
        difference += "; the code or the parameters of the strategies, or tradebot itself, have changed since"
    return {
        "run_id": prepared.run_id,
        "from_fact": found.from_fact,
        "facts": found.facts,
        "commands": found.commands,
        "digest": found.digest,
        "expected_digest": found.expected_digest,
        "identical": found.is_identical,
        "first_difference": difference,
        "epochs": found.epochs,
        "folded_epochs": found.folded_epochs,
    }
