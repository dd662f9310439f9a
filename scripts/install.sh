#!/usr/bin/env bash
# Builds arignote from this checkout and installs it, editable, in the virtual environment .venv.
#
#   scripts/install.sh [EXTRAS [PIP OPTION ...]]      EXTRAS: test by default, such as test,dev
#
# On Debian and Ubuntu it first installs the packages below that are missing (with sudo unless run
# by root). Elsewhere have Python 3.10 or newer with its headers, a C++20 compiler and, if possible,
# Highway; CMake and Ninja come from PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."
extras=${1:-test}
shift || true

packages=(g++ libhwy-dev python3-dev python3-venv)
if command -v apt-get >/dev/null && ! dpkg -s "${packages[@]}" >/dev/null 2>&1; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update
  "${as_root[@]}" apt-get install --yes --no-install-recommends "${packages[@]}"
fi

python3 -m venv .venv
.venv/bin/python -m pip install --editable ".[$extras]" "$@"
