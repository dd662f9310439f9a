#!/usr/bin/env bash
# Builds arignote with sanitizers in a virtual environment of its own and runs tests with it: those
# that reach C++ most directly unless others are named, and never the slow ones.
#
#   scripts/test_sanitized.sh [address,undefined | thread [PYTEST ARGUMENT ...]]
set -euo pipefail
cd "$(dirname "$0")/.."
sanitizers=${1:-address,undefined}
shift || true
[ $# -gt 0 ] || set -- tests/native tests/cuda tests/seeds tests/ops/test_{matrix_product,in_place}.py
environment=build/sanitized-${sanitizers//,/-}

python3 -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --editable '.[test]' \
  --config-settings="build-dir=$environment/build" \
  --config-settings=cmake.build-type=RelWithDebInfo \
  --config-settings=install.strip=false \
  --config-settings=cmake.define.ARIGNOTE_CUDA_EMULATED=ON \
  --config-settings="cmake.define.ARIGNOTE_SANITIZE=$sanitizers"

# The interpreter is not sanitized: the run-time library must come first, and without libstdc++
# beside it the first C++ exception aborts. Python itself leaks on purpose.
runtime=$([ "$sanitizers" = thread ] && echo libtsan.so || echo libasan.so)
export LD_PRELOAD="$(g++ -print-file-name="$runtime") $(g++ -print-file-name=libstdc++.so)"
export PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=die_after_fork=0 # a forked child starts a pool of its own
"$environment/bin/python" -m pytest --numprocesses auto -m 'not slow' "$@"
