# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
DEMO := results/demo

# Threads that wait should sleep: spinning ones make a small model three times slower as soon as a core is shared.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test lint clean

.venv/.installed: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/.installed-extra: .venv/.installed requirements-extra.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-extra.txt
	touch $@

# The whole pipeline on the embedded corpus, on a CPU. A second run finds everything done.
demo: .venv/.installed
	$(BIN)/python filter_datasets.py --dataset demo --results_dir $(DEMO)
	$(BIN)/python train_quality_comparison.py demo --skip_existing --results_dir $(DEMO)
	$(BIN)/python analyze_results.py $(DEMO)

test: .venv/.installed-extra
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

lint: .venv/.installed-extra
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf .venv $(DEMO) .pytest_cache .ruff_cache .hypothesis
