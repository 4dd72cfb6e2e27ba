# Two commands do everything on a fresh machine, each by itself: `make demo` and `make test`.
PYTHON ?= python3
PIP_ARGS ?=
BENCH_ARGS ?=
BIN = .venv/bin

.PHONY: demo test check format bench clean

demo: .venv/ready
	@$(BIN)/bmp demo

test: check
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Everything that is measured in seconds, in one table; with BENCH_ARGS="--quick" on smaller data.
bench: .venv/ready
	@$(BIN)/python tests/bench/run_all.py $(BENCH_ARGS)

clean:
	rm -rf .venv build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist

# pip takes torch from wherever it is told to: PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"
.venv/ready: pyproject.toml constraints.txt
	@echo "Setting up .venv (a few minutes the first time) ..." >&2
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; say make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt $(PIP_ARGS) --editable ".[offline,dev]"
	@touch .venv/ready
