"""The language of tradebot: units, instruments, facts, commands, controls and errors. No behaviour, no IO."""
