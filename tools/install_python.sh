#!/bin/sh
# Make .venv with the pinned dependencies and the project itself in it. All it needs is a Python from 3.11 on with
# venv or with pip; as root on Debian it gets what is missing. A second run changes nothing and is quick.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "make install: $*" >&2
    exit 1
}

python=
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || fail "Python 3.11 or later is needed. Install it, or name it: make install PYTHON=/path/to/python3"

has() { "$python" -c "import $1" 2>/dev/null; }

pinned="--quiet --disable-pip-version-check --no-warn-script-location --require-hashes --only-binary :all: --requirement requirements/uv.txt"

made=.venv/bin/python
[ -x .venv/bin/uv ] || [ -x .tools/bin/uv ] || made=false
if ! "$made" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    rm -rf .venv .tools
    if ! has ensurepip && ! has pip && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        echo "This Python has neither venv nor pip: installing Debian's python3-venv."
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv
    fi
    if has ensurepip; then
        "$python" -m venv .venv
        # shellcheck disable=SC2086 # a list of words
        .venv/bin/python -m pip install $pinned
    elif has pip; then
        # Debian without python3-venv: uv, put aside by pip, makes the environment.
        # shellcheck disable=SC2086
        "$python" -m pip install $pinned --target .tools
        .tools/bin/uv venv --quiet --python "$python" .venv
    else
        fail "this Python has neither venv nor pip. As root: apt-get install python3-venv"
    fi
fi

# pip's settings for a mirror and for certificates hold for uv as well.
mirror=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-}}
if [ -z "$mirror" ] && has pip; then
    mirror=$("$python" -m pip config get global.index-url 2>/dev/null || true)
fi
[ -z "$mirror" ] || export UV_DEFAULT_INDEX="$mirror"
[ -n "${SSL_CERT_FILE:-}" ] || [ -z "${PIP_CERT:-}" ] || export SSL_CERT_FILE="$PIP_CERT"
export UV_SYSTEM_CERTS=1

uv=.venv/bin/uv
[ -x "$uv" ] || uv=.tools/bin/uv
"$uv" pip install --quiet --python .venv/bin/python --require-hashes --no-build \
    --requirement requirements/uv.txt --requirement requirements/base.txt --requirement requirements/dev.txt
# The project itself: from this directory, by the build tool just installed, without looking anything up.
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --offline --editable .
