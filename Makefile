# The commands of this repository; `make help` lists them. Tools are pinned here
# and not in go.mod, which names only what the product uses.

GO            ?= go
BIN           := bin/bitkv-redis
PORT          ?= 6379
DATA          ?= data
FUZZTIME      ?= 30s
UNITS         ?=
BENCH         ?=
MODEL         ?= 1000000
CUTS          ?= 20
MUTANTS       ?=
SECONDS       ?= 120
CHECKS        ?= 1000

STATICCHECK   := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT       := mvdan.cc/gofumpt@v0.12.0
GOLANGCI      := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
GOLANGCI_VER  := v2.15.0
GOLANGCI_DIR  := $(CURDIR)/.cache/golangci-lint-$(GOLANGCI_VER)

# The black-box tests start a server that go test's cache knows nothing of, so they
# are never cached; and they run alone, because some of them measure time. RACED
# are those that run a server built with the race detector as well, DRIVEN those
# that run with the portable driver as well, INDEXED those with the other index.
UNIT          = $(filter-out bitkv/tests,$(shell $(GO) list ./...))
RACED         := Transcripts|Differential|Model$$|Kill9|GoRedis|BadInput|Linearizable|MaxClients
DRIVEN        := Transcripts|GoRedis|BadInput|MaxClients|RedisCLI
INDEXED       := Transcripts|Differential|Model$$|Kill9

# The units of Redis's own suite that take seconds: `make test` runs these, and
# `make redis-suite` all of them.
QUICK_UNITS   := type/string type/incr type/hash type/set protocol quit

.DEFAULT_GOAL := help
.PHONY: help build release run test race fuzz crash powerloss soak connections mutants diff model properties clients redis-suite bench bench-full pgo bench-embedded lint fmt check deps clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/bitkv-redis, statically linked
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./cmd/bitkv-redis

release: ## build for each released platform into bin/, stripped
	for arch in amd64 arm64; do \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -trimpath -ldflags '-s -w' \
			-o $(BIN)-linux-$$arch ./cmd/bitkv-redis || exit 1; \
	done

run: build ## build, and serve port 6379 (PORT=) with the data in ./data (DATA=)
	@mkdir -p $(DATA)
	./$(BIN) --port $(PORT) --dir $(DATA)

test: deps build ## vet and every test; installs redis-server and other tools if they are missing
	$(GO) vet ./...
	$(GO) test -timeout 60m $(UNIT)
	BITKV_TEST_DRIVER=net $(GO) test -timeout 60m ./resp
	BITKV_TEST_COLD=1 $(GO) test -timeout 60m ./resp
	$(GO) test -count=1 -timeout 60m ./tests
	BITKV_TEST_ARGS='--io-driver net' $(GO) test -count=1 -timeout 60m -run '$(DRIVEN)' ./tests
	BITKV_TEST_ARGS='--index-type plar' BITKV_DIFF_COMMANDS=20000 BITKV_MODEL_COMMANDS=5000 BITKV_CRASH_CYCLES=10 \
		$(GO) test -count=1 -timeout 60m -run '$(INDEXED)' ./tests
	$(MAKE) fuzz FUZZTIME=2000x
	scripts/redis-suite $(QUICK_UNITS)
	$(GO) test -race -timeout 60m $(UNIT)
	BITKV_TEST_DRIVER=net $(GO) test -race -timeout 60m ./resp
	BITKV_TEST_RACE=1 BITKV_DIFF_COMMANDS=50000 BITKV_MODEL_COMMANDS=5000 BITKV_CRASH_CYCLES=30 BITKV_LINEAR_HISTORIES=30 \
		$(GO) test -count=1 -timeout 60m -run '$(RACED)' ./tests

# `make test` runs with fixed seeds. The targets that look for something new take a
# random one, which they print; BITKV_DIFF_SEED=7 repeats a run.
diff: export BITKV_DIFF_SEED ?= random
model: export BITKV_MODEL_SEED ?= random
crash: export BITKV_CRASH_SEED ?= random
powerloss: export BITKV_POWER_SEED ?= random
soak: export BITKV_SOAK_SEED ?= random
properties: export BITKV_RAPID_SEED ?= random

race: deps ## every test with the race detector, in the tests and in the server they start
	$(GO) test -race -timeout 60m $(UNIT)
	BITKV_TEST_DRIVER=net $(GO) test -race -timeout 60m ./resp
	BITKV_TEST_RACE=1 $(GO) test -race -count=1 -timeout 60m ./tests

fuzz: ## run every fuzz target for FUZZTIME (30s; or a number of inputs, 2000x)
	@set -e; for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

crash: deps ## kill -9 at random moments; BITKV_CRASH_CYCLES=300
	$(GO) test -count=1 -timeout 120m -v -run 'Kill9|Judge' ./tests

powerloss: deps ## the machine loses power, on an ext4 in a loop device; as root; CUTS=20
	BITKV_POWER_CUTS=$(CUTS) $(GO) test -count=1 -timeout 120m -v -run 'PowerLoss' ./tests

soak: deps ## a long run in which nothing may grow; SECONDS=120
	BITKV_SOAK_SECONDS=$(SECONDS) $(GO) test -count=1 -timeout 600m -v -run 'Soak' ./tests

connections: deps ## 10,000 connections, a tenth of which read nothing; needs ulimit -n 12000
	BITKV_CONNECTIONS=10000 BITKV_CONNECTIONS_SECONDS=10 $(GO) test -count=1 -v -run 'TestConnections' ./tests

mutants: ## plant bugs in a copy, one at a time, and see that the tests notice; MUTANTS=B01,R05
	$(GO) run ./scripts/mutants -only '$(MUTANTS)'

diff: deps ## random commands against redis-server; BITKV_DIFF_COMMANDS=200000
	$(GO) test -count=1 -timeout 120m -v -run Differential ./tests

model: deps ## random commands with merges, restarts and kill -9 between them, against redis-server; MODEL=1000000 commands
	BITKV_MODEL_COMMANDS=$(MODEL) $(GO) test -count=1 -timeout 240m -v -run 'Model$$' ./tests

properties: ## the property tests, of CHECKS=1000 cases each
	$(GO) test -count=1 -timeout 120m ./types -rapid.checks $(CHECKS)
	$(GO) test -count=1 -timeout 120m -run 'Property' ./engine -rapid.checks $(CHECKS)

clients: deps ## clients of several languages against the server, and against redis-server
	@scripts/deps.sh clients
	BITKV_TEST_CLIENTS='redis-py ioredis redis-rb' $(GO) test -count=1 -v -run 'ClientMatrix|CLIMatrix|GoRedis' ./tests

redis-suite: deps build ## Redis's own test suite, all units of it that apply (UNITS=); ten minutes
	scripts/redis-suite $(UNITS)

bench: build deps ## the short benchmark beside redis-server, under 5 minutes; BENCH='-only lpush,rpop -rounds 5'
	$(GO) run ./bench -server ./$(BIN) $(BENCH)

bench-full: build deps ## the whole benchmark; writes docs/benchmarks.md
	$(GO) run ./bench -server ./$(BIN) -full -write docs/benchmarks.md $(BENCH)

pgo: ## profile the server for the compiler: writes cmd/bitkv-redis/default.pgo, which builds use; three minutes
	scripts/pgo

bench-embedded: ## the engine as a library beside pogreb, pebble, badger, bbolt, nutsdb and rosedb (EMBEDDED='-only bitkv')
	cd bench/embedded && $(GO) run . $(EMBEDDED)

$(GOLANGCI_DIR)/golangci-lint:
	GOBIN=$(GOLANGCI_DIR) scripts/retry $(GO) install $(GOLANGCI)@$(GOLANGCI_VER)

lint: $(GOLANGCI_DIR)/golangci-lint ## the linters
	@scripts/retry $(GO) run $(STATICCHECK) -version # which fetches it
	@scripts/retry $(GO) run $(GOFUMPT) -version
	$(GOLANGCI_DIR)/golangci-lint run ./...
	$(GO) run $(STATICCHECK) ./...
	@test -z "$$($(GO) run $(GOFUMPT) -l .)" || { $(GO) run $(GOFUMPT) -l .; echo "make fmt formats these"; exit 1; }

fmt: ## format every file
	$(GO) run $(GOFUMPT) -w .

check: test lint ## what CI runs

deps: ## install redis-server and what else the tests need from Debian's packages, if missing
	@scripts/deps.sh redis python suite race
	-@scripts/retry $(GO) mod download

clean: ## remove what was built, and the tools
	rm -rf bin .cache
