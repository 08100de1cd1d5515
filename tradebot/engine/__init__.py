"""The middle: plans of runs, the ports that differ between backtest, sandbox and live, and what drives them."""
