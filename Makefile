# What one types. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

CARGO ?= cargo
# Whether `make test` ends with one line of totals over all test binaries: yes or no.
TOTALS ?= yes

.PHONY: help build test check fmt bench demo generate

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

build: ## build the binary, target/release/flotilla
	$(CARGO) build --locked --release

test: ## run all tests; only Rust is needed
	@mkdir -p target
	status=0
	$(CARGO) test --locked --lib --bins --tests --no-fail-fast 2>&1 | tee target/test.log || status=$$?
	if [ "$(TOTALS)" = yes ]; then
	  awk '/^test result:/ { passed += $$4; failed += $$6; ignored += $$8; binaries += 1 }
	       END { printf "\ntotal: %d passed, %d failed, %d ignored, in %d test binaries\n", passed, failed, ignored, binaries }' \
	    target/test.log
	fi
	exit $$status

check: ## format, lints, licences and sources of dependencies
	@echo "format"
	$(CARGO) fmt --all --check
	echo "lints"
	$(CARGO) clippy --locked --all-targets -- -D warnings
	echo "dependencies"
	if $(CARGO) deny --version > /dev/null 2>&1; then
	  $(CARGO) deny --locked check licenses bans sources
	else
	  echo "cargo-deny is not installed: only the licences are checked, by tests/documents.rs (cargo install --locked cargo-deny)"
	fi

fmt: ## format the sources
	$(CARGO) fmt --all

bench: ## measure rendering and comparing
	$(CARGO) bench --locked

demo: ## the whole way on a stand-in fleet: back up on c1, restore on c2
	$(CARGO) run --locked --release -- demo

generate: ## write what follows from the sources: kustomize/crds
	FLOTILLA_GENERATE=yes $(CARGO) test --locked --test definitions the_committed_definitions_are_those_of_the_types
