"""Processes that talk: mailboxes over ZeroMQ, a clock, a loop around a behaviour, and a tree of supervisors that restarts them.
Knows messages, not trading.
"""
