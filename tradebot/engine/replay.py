"""The journal of an engine, stepped again from its first frame: does the same come of it, bit for bit?

A replay is a recovery (`session.recover`) without a snapshot, or with the oldest one where the beginning was removed, and
without a journal to write on. The strategies are those that wrote the last epoch, whatever their code is by now: where they
decide otherwise, that is the difference that is told. Epochs of other code are folded as a start folds them, because their code
is gone; the answer says which.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from tradebot.domain.errors import Diverged, LocalError
from tradebot.domain.frames import NO_DIGEST, Frame, Snapshot
from tradebot.engine.plan import Plan
from tradebot.engine.session import Saved, Session, first_replayed, note_of, recover
from tradebot.strategies.strategy import Strategy


class Replayed(Struct, frozen=True, kw_only=True):
    """What came of it, from fact `from_fact` on. Where it differs, `facts`, `commands` and `digest` are those of the place where
    it does.
    """

    facts: int
    commands: int
    digest: str
    expected_digest: str
    from_fact: int
    epochs: int
    folded_epochs: list[int]
    fingerprint: str
    first_difference: str | None

    @property
    def is_identical(self) -> bool:
        return self.first_difference is None and self.digest == self.expected_digest


class Unwritten:
    """The journal of a session that only replays."""

    def append(self, frame: Frame, must_sync: bool = False) -> None:
        raise AssertionError("a replay writes nothing")

    def settle(self) -> None:
        raise AssertionError("a replay writes nothing")

    def frames(self, after_sequence: int = 0) -> Iterator[Frame]:
        return iter(())

    def save_snapshot(self, sequence: int, digest: str, data: bytes) -> None:
        raise AssertionError("a replay writes nothing")

    def newest_snapshot(self) -> None:
        return None


def is_folded(at: int, first: int, story: "Story", saved: Saved | None) -> bool:
    """Whether the epoch of a start at frame `at`, -1 where it is the snapshot's, was folded at all. Strategies that go on from a
    snapshot were in the middle of theirs.
    """
    if at >= 0 or saved is None:
        return at < first
    return first > 0 or saved.fingerprint != story.fingerprint


class Story(Struct):
    """What the frames say of themselves: their end, and (place, epoch) of each start."""

    digest: str = NO_DIGEST
    fingerprint: str = ""
    starts: list[tuple[int, int]] = []


def replay_journal(
    plan: Plan, strategies: Sequence[Strategy], frames: Iterable[Frame], snapshot: Snapshot | None = None
) -> Replayed:
    """Step frames, those behind the snapshot where there is one. They are gone through more than once and must be the same each
    time. Raises LocalError without any, or where the snapshot is of another version.
    """
    saved = None if snapshot is None else read_saved(snapshot)
    story = read_story(frames, snapshot, saved)
    first = first_replayed(frames, story.fingerprint, saved)
    session = Session(plan, strategies, Unwritten(), story.fingerprint, 0)
    difference = None
    try:
        recover(session, frames, saved)
    except Diverged as error:
        difference = str(error)
    except (ValueError, msgspec.MsgspecError) as error:
        if snapshot is None:
            raise
        difference = f"the state that the snapshot of fact {snapshot.sequence} holds does not fit: {error}"
    kernel = session.live.kernel
    return Replayed(
        facts=kernel.sequence,
        commands=session.commands,
        digest=kernel.digest_text,
        expected_digest=story.digest,
        from_fact=0 if snapshot is None else snapshot.sequence,
        epochs=len(story.starts),
        folded_epochs=[epoch for at, epoch in story.starts if is_folded(at, first, story, saved)],
        fingerprint=story.fingerprint,
        first_difference=difference,
    )


def read_saved(snapshot: Snapshot) -> Saved:
    """Raises LocalError where it is none that this version reads."""
    try:
        return msgspec.msgpack.decode(snapshot.data, type=Saved)
    except msgspec.MsgspecError as error:
        raise LocalError(
            f"expected a snapshot that this version reads, found that of fact {snapshot.sequence}: {error}; replay with the "
            "version that wrote it"
        ) from error


def read_story(frames: Iterable[Frame], snapshot: Snapshot | None = None, saved: Saved | None = None) -> Story:
    """Raises LocalError where no engine has begun."""
    story = Story()
    if snapshot is not None and saved is not None:
        story.digest, story.fingerprint, story.starts = snapshot.digest, saved.fingerprint, [(-1, saved.epoch)]
    for at, frame in enumerate(frames):
        story.digest = frame.digest
        if fingerprint := note_of(frame).fingerprint:
            story.fingerprint = fingerprint
            story.starts.append((at, frame.epoch))
    if not story.starts:
        raise LocalError("expected a journal in which an engine has begun, found none: nothing was run yet")
    return story
