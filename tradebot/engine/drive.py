"""Turns a source's batches into steps, and hands on what came of them. Every batch size gives the same run."""

from typing import Final

from tradebot._core.merge import Merge
from tradebot.engine.ports import Recorder, Source

# Facts between two hand-overs: what a run did stays in the cache until it is written.
STRIDE_FACTS: Final = 4096


def drive(merge: Merge, source: Source, recorder: Recorder) -> None:
    """Feed everything of `source`, then finish. What the run did is handed over after each stride, in order."""
    for batch in source:
        merge.load(batch)
        while merge.advance(STRIDE_FACTS):
            hand_over(merge, recorder)
    merge.finish()
    hand_over(merge, recorder)


def hand_over(merge: Merge, recorder: Recorder) -> None:
    """Empty the engine's buffers into the recorder."""
    recorder.facts(merge.kernel.take_audit())
    recorder.samples(merge.take_samples())
    recorder.markouts(merge.simulator.take_markouts())
