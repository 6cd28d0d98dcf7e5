# Start with: make help

TOOLS    := $(CURDIR)/.cache/tools
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME ?= 20s

# To have the race detector watch these is three quarters of what the tests cost. SQLite, translated from C, keeps
# its data where the detector does not look, outside of Go's heap; the driver is watched. The arithmetic of the curve
# (3,000 addresses for each wallet) is, in the one test in which goroutines share something of it. The estimator of
# passwords shares nothing but its lists, which it only reads; goose parses each migration in one goroutine.
UNWATCHED := modernc.org/sqlite/lib modernc.org/libc github.com/decred/dcrd/dcrec/secp256k1/v4 \
  github.com/trustelem/zxcvbn/... github.com/dlclark/regexp2/... github.com/pressly/goose/v3/...
RACE      := -race $(UNWATCHED:%=-gcflags=%=-race=false)
# Tests that the race target leaves out: each is one long sequence of steps in one goroutine or of one client,
# whose single steps are watched in other tests.
SEQUENTIAL := ^TestProposals$$/^size$$|^TestRightsSearch$$|^TestReplacementHistories$$|^TestExportThatBreaksOff$$|^TestMutations$$
# Tests of the program as a process that the race target runs: those in which a server has much to do at once.
PROCESSES := ^Test(Soak|SeveralProcesses|Servers_Concurrent|KilledUnderLoad|Stop|TokenRevocation_AcrossProcesses|ScheduledBackups|Outage|LoginFlood|SlowHeaders|IdleConnections|LogLevelSignal|Accounting)
# By default each process waits a second at its end for reports of other goroutines, and tests run hundreds of commands.
export GORACE := atexit_sleep_ms=20

export PATH := $(TOOLS):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help deps bitcoind build demo run test race test-unit cover fuzz bench verify-long lint fmt sqlc verify vulncheck release reproduce

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## put in place what building and testing need: Go, gcc, PostgreSQL, bitcoind, Python, npm
	@scripts/deps.sh

bitcoind: ## find a bitcoind, or fetch one, and print its path
	@scripts/bitcoind.sh

build: ## build bin/specterd
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/specterd ./cmd/specterd

release: ## make dist/ of the commit: archives for four platforms, what is in them, and SHA256SUMS
	scripts/release.sh

reproduce: ## make the release again, elsewhere and from nothing, and compare it with dist/
	scripts/reproduce.sh

demo: deps build ## show specterd at work on a regtest chain of its own (DEMO_FLAGS=--once to end by itself)
	bin/specterd demo $(DEMO_FLAGS)

run: build ## serve on loopback, with the API on and the data in .cache/run
	SPECTER_API_ACTIVE=true SPECTER_DATA_FOLDER=.cache/run bin/specterd serve

test: deps $(TOOLS)/gotestsum ## run all tests, on real servers
	gotestsum --format pkgname-and-test-fails -- -shuffle=on -timeout 25m ./...

race: deps $(TOOLS)/gotestsum ## run the tests in which much happens at once under the race detector
	CGO_ENABLED=1 go test -race -run TestDeriverIsShared ./internal/btc
	CGO_ENABLED=1 gotestsum --format pkgname-and-test-fails -- $(RACE) -shuffle=on -timeout 25m -skip '$(SEQUENTIAL)' \
	  $(shell go list ./internal/... | grep -v -e /bench$$)
	CGO_ENABLED=1 gotestsum --format pkgname-and-test-fails -- $(RACE) -shuffle=on -timeout 25m -run '$(PROCESSES)' ./cmd/specterd

test-unit: ## run the tests that need no server
	go test ./internal/fault/... ./internal/config/... ./internal/auth/...

cover: deps ## run all tests and print how much of the code they reach
	go test -coverprofile=cover.out -coverpkg=./... ./...
	go tool cover -func=cover.out | tail -n 1

fuzz: ## run every fuzz target for FUZZTIME (20s)
	@scripts/fuzz.sh $(FUZZTIME)

bench: deps ## measure, and print the numbers
	go run ./internal/bench

verify-long: deps ## the full form of docs/reliability.md: hours (verify-long-kills and the like run one of it)
	scripts/verify-long.sh

verify-long-%: deps
	scripts/verify-long.sh $*

lint: $(TOOLS)/golangci-lint ## check the code and its format
	golangci-lint run ./...
	golangci-lint fmt --diff

fmt: $(TOOLS)/golangci-lint ## format the code
	golangci-lint fmt

sqlc: $(TOOLS)/sqlc ## generate the Go code of the SQL queries
	sqlc generate

verify: deps $(TOOLS)/sqlc vulncheck ## check that what is generated is up to date, and lint docs/openapi.json
	go mod tidy -diff
	go -C tools mod tidy -diff
	go -C tools/openapi/client mod tidy -diff
	sqlc diff
	sqlc compile -f sqlc.check.yaml
	go run ./cmd/specterd openapi | diff docs/openapi.json -
	scripts/openapi.sh

# Known vulnerabilities are news, not a broken build; and the database may be out of reach.
vulncheck:
	@go run golang.org/x/vuln/cmd/govulncheck@v1.8.0 ./... || echo 'govulncheck found something, or could not run: going on'

# The tools are pinned in tools/go.mod, and built anew when it changes.
$(TOOLS)/%: tools/go.mod tools/go.sum
	go build -C tools -o $@ $$(go list -C tools tool | grep '/$*$$')
	@touch $@
