"""Where rows that are not in memory come from: files, folders of them, functions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from mmap import mmap
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.rows._arrow_sources import CSVSource, ParquetSource
from destructors.rows._source import BATCH_ROWS, Source, as_numbers, reading


def find_source(source: Any) -> Source:
    """Return what reads a table.

    Parameters
    ----------
    source : path-like, ndarray, Dask collection or sequence of callable
        See `open_rows`.

    Returns
    -------
    source : Source

    Raises
    ------
    TypeError, ValueError
        If it is nothing of the kind, or a file ends otherwise.
    FileNotFoundError
        If there is no such file or folder.
    """
    if isinstance(source, np.ndarray):
        return ArraySource(ArrayOf(source), "the array")
    if isinstance(source, str | PathLike):
        return _find_file(Path(source))
    if is_dask(source):
        # It is imported by who has such a thing.
        from destructors.rows._dask_source import DaskSource

        return DaskSource(source)
    if isinstance(source, Sequence) and source and all(map(callable, source)):
        return LoaderSource(source)
    raise TypeError(
        "source must be the path of a .npy, .parquet or .csv file or of a folder of "
        "Parquet files, an array, a Dask array or dataframe, or a list of functions "
        "that each return an array; "
        f"got {type(source).__name__}."
    )


def is_dask(source: Any) -> bool:
    """Return whether something is an array or a dataframe of Dask."""
    has = lambda name: hasattr(source, name)
    return has("__dask_graph__") and (has("map_blocks") or has("map_partitions"))


def _find_file(path: Path) -> Source:
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    # Who reads it may work in another folder.
    path = path.absolute()
    if path.is_dir():
        files = sorted(path.rglob("*.parquet"))
        if not files:
            raise ValueError(f"The folder {path} holds no file that ends in .parquet.")
        return ParquetSource(files)
    if path.suffix == ".npy":
        return ArraySource(MappedFile(path), str(path))
    if path.suffix == ".parquet":
        return ParquetSource([path])
    if path.name.endswith((".csv", ".csv.gz")):
        return CSVSource(path)
    raise ValueError(f"{path} must end in .npy, .parquet, .csv or .csv.gz.")


# NumPy reads the header of a file with Python's parser: two threads that do so at once
# get a SystemError from some versions of Python 3.11 (gh-106905).
_ONE_BY_ONE = Lock()


@dataclass(frozen=True)
class MappedFile:
    """Returns the array of a ``.npy`` file, mapped anew, when it is called."""

    path: Path

    def __call__(self) -> NDArray:
        """Return the array."""
        with _ONE_BY_ONE:
            return np.load(self.path, mmap_mode="r")


class ArrayOf:
    """Returns an array when it is called. What is mapped to a file, and no more than a
    part of it, is pickled as its place in the file.

    Parameters
    ----------
    array : ndarray
    """

    def __init__(self, array: NDArray):
        self._array = array

    def __call__(self) -> NDArray:
        """Return the array."""
        return self._array

    @property
    def is_mapped(self) -> bool:
        """Whether another process can find it."""
        array = self._array
        # The mode "c" has changes that are in no file; parts have no offset.
        return (
            isinstance(array, np.memmap)
            and isinstance(array.base, mmap)
            and array.filename is not None
            and array.mode != "c"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        array = self._array
        if not isinstance(array, np.memmap) or not self.is_mapped:
            raise TypeError("An array in memory does not travel.")
        order = "C" if array.flags.c_contiguous else "F"
        where = str(Path(str(array.filename)).absolute()), array.dtype.str
        return _map_again, (*where, int(array.offset), array.shape, order)


def _map_again(path: str, dtype: str, offset: int, shape: Any, order: Any) -> ArrayOf:
    return ArrayOf(np.memmap(path, dtype, "r", offset, shape, order))


class ArraySource(Source):
    """An array, in memory or mapped to a file: any of its rows can be read.

    Parameters
    ----------
    get : callable
        Returns the array. A file is mapped anew for each block: what has been read of
        it then does not stay with the process.
    where : str
        What messages call it.
    """

    def __init__(self, get: Callable[[], NDArray], where: str):
        self._get, self._where = get, where
        self.travels = not isinstance(get, ArrayOf) or get.is_mapped
        with reading(where):
            array = as_numbers(get(), where)
        self.n_rows, self.width = array.shape

    def chunks(self, columns: NDArray) -> Iterator[tuple[str, NDArray]]:
        """Yield the rows; see `Source.chunks`."""
        assert self.n_rows is not None
        for start in range(0, self.n_rows, BATCH_ROWS):
            yield self.read(start, start + BATCH_ROWS, columns)

    def tables(self, columns: NDArray) -> Iterator[tuple[str, NDArray]]:
        """Yield the rows in their own dtype; see `Source.tables`."""
        assert self.n_rows is not None
        for start in range(0, self.n_rows, BATCH_ROWS):
            yield self.read_table(start, start + BATCH_ROWS, columns)

    def read(self, start: int, stop: int, columns: NDArray) -> tuple[str, NDArray]:
        """Return the rows from one to another."""
        where, rows = self.read_table(start, stop, columns)
        return where, np.array(rows, dtype=np.float64, order="C")

    def read_table(
        self, start: int, stop: int, columns: NDArray
    ) -> tuple[str, NDArray]:
        """Return the rows from one to another in their own dtype."""
        with reading(self._where, f"rows from {start} on"):
            array = self._get()
            if array.shape != (self.n_rows, self.width):
                raise ValueError(
                    f"{self._where} has changed since it was opened: its shape was "
                    f"{(self.n_rows, self.width)} and is {array.shape}."
                )
            rows = array[start:stop]
            if len(columns) < self.width or (np.diff(columns) != 1).any():
                rows = rows[:, columns]
            # A copy: the file is mapped anew for the next.
            return self._where, np.array(rows, order="C")


class LoaderSource(Source):
    """Functions, each of which returns some of the rows.

    Parameters
    ----------
    loaders : sequence of callable
        They take nothing. All are called in each pass over the rows.
    """

    def __init__(self, loaders: Sequence[Callable[[], Any]]):
        self._loaders = loaders
        self.width = self._load(0)[1].shape[1]

    def chunks(self, columns: NDArray) -> Iterator[tuple[str, NDArray]]:
        """Yield the rows; see `Source.chunks`."""
        for place in range(len(self._loaders)):
            where, array = self._load(place)
            if array.shape[1] != self.width:
                raise ValueError(
                    f"{where} has {array.shape[1]} columns, and loader 0 has "
                    f"{self.width}."
                )
            yield where, np.array(array[:, columns], dtype=np.float64, order="C")

    def _load(self, place: int) -> tuple[str, NDArray]:
        where = f"What loader {place} returns"
        with reading(f"Loader {place}"):
            part = self._loaders[place]()
        return where, as_numbers(part, where)
