#!/bin/sh
# The browser tests run in Debian's Chromium: install it where it is missing and that is possible, else say so.
set -eu

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then
        exit 0
    fi
done
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Chromium is missing: installing Debian's."
    if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; then
        exit 0
    fi
fi
echo "SKIPPED: the browser tests, for Chromium is missing. As root: apt-get install chromium"
