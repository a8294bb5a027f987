# Each target has one line of description (`make help` lists them) and calls a program.
SHELL := /bin/sh
PYTHON := target/venv/bin/python
COMPONENT := target/component/snowcat.wasm
# The folders that `make conformance` runs.
CASES := tests/data/conformance/cases
CORPUS := tests/data/conformance/corpus
# The number of sequences of `make differential`, and its first seed.
SEQUENCES := 2000
SEED := 1
# The seconds of `make fuzz` for each target.
SECONDS := 60
CARGO ?= cargo
# Recorded answers of Snowflake's drivers, which are not part of this repository.
RECORDED :=
# The import path of the Python programs; tests/pytest.ini has the same for the tests.
export PYTHONPATH := $(CURDIR)/tests:$(CURDIR)/tests/python:$(CURDIR)/tests/python/support:$(CURDIR)/procedures/handler:$(CURDIR)/procedures/install
# The folder to which the Rust tests write Parquet files for other readers.
READ_BACK := $(CURDIR)/target/read_back
# The Python sources.
PYTHON_SOURCES := procedures tests
# The versions of the lock file are tested; it changes only on purpose.
LOCKED := --locked
# What is tested and linted. A part of it would be compiled with other features, and so once more.
EVERYTHING := --workspace --all-features

.DEFAULT_GOAL := help
.PHONY: help setup setup-wasm setup-python node try-node component test prepare compile test-rust test-python clients library conformance record recorded differential races fuzz lint lint-format lint-clippy lint-python lint-doc lint-deny demo package scripts package-offline package-arm image reference book backfill-model bench memory record-transcripts plan-example fmt clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: setup-wasm setup-python ## Install what is missing: a compiler for the component, Python packages in target/venv

setup-wasm:
	@tests/setup/wasm.sh

setup-python:
	@tests/setup/python.sh target/venv tests/python/requirements.txt

# Without npm the tests of Azurite and of the client for Node.js are skipped, and say so.
try-node:
	@if command -v npm >/dev/null; then tests/setup/node.sh target/node; \
	else echo "node: no npm; the tests of Azurite and of snowflake-sdk are skipped"; fi

node: ## Install the Node.js programs of the tests in target/node
	@tests/setup/node.sh target/node

# The whole workspace, as the tests build it: a single package would be compiled with other features, and so
# once more.
component: ## Build the component (target/component/snowcat.wasm) and the programs (target/debug)
	@echo "component: build"
	@# And the program that the tests of stages run.
	@$(CARGO) build --quiet $(LOCKED) --workspace --lib --bins --example upload
	@target/debug/snowcat component $(COMPONENT)

# Clippy is the compiler here, so that nothing is compiled once for the lints and once more for the tests. The value is
# the format of `cargo clippy`, which has no such mode.
test: export RUSTC_WORKSPACE_WRAPPER := clippy-driver
test: export CLIPPY_ARGS := -D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__
test: lint-format setup-wasm prepare lint-python test-rust test-python ## All of it, as CI runs it

# The compiler does not wait for downloads.
prepare:
	@$(MAKE) --no-print-directory --jobs 3 setup-python try-node compile

compile:
	@echo "test: compile, with clippy"
	@$(CARGO) test --quiet $(LOCKED) $(EVERYTHING) --no-run

lint: lint-format lint-python lint-clippy lint-doc ## Format, lints and documentation, warnings are errors

lint-format:
	@echo "lint: rustfmt"
	@$(CARGO) fmt --all --check

lint-python:
	@echo "lint: ruff"
	@$(PYTHON) -m ruff format --quiet --check $(PYTHON_SOURCES)
	@$(PYTHON) -m ruff check --quiet $(PYTHON_SOURCES)

lint-clippy:
	@echo "lint: clippy"
	@$(CARGO) clippy --quiet $(LOCKED) $(EVERYTHING) --all-targets -- -D warnings

lint-doc:
	@echo "lint: rustdoc"
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet $(LOCKED) --workspace --lib --no-deps

lint-deny: ## Check licences, advisories and duplicate packages (needs cargo-deny)
	@echo "lint: cargo-deny"
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --quiet --locked cargo-deny
	@$(CARGO) deny --log-level warn check

test-rust: ## The tests in Rust
	@echo "test: Rust"
	@mkdir -p $(READ_BACK)
	@export SNOWCAT_READ_BACK="$(READ_BACK)"; if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run $(LOCKED) $(EVERYTHING) --cargo-quiet --status-level fail && \
		$(CARGO) test --quiet $(LOCKED) $(EVERYTHING) --doc; \
	else \
		$(CARGO) test --quiet $(LOCKED) $(EVERYTHING); \
	fi

test-python: component ## The tests in Python: the procedure's handler, the emulator, end to end
	@echo "test: Python"
	@$(PYTHON) tests/python/support/parquet_read_back.py $(READ_BACK)
	@# Three on two cores: each waits for its emulator's threads a third of the time.
	@$(PYTHON) -m pytest -q --numprocesses 3 --dist worksteal tests

clients: setup node ## Install the other clients of Snowflake, and run one script with each against the emulator
	@tests/setup/clients.sh target/clients
	@$(PYTHON) -m pytest -q -rs tests/python/test_clients.py

library: ## Build the guest as a native program for tests (target/debug/library)
	@$(CARGO) build --quiet $(LOCKED) --package snowcat-tests --features library --bin library

conformance: setup component library ## Compare with the recorded results of dlt in CASES=<folder> CORPUS=<folder>, natively and as a component
	@$(PYTHON) -m conformance --cases $(CASES) --corpus $(CORPUS)

record: ## Record CASES=<folder> again with the newest dlt (or DLT=a version)
	@test -x target/newest/bin/python || python3 -m venv target/newest
	@target/newest/bin/pip install --quiet --disable-pip-version-check --upgrade 'dlt[duckdb,parquet,snowflake]$(DLT:%===%)' orjson
	@target/newest/bin/python -m conformance.record $(CASES)

recorded: ## Run our client against the answers that Snowflake's drivers are tested with: RECORDED=<folder>
	@# The workspace, for its features, as for `memory`.
	@RECORDED="$(abspath $(RECORDED))" $(CARGO) test --quiet $(LOCKED) --workspace --test recorded -- --nocapture conversations

differential: setup component library ## Compare dlt and Snowcat on random sequences of loads: SEQUENCES=2000 SEED=1
	@$(PYTHON) -m conformance.differential --sequences $(SEQUENCES) --seed $(SEED)

fuzz: ## Run random pages and jobs for SECONDS=60 each, from SEED=1 on
	@SNOWCAT_FUZZ_SECONDS=$(SECONDS) SNOWCAT_FUZZ_SEED=$(SEED) $(CARGO) test --quiet $(LOCKED) --package snowcat-guest --test fuzz

races: setup component ## Race two loads at every pair of steps, under every interpretation of the locks (hours)
	@SNOWCAT_RACES=all $(PYTHON) -m pytest -q --numprocesses 2 --dist worksteal tests/python/test_races.py

demo: setup component ## Load a fake Jira twice by a procedure in an emulated Snowflake
	@echo "demo: an emulated Snowflake and a fake Jira on this machine"
	@$(PYTHON) tests/python/support/demo.py

package: setup component ## Write the files for an installation in Snowflake: target/package
	@echo "package: target/package"
	@$(PYTHON) procedures/install/package.py --component $(COMPONENT) --out target/package

scripts: setup ## Write only the SQL of the package: target/package/*.sql
	@echo "scripts: target/package"
	@$(PYTHON) procedures/install/package.py --scripts --out target/package

package-offline: setup component ## Write the package with the runtime (from the package index), for accounts without a package repository
	@echo "package: target/package, with the runtime"
	@$(PYTHON) procedures/install/package.py --component $(COMPONENT) --out target/package --offline-runtime

package-arm: package-offline ## Run the package's files for aarch64 on an emulated processor (Debian 12; as root, for qemu-user)
	@tests/setup/arm64.sh target/arm64
	@qemu-aarch64 -L target/arm64/root target/arm64/root/usr/bin/python3.11 -I -S \
		tests/python/support/arm64.py target/package tests/data/transcripts

image: ## Write a container image with the program, linked statically: target/image/snowcat.tar (x86-64)
	@echo "image: build, in release"
	@mkdir -p target/image
	@RUSTFLAGS='-C target-feature=+crt-static' $(CARGO) build --quiet --release $(LOCKED) --package snowcat-host --bin snowcat \
		--target x86_64-unknown-linux-gnu --target-dir target/image
	@target/image/x86_64-unknown-linux-gnu/release/snowcat image target/image/snowcat.tar

reference: ## Write the book's reference of the job from procedures/jobs/job.schema.json
	@python3 procedures/docs/reference.py

book: reference ## Render the user's book (procedures/docs) to target/book (needs mdbook)
	@mdbook --version >/dev/null 2>&1 || $(CARGO) install --quiet --locked mdbook@0.5.4
	@mdbook build procedures/docs
	@# Links out of the book point to the files of this repository.
	@sed -i 's#"\.\./\.\./\.\./\([A-Z]*\)\.html#"../../\1.md#g; s#"\.\./\.\./jobs/#"../../procedures/jobs/#g' target/book/*.html
	@echo "book: target/book/index.html"

backfill-model: ## Print how long a backfill of ten billion rows takes, by a model and a simulation
	@python3 tests/python/support/backfill.py

bench: setup ## Compare the speed with dlt's on this machine: target/bench/bench.json
	@echo "bench: build, in release"
	@$(CARGO) build --quiet --release $(LOCKED) --package snowcat-tests --features bench --bin bench
	@target/release/bench --python $(PYTHON)

memory: ## Measure that memory stays flat over a gigabyte of pages
	@# The workspace, for its features: the package alone would compile wasmtime once more.
	@$(CARGO) test --quiet $(LOCKED) --workspace --test memory -- --ignored --nocapture

record-transcripts: component ## Record tests/data/transcripts again with the emulator
	@echo "record: tests/data/transcripts"
	@$(PYTHON) tests/python/test_transcripts.py

plan-example: ## Show what a load would do, without Snowflake
	@mkdir -p target
	@printf '%s\n' '{"pipeline": "example", "database": "RAW", "dataset": "shop", "resources": [{"name": "orders", "primary_key": "id", "write_disposition": "merge"}]}' > target/example.json
	@printf '%s\n' '{"id": 1, "placed": "2026-01-02T03:04:05Z", "items": [{"sku": "A-1", "price": 9.5}, {"sku": "B-2", "price": 3}]}' > target/example.ndjson
	@$(CARGO) run --quiet $(LOCKED) --package snowcat-host --bin snowcat -- plan target/example.json --input target/example.ndjson

fmt: ## Format the sources
	@$(CARGO) fmt --all
	@$(PYTHON) -m ruff format --quiet $(PYTHON_SOURCES)

clean: ## Remove everything that was built
	@echo "clean: target"
	@rm -rf target
