# Everything a developer types. `make` alone lists it; CI runs the same targets (.ci/run).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The modules that are built and linted; tools/ has two more, for the Makefile's own use.
MODULES := . worker

# Where `make generate` writes. `make verify-generated` points it elsewhere and compares.
OUT ?= .

# Test packages that run at once. Many start an API server of their own; two at a time suit two cores.
TEST_PROCS ?= 2
TEST_TIMEOUT ?= 20m
# Flags and measures for make bench, such as BENCH='-runs 3 burst leave'; see go run ./test/bench -help.
BENCH ?=
# Flags for make demo and make local, such as ARGS='--image mail=./mail-worker'.
ARGS ?=
# More flags for go test, such as TEST_FLAGS='-run TestSize -v'.
TEST_FLAGS ?=
# More flags for make mutate, such as MUTATE_FLAGS='-file history -min 95'; see go -C tools run ./mutate -help.
MUTATE_FLAGS ?=
# The node for make test-kubelet, such as NODE='-node.kubeconfig k -node.kubelet k.pid -node.apiserver a.pid -node.start up.sh'.
NODE ?=
# How many seconds make test fuzzes what a broker may send: each package of these has the same share.
FUZZ_TIME ?= 60
FUZZ_PACKAGES := $(patsubst %,./internal/broker/%,mysql nats rabbitmq redis)
# Packages of the root module to test.
TEST_PACKAGES ?= ./...

# Somebody waits for what is built here. Without what only debuggers read, and by compilers that collect garbage less
# often than is Go's default, it takes about a quarter less processor time. Local mode builds the control plane in the
# same way (local/controlplane/build.go), so that what both are made of is compiled once.
LEAN := -gcflags=all=-dwarf=false
GO_BUILD := GOGC=$${GOGC:-400} go build $(LEAN)

GO_WANTED := $(shell sed -n 's/^go //p' go.mod)
TOOL := go tool -modfile=tools/go.mod

##@ Try it

.PHONY: demo
demo: bin/qscaler-local ## Watch QScaler work on this machine: no cluster, no Docker.
	@bin/qscaler-local demo $(ARGS)

.PHONY: local
local: bin/qscaler-local ## A local QScaler to work with, by kubectl, until Ctrl-C; make local ARGS=--help has its flags.
	@bin/qscaler-local up $(ARGS)

##@ Develop

.PHONY: test
test: test-needs bin/qscaler-local ## All tests, with the race detector, against a real API server and a real Redis.
	@assets="$${KUBEBUILDER_ASSETS:-}"; \
	if [ -z "$$assets" ]; then \
		bin/qscaler-local setup; \
		assets="$$(bin/qscaler-local setup --print-path)"; \
	fi; \
	export KUBEBUILDER_ASSETS="$$assets"; \
	go -C tools test ./...; \
	go -C worker test -race -p $(TEST_PROCS) -timeout $(TEST_TIMEOUT) $(TEST_FLAGS) ./...; \
	go -C worker test -run '^(TestACutAfterEveryByte|TestNothingGrowsWithTheTasksThatAreDone)$$' -timeout $(TEST_TIMEOUT) .; \
	[ "$(TEST_PACKAGES)" != ./... ] || go test $(LEAN) -timeout $(TEST_TIMEOUT) ./test/simulation; \
	go test -race -p $(TEST_PROCS) -timeout $(TEST_TIMEOUT) $(TEST_FLAGS) $(TEST_PACKAGES); \
	[ "$(TEST_PACKAGES)" != ./... ] || for package in $(FUZZ_PACKAGES); do \
		go test $$package -run '^$$' -fuzz '^FuzzGuard$$' -fuzztime $$(( $(FUZZ_TIME) / $(words $(FUZZ_PACKAGES)) ))s; \
	done

.PHONY: test-kubelet
test-kubelet: bin/qscaler ## Kill at random on a real kubelet of this machine: make test-kubelet NODE='-node.kubeconfig ...'; CONTRIBUTING.md.
	@go test -tags realkubelet -count 1 -v -timeout 2h ./test/realkubelet -operator $(CURDIR)/bin/qscaler $(NODE)

.PHONY: mutate
mutate: go-present ## What the tests of one package do not notice: make mutate PKG=./internal/planner
	@[ -n "$(PKG)" ] || { echo "say which package: make mutate PKG=./internal/planner" >&2; exit 2; }
	@go -C tools run ./mutate $(MUTATE_FLAGS) $(abspath $(PKG))

.PHONY: lint
lint: go-present bin/golangci-lint ## gofmt, go vet, golangci-lint, and whether generated files are fresh.
	@unformatted="$$(gofmt -l .)"; \
	if [ -n "$$unformatted" ]; then echo "not formatted; run gofmt -w on:" >&2; echo "$$unformatted" >&2; exit 1; fi
	@for module in $(MODULES) tools; do go -C $$module vet ./...; done
	@for module in $(MODULES); do (cd $$module && $(CURDIR)/bin/golangci-lint run --config $(CURDIR)/.golangci.yml); done
	@$(MAKE) verify-generated

.PHONY: bench
bench: test-needs bin/qscaler bin/qscaler-local ## Measure the figures of docs/, beside their limits.
	@export KUBEBUILDER_ASSETS="$${KUBEBUILDER_ASSETS:-$$(bin/qscaler-local setup --print-path)}"; \
	go run ./test/bench $(BENCH)

.PHONY: build
build: bin/qscaler bin/qscaler-local ## Build the operator and local mode into bin/.

.PHONY: generate
generate: go-present ## Generate deep copies, CRDs, the operator's role, its network policy for brokers and docs/reference/api.md.
	@mkdir -p $(addprefix $(OUT)/,api/v1alpha1 config/crd/bases config/network-policy config/rbac docs/reference)
	@$(TOOL) controller-gen object paths=./api/... output:object:dir=$(OUT)/api/v1alpha1
	@$(TOOL) controller-gen crd:generateEmbeddedObjectMeta=true paths=./api/... output:crd:dir=$(OUT)/config/crd/bases
	@$(TOOL) controller-gen rbac:roleName=qscaler paths=./internal/controller output:rbac:dir=$(OUT)/config/rbac
	@go run ./internal/broker/kinds/networkpolicy >$(OUT)/config/network-policy/brokers.yaml
	@go -C tools run ./crdpost $(abspath $(OUT))/config/crd/bases
	@go -C tools run ./apidocs $(abspath $(OUT))/config/crd/bases >$(OUT)/docs/reference/api.md

.PHONY: verify-generated
verify-generated: ## Fail if a generated file is not what `make generate` makes.
	@fresh="$$(mktemp -d)"; trap 'rm -rf "$$fresh"' EXIT; \
	$(MAKE) generate OUT="$$fresh"; \
	stale=; \
	while read -r file; do \
		diff -u "$$file" "$$fresh/$$file" >&2 || stale="$$stale $$file"; \
	done < <(cd "$$fresh" && find . -type f | sort); \
	if [ -n "$$stale" ]; then echo "not fresh; run make generate:$$stale" >&2; exit 1; fi

.PHONY: release
release: go-present ## Make the changelog, go.mod and go.sum those of a version: make release VERSION=v0.1.0; docs/releasing.md
	@go -C tools run ./release prepare "$(VERSION)" $(CURDIR)

.PHONY: release-check
release-check: go-present ## Use the release that is committed as strangers will: make release-check VERSION=v0.1.0
	@go -C tools run ./release check "$(VERSION)" $(CURDIR)

.PHONY: clean
clean: ## Remove what was built.
	@rm -rf bin dist

.PHONY: help
help: ## This list.
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Files below bin/. Go's build cache decides what is to be done, so these rules always run; they are quiet
# and quick when nothing has changed.

.PHONY: bin/qscaler bin/qscaler-local bin/golangci-lint
bin/qscaler bin/qscaler-local: bin/%: go-present
	@total=; if [ ! -e $@ ]; then \
		echo "building $*; the first time, Go fetches and compiles what it is made of, which takes about a minute"; \
		total="$$(go list -deps ./cmd/$* 2> >(hack/progress $*) | wc -l)"; \
	fi; \
	$(GO_BUILD) -v -o $@ ./cmd/$* 2>&1 | hack/progress $* $$total

bin/golangci-lint: go-present
	@$(GO_BUILD) -modfile=tools/lint/go.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

# What must be there. hack/need installs it where it can, else one line says what is missing.

.PHONY: go-present
go-present:
	@command -v go >/dev/null || \
		{ echo "Go is missing. Install Go $(GO_WANTED) or newer: https://go.dev/doc/install" >&2; exit 1; }
	@go list -m >/dev/null 2>&1 || \
		{ echo "$$(cd / && go env GOVERSION) is too old. Install Go $(GO_WANTED) or newer: https://go.dev/doc/install" >&2; exit 1; }
	@for dir in "$$(go env GOCACHE)" "$$(go env GOMODCACHE)"; do \
		{ mkdir -p "$$dir" && [ -w "$$dir" ]; } 2>/dev/null || \
		{ echo "$$dir cannot be written; Go keeps there what it fetches and compiles. Set HOME to a directory that can be written." >&2; exit 1; }; \
	done

.PHONY: test-needs
test-needs: go-present bin/qscaler-local
	@hack/need "$$(go env CC)" gcc libc6-dev # for the race detector
	@hack/need redis-server redis-server
	@hack/need redis-cli redis-tools # for the example worker in shell
	@hack/need python3 python3 # for the example worker in Python
	@hack/need beanstalkd beanstalkd
	@hack/need rabbitmq-server rabbitmq-server
	@python3 -c 'import pika' 2>/dev/null || /usr/bin/python3 -c 'import pika' 2>/dev/null || hack/need pika python3-pika # for the example worker of RabbitMQ
	@hack/need "$$(command -v initdb || echo pg_ctlcluster)" postgresql # pg_ctlcluster finds those that are in no PATH
	@python3 -c 'import psycopg' 2>/dev/null || /usr/bin/python3 -c 'import psycopg' 2>/dev/null || hack/need psycopg python3-psycopg # for the example worker of PostgreSQL
	@PATH="$$PATH:/usr/sbin" hack/need mariadbd mariadb-server # which is in few users' PATH
	@python3 -c 'import pymysql' 2>/dev/null || /usr/bin/python3 -c 'import pymysql' 2>/dev/null || hack/need pymysql python3-pymysql # for the example worker of MySQL
	@bin/qscaler-local setup --kubectl >/dev/null # for the commands that local mode prints
