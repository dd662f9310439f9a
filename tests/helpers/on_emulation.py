"""Runs a module as ``python -m`` does, on the emulated device in place of the machine's."""

from __future__ import annotations

import runpy
import sys

from arignote.run import devices

if __name__ == "__main__":
    devices.module = "arignote._cuda_emulated"
    sys.path[0] = ""
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
