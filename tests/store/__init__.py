"""Tests of the store, on the real embedded engine."""
