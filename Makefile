# What a newcomer types. `make` alone lists it.
#
# `make run` builds with the release profile, since that is what people look at and measure;
# tests build with the dev profile, which compiles quickly.

.DEFAULT_GOAL := help
SHELL := bash
CYCLES ?= 100
CASES ?= 10000
FAILOVERS ?= 50
MESSAGES ?= 200000
ROUNDS ?= 5
ONLY ?=
FORCE ?=
ARGS ?=
ENV := source scripts/env.sh &&

.PHONY: help run build cluster chat test check lint fmt docs chaos crash loadtest bench bench-limits bench-micro bench-rest fuzz fuzz-rest setup setup-test

help: ## List these targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building needs, and prepare the RocksDB archive.
	@scripts/setup.sh build
	@scripts/rocksdb.sh

setup-test: setup
	@scripts/setup.sh test

build: setup ## Build the release binary: target/release/linnet.
	@$(ENV) cargo build --release --package linnet-server --bin linnet

run: build ## Build and start the server over ./data. ARGS="--tcp 0.0.0.0:5100" adds flags.
	@exec target/release/linnet serve $(ARGS)

cluster: build ## Start 3+3 Redis nodes, 3 gateways and 2 REST nodes over ./data/cluster. ARGS="--replicas 2" changes that.
	@scripts/setup.sh cluster
	@exec scripts/cluster.sh $(ARGS)

chat: build ## Chat beside a running server: make chat ARGS="--user alice --to bob".
	@exec target/release/linnet chat $(ARGS)

lint: ## Check the format, the sizes of files, and what clippy finds.
	cargo fmt --all --check
	scripts/file_sizes.sh
	$(ENV) cargo clippy --workspace --all-targets -- --deny warnings

docs: ## Build the documentation of every crate, without a warning.
	$(ENV) RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --document-private-items

test: setup-test lint docs ## Everything that has to pass: lint, docs, examples in docs, tests.
	$(ENV) scripts/test.sh

check: test ## The same as `make test`.

crash: setup-test ## Kill the server under load, CYCLES times (100), and check every ack.
	$(ENV) LINNET_CRASH_CYCLES=$(CYCLES) cargo test --package linnet-storage --test crash -- --nocapture --test-threads 1
	$(ENV) LINNET_CRASH_CYCLES=$(CYCLES) cargo test --package linnet-server --test it crash:: -- --nocapture --test-threads 1

chaos: setup-test ## Fail a cluster in every way under load, FAILOVERS times (50), for MESSAGES acks (200000), and check each. See scripts/chaos.sh.
	@scripts/setup.sh chaos
	$(ENV) FAILOVERS=$(FAILOVERS) MESSAGES=$(MESSAGES) scripts/chaos.sh

fuzz-rest: setup-test ## Ask the REST service whatever its OpenAPI document allows, in CASES requests (10000).
	@$(ENV) scripts/fuzz-rest/run.sh $(CASES)

loadtest: build ## Measure what this machine can do: a server of its own, users, three runs, pages with charts. ARGS="--transport tls" adds flags.
	@$(ENV) cargo build --release --package linnet-loadtest
	@scripts/loadtest.sh $(ARGS)

bench: build ## Measure Linnet beside others, ROUNDS times (5), all or ONLY=peer,connect, and write BENCHMARKS.md. FORCE=1 measures anew.
	@scripts/setup.sh peers
	$(ENV) cargo build --release --package linnet-loadtest
	$(ENV) cargo build --release --package linnet-peers
	python3 benches/suite --rounds $(ROUNDS) --only "$(ONLY)" $(if $(FORCE),--force)

bench-micro: setup ## Time the hot paths, and count their instructions.
	@scripts/setup.sh bench
	$(ENV) cargo bench --package linnet-benches

bench-rest: build ## Measure the REST service with wrk, beside a bare hyper server.
	@scripts/setup.sh bench-rest
	$(ENV) cargo build --quiet --release --package linnet-peers --bin hello
	benches/rest.sh

bench-limits: setup-test ## Write anew what the hot paths may cost in `make test`: benches/limits.toml.
	$(ENV) cargo test --quiet --package linnet-benches --test gate -- --ignored --nocapture write_limits

fmt: ## Format the code.
	cargo fmt --all
