# gptqd: make demo shows it, make test tests it.
PREFIX ?= /usr/local
DESTDIR ?=
SWIFT ?= swift
BENCH ?=
# The same for everything, so that nothing is built twice; swift test would make everything testable, which is another build.
FLAGS := -c release
# Daemons of hundreds of tests at once would make each other late.
TEST_FLAGS := $(FLAGS) --disable-testable-imports --experimental-maximum-parallelization-width 16
PACKAGES := libopenblas-dev liblapacke-dev libsqlite3-dev libpcre2-dev pkg-config curl
# What jobs over several processes need besides.
MPI_PACKAGES := libopenmpi-dev openmpi-bin
# What only tests need; those that need what can't be installed say so and are skipped.
TEST_PACKAGES := strace sqlite3 python3 python3-venv chromium

# Stops every target with one line where Swift is missing or too old.
complaint := $(shell .ci/require-swift "$(SWIFT)")
ifneq ($(complaint),)
$(error $(complaint))
endif

.PHONY: help deps test-deps build mpi demo test torture sanitize format lint bench bench-peers install clean

help:
	@echo "make demo     quantize the example model, start to end"
	@echo "make test     run the tests"
	@echo "make torture  500 kills, every power cut, full disks, an hour of fuzzing; GPTQD_TORTURE_SEED= repeats a run"
	@echo "make sanitize the unit tests with AddressSanitizer and ThreadSanitizer, two builds of their own"
	@echo "make build    build gptqd and gptqctl into .build/release"
	@echo "make mpi      build libgptqdmpi.so, with which several processes can do one job"
	@echo "make bench    measure against the machine's limits; BENCH=--help tells what else it takes, such as --json"
	@echo "make bench-peers  measure beside GPTQModel: PYTHON= that has it, MODEL= folder, TOKENS= JSON Lines of input_ids"
	@echo "make deps     install the Debian packages that are missing"
	@echo "make install  install to PREFIX ($(PREFIX))"
	@echo "make format   format the sources;  make lint checks them"
	@echo "make clean    remove what was built"

deps:
	@.ci/install-packages $(PACKAGES)

test-deps: deps
	@.ci/install-packages $(TEST_PACKAGES) || echo "some of these can't be installed, and their tests are skipped: $(TEST_PACKAGES)" >&2

build: deps
	$(SWIFT) build $(FLAGS)

mpi: deps
	@.ci/install-packages $(MPI_PACKAGES)
	GPTQD_MPI=1 $(SWIFT) build $(FLAGS) --product gptqdmpi

demo: build
	@Examples/demo.sh

test: test-deps
	$(SWIFT) test $(TEST_FLAGS)

torture: deps
	GPTQD_TORTURE=1 $(SWIFT) test $(TEST_FLAGS) --filter TortureTests

# Not those that measure time, nor the daemon's executable under strace. LeakSanitizer takes what Swift keeps in globals for lost.
sanitize: deps
	@for kind in address thread; do \
	  TSAN_OPTIONS="suppressions=$(CURDIR)/.ci/tsan.suppressions exitcode=66" ASAN_OPTIONS="detect_leaks=0" \
	  $(SWIFT) test $(TEST_FLAGS) --sanitize=$$kind --scratch-path .build/sanitize-$$kind --skip 'TortureTests|LoadTests|SlowClientTests' || exit 1; \
	done

bench: build
	@.build/release/gptqd-bench $(BENCH)

bench-peers: build
	@.build/release/gptqd-bench peers --python "$(PYTHON)" --model "$(MODEL)" --tokens "$(TOKENS)" $(BENCH)

format:
	$(SWIFT) format -i -r --configuration .swift-format Package.swift Sources Tests

lint:
	$(SWIFT) format lint --strict -r --configuration .swift-format Package.swift Sources Tests

install: build
	install -D -t $(DESTDIR)$(PREFIX)/bin .build/release/gptqd .build/release/gptqctl
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/gptqd config/gptqd.yaml config/grafana-dashboard.json README.md
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/gptqd/docs docs/*.md
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system config/gptqd.service
	@for program in gptqd gptqctl; do \
	  for file in bash:bash-completion/completions/$$program zsh:zsh/site-functions/_$$program fish:fish/vendor_completions.d/$$program.fish; do \
	    .build/release/$$program --generate-completion-script $${file%%:*} | \
	      install -D -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/share/$${file#*:} || exit 1; \
	  done; \
	done
	$(SWIFT) build $(FLAGS) --product generate-manual
	@for program in gptqd gptqctl; do \
	  mkdir -p .build/man && .build/release/generate-manual .build/release/$$program --multi-page --output-directory .build/man || exit 1; \
	done
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 .build/man/*.1

clean:
	$(SWIFT) package clean
