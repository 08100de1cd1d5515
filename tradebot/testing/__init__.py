"""Benchmarks and, later, simulation and chaos: may import whatever `node` may, and raw libraries for floors."""
