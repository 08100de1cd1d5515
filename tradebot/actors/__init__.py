"""Processes that talk: mailboxes over ZeroMQ, a clock, a loop around a behaviour, and a keeper that restarts them. Knows
messages, not trading.
"""
