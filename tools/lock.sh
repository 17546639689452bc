#!/bin/sh
# Pin requirements/NAME.txt with hashes for every platform and every Python from 3.11 on: lock.sh NAME [OPTION...]
# The text names no index and no path of this machine, so it is the same wherever it is made.
set -eu
cd "$(dirname "$0")/.."
name=$1
shift

case $name in
    base) set -- pyproject.toml "$@" ;;
    dev) set -- requirements/dev.in --constraints requirements/base.txt "$@" ;;
    *) set -- "requirements/$name.in" "$@" ;;
esac
exec .venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
    --no-header --no-emit-index-url --output-file "requirements/$name.txt" "$@"
