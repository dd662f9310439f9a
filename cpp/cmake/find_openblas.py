"""Prints the library and the licence file of the installed scipy-openblas32, as a CMake list."""

from importlib.metadata import files
from pathlib import Path
from typing import Any

FILES: Any = files("scipy-openblas32") or []


def located(pattern: str) -> str:
    return str(next(Path(file.locate()) for file in FILES if file.match(pattern)).resolve())


print(located("lib/libscipy_openblas*"), located("*.dist-info/licenses/LICENSE*"), sep=";")
