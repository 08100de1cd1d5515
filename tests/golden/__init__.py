"""Digests that a run must come to on every machine, in every build: `digests.json`. A changed one is a decision, explained in the
commit that changes it; `python -m tests.golden.runs --golden` prints what the tree comes to now. The hash of the saved state is
held equal between builds, and is not golden: it changes with the layout of a snapshot, the digest does not.
"""
