"""What the values of command-line options may be: mistakes are told before a program starts."""

from __future__ import annotations

import argparse
import os
from importlib.util import find_spec
from pathlib import Path


def positive(text: str) -> int:
    """Read an option that counts something."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1: {number}")
    return number


def seed(text: str) -> int:
    """Read the seed of a random generator."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must not be negative: {number}")
    return number


def output_file(text: str) -> Path:
    """Read the path of a file that the program will write."""
    path = Path(text)
    folder = path.parent
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"must be in a folder that exists: {path}")
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"must be a file, not a folder: {path}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"must be writable: {path}")
    return path


def plot_file(text: str) -> Path:
    """Read the path of a picture that the program will draw."""
    if find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("needs matplotlib: pip install matplotlib")
    return output_file(text)
