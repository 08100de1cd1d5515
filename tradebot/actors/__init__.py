"""Processes that talk: mailboxes over ZeroMQ, a clock, a loop around a behaviour, and trees of supervisors. Knows messages, not
trading.
"""
