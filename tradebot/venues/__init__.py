"""The outside world of venues: their public archives and their exchanges.

The only package that touches ccxt, and only when an exchange is opened.
"""
