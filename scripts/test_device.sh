#!/usr/bin/env bash
# Builds arignote for this machine's GPU, in a virtual environment of its own, and tries it there:
# the selftest, tests/cuda, both under NVIDIA's compute-sanitizer, and the benchmarks.
#
#   scripts/test_device.sh [FOLDER]
#
# The environment and a log of each part come to FOLDER, build/device if none is named. A part that
# fails or takes too long does not keep the others from running: the exit status tells of it. All
# parts together end after nine minutes at most on a GPU, with cores enough.
#
# It needs nvcc and a C++20 compiler. Packages that python3 has are used as they are, and those that
# it lacks come from PyPI: with all of them there, no network is needed.
#
# ARIGNOTE_TEST_DEVICE=emulated tries the script itself where there is no GPU, with ten times as long
# for each part.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "${1:-build/device}"
folder=$(cd "${1:-build/device}" && pwd)
export ARIGNOTE_TEST_DEVICE=${ARIGNOTE_TEST_DEVICE:-cuda}
environment=$folder/environment
python=$environment/bin/python
summary=$folder/summary.txt
: >"$summary"

if [ "$ARIGNOTE_TEST_DEVICE" = cuda ]; then
  command -v nvcc >/dev/null || PATH=$PATH:/usr/local/cuda/bin
  as_module=("$python" -m)
  options=(cmake.define.ARIGNOTE_CUDA=ON cmake.define.CMAKE_CUDA_ARCHITECTURES=native)
  patience=1
elif [ "$ARIGNOTE_TEST_DEVICE" = emulated ]; then
  as_module=("$python" tests/helpers/on_emulation.py)
  options=(cmake.define.ARIGNOTE_CUDA_EMULATED=ON)
  patience=10
else
  printf 'ARIGNOTE_TEST_DEVICE must be cuda or emulated: %s\n' "$ARIGNOTE_TEST_DEVICE" >&2
  exit 2
fi

note() { printf '%-24s %s\n' "$@" | tee -a "$summary"; }

# part NAME SECONDS COMMAND ...
part() {
  local name=$1 seconds=$2 begin=$SECONDS status=0 outcome
  shift 2
  timeout --kill-after=5 $((seconds * patience)) "$@" >"$folder/$name.log" 2>&1 || status=$?
  case $status in
    0) outcome=passed ;;
    124 | 137) outcome="FAILED: stopped" ;;
    *) outcome="FAILED with status $status" ;;
  esac
  note "$name" "$outcome after $((SECONDS - begin)) s"
}

# Lets the environment see what python3 sees, which may itself be one; but no package that is
# installed there editable, such as another arignote.
share_packages() {
  python3 -c 'import sys; print(*(path for path in sys.path if path.endswith("-packages")), sep="\n")' \
    >"$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/shared.pth"
}

sanitize() {
  local tool selftest tests fused
  selftest=("$python" -m arignote.cuda selftest)
  tests=("$python" -m pytest -m 'not slow' tests/cuda/test_{dot,rows,index,turns,by_rows}.py)
  fused=("$python" -m pytest -m 'not slow'
    tests/cuda/test_{fused_step,step_groups,turn_windows,standing_steps}.py)
  for tool in memcheck racecheck initcheck synccheck; do
    local checked=(compute-sanitizer --tool "$tool" --error-exitcode 1)
    part "$tool-selftest" 110 "${checked[@]}" "${selftest[@]}" &
    part "$tool-tests" 110 "${checked[@]}" "${tests[@]}" &
    part "$tool-fused" 110 "${checked[@]}" "${fused[@]}" &
  done
  wait
}

[ -d "$environment" ] || python3 -m venv "$environment"
share_packages
packages=(numpy ml_dtypes pybind11 scikit-build-core pytest pytest-xdist hypothesis)
for program in cmake ninja; do command -v "$program" >/dev/null || packages+=("$program"); done
part packages 30 "$python" -m pip install "${packages[@]}"
part build 180 env PATH="$environment/bin:$PATH" \
  "$python" -m pip install --verbose --no-build-isolation --no-deps --editable . \
  --config-settings="build-dir=$folder/build" "${options[@]/#/--config-settings=}"
part info 20 "${as_module[@]}" arignote.cuda info
part selftest 60 "${as_module[@]}" arignote.cuda selftest
part tests 90 "$python" -m pytest --numprocesses 8 tests/cuda
if [ "$ARIGNOTE_TEST_DEVICE" != cuda ]; then
  note sanitizers "left out: they want a GPU"
  note benchmarks "left out: they want a GPU"
else
  if command -v compute-sanitizer >/dev/null; then
    sanitize
  else
    note sanitizers "left out: there is no compute-sanitizer"
  fi
  part benchmarks 50 "${as_module[@]}" benchmarks.cuda --quick
fi
! grep -q FAILED "$summary"
