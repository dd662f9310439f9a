"""Handwritten digits for the examples: MNIST, else scikit-learn's.

What enters is a path or nothing, what leaves is a :class:`DataSet`. A path that was given, by
argument or by ``$ARIGNOTE_DATA``, is used or is an error; only without one are the cache, the
network and the small data set tried, in that order.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import tempfile
import urllib.request
import zlib
from dataclasses import dataclass
from importlib import import_module
from math import isqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from array_pickle import read_arrays

N_CLASSES = 10
VALIDATION_SHARE = 6  # one image in six: the last 10,000 of MNIST's 60,000
MAGIC = {"images": 0x803, "labels": 0x801}  # unsigned bytes, three dimensions or one
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# SHA-256 of the uncompressed content, which does not depend on who packed the archive.
CONTENT_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
TIMEOUT_S = 10.0
ARCHIVE_LIMIT = 1 << 25  # bytes; the largest archive has ten million

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]


class Split(NamedTuple):
    """Images, one per row and scaled to [0, 1], with their labels."""

    images: FloatArray
    labels: IntArray


@dataclass(frozen=True)
class DataSet:
    """Three splits of one set of square grey images of the ten digits.

    Attributes
    ----------
    name : str
        ``"mnist"``, or ``"digits"`` for scikit-learn's small set.
    source : str
        One line that says where the data came from.
    train, valid, test : Split
        Images as ``floating[n, side * side]``, labels as ``int32[n]`` in 0..9.
    """

    name: str
    source: str
    train: Split
    valid: Split
    test: Split

    @property
    def side(self) -> int:
        """Pixels along one edge of an image."""
        return isqrt(self.train.images.shape[1])


def load(path: str | Path | None = None, dtype: npt.DTypeLike = "float32") -> DataSet:
    """Load the digits.

    Parameters
    ----------
    path : str or Path, optional
        A folder with the four IDX files, gzipped or not, or with ``mnist.pkl.gz``; or that pickle
        itself. Default: ``$ARIGNOTE_DATA``, else the cache, else a download into the cache, else
        scikit-learn's digits, which a printed line announces.
    dtype : "float32" or "float64"
        Type of the pixels, default float32. A pixel of MNIST is its byte divided by 256.

    Returns
    -------
    DataSet
        MNIST's first 50,000 training images, its last 10,000, and its 10,000 test images.

    Raises
    ------
    FileNotFoundError
        A given path, or one of the files in it, does not exist.
    ValueError
        A file is corrupt, a checksum differs, or `dtype` is none of the two.

    Examples
    --------
    >>> load("no/such/folder")
    Traceback (most recent call last):
    FileNotFoundError: [load] path must be a folder or a file that exists: no/such/folder
    """
    pixel_type = np.dtype(dtype)
    if pixel_type not in (np.dtype("float32"), np.dtype("float64")):
        raise ValueError(f"[load] dtype must be float32 or float64: {pixel_type}")
    given = path if path is not None else os.environ.get("ARIGNOTE_DATA") or None
    if given is not None:
        return _from_path(Path(given).expanduser(), pixel_type)
    try:
        contents = [(Path(name), _cached_or_downloaded(name)) for name in CONTENT_SHA256]
    except ConnectionError as error:
        print(f"MNIST cannot be downloaded ({error}): scikit-learn's 8 x 8 digits take its place.")
        return digits(pixel_type)
    return _from_idx(contents, f"MNIST, checked copy in {cache_folder()}", pixel_type)


def digits(dtype: npt.DTypeLike = "float32") -> DataSet:
    """Return scikit-learn's 1797 digits of 8 x 8 pixels, always split in the same way.

    Parameters
    ----------
    dtype : dtype-like
        Type of the pixels, default float32; a pixel is its count of 0..16 divided by 16.

    Returns
    -------
    DataSet
        1200 training, 297 validation and 300 test images, in the order of the file.

    Raises
    ------
    ModuleNotFoundError
        scikit-learn is not installed.

    Examples
    --------
    >>> digits().train.images.shape
    (1200, 64)
    """
    try:
        load_digits = import_module("sklearn.datasets").load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "[load] scikit-learn must be installed where MNIST cannot be downloaded: it is not; "
            "install it, or give the data with --data or $ARIGNOTE_DATA",
            name=error.name,
        ) from error
    counts, labels = load_digits(return_X_y=True)
    images = (counts / 16).astype(dtype)
    labels = labels.astype(np.int32)
    parts = [Split(images[part], labels[part]) for part in np.split(np.arange(1797), [1200, 1497])]
    return DataSet("digits", "scikit-learn's digits, 8 x 8 pixels", *parts)


def parse_idx(content: bytes, file: Path) -> Bytes:
    """Return the array in an IDX file's content: ``uint8[n, rows, columns]`` or ``uint8[n]``.

    Parameters
    ----------
    content : bytes
        The uncompressed file.
    file : Path
        Its name, for error messages; a name that holds ``labels`` is a file of labels.

    Returns
    -------
    ndarray of uint8
        A read-only view of `content`.

    Raises
    ------
    ValueError
        Wrong magic number, or a length that the header does not announce.

    Examples
    --------
    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]), Path("train-labels-idx1-ubyte"))
    array([5, 0, 4], dtype=uint8)
    """
    kind = "labels" if "labels" in file.name else "images"
    magic, found = MAGIC[kind], int.from_bytes(content[:4], "big")
    if found != magic:
        raise ValueError(f"[load] {file} must start with the magic number {magic}: {found}")
    start = 4 + 4 * (magic & 0xFF)  # the last byte of the magic number counts the dimensions
    if len(content) < start:
        raise ValueError(f"[load] {file} must have a header of {start} bytes: {len(content)}")
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4))
    expected = start + int(np.prod(shape, dtype=object))
    if len(content) != expected:
        raise ValueError(
            f"[load] {file} must have {expected} bytes, as its header says: {len(content)}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def cache_folder() -> Path:
    """Return the folder for downloads: ``$XDG_CACHE_HOME/arignote``, else ``~/.cache/arignote``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "arignote"


def _from_path(path: Path, dtype: np.dtype[Any]) -> DataSet:
    if not path.exists():
        raise FileNotFoundError(f"[load] path must be a folder or a file that exists: {path}")
    if path.is_file():
        return _from_pickle(path, dtype)
    files = {name: _find_idx(path, name) for name in CONTENT_SHA256}
    pickled = path / "mnist.pkl.gz"
    if not any(files.values()) and pickled.exists():
        return _from_pickle(pickled, dtype)
    missing = [name for name, file in files.items() if file is None]
    if missing:
        raise FileNotFoundError(
            f"[load] {path} must hold the four IDX files (.gz or not) or mnist.pkl.gz: "
            f"{', '.join(missing)} missing"
        )
    contents = [(file, _read(file)) for file in files.values() if file]
    return _from_idx(contents, f"IDX files in {path}", dtype)


def _find_idx(folder: Path, name: str) -> Path | None:
    spellings = (name, name.replace("-idx", ".idx"))
    candidates = (folder / f"{stem}{end}" for stem in spellings for end in ("", ".gz"))
    return next((file for file in candidates if file.is_file()), None)


def _read(file: Path) -> bytes:
    return _decompressed(file.read_bytes(), str(file))


def _decompressed(raw: bytes, name: str) -> bytes:
    """Undo gzip where its magic number is present."""
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"[load] {name} must be an intact gzip file: {error}") from error


def _from_idx(contents: list[tuple[Path, bytes]], source: str, dtype: np.dtype[Any]) -> DataSet:
    """Build the set from the four files, in the order of CONTENT_SHA256."""
    train_images, train_labels, test_images, test_labels = (
        parse_idx(content, file) for file, content in contents
    )
    train = _checked_split(contents[1][0], _scaled(train_images, dtype), train_labels)
    test = _checked_split(contents[3][0], _scaled(test_images, dtype), test_labels)
    first = len(train.labels) - len(train.labels) // VALIDATION_SHARE
    valid = Split(train.images[first:], train.labels[first:])
    return _checked_set(source, Split(train.images[:first], train.labels[:first]), valid, test)


def _scaled(images: Bytes, dtype: np.dtype[Any]) -> FloatArray:
    count, rows, columns = images.shape
    flat = images.reshape(count, rows * columns)
    scaled: FloatArray = np.multiply(flat, dtype.type(1 / 256), dtype=dtype)
    return scaled


def _from_pickle(file: Path, dtype: np.dtype[Any]) -> DataSet:
    try:
        pairs = read_arrays(_read(file))
    except ValueError as error:
        raise ValueError(
            f"[load] {file} must be the tutorial's pickle of three (images, labels) pairs: {error}"
        ) from error
    outline = _outline(pairs)
    if outline != "((array array) (array array) (array array))":
        raise ValueError(f"[load] {file} must hold three (images, labels) pairs: {outline}")
    splits = []
    for name, (images, labels) in zip(("train", "valid", "test"), pairs, strict=True):
        if images.ndim != 2 or images.dtype.kind != "f" or labels.dtype.kind not in "iu":
            raise ValueError(
                f"[load] {file}: {name} must be a float matrix and integer labels: "
                f"{images.dtype}{list(images.shape)} and {labels.dtype}{list(labels.shape)}"
            )
        splits.append(_checked_split(f"{file}: {name}", images.astype(dtype), labels))
    return _checked_set(f"pickle {file}", *splits)


def _outline(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "array"
    parts = [_outline(item) for item in value[:4]] + ["..."] * (len(value) > 4)
    return f"({' '.join(parts)})"


def _checked_split(origin: object, images: FloatArray, labels: npt.NDArray[Any]) -> Split:
    if labels.shape != (len(images),):
        raise ValueError(
            f"[load] {origin} must have one label for each of {len(images)} images: "
            f"labels of shape {list(labels.shape)}"
        )
    wrong = np.flatnonzero((labels < 0) | (labels >= N_CLASSES))
    if wrong.size:
        row = int(wrong[0])
        raise ValueError(f"[load] {origin} must have labels in 0..9: {labels[row]} at row {row}")
    return Split(images, labels.astype(np.int32))


def _checked_set(source: str, train: Split, valid: Split, test: Split) -> DataSet:
    counts = [len(split.labels) for split in (train, valid, test)]
    if not all(counts):
        raise ValueError(
            f"[load] train, valid and test must each have an image: {counts} from {source}"
        )
    pixels = {split.images.shape[1] for split in (train, valid, test)}
    sides = {isqrt(count) for count in pixels}
    if len(pixels) > 1 or {side * side for side in sides} != pixels or 0 in pixels:
        raise ValueError(
            "[load] all images must be square and of one size: "
            f"{sorted(pixels)} pixels from {source}"
        )
    return DataSet("mnist", source, train, valid, test)


def _cached_or_downloaded(name: str) -> bytes:
    """Return the verified content of one file; raise ConnectionError where no mirror answers."""
    file = cache_folder() / f"{name}.gz"
    if file.is_file():
        return _verified(_read(file), name, str(file))
    raw, url = _download(f"{name}.gz")
    content = _verified(_decompressed(raw, url), name, url)
    try:
        _write_whole(file, raw)
    except OSError as error:
        print(f"The download is not kept: {error}")
    return content


def _verified(content: bytes, name: str, origin: str) -> bytes:
    found, expected = hashlib.sha256(content).hexdigest(), CONTENT_SHA256[name]
    if found != expected:
        raise ValueError(f"[load] {origin} must have content of SHA-256 {expected}: {found}")
    return content


def _download(archive: str) -> tuple[bytes, str]:
    failure: Exception | None = None
    for mirror in MIRRORS:
        url = mirror + archive
        try:
            print(f"Downloading {url}")
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
                return response.read(ARCHIVE_LIMIT), url
        except (OSError, http.client.HTTPException) as error:
            failure = error
    raise ConnectionError(f"no mirror answers: {failure}")


def _write_whole(file: Path, raw: bytes) -> None:
    """Write so that no reader ever sees a part of the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        partial = Path(folder) / file.name
        partial.write_bytes(raw)
        partial.replace(file)
