# SPDX-License-Identifier: GPL-2.0-only
# What a person types. run.sh does the work: it knows the kernel, the cache and the compilers.

all:
	./run.sh --setup

# The project's own tests; CHECK= names some of tests/*/
check:
	tests/check.bash $(CHECK)

# The suites as a kselftest collection, in the layout that run_kselftest.sh reads
install-kselftest:
	@test -n "$(DESTDIR)" || { echo "usage: make install-kselftest DESTDIR=DIR [KERNEL=DIR] [ARCH=A]" >&2; exit 2; }
	./run.sh --install-kselftest $(DESTDIR) $(if $(KERNEL),--kernel $(KERNEL)) $(if $(ARCH),--arch $(ARCH))

# What the reference costs, with targets and verdicts; on an idle machine
bench:
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	NIT_SUITES=$(CURDIR)/tests ./run.sh --build-programs "$$dir" --suite bench && \
	for program in "$$dir"/bench/*; do echo "== $${program##*/}"; "$$program" || exit; done

clean:
	rm -rf build results/2*

.PHONY: all check install-kselftest bench clean
