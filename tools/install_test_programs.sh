#!/bin/sh
# Programs that tests run and that are no packages of Python: Debian's Chromium (browser tests), DCMTK (`storescu`, a
# device that sends images), Bubblewrap (which shuts jobs of research in), and what makes a network of namespaces (health network). Install those that are missing where that is possible, else say what is skipped.
set -eu

provide() { # package, what is skipped without it, the commands of which one is enough
    package=$1 skipped=$2
    shift 2
    for name in "$@"; do
        if command -v "$name" >/dev/null; then
            return
        fi
    done
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        echo "$package is missing: installing Debian's."
        if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package"; then
            return
        fi
    fi
    echo "SKIPPED: $skipped, for $package is missing. As root: apt-get install $package"
}

provide chromium "the browser tests" chromium chromium-browser google-chrome
provide bubblewrap "the tests of the environment for research" bwrap
provide dcmtk "the tests with storescu" storescu
for program in iproute2:ip nftables:nft wireguard-tools:wg wireguard-go:wireguard-go; do
    provide "${program%%:*}" "the tests of the health network in namespaces" "${program##*:}"
done
