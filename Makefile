# codecell's build. `make help` prints the lines that begin with "#:".
#
#: make demo       install what is missing, build, run examples/quickstart.lua
#: make test       install what is missing, build, run the tests (offline afterwards)
#: make deps       only install what is missing
#: make            only build, into build/LUA_VERSION/
#: make check      the long gate: lint, every Lua, sanitizers, fuzzing
#: make fuzz       only fuzzing, FUZZ_SECONDS=60 a target
#: make examples   run every example, and look at what it says
#: make rows       what codecell is to do, and the tests that show it; MISSING=1: what none shows
#: make bench      one table of speed, next to what else is installed
#: make docs       what is generated in docs/: reference.md, errors.md, configuration.md, codecell.1
#: make install    into PREFIX=/usr/local (DESTDIR= for packagers)
#: make env        lines for eval: PATH, LUA_PATH and LUA_CPATH of this build
#: make format     lay out the C files
#: make clean      remove build/
#:
#: LUA_VERSION=5.1, 5.2, 5.3, 5.4 (the default) or luajit goes with each of them;
#: LUA_VERSION=all with `make deps`.
#
# One folder a Lua in build/: the engine and the warden are compiled once, the
# binding once for each version of Lua. LUA_VERSION=luajit is the build for 5.1
# under another interpreter.

# LuaRocks names the interpreter and not the version.
ifdef LUA
LUA_VERSION ?= $(shell $(LUA) -e 'print((_VERSION:match("%d.%d")))')
endif
LUA_VERSION ?= 5.4
BUILD ?= build
ifneq ($(words $(BUILD)),1)
$(error BUILD is a path without blanks; "$(BUILD)" has some. Give one relative to this folder)
endif
PREFIX ?= /usr/local
DESTDIR ?=

LUA_VERSION := $(LUA_VERSION)
LUA_ABI := $(patsubst luajit,5.1,$(LUA_VERSION))
ALL_LUAS := 5.1 5.2 5.3 5.4 luajit
LUA ?= $(patsubst lualuajit,luajit,lua$(LUA_VERSION))

ifeq ($(origin CC),default)
CC := cc
endif
CFLAGS ?= -O2 -g
LDFLAGS ?=
HOST_CC ?= cc
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)

# ---- how everything is compiled ----

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
DIALECT := -std=c99 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
HARDENING := -fstack-protector-strong -D_FORTIFY_SOURCE=2
LINK_HARDENING := -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,nodelete
ifdef SANITIZE
HARDENING := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
LINK_HARDENING := -fsanitize=$(SANITIZE) -Wl,-z,nodelete
endif
COMPILE = $(CC) $(DIALECT) $(WARNINGS) $(HARDENING) -fPIC -fvisibility=hidden \
	-MMD -MP -Isrc -I$(BUILD) $(CFLAGS) $(CPPFLAGS)

# A static musl program starts in 0.1 ms where a static glibc takes 0.7. musl
# brings no kernel headers: those of the system come after its own.
ifneq ($(shell command -v musl-gcc 2>/dev/null),)
WARDEN_CC ?= musl-gcc -idirafter /usr/include/$(MULTIARCH) -idirafter /usr/include
else
WARDEN_CC ?= $(CC)
endif
WARDEN_COMPILE = $(WARDEN_CC) $(DIALECT) $(WARNINGS) $(WARDEN_EXTRA) -Os -fno-pie \
	-ffunction-sections -fdata-sections -fstack-protector-strong \
	-fno-asynchronous-unwind-tables -MMD -MP -Isrc -I$(BUILD)/warden

# ---- what there is ----

BINDING_SOURCES := $(wildcard src/lua/*.c)
ENGINE_FOLDERS := src $(addprefix src/,bytes egress host http process reactor sandbox start wire)
ENGINE_SOURCES := $(wildcard $(ENGINE_FOLDERS:%=%/*.c))
WARDEN_SOURCES := $(filter-out src/warden/filter_generator.c,$(wildcard src/warden/*.c src/warden/*/*.c)) \
	src/zygote/parcel.c \
	src/wire/frame.c src/wire/pack.c src/bytes/tar.c src/egress/name.c src/egress/query.c
KERNELS := $(wildcard src/kernels/*.*)
# The interpreter that sandboxes run, if there is one: see .ci/marshal_kernels.
PYTHON := $(firstword $(wildcard /usr/bin/python3) $(shell command -v python3 2>/dev/null))
LUA_FILES := $(shell find lua -name '*.lua')
# What `codecell serve` shows a browser lies beside the Lua file that makes one answer of it.
PAGE_FILES := $(wildcard lua/codecell/gateway/page/*.*)
ENGINE_TESTS := $(wildcard spec/engine/*_test.c)
KERNEL_TESTS := $(wildcard spec/kernels/*_test.py)

ENGINE_OBJECTS := $(ENGINE_SOURCES:src/%.c=$(BUILD)/engine/%.o) \
	$(BUILD)/engine/embed_warden.o $(BUILD)/engine/embed_kernels.o \
	$(BUILD)/engine/embed_zygote.o
BINDING_OBJECTS := $(BINDING_SOURCES:src/%.c=$(BUILD)/$(LUA_ABI)/%.o)
WARDEN_OBJECTS := $(patsubst src/%.c,$(BUILD)/warden/%.o,$(patsubst src/warden/%,src/%,$(WARDEN_SOURCES)))
TEST_PROGRAMS := $(ENGINE_TESTS:spec/engine/%.c=$(BUILD)/tests/%)

CORE := $(BUILD)/$(LUA_ABI)/codecell/core.so
NAMES := $(BUILD)/$(LUA_ABI)/codecell/names.so
CURL := $(BUILD)/$(LUA_ABI)/codecell/curl.so
MICROHTTPD := $(BUILD)/$(LUA_ABI)/codecell/microhttpd.so
ZLIB := $(BUILD)/$(LUA_ABI)/codecell/zlib.so
WARDEN := $(BUILD)/warden/codecell-warden
COMMAND := $(BUILD)/$(LUA_VERSION)/bin/codecell

.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
.SUFFIXES:
.PHONY: all core warden engine

all: $(CORE) $(NAMES) $(CURL) $(MICROHTTPD) $(ZLIB) $(COMMAND) $(BUILD)/layers.checked
core: $(CORE)
warden: $(WARDEN)
engine: $(ENGINE_OBJECTS)

# ---- engine and binding ----

LUA_CFLAGS ?= $(if $(LUA_INCDIR),-I$(LUA_INCDIR),$(shell \
	pkg-config --cflags lua$(LUA_ABI) 2>/dev/null || \
	pkg-config --cflags lua-$(LUA_ABI) 2>/dev/null || \
	echo -I/usr/include/lua$(LUA_ABI)))

$(BUILD)/engine/%.o: src/%.c | tools
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

$(BUILD)/engine/embed_%.o: $(BUILD)/embed/embed_%.c | tools
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

$(BUILD)/$(LUA_ABI)/lua/%.o: src/lua/%.c | tools
	@mkdir -p $(@D)
	$(COMPILE) $(LUA_CFLAGS) -c -o $@ $<

$(CORE): $(BINDING_OBJECTS) $(ENGINE_OBJECTS)
	@mkdir -p $(@D)
	$(CC) -shared $(LINK_HARDENING) $(CFLAGS) $(LDFLAGS) -o $@ $^

# What needs c-ares: loaded by the first sandbox with a network, not before.
ifdef CARES_INCDIR
CARES_CFLAGS ?= -I$(CARES_INCDIR)
CARES_LIBS ?= -L$(CARES_LIBDIR) -lcares
endif
CARES_CFLAGS ?= $(shell pkg-config --cflags libcares 2>/dev/null)
CARES_LIBS ?= $(shell pkg-config --libs libcares 2>/dev/null || echo -lcares)
NAMES_SOURCES := src/names/names.c src/names/lua_names.c src/egress/address.c
NAMES_OBJECTS := $(NAMES_SOURCES:src/%.c=$(BUILD)/$(LUA_ABI)/names/%.o)

$(BUILD)/$(LUA_ABI)/names/%.o: src/%.c | tools
	@mkdir -p $(@D)
	$(COMPILE) $(LUA_CFLAGS) $(CARES_CFLAGS) -c -o $@ $<

$(NAMES): $(NAMES_OBJECTS)
	@mkdir -p $(@D)
	$(CC) -shared $(LINK_HARDENING) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CARES_LIBS)

# What needs libcurl: loaded by the first request that is made.
ifdef CURL_LIBDIR
CURL_LIBS ?= -L$(CURL_LIBDIR) -lcurl
endif
CURL_CFLAGS ?= $(shell pkg-config --cflags libcurl 2>/dev/null)
CURL_LIBS ?= $(shell pkg-config --libs libcurl 2>/dev/null || echo -lcurl)
CURL_SOURCES := $(wildcard src/curl/*.c) src/http/queue.c src/egress/address.c src/descriptor.c src/error.c
CURL_OBJECTS := $(CURL_SOURCES:src/%.c=$(BUILD)/$(LUA_ABI)/curl/%.o)

$(BUILD)/$(LUA_ABI)/curl/%.o: src/%.c | tools
	@mkdir -p $(@D)
	$(COMPILE) $(LUA_CFLAGS) $(CURL_CFLAGS) -c -o $@ $<

$(CURL): $(CURL_OBJECTS)
	@mkdir -p $(@D)
	$(CC) -shared $(LINK_HARDENING) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CURL_LIBS)

# What needs libmicrohttpd: loaded by the first server that is made.
ifdef MICROHTTPD_LIBDIR
MICROHTTPD_LIBS ?= -L$(MICROHTTPD_LIBDIR) -lmicrohttpd -lgnutls
endif
MICROHTTPD_CFLAGS ?= $(shell pkg-config --cflags libmicrohttpd gnutls 2>/dev/null)
MICROHTTPD_LIBS ?= $(shell pkg-config --libs libmicrohttpd gnutls 2>/dev/null || \
	echo -lmicrohttpd -lgnutls)
MICROHTTPD_SOURCES := $(wildcard src/microhttpd/*.c) src/http/queue.c src/descriptor.c src/error.c
MICROHTTPD_OBJECTS := $(MICROHTTPD_SOURCES:src/%.c=$(BUILD)/$(LUA_ABI)/microhttpd/%.o)

$(BUILD)/$(LUA_ABI)/microhttpd/%.o: src/%.c | tools
	@mkdir -p $(@D)
	$(COMPILE) $(LUA_CFLAGS) $(MICROHTTPD_CFLAGS) -c -o $@ $<

$(MICROHTTPD): $(MICROHTTPD_OBJECTS)
	@mkdir -p $(@D)
	$(CC) -shared $(LINK_HARDENING) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(MICROHTTPD_LIBS)

# What needs zlib: loaded by the first body that is packed.
ifdef ZLIB_LIBDIR
ZLIB_LIBS ?= -L$(ZLIB_LIBDIR) -lz
endif
ZLIB_CFLAGS ?= $(shell pkg-config --cflags zlib 2>/dev/null)
ZLIB_LIBS ?= $(shell pkg-config --libs zlib 2>/dev/null || echo -lz)
ZLIB_SOURCES := src/zlib/lua_zlib.c
ZLIB_OBJECTS := $(ZLIB_SOURCES:src/%.c=$(BUILD)/$(LUA_ABI)/zlib/%.o)

$(BUILD)/$(LUA_ABI)/zlib/%.o: src/%.c | tools
	@mkdir -p $(@D)
	$(COMPILE) $(LUA_CFLAGS) $(ZLIB_CFLAGS) -c -o $@ $<

$(ZLIB): $(ZLIB_OBJECTS)
	@mkdir -p $(@D)
	$(CC) -shared $(LINK_HARDENING) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(ZLIB_LIBS)

# ---- the warden, and what is embedded ----

FILTERS := $(BUILD)/warden/filter.h $(BUILD)/warden/filter_zygote.h
$(BUILD)/warden/%.o: src/warden/%.c $(FILTERS) | tools
	@mkdir -p $(@D)
	$(WARDEN_COMPILE) -c -o $@ $<

$(BUILD)/warden/%.o: src/%.c | tools
	@mkdir -p $(@D)
	$(WARDEN_COMPILE) -c -o $@ $<

$(WARDEN): $(WARDEN_OBJECTS)
	$(WARDEN_CC) -static -no-pie -Os -s -Wl,--gc-sections -Wl,-z,noexecstack \
	  -Wl,--build-id=none -o $@ $^

$(BUILD)/warden/filter_generator: src/warden/filter_generator.c | tools
	@mkdir -p $(@D)
	$(HOST_CC) $(DIALECT) $(WARNINGS) -Isrc -O1 -o $@ $<

$(BUILD)/warden/filter.h: src/warden/filter.table src/warden/filter_names.h \
		$(BUILD)/warden/filter_generator
	$(CC) -E -dM src/warden/filter_names.h | $(BUILD)/warden/filter_generator $< > $@

$(BUILD)/warden/filter_zygote.h: src/warden/filter.table src/warden/filter_names.h \
		$(BUILD)/warden/filter_generator
	$(CC) -E -dM src/warden/filter_names.h | \
	  $(BUILD)/warden/filter_generator $< _zygote setns > $@

# Loaded into the interpreter of a zygote, of whatever C library that is.
ZYGOTE := $(BUILD)/zygote/fork.so
ZYGOTE_SOURCES := src/zygote/fork.c src/zygote/parcel.c
$(ZYGOTE): $(ZYGOTE_SOURCES) $(wildcard src/zygote/*.h) | tools
	@mkdir -p $(@D)
	$(CC) $(DIALECT) $(WARNINGS) -Os -fPIC -fvisibility=hidden -fno-stack-protector -shared -s \
	  -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,nodelete -o $@ $(ZYGOTE_SOURCES) -ldl

$(BUILD)/embed/embed_zygote.c: $(ZYGOTE) src/embed.sh
	@mkdir -p $(@D)
	sh src/embed.sh zygote $(ZYGOTE) > $@

$(BUILD)/embed/embed_warden.c: $(WARDEN) src/embed.sh
	@mkdir -p $(@D)
	sh src/embed.sh warden $(WARDEN) > $@

$(BUILD)/embed/embed_kernels.c: $(KERNELS) src/embed.sh $(wildcard .ci/marshal_kernels)
	@rm -rf $(BUILD)/kernels
	@mkdir -p $(@D) $(BUILD)/kernels
	[ -z "$(PYTHON)" ] || $(PYTHON) -I -S .ci/marshal_kernels src/kernels $(BUILD)/kernels > /dev/null
	sh src/embed.sh kernels $(KERNELS) $$(find $(BUILD)/kernels -type f | sort) > $@

# ---- the command ----

$(COMMAND): $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	@sh src/command.sh "$$(command -v $(LUA) || echo /usr/bin/env\ $(LUA))" \
	  '$(CURDIR)/lua' '$(abspath $(BUILD))/$(LUA_ABI)' > $@
	@chmod 755 $@

# ---- layers: the engine knows no Lua, and Lua goes through the binding ----

$(BUILD)/layers.checked: .ci/layers $(ENGINE_SOURCES) $(BINDING_SOURCES) \
		$(wildcard $(ENGINE_FOLDERS:%=%/*.h) src/lua/*.h src/warden/*.* src/warden/*/*) $(LUA_FILES)
	@mkdir -p $(@D)
	@.ci/layers
	@touch $@

# ---- installing what is missing ----

.PHONY: deps tools
deps:
	@.ci/deps install "$(LUA_VERSION)" build demo test

# Before anything is compiled: one line that names what is missing.
tools:
	@.ci/deps look "$(LUA_VERSION)" build

# ---- the demonstration and the tests ----

.PHONY: demo test test-engine test-kernels test-lua test-user
LUA_ENVIRONMENT = LUA_PATH='$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;$(CURDIR)/?.lua;;' \
	LUA_CPATH='$(abspath $(BUILD))/$(LUA_ABI)/?.so;;' CODECELL_BUILD='$(abspath $(BUILD))' \
	CODECELL_LUA='$(LUA)' CODECELL_COMMAND='$(abspath $(COMMAND))'
RESULTS ?= $(BUILD)/results/test
SUITE = RESULTS='$(RESULTS)' .ci/suite
BUSTED_OPTIONS ?= --exclude-tags=slow
JOBS := $(shell nproc 2>/dev/null || echo 2)

demo:
	@.ci/deps install "$(LUA_VERSION)" build demo
	@$(MAKE) -s -j$(JOBS) all
	@$(LUA_ENVIRONMENT) $(LUA) examples/quickstart.lua

# Suites side by side: what most tests do is wait. A suite's output comes when it
# has ended.
SIDE_BY_SIDE = $(MAKE) -k -j$(shell expr $(JOBS) '*' 3) --output-sync=target
test:
	@.ci/deps install "$(LUA_VERSION)" build demo test
	@$(MAKE) -s -j$(JOBS) all $(TEST_PROGRAMS)
	@rm -rf $(RESULTS)
	@mkdir -p $(RESULTS)
	@$(SIDE_BY_SIDE) test-user test-engine test-kernels test-lua; status=$$?; \
	  .ci/sum $(RESULTS); exit $$status

test-engine: $(TEST_PROGRAMS)
	@status=0; for program in $(TEST_PROGRAMS); do \
	  $(LUA_ENVIRONMENT) $(SUITE) counts $(ENGINE_SUITE)$$(basename $$program) $$program || status=1; \
	done; exit $$status
ENGINE_SUITE := engine-

test-kernels:
	@status=0; for program in $(KERNEL_TESTS); do \
	  $(SUITE) unittest kernel-$$(basename $$program .py) \
	    $(PYTHON) -B $$program -v || status=1; \
	done; exit $$status

# One process a file of specifications, those that take longest first.
LONGEST_SPECS := packages packages_inside security_resources e2b_faults contexts cells
LUA_SUITE ?= lua-$(LUA_VERSION)
LONGEST := $(wildcard $(LONGEST_SPECS:%=spec/%_spec.lua))
SPECS ?= $(LONGEST) $(filter-out $(LONGEST),$(wildcard spec/*_spec.lua spec/hosts/*_spec.lua))
.PHONY: $(SPECS:%=test-lua-%)
test-lua: $(SPECS:%=test-lua-%)
$(SPECS:%=test-lua-%): test-lua-%: all
	@$(LUA_ENVIRONMENT) $(SUITE) counts $(LUA_SUITE)-$(notdir $(basename $*)) \
	  $(if $(PRELOAD),env LD_PRELOAD=$(PRELOAD) PATH='$(CURDIR)/spec/support/sanitized':"$$PATH" ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=16) $(LUA) "$$(command -v busted)" \
	  $(BUSTED_OPTIONS) $*

# The specifications tagged #user again, as an ordinary user when this is root,
# and the other way round.
test-user: all
	@BUILD='$(BUILD)' $(SUITE) counts other-user .ci/other-user \
	  $(MAKE) -k -j$(shell expr $(JOBS) + 1) --output-sync=target test-lua LUA_VERSION=$(LUA_VERSION) \
	  BUSTED_OPTIONS="--tags=user --exclude-tags=slow" \
	  SPECS="$$(grep -l '#user' $(SPECS) | tr '\n' ' ')"

$(BUILD)/tests/%: spec/engine/%.c $(ENGINE_OBJECTS)
	@mkdir -p $(@D)
	$(COMPILE) $(LDFLAGS) -o $@ $< $(ENGINE_OBJECTS) $(LINK_TESTS)
$(BUILD)/tests/filter_test: LINK_TESTS = -lseccomp
# Every call of these names goes through fault.c, which can make it fail.
COMMA := ,
$(BUILD)/tests/%_fault_test: LINK_TESTS = spec/engine/fault.c \
	$(addprefix -Wl$(COMMA)--wrap=,$(shell cat spec/engine/fault.names))
$(BUILD)/tests/start_fault_test: spec/engine/fault.c

# ---- the long gate ----

.PHONY: check lint lint-lua lint-format lint-tidy lint-gcc lint-clang format check-luas check-packages \
	sanitize fuzz
C_FILES = $(shell find src spec fuzz bench -name '*.[ch]')
check: RESULTS := $(BUILD)/results/check
check:
	@.ci/deps install all build demo test check
	@rm -rf $(RESULTS)
	@$(MAKE) -k RESULTS=$(RESULTS) lint check-luas check-packages sanitize fuzz; status=$$?; \
	  .ci/sum $(RESULTS); exit $$status

lint: lint-lua lint-format lint-tidy lint-gcc lint-clang
lint-lua:
	@$(SUITE) step luacheck luacheck --quiet --no-cache lua spec examples docs rockspecs bench fuzz \
	  --include-files '**/*.lua'
lint-format:
	@$(SUITE) step clang-format clang-format --dry-run -Werror $(C_FILES)
lint-tidy: $(FILTERS)
	@$(SUITE) step clang-tidy sh -c 'printf "%s\n" $(ENGINE_SOURCES) $(BINDING_SOURCES) $(WARDEN_SOURCES) \
	  $(NAMES_SOURCES) $(CURL_SOURCES) $(MICROHTTPD_SOURCES) $(ZLIB_SOURCES) \
	  $(ZYGOTE_SOURCES) src/warden/filter_generator.c | \
	  sort -u | xargs -P $(JOBS) -n 1 sh -c '\''clang-tidy --quiet "$$@" -- $(DIALECT) -Isrc \
	  -I$(BUILD)/warden $(LUA_CFLAGS) 2>/dev/null'\'' tidy'
lint-gcc:
	@$(SUITE) step warnings-gcc $(MAKE) -s -j$(JOBS) all CC=gcc BUILD=$(BUILD)/gcc \
	  CFLAGS='-O2 -Werror' WARDEN_EXTRA=-Werror
# The warden too, and so linked with a static glibc, as where musl is missing.
lint-clang:
	@$(SUITE) step warnings-clang $(MAKE) -s -j$(JOBS) all CC=clang WARDEN_CC=clang \
	  BUILD=$(BUILD)/clang CFLAGS='-O2 -Werror' WARDEN_EXTRA='-Werror -Wno-unused-command-line-argument'

format:
	clang-format -i $(C_FILES)

# What is the same on every Lua (#once), and what takes long (#slow), runs on one of
# them.
check-luas:
	@status=0; for version in $(ALL_LUAS); do \
	  $(MAKE) -s -j$(JOBS) all LUA_VERSION=$$version && \
	  $(SIDE_BY_SIDE) test-lua LUA_VERSION=$$version \
	    BUSTED_OPTIONS=$$([ $$version = 5.4 ] || echo --exclude-tags=once,slow) || status=1; \
	done; exit $$status

# What Debian's Python lacks, or has in an older version, from the package index:
# the specifications of charts, tables and recorded cells again with it. A
# sandbox cannot be given a folder below /tmp, for one. The version of plotly is that
# of the recorded session: others show another number of results.
PACKAGES := pandas matplotlib seaborn plotly==6.0.1 nbformat altair bokeh polars pyarrow pillow sympy tqdm jinja2
PACKAGES_FOLDER = $(abspath $(BUILD))/packages
check-packages: all
	@if ! $(LUA_ENVIRONMENT) $(LUA) -e 'interpreters = require "codecell.languages.interpreters"' \
	    -e 'os.exit(interpreters.prefix("$(PACKAGES_FOLDER)/bin/python3") and 0 or 1)'; then \
	  $(SUITE) counts python-packages echo 'ok - # SKIP a sandbox cannot be given $(PACKAGES_FOLDER)'; \
	elif $(PYTHON) -m venv $(PACKAGES_FOLDER) >/dev/null 2>&1 && \
	  $(PACKAGES_FOLDER)/bin/pip install --quiet --disable-pip-version-check $(PACKAGES) >/dev/null 2>&1; then \
	  CODECELL_PYTHON=$(PACKAGES_FOLDER)/bin/python3 $(LUA_ENVIRONMENT) $(SUITE) counts python-packages \
	    $(LUA) "$$(command -v busted)" spec/charts_spec.lua spec/cells_spec.lua; \
	else $(SUITE) counts python-packages echo 'ok - # SKIP the package index cannot be reached'; fi

# The engine's tests, then the specifications with the module in a plain Lua,
# which wants the sanitizer's library loaded first, and little of what is freed
# kept: some look at the host's memory.
SANITIZED = BUILD=$(BUILD)/sanitize SANITIZE=address,undefined RESULTS=$(abspath $(RESULTS))
sanitize:
	@status=0; \
	$(MAKE) -s -k -j$(JOBS) test-engine ENGINE_SUITE=sanitized- $(SANITIZED) || status=1; \
	$(MAKE) -s -j$(JOBS) all $(SANITIZED) && \
	$(SIDE_BY_SIDE) test-lua LUA_SUITE=sanitized-lua PRELOAD="$$($(CC) -print-file-name=libasan.so)" \
	  $(SANITIZED) || status=1; exit $$status

# Each target for FUZZ_SECONDS, from the seeds in fuzz/corpus/, side by side.
FUZZ_SECONDS ?= 60
FUZZ_C := $(patsubst %.c,%,$(wildcard fuzz/*_fuzz.c))
FUZZ_LUA := $(patsubst %.lua,%,$(wildcard fuzz/*_fuzz.lua))
FUZZ_BUILD = BUILD=$(BUILD)/fuzz CC=clang SANITIZE=address,undefined \
	CFLAGS='-O1 -g -fsanitize=fuzzer-no-link'
.PHONY: fuzz-all $(FUZZ_C) $(FUZZ_LUA)
fuzz: all
	@$(MAKE) -s -j$(JOBS) $(FUZZ_C:fuzz/%=$(BUILD)/fuzz/tests/%) $(FUZZ_BUILD)
	@$(SIDE_BY_SIDE) fuzz-all
fuzz-all: $(FUZZ_C) $(FUZZ_LUA)
$(FUZZ_C): fuzz/%:
	@mkdir -p $(BUILD)/corpus/$*
	@$(SUITE) step $* $(BUILD)/fuzz/tests/$* -max_total_time=$(FUZZ_SECONDS) \
	  -print_final_stats=1 -verbosity=0 $(BUILD)/corpus/$* $(wildcard fuzz/corpus/$(*:_fuzz=))
$(FUZZ_LUA): fuzz/%: all
	@$(LUA_ENVIRONMENT) $(SUITE) step $* $(LUA) fuzz/$*.lua $(FUZZ_SECONDS) fuzz/corpus/$(*:_fuzz=)

$(BUILD)/tests/%: fuzz/%.c $(ENGINE_OBJECTS)
	@mkdir -p $(@D)
	$(COMPILE) -fsanitize=fuzzer $(LDFLAGS) -o $@ $< $(ENGINE_OBJECTS) $(LINK_FUZZ)
$(BUILD)/tests/handover_fuzz: LINK_FUZZ = src/microhttpd/call.c src/microhttpd/daemon.c \
	src/microhttpd/identity.c src/microhttpd/upgrade.c \
	$(MICROHTTPD_LIBS)

# ---- figures, manual, installation ----

.PHONY: rows examples
rows:
	@MISSING=$(MISSING) .ci/rows

examples: RESULTS := $(BUILD)/results/examples
examples:
	@.ci/deps install "$(LUA_VERSION)" build demo test
	@rm -rf $(RESULTS)
	@$(MAKE) -s -j$(JOBS) all
	@$(MAKE) -k test-lua SPECS="$(wildcard spec/examples*_spec.lua)" RESULTS=$(RESULTS); \
	  .ci/sum $(RESULTS)

.PHONY: bench docs install env clean help
BENCH_OPTIONS ?=
bench:
	@.ci/deps install "$(LUA_VERSION)" build demo bench
	@$(MAKE) -s -j$(JOBS) all $(BUILD)/bench/floor $(BUILD)/bench/floor-inside
	@$(LUA_ENVIRONMENT) $(BUILD)/$(LUA_VERSION)/bin/codecell bench scale --json > $(BUILD)/bench/scale.json
	@$(LUA_ENVIRONMENT) /usr/bin/python3 bench/run.py --lua $(LUA) --floor $(BUILD)/bench/floor \
	  $(BENCH_OPTIONS)

$(BUILD)/bench/floor: bench/floor.c | tools
	@mkdir -p $(@D)
	$(CC) $(DIALECT) $(WARNINGS) -O2 -o $@ $< -lpthread

$(BUILD)/bench/floor-inside: bench/floor.c | tools
	@mkdir -p $(@D)
	$(WARDEN_CC) $(DIALECT) $(WARNINGS) -O2 -static -DINSIDE -o $@ $<

docs: all
	$(LUA) docs/generate.lua > docs/reference.md.new
	mv docs/reference.md.new docs/reference.md
	$(LUA_ENVIRONMENT) $(LUA) docs/manual.lua > docs/codecell.1.new
	mv docs/codecell.1.new docs/codecell.1
	$(LUA_ENVIRONMENT) $(LUA) docs/errors.lua > docs/errors.md.new
	mv docs/errors.md.new docs/errors.md
	(sed '/^| setting /,$$d' docs/configuration.md; \
	  $(LUA_ENVIRONMENT) $(COMMAND) config --markdown) > docs/configuration.md.new
	mv docs/configuration.md.new docs/configuration.md

INST_LUADIR ?= $(PREFIX)/share/lua/$(LUA_ABI)
INST_LIBDIR ?= $(PREFIX)/lib/lua/$(LUA_ABI)
INST_BINDIR ?= $(PREFIX)/bin
INST_MANDIR ?= $(PREFIX)/share/man/man1
INST_DOCDIR ?= $(PREFIX)/share/doc/codecell
# Where the installed command looks first. LuaRocks moves what is installed.
COMMAND_FOLDERS = $(if $(ROCK),rock $(LUA_ABI),'$(INST_LUADIR)' '$(INST_LIBDIR)')

install: all
	@for file in $(LUA_FILES:lua/%=%) $(PAGE_FILES:lua/%=%); do \
	  install -D -m 644 "lua/$$file" "$(DESTDIR)$(INST_LUADIR)/$$file" || exit 1; \
	done
	install -D -m 755 $(CORE) "$(DESTDIR)$(INST_LIBDIR)/codecell/core.so"
	install -D -m 755 $(NAMES) "$(DESTDIR)$(INST_LIBDIR)/codecell/names.so"
	install -D -m 755 $(CURL) "$(DESTDIR)$(INST_LIBDIR)/codecell/curl.so"
	install -D -m 755 $(MICROHTTPD) "$(DESTDIR)$(INST_LIBDIR)/codecell/microhttpd.so"
	install -D -m 755 $(ZLIB) "$(DESTDIR)$(INST_LIBDIR)/codecell/zlib.so"
	install -d "$(DESTDIR)$(INST_BINDIR)"
	sh src/command.sh "$$(command -v $(LUA))" $(COMMAND_FOLDERS) > "$(DESTDIR)$(INST_BINDIR)/codecell"
	chmod 755 "$(DESTDIR)$(INST_BINDIR)/codecell"
	install -D -m 644 docs/codecell.1 "$(DESTDIR)$(INST_MANDIR)/codecell.1"
	install -d "$(DESTDIR)$(INST_DOCDIR)/docs" # as here, so that links lead somewhere
	install -m 644 README.md CHANGELOG.md LICENSE "$(DESTDIR)$(INST_DOCDIR)"
	install -m 644 docs/*.md docs/*.png docs/llms.txt "$(DESTDIR)$(INST_DOCDIR)/docs"
	install -D -m 644 docs/skill/SKILL.md "$(DESTDIR)$(INST_DOCDIR)/docs/skill/SKILL.md"

# For eval: messages of the build go to standard error.
env:
	@$(MAKE) -s all >&2
	@echo 'export PATH="$(abspath $(BUILD))/$(LUA_VERSION)/bin:$$PATH"'
	@echo 'export LUA_PATH="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;"'
	@echo 'export LUA_CPATH="$(abspath $(BUILD))/$(LUA_ABI)/?.so;;"'

clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^#: //p' $(firstword $(MAKEFILE_LIST))

-include $(shell find $(BUILD)/engine $(BUILD)/warden $(BUILD)/$(LUA_ABI) $(BUILD)/tests -name '*.d' 2>/dev/null)
