# spoold: the index of what can be done with this tree. `make` lists it.

GO        ?= go
PREFIX    ?= /usr/local
BINDIR    ?= $(PREFIX)/bin
DESTDIR   ?=
FUZZTIME  ?= 10m
SOAKTIME  ?= 10m
BENCH     ?=

GOFUMPT     = mvdan.cc/gofumpt@v0.12.0
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
DEADCODE    = golang.org/x/tools/cmd/deadcode@v0.52.0

# Debian packages of the programs that `make interop` compares with: package and a file of it.
PEERS = uw-mailutils:/usr/bin/mailutil dovecot-imapd:/usr/lib/dovecot/imap mutt:/usr/bin/mutt \
	isync:/usr/bin/mbsync procmail:/usr/bin/procmail curl:/usr/bin/curl \
	liblockfile-bin:/usr/bin/dotlockfile python3:/usr/bin/python3 exim4-daemon-light:/usr/sbin/exim4 \
	e2fsprogs:/usr/sbin/mkfs.ext4 xfsprogs:/usr/sbin/mkfs.xfs btrfs-progs:/usr/sbin/mkfs.btrfs
# How many of the lock suite's programs work at the same time, each on a mailbox of its own.
LOCKPEERS ?= 6

.DEFAULT_GOAL := help
.PHONY: help build run test race lint check interop peers fuzz crash soak bench cover install clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## make bin/spoold (static, no C compiler needed)
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/spoold ./cmd/spoold

run: build ## serve a copy of testdata/sample on 127.0.0.1:1143 until ^C
	bin/spoold serve --sample testdata/sample

test: ## all tests that need nothing but Go
	$(GO) test -shuffle=on ./...

race: ## the same tests under the race detector, fewer seeds of the crash tests (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -timeout 20m ./...

lint: ## gofumpt, vet, go fix, staticcheck, deadcode; silent when clean
	@out=$$($(GO) run $(GOFUMPT) -l .) && test -z "$$out" || { echo "gofumpt -w is due for:"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) fix -diff ./...
	$(GO) run $(STATICCHECK) ./...
	@out=$$($(GO) run $(DEADCODE) -test ./...) && test -z "$$out" || { echo "$$out"; exit 1; }

check: lint test race interop ## lint, test, race and interop: what CI runs

interop: peers ## compare with c-client, Dovecot, mutt, mbsync, procmail, exim4, postfix and curl (Debian; installs them)
	SPOOLD_INTEROP=1 $(GO) test -count=1 -timeout 30m -parallel $(LOCKPEERS) -run 'Interop|Dialogue|Soak|Crash' ./cmd/... ./spool/...

# Nothing that is installed starts a daemon or takes another mail server away. postfix cannot be installed beside exim4.
peers:
	@missing=; for p in $(PEERS); do test -e "$${p#*:}" || missing="$$missing $${p%%:*}"; done; \
	test -e /usr/lib/postfix/sbin/master || test -e bin/peers/postfix || missing="$$missing postfix"; \
	test -z "$$missing" && exit 0; \
	test "$$(id -u)" = 0 || { echo "interop needs:$$missing. As root: make peers" >&2; exit 1; }; \
	testdata/peers.sh $$missing

fuzz: ## every fuzzer for FUZZTIME=10m, one after another
	@for p in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			echo "$$p $$f"; \
			$(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
		done; \
	done

crash: ## crash tests at every instant and many seeds; kills, full disks, power cuts (as root; long)
	@if test "$$(id -u)" = 0; then $(MAKE) -s peers; else echo "not root: no disk is filled or cut off, and no worker killed by itself"; fi
	SPOOLD_CRASH=full $(GO) test -count=1 -timeout 0 -run "Crash|Failure|FullDisk|Rule|Memory|Repair|View|Collapse" ./spool/... ./mboxstore/...
	SPOOLD_CRASH=full $(GO) test -count=1 -timeout 0 -run Crash -v ./cmd/spoold

soak: peers ## sessions, deliveries and other mail programs on one mailbox for SOAKTIME=10m each
	SPOOLD_INTEROP=1 SPOOLD_SOAK=$(SOAKTIME) $(GO) test -count=1 -timeout 0 -parallel $(LOCKPEERS) -run 'Soak|Locks' -v ./cmd/spoold

bench: ## Go benchmarks; with BENCH=DIR also DIR/run.sh on testdata/bench/spoold (as root)
	$(GO) test -run '^$$' -bench . -benchmem ./...
	@test -z "$(BENCH)" || { $(MAKE) build && $(BENCH)/run.sh "$(CURDIR)/testdata/bench/spoold"; }

cover: ## statement coverage by function in cover.out and cover.html
	$(GO) test -coverprofile=cover.out -coverpkg=./... ./...
	$(GO) tool cover -html=cover.out -o cover.html
	$(GO) tool cover -func=cover.out | tail -n 1

install: build ## install bin/spoold to DESTDIR/PREFIX/bin
	install -D -m 755 bin/spoold $(DESTDIR)$(BINDIR)/spoold

clean: ## remove what the targets above made
	rm -rf bin cover.out cover.html
