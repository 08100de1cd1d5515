"""What is made of a finished run: backtest, replay, metrics, charts and the report. An edge."""
