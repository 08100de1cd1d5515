"""The compiled core: integers and flat memory, no clock, no IO, nothing of ours above it.

Import from the modules by name; this package re-exports nothing, so that importing one part costs one part.
"""
