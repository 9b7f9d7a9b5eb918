# Two commands for everyone: `make warehouse` and `make test`. One for contributors: `make check`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
LATEST := .venv-latest

.PHONY: warehouse test test-fast test-latest check format lock bench clean help airflow airflow-stop test-orchestration pictures
help:
	@echo "make warehouse   set up, fetch what is due, build, check and publish the warehouse"
	@echo "make test        set up and run the whole test suite (no network needed)"
	@echo "make test-fast   the part of it that takes under a minute"
	@echo "make test-latest the suite with the newest libraries that are allowed, in an environment of its own"
	@echo "make airflow     start a complete local Airflow, reachable from this machine only; make airflow-stop ends it"
	@echo "make test-orchestration  real schedulers, workers and kills (half an hour; PostgreSQL and Redis for a part)"
	@echo "make check       format, lint, types, SQL"
	@echo "make bench       time reading, refresh and build, and the memory of a build (three minutes)"
	@echo "make lock        resolve the dependencies again and write requirements.lock"

# The locked environment: uv does the work, from the PATH or from the environment itself.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Lightwell needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@command -v uv >/dev/null || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@PATH="$$PATH:$(BIN)" uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@PATH="$$PATH:$(BIN)" uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $(READY)

warehouse: $(READY)
	@$(BIN)/lightwell refresh

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-fast: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow"

# The newest versions that pyproject.toml allows, as pip gives them to users, in an environment of their own.
test-latest: $(READY)
	@test -x $(LATEST)/bin/python || $(PYTHON) -m venv $(LATEST)
	@PATH="$$PATH:$(BIN)" uv pip install --quiet --no-config --upgrade --python $(LATEST)/bin/python -e '.[airflow]' --group dev
	$(LATEST)/bin/python -m pytest -n 2 --dist loadgroup

# Real schedulers and workers on this machine. `apt-get install postgresql redis-server` for the part with Celery.
test-orchestration: $(READY)
	LIGHTWELL_TEST_ORCHESTRATION=1 $(BIN)/python -m pytest tests/orchestration

airflow: $(READY)
	@$(BIN)/python deploy/local/run.py start

airflow-stop: $(READY)
	@$(BIN)/python deploy/local/run.py stop

# docs/dags.svg, drawn from the DAGs as Airflow reads them.
pictures: $(READY)
	@$(BIN)/python deploy/local/draw.py docs/dags.svg

check: $(READY)
	$(BIN)/ruff format --check src tests dags deploy benchmarks
	$(BIN)/ruff check src tests dags deploy benchmarks
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --disable-progress-bar sql

bench: $(READY)
	@$(BIN)/python benchmarks/reading.py
	@$(BIN)/python benchmarks/refresh.py
	@$(BIN)/python benchmarks/build_memory.py
	@$(BIN)/python benchmarks/build_growth.py

format: $(READY)
	$(BIN)/ruff format src tests dags deploy benchmarks
	$(BIN)/ruff check --fix src tests dags deploy benchmarks

lock: $(READY)
	@PATH="$$PATH:$(BIN)" uv lock --quiet --upgrade
	@PATH="$$PATH:$(BIN)" uv export --quiet --all-extras --all-groups --no-emit-project --no-header -o requirements.lock

clean:
	rm -rf $(VENV) $(LATEST) .airflow .pytest_cache .mypy_cache .ruff_cache .hypothesis
