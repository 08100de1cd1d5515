"""The journal of an engine, stepped again from its first frame: does the same come of it, bit for bit?

A replay is a recovery (`session.recover`) without a snapshot, and without a journal to write on. The strategies are those that
wrote the last epoch, whatever their code is by now: where they decide otherwise, that is the difference that is told. Epochs of
other code are folded as a start folds them, because their code is gone; the answer says which.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from tradebot.domain.errors import Diverged, LocalError
from tradebot.domain.frames import NO_DIGEST, Frame
from tradebot.engine.plan import Plan
from tradebot.engine.session import Session, first_replayed, note_of, recover
from tradebot.strategies.strategy import Strategy


class Replayed(Struct, frozen=True, kw_only=True):
    """What came of it. Where it differs, `facts`, `commands` and `digest` are those of the place where it does."""

    facts: int
    commands: int
    digest: str
    expected_digest: str
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

    def frames(self, after_sequence: int = 0) -> Iterator[Frame]:
        return iter(())

    def save_snapshot(self, sequence: int, digest: str, data: bytes) -> None:
        raise AssertionError("a replay writes nothing")

    def newest_snapshot(self) -> None:
        return None


class Story(Struct):
    """What the frames say of themselves: their end, and (place, epoch) of each start."""

    digest: str = NO_DIGEST
    fingerprint: str = ""
    starts: list[tuple[int, int]] = []


def replay_journal(plan: Plan, strategies: Sequence[Strategy], frames: Iterable[Frame]) -> Replayed:
    """Step frames, which are gone through more than once and must be the same each time. Raises LocalError without any."""
    story = read_story(frames)
    first = first_replayed(frames, story.fingerprint, None)
    session = Session(plan, strategies, Unwritten(), story.fingerprint, 0)
    difference = None
    try:
        recover(session, frames)
    except Diverged as error:
        difference = str(error)
    kernel = session.live.kernel
    return Replayed(
        facts=kernel.sequence,
        commands=session.commands,
        digest=kernel.digest_text,
        expected_digest=story.digest,
        epochs=len(story.starts),
        folded_epochs=[epoch for at, epoch in story.starts if at < first],
        fingerprint=story.fingerprint,
        first_difference=difference,
    )


def read_story(frames: Iterable[Frame]) -> Story:
    """Raises LocalError where no engine has begun."""
    story = Story()
    for at, frame in enumerate(frames):
        story.digest = frame.digest
        if fingerprint := note_of(frame).fingerprint:
            story.fingerprint = fingerprint
            story.starts.append((at, frame.epoch))
    if not story.starts:
        raise LocalError("expected a journal in which an engine has begun, found none: nothing was run yet")
    return story
