"""Frames become facts: what each venue writes, read by pure functions and small state machines. No clock, no socket, no file."""
