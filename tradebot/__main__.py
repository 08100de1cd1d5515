"""`python -m tradebot` is the command `tradebot`."""

from tradebot.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
