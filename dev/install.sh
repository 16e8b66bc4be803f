#!/usr/bin/env bash
# Makes the virtual environment in .venv, or brings it to what dev/requirements.lock holds; `compile` renews a lock.
# Nothing is installed whose hash is not in a lock, pip's own way to uv included.
set -euo pipefail
cd "$(dirname "$0")/.."

fits() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; }

python=
for candidate in ${PYTHON:-} python3.11 python3 python; do
    if fits "$candidate"; then python=$candidate && break; fi
done
if [ -z "$python" ]; then
    echo "Python 3.11 is needed, and neither python3.11 nor python3 is one. Install it, or say where it is: make PYTHON=/path/to/python3.11" >&2
    exit 1
fi

if [ "${1:-}" = install ]; then echo "Installing into .venv (some minutes the first time)"; fi
fits .venv/bin/python || "$python" -m venv --clear .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement dev/uv.lock

# uv does not read pip's configuration: what this machine is set up with for pip is handed on.
configured() { .venv/bin/python -m pip config get "global.$1" 2>/dev/null || true; }
index=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$(configured index-url)}}
extra=${UV_INDEX:-${PIP_EXTRA_INDEX_URL:-$(configured extra-index-url)}}
certificates=${SSL_CERT_FILE:-${PIP_CERT:-$(configured cert)}}
if [ -n "$index" ]; then export UV_DEFAULT_INDEX=$index; fi
if [ -n "$extra" ]; then export UV_INDEX=$extra; fi
if [ -n "$certificates" ]; then export SSL_CERT_FILE=$certificates; fi

.venv/bin/uv pip "$@" --quiet --python .venv/bin/python
