"""The simulated venue on best bid and ask quotes: nothing of it is seen from Python."""
