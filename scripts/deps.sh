#!/usr/bin/env bash
# Installs what the tests and the benchmarks need beyond Go: redis-server, the
# oracle, and redis-cli and redis-benchmark, from Debian's packages. It does
# nothing if they are there.
#
# Debian's redis-server package starts a service on port 6379 and at every boot.
# A development machine has not asked for that, and `make run` wants the port, so
# the start is held back while we install, and the service is disabled. A service
# that was there before is left alone.
set -euo pipefail

tools=(redis-server redis-cli redis-benchmark)

missing() {
	local tool
	for tool in "${tools[@]}"; do
		command -v "$tool" >/dev/null || return 0
	done
	return 1
}

if ! missing; then
	exit 0
fi

if ! command -v apt-get >/dev/null; then
	echo "deps: ${tools[*]} are needed, and there is no apt-get here to install them" >&2
	exit 1
fi

root=()
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "deps: run 'apt-get install redis-server redis-tools' as root, once" >&2
		exit 1
	fi
	root=(sudo)
fi

# A policy-rc.d that answers 101 forbids every start during the installation.
policy=/usr/sbin/policy-rc.d
made_policy=
cleanup() {
	if [ -n "$made_policy" ]; then
		"${root[@]}" rm -f "$policy"
	fi
}
trap cleanup EXIT
if [ ! -e "$policy" ]; then
	made_policy=yes
	printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
	"${root[@]}" chmod 755 "$policy"
fi

"${root[@]}" apt-get update -q
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends redis-server redis-tools

if [ -d /run/systemd/system ]; then
	"${root[@]}" systemctl disable --quiet redis-server
fi

if missing; then
	echo "deps: ${tools[*]} are still not all there" >&2
	exit 1
fi
