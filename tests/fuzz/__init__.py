"""A fuzzer of our own: importers and the record stream, by seed, with or without sanitizers.

Why not one from the index: atheris wants clang's coverage in what it drives, and gcc's sanitizers are what builds here;
hypothesis has no executions that a number alone names, and shrinks where we want counts. What finds things is knowledge of the
formats (cut a line, swap two fields, tear a gzip) and rules that are strict, and both are little code.

An execution is a target and a seed, and nothing else: `python -m tests.fuzz.run --once --only TARGET --seed SEED` does it again.
What once failed is a test of the part that failed, and its seed stands in test_fuzz.py.
"""
