# One command each. `make demo` and `make test` are enough on their own on a fresh machine with Python 3.11 or newer,
# a C compiler and make; both install what they need into .venv first.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
PEERS := .peers
# A python3.12 that runs, or the Python of everything else; a version manager may leave a python3.12 that does not.
PEER_PYTHON ?= $(shell python3.12 -c pass 2>/dev/null && echo python3.12 || echo $(PYTHON))
CORE := $(wildcard tradebot/_core/*.pyx tradebot/_core/*.pxd tradebot/actors/*.pyx tradebot/actors/*.pxd)

FUZZ_SECONDS ?= 600
CHAOS_KILLS ?= 1000
SOAK_MINUTES ?= 20

.DEFAULT_GOAL := help
.PHONY: help install demo test test-full chaos soak fuzz simulate second-machine check lint types hints bench bench-check bench-baseline peers bench-peers debug clean

help:
	@echo "make demo            fetch the sample ticks and run a market maker over them"
	@echo "make test            run the tests"
	@echo "make test-full       the tests at full counts"
	@echo "make chaos           a node of real processes under CHAOS_KILLS (1000) kills"
	@echo "make fuzz            importers and record streams under sanitizers for FUZZ_SECONDS (600)"
	@echo "make soak            twenty minutes at 50,000 facts a second with kills: is memory flat"
	@echo "make simulate        a node in virtual time, 10,000 seeds of deaths and lost messages"
	@echo "make second-machine  one set of digests: fewer CPU features, the debug build, under sanitizers"
	@echo "make check           ruff, mypy --strict, Cython performance hints as errors"
	@echo "make bench           the benchmarks at full scale"
	@echo "make bench-check     instructions an operation, against the baseline (needs valgrind)"
	@echo "make bench-baseline  write that baseline anew"
	@echo "make peers           install hftbacktest, nautilus_trader and ray under $(PEERS), to measure beside them"
	@echo "make bench-peers     the peers over our stream and of our actors; those that are not installed are skipped"
	@echo "make install         make $(VENV) and install tradebot with all that the other targets need"
	@echo "make debug           build the core with bounds checks, in place"

install: $(STAMP)

$(STAMP): pyproject.toml setup.py $(CORE)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $(STAMP)

$(BENCH_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --editable ".[bench]"
	touch $(BENCH_STAMP)

demo: $(STAMP)
	$(BIN)/tradebot demo

test: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist loadfile

test-full: $(STAMP)
	TRADEBOT_FULL=1 $(BIN)/python -m pytest

chaos: $(STAMP)
	$(BIN)/tradebot chaos --venue paper --kills $(CHAOS_KILLS) --seed 1 --pause 0.6

soak: $(STAMP)
	$(BIN)/python -m tradebot.testing.soak --minutes $(SOAK_MINUTES)

simulate: $(STAMP)
	TRADEBOT_SEEDS=10000 $(BIN)/python -m pytest -q -n auto tests/testing/test_simulation.py

fuzz: $(STAMP)
	$(BIN)/python -m tests.fuzz.run --sanitized --seconds $(FUZZ_SECONDS)

second-machine: $(STAMP)
	TRADEBOT_SECOND_MACHINE=1 $(BIN)/python -m pytest tests/golden

check: lint types hints

lint: $(STAMP)
	$(BIN)/ruff check

types: $(STAMP)
	$(BIN)/mypy

hints: $(STAMP)
	TRADEBOT_HINTS=1 $(BIN)/python setup.py --quiet --version

bench: $(BENCH_STAMP)
	$(BIN)/python -m benchmarks.run

bench-check: $(STAMP)
	$(BIN)/python -m benchmarks.instructions check

bench-baseline: $(STAMP)
	$(BIN)/python -m benchmarks.instructions baseline

peers: $(PEERS)/hftbacktest/.installed $(PEERS)/nautilus_v1/.installed $(PEERS)/nautilus_v2/.installed $(PEERS)/ray/.installed

$(PEERS)/hftbacktest/.installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet hftbacktest==2.4.4 "numba>=0.61"
	touch $@

# The last version of the first generation for each Python; 1.231 wants 3.12. All of the second generation does.
$(PEERS)/nautilus_v1/.installed:
	$(PEER_PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet "nautilus_trader==1.231.0; python_version >= '3.12'" "nautilus_trader==1.221.0; python_version < '3.12'"
	touch $@

$(PEERS)/nautilus_v2/.installed:
	@$(PEER_PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 12) and 'expected Python 3.12 for nautilus_trader 2: name one with PEER_PYTHON')"
	$(PEER_PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet nautilus_trader==2.0.0rc6 numpy
	touch $@

$(PEERS)/ray/.installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet ray==2.60.0
	touch $@

bench-peers: $(BENCH_STAMP)
	$(BIN)/python -m benchmarks.peers
	$(BIN)/python -m benchmarks.actor_peers

debug: $(STAMP)
	TRADEBOT_DEBUG=1 $(BIN)/python setup.py --quiet build_ext --inplace --force

clean:
	rm -rf build dist *.egg-info benchmarks/out
	find tradebot -name '*.so' -delete
	find tradebot/_core tradebot/actors -name '*.c' -delete
