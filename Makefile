# `make demo` and `make test` are all that a newcomer needs; `make` alone lists the rest.
#   PYTHON=python3.12    the interpreter that .venv is made with
#   PIP_EXTRA='…'        more options for pip install, such as another index (CONTRIBUTING.md says when)

PYTHON ?= python3
PIP_EXTRA ?=

BIN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test check lint format docs bench-by-time bench-cold bench-diversity bench-import bench-methods \
  bench-new-users bench-quality bench-recommend bench-search clean

help:  ## list the targets
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED)  ## recommend films from MovieLens 100k, on an embedded PostgreSQL or RECSYS_PG_DATABASE_URL
	@$(BIN)/recsys-pg demo

# The tests create and drop databases of their own on the server; the one that the URL names is not touched.
# All tests of a file run in one process, so that what they share is built once. Two processes with one thread each:
# several threads a process would wait for each other where there are two processors.
test: $(INSTALLED)  ## run all tests, on an embedded PostgreSQL or the server of RECSYS_PG_DATABASE_URL
	@RECSYS_PG_TEST_DATABASE_URL="$${RECSYS_PG_TEST_DATABASE_URL-$$RECSYS_PG_DATABASE_URL}" \
	  OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

check: lint  ## all that must hold before a commit but the tests: lint, and types by mypy
	@$(BIN)/mypy

lint: $(INSTALLED)  ## style, formatting and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo --no-cache

format: $(INSTALLED)  ## fix what ruff can fix, and format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(INSTALLED)  ## write docs/sql-api.md anew from the functions' comments
	@$(BIN)/python docs/generate_sql_api.py

bench-by-time: $(INSTALLED)  ## the hybrid against every method when the future is foretold; needs the files
	@$(BIN)/python benchmarks/by_time.py

bench-cold: $(INSTALLED)  ## films that nobody has seen, ranked by SQL on MovieLens 1M, five seeds; needs its files
	@$(BIN)/python benchmarks/cold.py

bench-diversity: $(INSTALLED)  ## what diversity, damping, exploration and limits cost and bring on MovieLens 100k
	@$(BIN)/python benchmarks/diversity.py

bench-import: $(INSTALLED)  ## rows a second of `recsys-pg import` beside a bare binary COPY
	@$(BIN)/python benchmarks/import_speed.py

bench-methods: $(INSTALLED)  ## NDCG@10 and Recall@20 of every method on MovieLens 100k
	@$(BIN)/python benchmarks/methods.py

bench-new-users: $(INSTALLED)  ## who has done one, two or five things, on MovieLens latest-small; needs its files
	@$(BIN)/python benchmarks/new_users.py

bench-quality: $(INSTALLED)  ## recommendations on public data sets beside published figures; needs their files
	@$(BIN)/python benchmarks/quality.py

bench-recommend: $(INSTALLED)  ## milliseconds of recommend_for_user on 100,000 items and 10,000,000 interactions
	@$(BIN)/python benchmarks/recommend_speed.py

bench-search: $(INSTALLED)  ## filtered search at every selectivity beside pgvector, pgvectorscale, Qdrant and FAISS
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --requirement benchmarks/search_requirements.txt
	@$(BIN)/python benchmarks/search_speed.py

clean:  ## remove .venv and everything else that make and the tools wrote here
	@rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "recsys-pg needs Python 3.11 or later, and $(PYTHON) is not. Name one: make PYTHON=python3.12 …" >&2; \
	  exit 1; }
	@echo "Installing into .venv (the first time takes a minute or two) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --no-input --disable-pip-version-check \
	  --constraint constraints.txt $(PIP_EXTRA) --editable '.[dev]'
	@touch $@
