"""Files that hold a pickled object with its arrays beside it, readable by ``numpy.load``."""

from __future__ import annotations

import io
import pickle
import zipfile
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from arignote.graph.variable import SharedVariable

_PICKLE = "pkl"
# The ``isbuiltin`` of a dtype that another package brings, such as bfloat16. NumPy's files do not
# tell it, so that its arrays stay in the pickle.
_FOREIGN = 2


class _Pickler(pickle.Pickler):
    """Writes arrays to entries of their own, those of shared variables under their names."""

    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile, protocol: int) -> None:
        super().__init__(file, protocol)
        self.archive = archive
        # Arrays stay referenced, so that no later one can have the same id.
        self.entries: dict[int, tuple[str, npt.NDArray[Any]]] = {}
        self.names: dict[int, str] = {}
        self.next_name: str | None = None

    def persistent_id(self, obj: Any) -> str | None:
        if isinstance(obj, SharedVariable):
            if obj.name == _PICKLE:
                raise ValueError(f"[dump] a shared variable cannot be named {_PICKLE!r}: {obj}")
            self.names[id(obj.container)] = obj.name or ""
        elif id(obj) in self.names:
            self.next_name = self.names[id(obj)]
        elif (
            type(obj) is np.ndarray and not obj.dtype.hasobject and obj.dtype.isbuiltin != _FOREIGN
        ):
            return self._entry(obj)
        return None

    def _entry(self, array: npt.NDArray[Any]) -> str:
        if id(array) not in self.entries:
            taken = {name for name, _ in self.entries.values()}
            wanted = self.next_name or "array"
            self.next_name = None
            name, count = wanted, 1
            while name in taken:
                count += 1
                name = f"{wanted}_{count}"
            with self.archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
            self.entries[id(array)] = name, array
        return self.entries[id(array)][0]


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile) -> None:
        super().__init__(file)
        self.archive = archive
        self.arrays: dict[str, npt.NDArray[Any]] = {}

    def persistent_load(self, pid: str) -> npt.NDArray[Any]:
        if pid not in self.arrays:
            with self.archive.open(f"{pid}.npy") as file:
                self.arrays[pid] = np.lib.format.read_array(file, allow_pickle=False)
        return self.arrays[pid]


def dump(obj: Any, file_handler: IO[bytes], protocol: int = pickle.DEFAULT_PROTOCOL) -> None:
    """Write an object to a file, as a zip archive with each of its arrays in an entry of its own.

    Parameters
    ----------
    obj
        What ``pickle`` can write.
    file_handler
        A file open for writing in binary mode.
    protocol
        Of the pickle.

    Raises
    ------
    ValueError
        If a shared variable is named ``"pkl"``, the name of the pickle's entry.

    Examples
    --------
    >>> import io
    >>> import arignote
    >>> file = io.BytesIO()
    >>> dump(arignote.shared(np.array([1.0, 2.0]), name="w"), file)
    >>> start = file.seek(0)
    >>> np.load(file)["w"]
    array([1., 2.])
    """
    with zipfile.ZipFile(file_handler, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        buffer = io.BytesIO()
        _Pickler(buffer, archive, protocol).dump(obj)
        archive.writestr(_PICKLE, buffer.getvalue())


def load(f: IO[bytes]) -> Any:
    """Read an object that :func:`dump` wrote.

    Parameters
    ----------
    f
        A file open for reading in binary mode. As with ``pickle``, only open files you trust.

    Returns
    -------
    object
        An equal one.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> dump({"w": np.array([1.0, 2.0])}, file)
    >>> start = file.seek(0)
    >>> load(file)
    {'w': array([1., 2.])}
    """
    with zipfile.ZipFile(f) as archive, archive.open(_PICKLE) as file:
        return _Unpickler(file, archive).load()
