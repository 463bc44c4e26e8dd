# moil: `make help` lists the targets. There is no configure step.
#
# One object tree under $(BUILD), which holds all that is ever generated. The library is everything
# under src/ but src/cli/ (the program's own) and src/api/lua_*.c (the Lua client's own).

BUILD  ?= build
PREFIX ?= /usr/local
CC     ?= cc
CFLAGS ?= -O2 -g
LUA    ?= lua5.4

# Of the shared library's name; moil.h has it.
ABI := $(shell sed -n 's/^\#define MOIL_ABI_VERSION //p' src/api/moil.h)

# V=1 shows the commands, -s not even what is made.
Q    = $(if $(V),,@)
say  = @$(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),:,printf '  %-5s %s\n' $(1) $@)
# Goals that call make again use all cores, unless told otherwise by -j.
submake = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

WARNINGS := -Wall -Wextra -Wshadow -Wundef -Wvla -Wformat=2 -Wwrite-strings -Wstrict-prototypes \
            -Wmissing-prototypes -Wpointer-arith -Wimplicit-fallthrough
PACKAGES := hiredis uuid jansson lua5.4

# The goals that compile. The others work before the libraries are there (`make deps` brings them), and
# call make again for what they compile.
COMPILING := all objects spec-modules examples bench-programs install pages static run-specs lint-objects \
             lint-tidy docs fuzz-programs $(BUILD)/%
ifneq ($(filter $(COMPILING),$(or $(MAKECMDGOALS),all)),)
  ifneq ($(shell command -v pkg-config >/dev/null 2>&1 && pkg-config --exists $(PACKAGES) && echo ok),ok)
    $(error Missing: $(or $(shell command -v pkg-config >/dev/null 2>&1 || echo pkg-config), \
      $(foreach p,$(PACKAGES),$(shell pkg-config --exists $p || echo $p))). `make deps` installs what is needed)
  endif
  PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES))
  PKG_LIBS   := $(shell pkg-config --libs $(PACKAGES))
  # Only the headers are needed of these: the libraries are opened where they are first used, by
  # --http and by a rediss:// link.
  ifeq ($(shell pkg-config --exists libmicrohttpd && echo ok),ok)
    HTTP := -DMOIL_HTTP $(shell pkg-config --cflags libmicrohttpd)
  endif
  ifneq ($(wildcard $(shell pkg-config --variable=includedir hiredis)/hiredis_ssl.h \
                    $(shell pkg-config --variable=includedir hiredis)/hiredis/hiredis_ssl.h),)
    TLS := -DMOIL_TLS
  endif
endif

SANITIZE := $(if $(SANITIZER),-fsanitize=$(SANITIZER) -fno-omit-frame-pointer -fno-sanitize-recover=all)
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden $(WARNINGS) $(if $(WERROR),-Werror) \
              $(CFLAGS) $(CPPFLAGS) $(SANITIZE) $(TLS) $(HTTP) -Isrc $(PKG_CFLAGS)
ALL_LDFLAGS := $(LDFLAGS) $(SANITIZE)
# libev has no .pc file on Debian.
LIBS := $(PKG_LIBS) -lev -lm -ldl -lpthread

LIB_SRC := $(filter-out src/cli/% src/api/lua_%.c,$(wildcard src/*/*.c))
CLI_SRC := $(wildcard src/cli/*.c)
GEN_SRC := $(BUILD)/gen/scripts.c $(BUILD)/gen/lualib.c
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/obj/%.o) $(GEN_SRC:%.c=%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/gen/project.o
LUA_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard src/api/lua_*.c))
UNIT_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard spec/support/units*.c))
NATIVE_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard spec/support/native*.c))
# spec/support/NAME_probe.c is a program of its own, linked with the library.
PROBE_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard spec/support/*_probe.c))
PROBES := $(PROBE_OBJ:$(BUILD)/obj/spec/support/%.o=$(BUILD)/spec/%)
# examples/NAME.c is a program of its own, which knows moil.h alone.
EXAMPLE_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard examples/*.c))
EXAMPLES := $(EXAMPLE_OBJ:$(BUILD)/obj/%.o=$(BUILD)/%)
BENCH_SUPPORT := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard bench/support/*.c))
BENCH_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard bench/*.c))
# What has crash points (base/crash_point.h), once more with the points switched on: $(BUILD)/crash/moil.
CRASH_SRC := $(shell grep -l MOIL_CRASH_POINT src/*/*.c)
CRASH_OBJ := $(CRASH_SRC:%.c=$(BUILD)/crash/%.o)
SPEC_MODULES := $(BUILD)/spec/native.so $(BUILD)/spec/units.so $(BUILD)/spec/wall_shim.so $(PROBES) \
                $(BUILD)/crash/moil
REDIS_LUA := $(sort $(wildcard lua/redis/*.lua))
# What `moil new` lays out.
PROJECT := $(sort $(shell find lua/new -type f))
MOIL_LUA := $(sort $(wildcard lua/moil/*.lua lua/moil/*/*.lua))

.PHONY: all objects spec-modules examples bench-programs deps demo test run-specs lint lint-objects lint-tidy fmt chaos fuzz fuzz-programs valgrind cover bench bench-faults bench-workflows bench-peers docs env \
        clean help FORCE
.DELETE_ON_ERROR:

all: $(BUILD)/moil $(BUILD)/libmoil.so $(BUILD)/lua/moil/core.so ## build/moil, libmoil.a, libmoil.so, lua/moil/core.so

objects: $(LIB_OBJ) $(CLI_OBJ) ## compile, without linking

$(BUILD)/moil: $(CLI_OBJ) $(BUILD)/libmoil.a
	$(call say,LINK)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/libmoil.a: $(LIB_OBJ)
	$(call say,AR)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/libmoil.so: $(LIB_OBJ) src/api/moil.h
	$(call say,LINK)
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,libmoil.so.$(ABI) -o $@ $(LIB_OBJ) $(LIBS)
	@ln -sf libmoil.so $@.$(ABI)

# The interpreter that loads these has the Lua API already: linking liblua would bring a second one.
lua_module_link = $(CC) $(ALL_LDFLAGS) -shared -Wl,--exclude-libs,ALL -o $@ $^ $(filter-out -llua%,$(LIBS))

$(BUILD)/lua/moil/core.so: $(LUA_OBJ) $(BUILD)/libmoil.a
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(lua_module_link)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/flags
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# --- generated sources: the Redis scripts and the Lua library, embedded ----------------------------------

$(BUILD)/gen/scripts.c: .ci/embed-scripts src/queue/scripts.h $(REDIS_LUA) $(BUILD)/gen/files
	$(call say,GEN)
	$(Q)$(LUA) .ci/embed-scripts $(BUILD)/gen src/queue/scripts.h $(REDIS_LUA)

$(BUILD)/gen/lualib.c: .ci/embed-lualib $(MOIL_LUA) $(BUILD)/gen/files
	$(call say,GEN)
	$(Q)$(LUA) .ci/embed-lualib $@ $(MOIL_LUA)

$(BUILD)/gen/project.c: .ci/embed-project $(PROJECT) $(BUILD)/gen/files
	$(call say,GEN)
	$(Q)$(LUA) .ci/embed-project $@ lua/new $(PROJECT)

# --- stamps: what changes them rebuilds what depends on them ---------------------------------------------

# $(call stamp,text): rewrites the target only where its text differs.
stamp = mkdir -p $(@D); printf '%s\n' '$(1)' | cmp -s - $@ || printf '%s\n' '$(1)' >$@

$(BUILD)/flags: FORCE
	@$(call stamp,$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS))

$(BUILD)/gen/files: FORCE
	@$(call stamp,$(REDIS_LUA) $(MOIL_LUA) $(PROJECT))

# --- specs -----------------------------------------------------------------------------------------------

spec-modules: $(SPEC_MODULES)

$(BUILD)/spec/native.so: $(NATIVE_OBJ)
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -o $@ $^ $(filter -lhiredis -L%,$(PKG_LIBS))

$(BUILD)/spec/units.so: $(UNIT_OBJ) $(BUILD)/libmoil.a
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(lua_module_link)

$(BUILD)/spec/wall_shim.so: $(BUILD)/obj/spec/support/wall_shim.o
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -o $@ $^

$(PROBES): $(BUILD)/spec/%: $(BUILD)/obj/spec/support/%.o $(BUILD)/libmoil.a
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/crash/moil: $(CRASH_OBJ) $(filter-out $(CRASH_SRC:%.c=$(BUILD)/obj/%.o),$(CLI_OBJ) $(LIB_OBJ))
	$(call say,LINK)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/crash/%.o: %.c $(BUILD)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -DMOIL_CRASH_POINTS -MMD -MP -c -o $@ $<

run-specs: all spec-modules examples pages
	@BUILD='$(BUILD)' CC='$(CC)' SANITIZER='$(SANITIZER)' LUA='$(LUA)' .ci/specs $(SPEC)

deps: ## install the Debian packages that are missing
	@.ci/deps run test && echo "make deps: everything is there"

test: ## build and run the specs; SPEC=path for some, SANITIZER=address,undefined
	@.ci/deps run test
	+@$(submake) run-specs

# --- examples: what programs of others look like -----------------------------------------------------------

examples: $(EXAMPLES) ## the C programs of examples/, into build/examples

# As an installed moil has it: #include <moil.h>.
$(EXAMPLE_OBJ) $(EXAMPLE_OBJ:$(BUILD)/obj/%.o=$(BUILD)/tidy/%.ok): private ALL_CFLAGS += -Isrc/api

$(EXAMPLES): $(BUILD)/examples/%: $(BUILD)/obj/examples/%.o $(BUILD)/libmoil.a
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# --- the benchmark's programs ------------------------------------------------------------------------------

bench-programs: $(BENCH_OBJ:$(BUILD)/obj/bench/%.o=$(BUILD)/bench/%)

$(BUILD)/bench/%: $(BUILD)/obj/bench/%.o $(BENCH_SUPPORT) $(BUILD)/libmoil.a
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# --- the fuzz targets: spec/fuzz/NAME.c is one, linked with what it may decode ------------------------------

FUZZ_SECONDS ?= 60
FUZZ_KNOWN := $(notdir $(basename $(wildcard spec/fuzz/*.c)))
FUZZ_TARGETS ?= $(FUZZ_KNOWN)
FUZZ_SRC := $(wildcard src/base/*.c src/beat/*.c src/conf/*.c src/net/*.c src/queue/*.c src/vm/json*.c) src/vm/snapshot.c \
            $(addprefix src/worker/,beat_answer.c beat_request.c envelope.c queues.c redis_check.c timetable.c word.c) src/api/job_options.c
FUZZ_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard spec/fuzz/*.c))
FUZZ_SUPPORT := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard spec/fuzz/support/*.c))

fuzz-programs: $(FUZZ_TARGETS:%=$(BUILD)/bin/%)

$(BUILD)/bin/%: $(BUILD)/obj/spec/fuzz/%.o $(FUZZ_SUPPORT) $(BUILD)/libfuzzed.a
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

$(BUILD)/libfuzzed.a: $(FUZZ_SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/gen/scripts.o
	$(call say,AR)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# --- targets for people ----------------------------------------------------------------------------------

demo: ## real jobs on an embedded Redis, checked
	@.ci/deps run
	+@$(submake) all
	@BUILD='$(BUILD)' sh examples/demo.sh

lint: ## gcc, clang, clang-tidy, cppcheck, luacheck, format, layers, sizes, names
	@.ci/deps run test lint
	@BUILD='$(BUILD)' .ci/lint

# What .ci/lint calls, each with BUILD and CC of its own. A file is tidied again when its object is newer.
ALL_OBJ := $(LIB_OBJ) $(CLI_OBJ) $(LUA_OBJ) $(UNIT_OBJ) $(NATIVE_OBJ) $(BENCH_OBJ) $(BENCH_SUPPORT) $(PROBE_OBJ) \
           $(EXAMPLE_OBJ) $(FUZZ_OBJ) $(FUZZ_SUPPORT)

lint-objects: $(ALL_OBJ)

lint-tidy: $(patsubst $(BUILD)/obj/%.o,$(BUILD)/tidy/%.ok,$(filter $(BUILD)/obj/%,$(ALL_OBJ)))

$(BUILD)/tidy/%.ok: $(BUILD)/obj/%.o .clang-tidy
	@mkdir -p $(@D)
	@clang-tidy --quiet $*.c -- $(ALL_CFLAGS) >$@.log 2>$@.err || { cat $@.log $@.err; exit 1; }
	@touch $@

fmt: ## format the C sources
	@.ci/deps lint
	@.ci/fmt $(wildcard src/*/*.[ch] spec/support/*.[ch] spec/fuzz/*.[ch] spec/fuzz/support/*.c examples/*.[ch] bench/*.[ch] bench/support/*.[ch])

fuzz: ## feed the decoders with anything; FUZZ_SECONDS=60 (each), FUZZ_TARGETS="url argv"
	@.ci/fuzz check '$(FUZZ_SECONDS)' '$(filter-out $(FUZZ_KNOWN),$(FUZZ_TARGETS))' '$(FUZZ_KNOWN)' '$(FUZZ_TARGETS)'
	@.ci/deps run fuzz
	+@$(submake) BUILD='$(BUILD)/fuzz' CC=clang CFLAGS='-O1 -g' SANITIZER=fuzzer-no-link,address,undefined \
	  FUZZ_TARGETS='$(FUZZ_TARGETS)' fuzz-programs
	@BUILD='$(BUILD)/fuzz' FUZZ_SEED='$(FUZZ_SEED)' .ci/fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS)

chaos: ## everything killed, stopped and filled up; SEED=n repeats the deeds, SECONDS=60
	@.ci/chaos '$(SEED)' '$(SECONDS)'
	@.ci/deps run test
	+@$(submake) all spec-modules
	@BUILD='$(BUILD)' $(LUA) spec/chaos/run.lua '$(SEED)' '$(SECONDS)'

valgrind: ## 10,000 jobs on a node under valgrind
	@.ci/deps run memory
	+@$(submake) all
	@BUILD='$(BUILD)' .ci/valgrind

cover: ## line coverage of the specs, by file
	@.ci/deps run test
	@BUILD='$(BUILD)' .ci/cover

bench: ## moil beside the raw limit, in one run; BENCH=--quick for a minute's worth
	@.ci/deps run
	+@$(submake) all bench-programs
	@BUILD='$(BUILD)' LUA='$(LUA)' sh bench/run $(BENCH)

bench-faults: ## limits, recovery, memory and reload in figures; BENCH=--quick for two minutes' worth
	@.ci/deps run test
	+@$(submake) all spec-modules bench-programs
	@BUILD='$(BUILD)' $(LUA) bench/faults/run.lua $(BENCH)

bench-workflows: ## delays, chords and chains in figures; BENCH=--quick for a minute's worth
	@.ci/deps run test
	+@$(submake) all spec-modules bench-programs
	@BUILD='$(BUILD)' $(LUA) bench/workflows/run.lua $(BENCH)

bench-peers: ## the same workloads on Celery, RQ, BullMQ, bee-queue, asynq
	@bench/peers/run

docs: $(BUILD)/moil ## docs/options.md from the option table
	$(BUILD)/moil --help=markdown >$(BUILD)/options.md
	@mkdir -p docs && mv $(BUILD)/options.md docs/options.md

env: ## exports for a plain lua5.4: eval `make -s env`
	@echo "export LUA_PATH='$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;';" \
	      "export LUA_CPATH='$(abspath $(BUILD))/lua/?.so;;';"

clean: ## remove what the build made (the benchmark's peers stay)
	@for f in $(BUILD)/*; do case $$f in $(BUILD)/peers|$(BUILD)/bench*.json) ;; *) rm -rf "$$f" ;; esac; done

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-15s %s\n", $$1, $$2}' Makefile .ci/package.mk
	@echo "variables: BUILD=dir CC=clang CFLAGS=-O0 WERROR=1 SANITIZER=address,undefined PREFIX= DESTDIR="

include .ci/package.mk

-include $(ALL_OBJ:%.o=%.d) $(CRASH_OBJ:%.o=%.d)
