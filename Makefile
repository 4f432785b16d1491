# codecell: `make help` lists what can be typed.
#
# One folder a Lua in build/: the engine and the warden are compiled once, the
# binding once for each version of Lua. LUA_VERSION=luajit is the build for 5.1
# under another interpreter.

LUA_VERSION ?= 5.4
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=

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

BINDING_SOURCES := $(wildcard src/lua_*.c)
ENGINE_SOURCES := $(filter-out $(BINDING_SOURCES),$(wildcard src/*.c))
WARDEN_SOURCES := $(filter-out src/warden/filter_generator.c,$(wildcard src/warden/*.c)) \
	src/frame.c src/pack.c
KERNELS := $(wildcard src/kernels/*)
LUA_FILES := $(shell find lua -name '*.lua')
ENGINE_TESTS := $(wildcard spec/engine/*_test.c)

ENGINE_OBJECTS := $(ENGINE_SOURCES:src/%.c=$(BUILD)/engine/%.o) \
	$(BUILD)/engine/embed_warden.o $(BUILD)/engine/embed_kernels.o
BINDING_OBJECTS := $(BINDING_SOURCES:src/%.c=$(BUILD)/$(LUA_ABI)/%.o)
WARDEN_OBJECTS := $(patsubst src/%.c,$(BUILD)/warden/%.o,$(patsubst src/warden/%,src/%,$(WARDEN_SOURCES)))
TEST_PROGRAMS := $(ENGINE_TESTS:spec/engine/%.c=$(BUILD)/tests/%)

CORE := $(BUILD)/$(LUA_ABI)/codecell/core.so
WARDEN := $(BUILD)/warden/codecell-warden
COMMAND := $(BUILD)/$(LUA_VERSION)/bin/codecell

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all core warden engine

all: $(CORE) $(COMMAND) $(BUILD)/layers.checked
core: $(CORE)
warden: $(WARDEN)
engine: $(ENGINE_OBJECTS)

# ---- engine and binding ----

LUA_CFLAGS ?= $(if $(LUA_INCDIR),-I$(LUA_INCDIR),$(shell \
	pkg-config --cflags lua$(LUA_ABI) 2>/dev/null || \
	pkg-config --cflags lua-$(LUA_ABI) 2>/dev/null || \
	pkg-config --cflags $(LUA_VERSION) 2>/dev/null))

$(BUILD)/engine/%.o: src/%.c | tools
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

$(BUILD)/engine/embed_%.o: $(BUILD)/embed/embed_%.c | tools
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

$(BUILD)/$(LUA_ABI)/lua_%.o: src/lua_%.c | tools
	@mkdir -p $(@D)
	$(COMPILE) $(LUA_CFLAGS) -c -o $@ $<

$(CORE): $(BINDING_OBJECTS) $(ENGINE_OBJECTS)
	@mkdir -p $(@D)
	$(CC) -shared $(LINK_HARDENING) $(CFLAGS) $(LDFLAGS) -o $@ $^

# ---- the warden, and what is embedded ----

$(BUILD)/warden/%.o: src/warden/%.c $(BUILD)/warden/filter.h | tools
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

$(BUILD)/warden/filter.h: src/warden/filter.table $(BUILD)/warden/filter_generator
	$(BUILD)/warden/filter_generator $< > $@

$(BUILD)/embed/embed_warden.c: $(WARDEN) src/embed.sh
	@mkdir -p $(@D)
	sh src/embed.sh warden $(WARDEN) > $@

$(BUILD)/embed/embed_kernels.c: $(KERNELS) src/embed.sh
	@mkdir -p $(@D)
	sh src/embed.sh kernels $(KERNELS) > $@

# ---- the command ----

$(COMMAND): $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	@sh src/command.sh "$$(command -v $(LUA) || echo /usr/bin/env\ $(LUA))" \
	  '$(CURDIR)/lua' '$(abspath $(BUILD))/$(LUA_ABI)' > $@
	@chmod 755 $@

# ---- layers: the engine knows no Lua, and Lua goes through the binding ----

$(BUILD)/layers.checked: .ci/layers $(ENGINE_SOURCES) $(BINDING_SOURCES) \
		$(wildcard src/*.h src/warden/*) $(LUA_FILES)
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

# ---- tests ----

.PHONY: demo test test-engine test-lua test-user check lint check-luas sanitize fuzz bench
LUA_ENVIRONMENT = LUA_PATH='$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;$(CURDIR)/?.lua;;' \
	LUA_CPATH='$(abspath $(BUILD))/$(LUA_ABI)/?.so;;' CODECELL_BUILD='$(abspath $(BUILD))' \
	CODECELL_LUA='$(LUA)' CODECELL_COMMAND='$(abspath $(COMMAND))'
RESULTS ?= $(BUILD)/results/test
SUITE = RESULTS='$(RESULTS)' .ci/suite
BUSTED_OPTIONS ?= --exclude-tags=slow
AGAIN = $(MAKE) --no-print-directory

demo:
	@.ci/deps install "$(LUA_VERSION)" build demo
	@$(AGAIN) all
	@$(LUA_ENVIRONMENT) $(LUA) examples/quickstart.lua

test:
	@.ci/deps install "$(LUA_VERSION)" build demo test
	@$(AGAIN) all $(TEST_PROGRAMS)
	@rm -rf $(RESULTS)
	@$(AGAIN) -k test-engine test-lua test-user; status=$$?; .ci/sum $(RESULTS); exit $$status

test-engine: $(TEST_PROGRAMS)
	@status=0; for program in $(TEST_PROGRAMS); do \
	  $(SUITE) tap "engine-$$(basename $$program)" $$program || status=1; \
	done; exit $$status

test-lua: all
	@$(LUA_ENVIRONMENT) $(SUITE) busted lua-$(LUA_VERSION) \
	  $(LUA) "$$(command -v busted)" $(BUSTED_OPTIONS) spec

$(BUILD)/tests/%: spec/engine/%.c $(ENGINE_OBJECTS)
	@mkdir -p $(@D)
	$(COMPILE) $(LDFLAGS) -o $@ $< $(ENGINE_OBJECTS) $(LINK_TESTS)

# ---- the rest ----

.PHONY: env clean help
env: all
	@echo 'export PATH="$(abspath $(BUILD))/$(LUA_VERSION)/bin:$$PATH"'
	@echo 'export LUA_PATH="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;"'
	@echo 'export LUA_CPATH="$(abspath $(BUILD))/$(LUA_ABI)/?.so;;"'

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
