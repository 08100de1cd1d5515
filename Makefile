# One command each. `make demo` and `make test` are enough on their own on a fresh machine with Python 3.11 or newer,
# a C compiler and make; both install what they need into .venv first.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
CORE := $(wildcard tradebot/_core/*.pyx tradebot/_core/*.pxd)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-full check lint types hints bench debug clean

help:
	@echo "make demo       fetch the sample ticks and run a market maker over them"
	@echo "make test       run the tests"
	@echo "make test-full  the tests at full counts"
	@echo "make check      ruff, mypy --strict, Cython performance hints as errors"
	@echo "make bench      the benchmarks at full scale"
	@echo "make install    make $(VENV) and install tradebot with all that the other targets need"
	@echo "make debug      build the core with bounds checks, in place"

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
	$(BIN)/python -m pytest

test-full: $(STAMP)
	TRADEBOT_FULL=1 $(BIN)/python -m pytest

check: lint types hints

lint: $(STAMP)
	$(BIN)/ruff check

types: $(STAMP)
	$(BIN)/mypy

hints: $(STAMP)
	TRADEBOT_HINTS=1 $(BIN)/python setup.py --quiet --version

bench: $(BENCH_STAMP)
	$(BIN)/python -m benchmarks.run

debug: $(STAMP)
	TRADEBOT_DEBUG=1 $(BIN)/python setup.py --quiet build_ext --inplace --force

clean:
	rm -rf build dist *.egg-info benchmarks/out
	find tradebot -name '*.so' -delete
	find tradebot/_core -name '*.c' -delete
