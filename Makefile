# What one types. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

CARGO ?= cargo
# Whether `make test` ends with one line of totals over all test binaries: yes or no.
TOTALS ?= yes
# How many scenarios stand on real servers at a time. Each has three API servers, three etcds and up to three Veleros.
PLANE_THREADS ?= 2

# Where the programs of the test plane are built; tests/support/plane looks for them here.
PLANE := target/plane/bin
PLANE_PROGRAMS := kube-apiserver etcd velero velero-plugin-for-aws versitygw kubelet
GO_BUILD = go build -trimpath
KUBERNETES_VERSION = $(call version_of,apiserver,k8s.io/kubernetes)
VELERO_VERSION = $(call version_of,velero,github.com/vmware-tanzu/velero)
# version_of FOLDER,MODULE: the version that a go.mod of the plane requires.
version_of = $(shell awk 'NF > 1 && $$(NF-1) == "$(2)" && /v[0-9]/ { print $$NF; exit }' tests/plane/$(1)/go.mod)

.PHONY: help build test plane e2e check fmt generate definitions bench fuzz demo

help: ## this list
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):.*## (.*)/  make \1\t\2/' | expand -t 16

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

plane: $(addprefix $(PLANE)/,$(PLANE_PROGRAMS)) target/plane/crds ## build the real servers for `make e2e`; needs Go, the first time a quarter of an hour

e2e: plane ## run the scenarios and the agreement tests on real servers: kube-apiserver, etcd, Velero, S3
	FLOTILLA_STAGE=plane $(CARGO) test --locked --no-fail-fast --test scenarios --test agreement --test velero_agreement --test conformance -- \
	  --include-ignored --test-threads=$(PLANE_THREADS)

# plane_program PROGRAM,FOLDER,PACKAGE,LINKER FLAGS
define plane_program
$(PLANE)/$(1): $(wildcard tests/plane/$(2)/*)
	@tests/plane/need-go.sh
	echo "building $(1)"
	mkdir -p $(PLANE)
	cd tests/plane/$(2)
	$(GO_BUILD) -ldflags "-s -w $(4)" -o ../../../$(PLANE)/$(1) $(3)
endef

$(eval $(call plane_program,kube-apiserver,apiserver,.,-X k8s.io/component-base/version.gitVersion=$$(KUBERNETES_VERSION) -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$$(word 2,$$(subst ., ,$$(KUBERNETES_VERSION))) -X k8s.io/component-base/version.gitTreeState=clean))
$(eval $(call plane_program,etcd,etcd,.,))
$(eval $(call plane_program,velero,velero,.,-X github.com/vmware-tanzu/velero/pkg/buildinfo.Version=$$(VELERO_VERSION)))
$(eval $(call plane_program,velero-plugin-for-aws,velero-plugin-for-aws,github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws,))
$(eval $(call plane_program,versitygw,s3,github.com/versity/versitygw/cmd/versitygw,))
$(eval $(call plane_program,kubelet,kubelet,.,))

target/plane/crds: tests/plane/definitions.sh
	@tests/plane/need-go.sh
	echo "fetching the definitions of others"
	tests/plane/definitions.sh $@

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

fuzz: ## run each fuzz target for a minute (FUZZ_SECONDS); needs nightly Rust and cargo-fuzz
	fuzz/run.sh

demo: ## the whole way on a stand-in fleet: back up on c1, restore on c2
	$(CARGO) run --locked --release -- demo

generate: ## write what follows from the sources: kustomize/crds, policies, the tables of docs/reference/configmap.md
	FLOTILLA_GENERATE=yes $(CARGO) test --locked --test definitions the_committed_definitions_are_those_of_the_types
	FLOTILLA_GENERATE=yes $(CARGO) test --locked --test render_policies the_committed_policies_are_those_of_the_templates
	FLOTILLA_GENERATE=yes $(CARGO) test --locked --test config the_page_has_the_table_of_keys

definitions: ## copy the definitions of Velero that `installMode: velero` installs, vendor/velero; needs Go
	@tests/plane/need-go.sh
	vendor/velero/definitions.sh vendor/velero
