#!/usr/bin/env bash
# Installs what the tests and the benchmarks need beyond Go, from Debian's
# packages, and does nothing for what is there:
#
#   redis    redis-server, the oracle, redis-cli and redis-benchmark
#   python   redis-py, the client that `make test` uses beside go-redis
#   clients  the other clients of `make clients`: ruby-redis, and Node.js with
#            ioredis, which comes from npm into .cache/clients
#   suite    what it takes to fetch and to run Redis's own Tcl suite
#   race     a C compiler, which Go's race detector is linked with
#
#   scripts/deps.sh [redis|python|clients|suite|race ...]     default: redis
#
# Debian's redis-server package starts a service on port 6379 and at every boot.
# A development machine has not asked for that, and `make run` wants the port, so
# the start is held back while we install, and the service is disabled. A service
# that was there before is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=()

# need PACKAGE COMMAND...: the package is missing if the command fails.
need() {
	local package=$1
	shift
	[[ " ${packages[*]} " == *" $package "* ]] || "$@" >/dev/null 2>&1 || packages+=("$package")
}

# c_headers fails without the headers of the C library.
c_headers() {
	echo '#include <stdlib.h>' | "${CC:-gcc}" -E -
}

# missing finds which packages the groups in its arguments lack.
missing() {
	local group
	packages=()
	for group in "$@"; do
		case $group in
		redis)
			need redis-server command -v redis-server
			need redis-tools command -v redis-cli
			need redis-tools command -v redis-benchmark
			;;
		python)
			need python3-redis /usr/bin/python3 -c 'import redis'
			;;
		clients)
			need ruby-redis /usr/bin/ruby -e 'require "redis"'
			need nodejs command -v node
			need npm command -v npm
			;;
		suite)
			need tcl command -v tclsh
			need dpkg-dev command -v dpkg-source
			;;
		race)
			need gcc command -v "${CC:-gcc}"
			need libc6-dev c_headers
			;;
		*)
			echo "deps: no group is called $group" >&2
			exit 2
			;;
		esac
	done
	[ ${#packages[@]} -gt 0 ]
}

# A policy-rc.d that answers 101 forbids every start during the installation.
policy=/usr/sbin/policy-rc.d
made_policy=
root=()
cleanup() {
	if [ -n "$made_policy" ]; then
		"${root[@]}" rm -f "$policy"
	fi
}
trap cleanup EXIT

install_packages() {
	if ! command -v apt-get >/dev/null; then
		echo "deps: ${packages[*]} are needed, and there is no apt-get here to install them" >&2
		exit 1
	fi
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "deps: run 'apt-get install ${packages[*]}' as root, once" >&2
			exit 1
		fi
		root=(sudo)
	fi
	if [ ! -e "$policy" ]; then
		made_policy=yes
		printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
		"${root[@]}" chmod 755 "$policy"
	fi
	# What of the lists cannot be fetched is a warning to apt, so that it would not be
	# tried again. Whether it is needed shows when the packages are installed.
	scripts/retry "${root[@]}" apt-get update -q -o APT::Update::Error-Mode=any || true
	scripts/retry "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "${packages[@]}"
	if [[ " ${packages[*]} " == *" redis-server "* ]] && [ -d /run/systemd/system ]; then
		"${root[@]}" systemctl disable --quiet redis-server
	fi
}

# install_ioredis installs what tests/clients/package-lock.json pins.
install_ioredis() {
	local dir=.cache/clients
	if [ -d "$dir/node_modules/ioredis" ] && cmp -s tests/clients/package-lock.json "$dir/package-lock.json"; then
		return
	fi
	if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
		echo "deps: ioredis needs Node.js 20 or newer; $(command -v node) is $(node --version)" >&2
		exit 1
	fi
	rm -rf "$dir"
	mkdir -p "$dir"
	cp tests/clients/package.json tests/clients/package-lock.json "$dir"
	scripts/retry npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund
}

groups=("$@")
if [ ${#groups[@]} -eq 0 ]; then
	groups=(redis)
fi
if missing "${groups[@]}"; then
	install_packages
	if missing "${groups[@]}"; then
		echo "deps: ${packages[*]} were installed, and still something of them is missing" >&2
		exit 1
	fi
fi
if [[ " ${groups[*]} " == *" clients "* ]]; then
	install_ioredis
fi
