"""Digests that a run must come to on every machine, in every build: `digests.json`. A changed one is a decision, explained in the
commit that changes it; `python -m tests.golden.runs` prints what the tree comes to now.
"""
