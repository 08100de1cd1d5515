"""The face that a user writes against, and two strategies that show it."""
