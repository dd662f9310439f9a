#!/usr/bin/env bash
# Builds arignote for AArch64 on another Debian or Ubuntu machine and runs tests with it under QEMU,
# on each SIMD target of that architecture: unless others are named, those that reach every kernel,
# and row blocks of every model in every layout. What else row blocks do (tests/run/test_by_rows.py,
# tests/run/test_cotangents.py) is less a matter of the processor.
#
#   scripts/test_aarch64.sh [PYTEST ARGUMENT ...]
#
# It needs g++-aarch64-linux-gnu and qemu-user, and an environment made by scripts/install.sh. Python
# and Highway for AArch64 come as packages of the same distribution, NumPy and pytest from PyPI; all
# of it lies in build/aarch64. An emulated processor is much slower.
#
# The targets are those of the distribution's Highway: 1.0.3, of Debian 12, has NEON alone, 1.2.0
# NEON_WITHOUT_AES as well.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- tests/native tests/ops tests/run/test_by_rows.py::test_any_layout
home=$PWD/build/aarch64
root=$home/root
python=$root/usr/bin/python

# Nothing is installed on this machine: packages are chosen as if there were none, and unpacked.
fetch_root() {
  local apt=$home/apt
  mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
  : >"$apt/status"
  local options=(
    -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$apt/state"
    -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" -o Debug::NoLocking=1
  )
  apt-get "${options[@]}" --quiet update
  apt-get "${options[@]}" --quiet --yes --no-install-recommends --download-only \
    install python3 libpython3-dev libhwy-dev
  for package in "$apt"/cache/archives/*.deb; do dpkg-deb --extract "$package" "$root"; done
}

# Its path is that of the interpreter beside it, which finds its library from there; and since it
# is what Python calls itself by, processes that tests start run under QEMU as well.
write_python() {
  local library
  library=$(basename "$root"/usr/lib/python3.*)
  cat >"$python" <<EOF
#!/bin/sh
exec qemu-aarch64 -L "$root" -0 "$python" "$root/usr/bin/$library" "\$@"
EOF
  chmod +x "$python"
}

# Called with the interpreter for AArch64, CMake finds its headers and NumPy's as it does natively;
# `env` stands for an emulator, which that interpreter brings along.
build() {
  local host=$PWD/.venv/bin/python version
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  "$host" -m pip install --quiet --target "$home/site" --upgrade --only-binary=:all: \
    --implementation cp --python-version "$version" \
    --platform manylinux2014_aarch64 --platform manylinux_2_27_aarch64 \
    --platform manylinux_2_28_aarch64 numpy pybind11 pytest pytest-xdist hypothesis
  "$host" -m pip install --quiet cmake ninja
  PATH=$PWD/.venv/bin:$PATH PYTHONPATH=$home/site cmake -S cpp -B "$home/build" -G Ninja \
    -DARIGNOTE_WERROR=ON -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
    -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_CROSSCOMPILING_EMULATOR=env \
    -DCMAKE_FIND_ROOT_PATH="$root" -DPython_EXECUTABLE="$python" \
    -Dhwy_DIR="$root/usr/lib/aarch64-linux-gnu/cmake/hwy"
  PATH=$PWD/.venv/bin:$PATH cmake --build "$home/build"
}

# The sources as they lie here, with the compiled module beside them.
write_package() {
  rm -rf "$home/package"
  mkdir -p "$home/package"
  cp --recursive --symbolic-link "$PWD/src/arignote" "$home/package/"
  ln -s "$home"/build/_core*.so "$home/package/arignote/"
}

[ -d "$root" ] || fetch_root
write_python
build
write_package
# QEMU itself fails when a process of several threads forks.
PYTHONPATH=$home/package:$home/site PYTHONDONTWRITEBYTECODE=1 \
  "$python" -m pytest --numprocesses auto -m 'not slow' -k 'not fork' "$@"
