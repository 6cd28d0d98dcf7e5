# Start with: make help

TOOLS    := $(CURDIR)/.cache/tools
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME ?= 20s

# The race detector does not watch these packages, which would be most of the cost. SQLite, translated from C, keeps
# its data outside of Go's heap, where the detector does not look; the driver is watched. Of the curve's arithmetic,
# goroutines share something in one test, which runs separately. The password estimator only reads its lists, and
# goose parses each migration in one goroutine.
UNWATCHED := modernc.org/sqlite/lib modernc.org/libc github.com/decred/dcrd/dcrec/secp256k1/v4 \
  github.com/trustelem/zxcvbn/... github.com/dlclark/regexp2/... github.com/pressly/goose/v3/...
RACE      := -race $(UNWATCHED:%=-gcflags=%=-race=false)
# What the race target runs: all tests of some packages, and of the others the tests in which requests, processes or
# background work run at the same time. The target race-all runs all tests.
WATCHED    := ./internal/admission ./internal/auth ./internal/clock ./internal/event ./internal/keymutex ./internal/metrics ./internal/node/rpcclient ./internal/node/zmq
WATCHED_IN := ./internal/backup ./internal/cli ./internal/httpapi ./internal/indexer ./internal/node/backend ./internal/node/nodeevent ./internal/node/nodestatus ./internal/proposal ./internal/store ./internal/wallet ./test/system
CONCURRENT := ^Test(.*Concurrent.*|SeveralProcesses|TwoProcesses|Soak|KilledUnderLoad|Stop|Outage)$$|^Test(ScheduledBackups|Scheduler|Exclusive|LoginFlood|SlowHeaders|IdleConnections|LogLevelSignal|Accounting|HeavyRequests|IdempotencyKey|TokenRevocation_Across|ConflictingTransaction|Snapshot|Grants_DeletionInAnotherProcess|Watched_UnderLoad|Broadcast_InHistoryImmediately|BusyNode|Run|Reorganization|NodeRestarts|Scans_RoundRobin|RangeExtension)|^TestService$$/./concurrent|^TestService$$/./wait
# By default each process waits a second at its end for reports of other goroutines, and tests run hundreds of commands.
export GORACE := atexit_sleep_ms=20

export PATH := $(TOOLS):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help deps test-deps bitcoind build demo run test race race-all test-short cover fuzz bench bench-turns verify-long lint fmt sqlc client verify verify-deb verify-image verify-old-client vulncheck release reproduce

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## put in place what the demo needs: Go and a bitcoind
	@echo 'deps: checking the programs that the demo requires'
	@scripts/deps.sh

test-deps: ## put in place what the tests need in addition: gcc, PostgreSQL, Python, npm and others
	@echo 'test-deps: checking the programs that the tests require'
	@scripts/deps.sh --test

bitcoind: ## find a bitcoind, or fetch one, and print its path
	@scripts/bitcoind.sh

build: ## build bin/specterd
	CGO_ENABLED=0 go build -trimpath -ldflags '-X github.com/specterd/specterd/internal/cli.version=$(VERSION)' -o bin/specterd ./cmd/specterd

release: ## make dist/ of the commit: archives for four platforms, Debian packages, what is in them, and SHA256SUMS
	scripts/release.sh

verify-deb: ## install, use, upgrade, remove and purge the package of dist/ in a clean Debian root (as root)
	scripts/test-deb.sh dist

verify-image: ## build the container image for two platforms with Buildah and use it, without Docker (as root)
	scripts/test-image.sh

verify-old-client: test-deps ## run the clients of an earlier commit with the server of this one (REV=COMMIT; by default the latest release)
	scripts/old-client.sh $(REV)

reproduce: ## make the release again, elsewhere and from nothing, and compare it with dist/
	scripts/reproduce.sh

demo: deps build ## show specterd at work on a regtest chain of its own (DEMO_FLAGS=--once to end by itself, DEMO_FLAGS="--port N" for a port)
	bin/specterd demo $(DEMO_FLAGS)

run: build ## serve on loopback, with the API on and the data in .cache/run
	SPECTER_API_ACTIVE=true SPECTER_DATA_FOLDER=.cache/run bin/specterd serve

test: test-deps $(TOOLS)/gotestsum ## run all tests, on real servers
	@echo 'test: compiling and testing all packages, about 11 minutes on two processors; each package is reported at its end'
	gotestsum --format pkgname-and-test-fails -- -shuffle=on -timeout 25m ./...

race: test-deps $(TOOLS)/gotestsum ## run the concurrency tests under the race detector
	CGO_ENABLED=1 go test -race -run TestDeriver_Concurrent ./internal/btc
	CGO_ENABLED=1 gotestsum --format pkgname-and-test-fails -- $(RACE) -shuffle=on -timeout 15m $(WATCHED)
	CGO_ENABLED=1 gotestsum --format pkgname-and-test-fails -- $(RACE) -shuffle=on -timeout 15m -run '$(CONCURRENT)' $(WATCHED_IN)

race-all: test-deps $(TOOLS)/gotestsum ## run all tests under the race detector: about half an hour
	CGO_ENABLED=1 gotestsum --format pkgname-and-test-fails -- $(RACE) -shuffle=on -timeout 60m ./...

# A skipped test does not count as passed, so the number of skipped tests is printed. Packages that have not changed
# since they passed are not tested again. Linking, which takes half of the CPU time, is shorter without debug
# information and symbols (-s), and packages without a fast test are left out. The packages whose tests take longest
# begin first, and four packages run at a time, because the tests of some mostly wait. Databases are in memory if it
# has a gigabyte for them, because the tests wait thousands of times for the disk (fsync); test binaries are not,
# because /dev/shm may be mounted noexec.
test-short: $(TOOLS)/gotestsum ## run the fast tests that require no server (go test -short)
	@echo 'test-short: compiling and running the tests that require no server; each package is reported at its end'
	@memory=$$(df --output=avail,target /dev/shm 2>/dev/null | awk '$$1+0 > 1048576 {print $$2}'); \
	GOTMPDIR=$${GOTMPDIR:-$${TMPDIR:-/tmp}} TMPDIR=$${TMPDIR:-$${memory:-/tmp}} \
	gotestsum --format pkgname-and-test-fails --hide-summary skipped --jsonfile .cache/test-short.json -- -p 4 -short -ldflags=-s -timeout 10m ./internal/store ./internal/httpapi ./internal/node/backend $$(go list ./... | grep -Ev '/(test/system|internal/bench)$$')
	@echo "test-short: $$(grep -c '"Action":"skip".*"Test"' .cache/test-short.json) tests were skipped because they require a server or several seconds, and all of test/system and internal/bench; make test runs them"

cover: test-deps ## run all tests and print how much of the code they reach
	go test -coverprofile=cover.out -coverpkg=./... ./...
	go tool cover -func=cover.out | tail -n 1

fuzz: ## run every fuzz target for FUZZTIME (20s)
	@scripts/fuzz.sh $(FUZZTIME)

bench: test-deps ## measure, and print the numbers
	go run ./internal/bench

bench-turns: test-deps ## measure REV and the working tree in turns; ONLY is a regexp of names
	scripts/bench-turns.sh '$(REV)' -rounds 3 -only '$(ONLY)'

verify-long: test-deps ## the full form of docs/reliability.md: hours (verify-long-kills and the like run one of it)
	scripts/verify-long.sh

verify-long-%: test-deps
	scripts/verify-long.sh $*

lint: $(TOOLS)/golangci-lint ## check the code, its format and the language of its texts
	go run ./internal/language .
	golangci-lint run ./...
	golangci-lint fmt --diff

fmt: $(TOOLS)/golangci-lint ## format the code
	golangci-lint fmt

sqlc: $(TOOLS)/sqlc ## generate the Go code of the SQL queries
	sqlc generate

client: ## generate the Go and Python clients from docs/openapi.json
	go run ./internal/clientgen
	python3 clients/python/generate.py

verify: test-deps $(TOOLS)/sqlc vulncheck ## check that what is generated is up to date, and lint docs/openapi.json
	go mod tidy -diff
	go -C tools mod tidy -diff
	go -C tools/openapi/client mod tidy -diff
	sqlc diff
	sqlc compile -f sqlc.check.yaml
	go run ./cmd/specterd openapi | diff docs/openapi.json -
	go run ./internal/clientgen -check
	python3 clients/python/generate.py --check
	scripts/openapi.sh

# Known vulnerabilities are news, not a broken build; and the database may be out of reach.
vulncheck:
	@go run golang.org/x/vuln/cmd/govulncheck@v1.8.0 ./... || echo 'govulncheck found something, or could not run: going on'

# The tools are pinned in tools/go.mod, and built anew when it changes.
$(TOOLS)/%: tools/go.mod tools/go.sum
	go build -C tools -o $@ $$(go list -C tools tool | grep '/$*$$')
	@touch $@
