"""The data loader: every accepted form, every refusal by its text, the way without a network."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import mnist_data
from array_pickle import read_arrays

TRAIN, TEST = 12, 5
Arrays = dict[str, npt.NDArray[np.uint8]]


def idx(array: npt.NDArray[np.uint8]) -> bytes:
    """Write an array in the IDX format."""
    header = [0x800 + array.ndim, *array.shape]
    return b"".join(number.to_bytes(4, "big") for number in header) + array.tobytes()


@pytest.fixture
def arrays() -> Arrays:
    rng = np.random.default_rng(20)

    def bytes_below(limit: int, *shape: int) -> npt.NDArray[np.uint8]:
        return rng.integers(0, limit, shape, dtype=np.uint8)

    return {
        "train-images-idx3-ubyte": bytes_below(256, TRAIN, 3, 3),
        "train-labels-idx1-ubyte": bytes_below(10, TRAIN),
        "t10k-images-idx3-ubyte": bytes_below(256, TEST, 3, 3),
        "t10k-labels-idx1-ubyte": bytes_below(10, TEST),
    }


@pytest.fixture
def folder(tmp_path: Path, arrays: Arrays) -> Path:
    for name, array in arrays.items():
        (tmp_path / name).write_bytes(idx(array))
    return tmp_path


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads or writes the user's cache, or takes the user's data for its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("ARIGNOTE_DATA", raising=False)


def refuses(kind: type[Exception], text: str) -> Any:
    return pytest.raises(kind, match=re.escape(text))


# Accepted forms


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_idx_files_are_scaled_and_split(folder: Path, arrays: Arrays, dtype: str) -> None:
    data = mnist_data.load(folder, dtype)
    images = arrays["train-images-idx3-ubyte"].reshape(TRAIN, 9)
    labels = arrays["train-labels-idx1-ubyte"]
    for split, rows in ((data.train, slice(10)), (data.valid, slice(10, 12))):
        np.testing.assert_array_equal(split.images, images[rows] / 256)
        np.testing.assert_array_equal(split.labels, labels[rows])
    np.testing.assert_array_equal(data.test.labels, arrays["t10k-labels-idx1-ubyte"])
    assert data.train.images.dtype == data.test.images.dtype == np.dtype(dtype)
    assert data.train.labels.dtype == np.int32
    assert (data.name, data.source, data.side) == ("mnist", f"IDX files in {folder}", 3)


def test_both_spellings_plain_or_gzipped(folder: Path) -> None:
    expected = mnist_data.load(folder)
    for number, file in enumerate(sorted(folder.glob("*ubyte"))):
        content = file.read_bytes()
        file.unlink()
        target = folder / (file.name.replace("-idx", ".idx") if number < 2 else file.name)
        if number % 2:
            target.write_bytes(content)
        else:
            Path(f"{target}.gz").write_bytes(gzip.compress(content))
    found = mnist_data.load(folder)
    np.testing.assert_array_equal(found.valid.images, expected.valid.images)
    np.testing.assert_array_equal(found.test.images, expected.test.images)


def test_the_environment_names_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARIGNOTE_DATA", str(folder))
    assert len(mnist_data.load().train.labels) == 10


def test_an_argument_goes_before_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARIGNOTE_DATA", "no/such/folder")
    assert len(mnist_data.load(folder).train.labels) == 10
    with refuses(FileNotFoundError, "[load] path must be a folder or a file that exists: no/such"):
        mnist_data.load()


def tutorial_pairs(
    counts: tuple[int, ...] = (7, 3, 4), order: str = "C"
) -> tuple[tuple[npt.NDArray[Any], npt.NDArray[Any]], ...]:
    rng = np.random.default_rng(21)
    return tuple(
        (
            np.asarray(rng.integers(0, 256, (n, 4)) / 256, dtype="float32", order=order),  # type: ignore[call-overload]
            rng.integers(0, 10, n),
        )
        for n in counts
    )


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_tutorials_pickle(tmp_path: Path, protocol: int, order: str) -> None:
    pairs = tutorial_pairs(order=order)
    file = tmp_path / "mnist.pkl.gz"
    file.write_bytes(gzip.compress(pickle.dumps(pairs, protocol)))
    data = mnist_data.load(file, "float64")
    for split, (images, labels) in zip((data.train, data.valid, data.test), pairs, strict=True):
        np.testing.assert_array_equal(split.images, images)
        np.testing.assert_array_equal(split.labels, labels)
    assert data.train.images.dtype == np.float64
    assert mnist_data.load(tmp_path).source == f"pickle {file}"


def test_a_pickle_of_python_2() -> None:
    """Protocol 0 as Python 2 wrote it: array bytes are a str, and numpy.core is not imported."""
    written = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\ntcnumpy\n"
        b"dtype\n(S'i2'\nI0\nI1\ntR(I3\nS'>'\nNNNI-1\nI-1\nI0\ntbI00\nS'\\x00\\xe9\\x01\\x00'\ntb."
    )
    np.testing.assert_array_equal(read_arrays(written), [233, 256])


# Refusals


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("name", "damage", "text"),
    [
        ("train-images", lambda c: b"\x00\x00\x0b" + c[3:], "the magic number 2051: 2819"),
        ("t10k-labels", lambda c: c[:3] + b"\x03" + c[4:], "the magic number 2049: 2051"),
        ("t10k-labels", lambda _: b"", "must start with the magic number 2049: 0"),
        ("train-images", lambda c: c[:9], "must have a header of 16 bytes: 9"),
        ("train-images", lambda c: c[:-1], "must have 124 bytes, as its header says: 123"),
        ("train-labels", lambda c: c + b"\x01", "must have 20 bytes, as its header says: 21"),
        (
            "train-images",
            lambda c: c[:4] + b"\xff" * 12,
            f"must have {16 + (2**32 - 1) ** 3} bytes, as its header says: 16",
        ),
        (
            "train-labels",
            lambda c: c[:7] + b"\x0b" + c[8:-1],
            "must have one label for each of 12 images: labels of shape [11]",
        ),
        ("t10k-labels", lambda c: c[:-1] + b"\x0c", "must have labels in 0..9: 12 at row 4"),
    ],
)
def test_a_corrupt_idx_file_is_named(
    folder: Path, name: str, damage: Callable[[bytes], bytes], text: str, zipped: bool
) -> None:
    (file,) = folder.glob(f"{name}*")
    content = damage(file.read_bytes())
    if zipped:
        file.unlink()
        file = Path(f"{file}.gz")
        content = gzip.compress(content)
    file.write_bytes(content)
    with refuses(ValueError, f"[load] {file} must ") as caught:
        mnist_data.load(folder)
    assert text in str(caught.value)


def test_a_truncated_gzip_file_is_named(folder: Path, arrays: Arrays) -> None:
    (folder / "train-images-idx3-ubyte").unlink()
    file = folder / "train-images-idx3-ubyte.gz"
    file.write_bytes(gzip.compress(idx(arrays["train-images-idx3-ubyte"]))[:-9])
    with refuses(ValueError, f"[load] {file} must be an intact gzip file: "):
        mnist_data.load(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").unlink()
    with refuses(FileNotFoundError, "or mnist.pkl.gz: train-labels-idx1-ubyte missing"):
        mnist_data.load(folder)


def test_image_sizes_must_agree(folder: Path) -> None:
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((TEST, 2, 2), np.uint8)))
    with refuses(ValueError, f"square and of one size: [4, 9] pixels from IDX files in {folder}"):
        mnist_data.load(folder)


def test_too_few_images_to_split(folder: Path) -> None:
    (folder / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((5, 3, 3), np.uint8)))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(5, np.uint8)))
    with refuses(ValueError, "[load] train, valid and test must each have an image: [5, 0, 5]"):
        mnist_data.load(folder)


def test_the_dtype_must_be_floating(folder: Path) -> None:
    with refuses(ValueError, "[load] dtype must be float32 or float64: int32"):
        mnist_data.load(folder, "int32")


class Attack:
    """Its pickle asks the reader to run a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("exit 1",)


TRAIN_PAIR, VALID_PAIR, TEST_PAIR = tutorial_pairs()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ((TRAIN_PAIR, VALID_PAIR, Attack()), f"refused to load {os.system.__module__}.system"),
        (TRAIN_PAIR, "must hold three (images, labels) pairs: (array array)"),
        ((TRAIN_PAIR, VALID_PAIR), "three (images, labels) pairs: ((array array) (array array))"),
        ((*TRAIN_PAIR, [TRAIN_PAIR]), "pairs: (array array ((array array)))"),
        ((TRAIN_PAIR, VALID_PAIR, 3), "int in the place of an array"),
        (TRAIN_PAIR[0], "must hold three (images, labels) pairs: array"),
        ([TRAIN_PAIR[0]] * 9, "pairs: (array array array array ...)"),
        ((TRAIN_PAIR, VALID_PAIR, (np.array(["a"]), TEST_PAIR[1])), "array of <U1"),
        ((TRAIN_PAIR, VALID_PAIR, (np.array([[None]]), TEST_PAIR[1])), "array of object"),
        (
            (TRAIN_PAIR, TEST_PAIR[::-1], TEST_PAIR),
            "valid must be a float matrix and integer labels: int64[4] and float32[4, 4]",
        ),
        (
            (TRAIN_PAIR, (VALID_PAIR[0], TEST_PAIR[1]), TEST_PAIR),
            "valid must have one label for each of 3 images: labels of shape [4]",
        ),
        (
            (TRAIN_PAIR, VALID_PAIR, (TEST_PAIR[0], -1 - TEST_PAIR[1])),
            f"test must have labels in 0..9: {-1 - TEST_PAIR[1][0]} at row 0",
        ),
    ],
)
def test_a_wrong_pickle_is_named(tmp_path: Path, content: object, text: str) -> None:
    file = tmp_path / "other.pkl"
    file.write_bytes(pickle.dumps(content))
    with refuses(ValueError, f"[load] {file}") as caught:
        mnist_data.load(file)
    assert text in str(caught.value)


def test_a_truncated_pickle_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mnist.pkl.gz"
    whole = pickle.dumps(tutorial_pairs(), 2)
    for length in range(0, len(whole), 7):
        file.write_bytes(gzip.compress(whole[:length], 1))
        with refuses(ValueError, f"[load] {file} must be the tutorial's pickle"):
            mnist_data.load(file)


# Download


class Mirror:
    """Answers like urlopen, from a table of archives, and counts the questions."""

    def __init__(self, archives: dict[str, bytes]) -> None:
        self.archives = archives
        self.asked: list[str] = []

    def __call__(self, url: str, timeout: float) -> io.BytesIO:
        assert 0 < timeout <= 30
        self.asked.append(url)
        if url not in self.archives:
            raise urllib.error.URLError("refused")
        return io.BytesIO(self.archives[url])


@pytest.fixture
def mirror(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """The second mirror has the tiny files, the first does not answer."""
    contents = {name: idx(array) for name, array in arrays.items()}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    second = mnist_data.MIRRORS[1]
    found = Mirror({f"{second}{name}.gz": gzip.compress(c) for name, c in contents.items()})
    monkeypatch.setattr(mnist_data, "CONTENT_SHA256", sums)
    monkeypatch.setattr(urllib.request, "urlopen", found)
    return found


def test_a_download_is_kept_and_used_again(mirror: Mirror) -> None:
    first = mnist_data.load()
    assert len(mirror.asked) == 8
    cached = sorted(file.name for file in mnist_data.cache_folder().iterdir())
    assert cached == sorted(f"{name}.gz" for name in mnist_data.CONTENT_SHA256)
    second = mnist_data.load()
    assert len(mirror.asked) == 8
    np.testing.assert_array_equal(first.train.images, second.train.images)
    assert first.source == second.source == f"MNIST, checked copy in {mnist_data.cache_folder()}"


@pytest.mark.parametrize("wrong", [b"<html>", gzip.compress(b"other", mtime=0)])
def test_a_wrong_checksum_is_an_error_and_is_not_kept(mirror: Mirror, wrong: bytes) -> None:
    name = "train-labels-idx1-ubyte"
    url = f"{mnist_data.MIRRORS[1]}{name}.gz"
    mirror.archives[url] = wrong
    content = b"other" if wrong.startswith(b"\x1f") else wrong
    expected, found = mnist_data.CONTENT_SHA256[name], hashlib.sha256(content).hexdigest()
    with refuses(ValueError, f"[load] {url} must have content of SHA-256 {expected}: {found}"):
        mnist_data.load()
    assert [f.name for f in mnist_data.cache_folder().iterdir()] == ["train-images-idx3-ubyte.gz"]


@pytest.mark.usefixtures("mirror")
def test_a_damaged_cached_file_is_an_error() -> None:
    mnist_data.load()
    file = mnist_data.cache_folder() / "t10k-labels-idx1-ubyte.gz"
    file.write_bytes(gzip.compress(b"damaged"))
    with refuses(ValueError, f"[load] {file} must have content of SHA-256 "):
        mnist_data.load()


@pytest.mark.usefixtures("mirror")
def test_a_cache_that_cannot_be_written_is_only_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert len(mnist_data.load().train.labels) == 10
    assert "The download is not kept: " in capsys.readouterr().out


def test_without_a_network_the_small_digits_are_used_and_announced(
    mirror: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")
    mirror.archives.clear()
    data = mnist_data.load(dtype="float64")
    assert "scikit-learn's 8 x 8 digits take its place" in capsys.readouterr().out
    assert (data.name, data.side) == ("digits", 8)
    assert [len(split.labels) for split in (data.train, data.valid, data.test)] == [1200, 297, 300]
    assert data.train.images.dtype == np.float64
    assert data.train.images.min() == 0
    assert data.train.images.max() == 1
    assert len(mirror.asked) == 2


def test_without_a_network_a_given_path_is_still_an_error(mirror: Mirror) -> None:
    with refuses(FileNotFoundError, "no/such/folder"):
        mnist_data.load("no/such/folder")
    assert not mirror.asked


# The real files

REAL = os.environ.get("ARIGNOTE_DATA")


@pytest.mark.skipif(not REAL, reason="ARIGNOTE_DATA does not name a copy of MNIST")
def test_the_real_files() -> None:
    data = mnist_data.load(REAL)
    splits = (data.train, data.valid, data.test)
    assert [split.images.shape for split in splits] == [(n, 784) for n in (50000, 10000, 10000)]
    np.testing.assert_array_equal(data.test.labels[:10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9])
    np.testing.assert_array_equal(data.train.labels[:5], [5, 0, 4, 1, 9])
    np.testing.assert_array_equal(np.bincount(data.valid.labels)[:3], [991, 1064, 990])
    assert data.train.images.max() == np.float32(255 / 256)
