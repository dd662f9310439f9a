#!/usr/bin/env bash
# Builds arignote with sanitizers in a virtual environment of its own and runs the tests that reach
# C++, without the slow ones.
#
#   scripts/test_sanitized.sh [address,undefined | thread [PYTEST OPTION ...]]
set -euo pipefail
cd "$(dirname "$0")/.."
sanitizers=${1:-address,undefined}
shift || true
environment=build/sanitized-${sanitizers//,/-}

python3 -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --editable '.[test]' \
  --config-settings="build-dir=$environment/build" \
  --config-settings=cmake.build-type=RelWithDebInfo \
  --config-settings=install.strip=false \
  --config-settings="cmake.define.ARIGNOTE_SANITIZE=$sanitizers"

# The interpreter is not sanitized: the run-time library must come first, and without libstdc++
# beside it the first C++ exception aborts. Python itself leaks on purpose.
runtime=$([ "$sanitizers" = thread ] && echo libtsan.so || echo libasan.so)
export LD_PRELOAD="$(g++ -print-file-name="$runtime") $(g++ -print-file-name=libstdc++.so)"
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc
"$environment/bin/python" -m pytest -m 'not slow' tests/native tests/ops tests/seeds "$@"
