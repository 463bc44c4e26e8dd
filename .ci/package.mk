# Installing and packaging; included by the Makefile. What goes where is said once, in .ci/package/install; the rest
# of the work is done by the scripts beside it.

prefix       = $(PREFIX)
exec_prefix  = $(prefix)
bindir       = $(exec_prefix)/bin
includedir   = $(prefix)/include
libdir       = $(exec_prefix)/lib
datadir      = $(prefix)/share
mandir       = $(datadir)/man
docdir       = $(datadir)/doc/moil
pkgconfigdir = $(libdir)/pkgconfig
luadir       = $(datadir)/lua/5.4
luacdir      = $(libdir)/lua/5.4
bashdir      = $(datadir)/bash-completion/completions
zshdir       = $(datadir)/zsh/site-functions
unitdir      = $(prefix)/lib/systemd/system
# What was installed, for `make uninstall`; empty: not written.
manifest     = $(datadir)/moil/manifest

INSTALL_DIRS := prefix bindir includedir libdir datadir mandir docdir pkgconfigdir luadir luacdir bashdir zshdir \
                unitdir manifest
VERSION := $(shell sed -n 's/^\#define MOIL_VERSION "\(.*\)"/\1/p' src/api/moil.h)
package_env = BUILD='$(BUILD)' DESTDIR='$(DESTDIR)' VERSION='$(VERSION)' ABI='$(ABI)' \
              $(foreach v,$(INSTALL_DIRS),$v='$($v)')

.PHONY: install uninstall pages static dist deb deb-check

# Man pages and the shells' completion, as the program prints them.
pages: $(BUILD)/pages/made

$(BUILD)/pages/made: $(BUILD)/moil
	$(call say,PAGES)
	$(Q)new=$$(mktemp -d $(BUILD)/pages.XXXXXX) && chmod 755 $$new && \
	  for page in $$($< --help=pages); do $< --help=man:$$page >$$new/$$page || exit 1; done && \
	  $< --help=bash >$$new/moil.bash && $< --help=zsh >$$new/moil.zsh && touch $$new/made && \
	  rm -rf $(@D) && mv -T $$new $(@D)

install: all pages ## to $(DESTDIR)$(PREFIX); bindir=, libdir=, mandir=, … (.ci/package.mk)
	@$(package_env) .ci/package/install install

uninstall: ## remove what `make install` put to $(DESTDIR)$(PREFIX)
	@$(package_env) .ci/package/install uninstall

static: $(BUILD)/moil-static ## build/moil-static: one file that needs libc alone

# Modules in C that tasks require find Lua in the program, as they would in liblua.
$(BUILD)/moil-static: $(CLI_OBJ) $(BUILD)/libmoil.a
	$(call say,LINK)
	$(Q)$(CC) $(ALL_LDFLAGS) -s -rdynamic -o $@ $^ -Wl,-Bstatic $(filter-out -llua%,$(PKG_LIBS)) -lev \
	  -Wl,--whole-archive $(filter -llua%,$(PKG_LIBS)) -Wl,--no-whole-archive -Wl,-Bdynamic -lm -ldl -lpthread

dist: ## build/moil-VERSION.tar.gz, of the last commit; without git of the files that are there
	@$(package_env) .ci/package/dist

deb: ## build/deb/*.deb: moil, libmoil, libmoil-dev
	@.ci/deps run deb
	+@$(submake) BUILD='$(BUILD)/deb/build' CFLAGS="$$(dpkg-buildflags --get CFLAGS | sed 's/-ffile-prefix-map=[^ ]*//')" \
	  CPPFLAGS="$$(dpkg-buildflags --get CPPFLAGS)" LDFLAGS="$$(dpkg-buildflags --get LDFLAGS) -Wl,-z,now" all pages
	@$(package_env) .ci/package/deb

deb-check: deb ## install the packages here, run jobs, remove them; as root, on a machine that may be changed
	@BUILD='$(BUILD)' .ci/package/deb-check
