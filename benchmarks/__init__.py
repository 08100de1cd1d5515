"""Speed, measured: each file has `measure(scale)`, which runs with the tests at a small scale and by `make bench` in full."""
