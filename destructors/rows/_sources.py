"""Where rows that are not in memory come from: files, folders of them, functions."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from mmap import mmap
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Rows of Parquet that are decoded at once.
_BATCH_ROWS = 65_536


class Source(ABC):
    """A table that is read from its first row to its last, as often as need be.

    Attributes
    ----------
    names : tuple of str or None
        Names of the columns, if they have any.
    width : int
        Number of columns.
    n_rows : int or None
        Number of rows, where any of them can be read by itself; None for what is read
        in order only.
    travels : bool
        Whether other processes can read it.
    """

    names: tuple[str, ...] | None = None
    width: int
    n_rows: int | None = None
    travels: bool = True

    @abstractmethod
    def chunks(self, columns: NDArray) -> Iterator[tuple[str, NDArray]]:
        """Yield where rows are from, for messages, and the rows, as float64.

        Parameters
        ----------
        columns : ndarray of int
            Positions of the columns to read, in the order to read them in.
        """

    def tables(self, columns: NDArray) -> Iterator[tuple[str, Any]]:
        """Yield the same as it is there: as frames where columns have names, with
        categories and what is missing, and else as arrays.
        """
        return self.chunks(columns)

    def read(self, start: int, stop: int, columns: NDArray) -> tuple[str, NDArray]:
        """Return the rows from one to another; see `chunks`."""
        raise NotImplementedError


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


def as_numbers(part: Any, where: str) -> NDArray:
    """Return an array of two dimensions and numbers as it is.

    Raises
    ------
    TypeError, ValueError
        If it is not one of numbers, or of two dimensions, or has no rows.
    """
    array = np.asarray(part)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{where} must hold numbers, got the dtype {array.dtype}.")
    if array.ndim != 2:
        raise ValueError(
            f"{where} must have two dimensions, rows and columns; got the shape "
            f"{array.shape}."
        )
    if not len(array):
        raise ValueError(f"{where} has no rows: leave it out.")
    return array


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
        for start in range(0, self.n_rows, _BATCH_ROWS):
            yield self.read(start, start + _BATCH_ROWS, columns)

    def read(self, start: int, stop: int, columns: NDArray) -> tuple[str, NDArray]:
        """Return the rows from one to another."""
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
            return self._where, np.array(rows, dtype=np.float64, order="C")


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


class ParquetSource(Source):
    """Files of Parquet with the same columns, in any order.

    Parameters
    ----------
    files : list of Path
        In the order of the rows.
    """

    def __init__(self, files: list[Path]):
        parquet = import_pyarrow("parquet")
        self._files = files
        with reading(str(files[0])):
            schema = parquet.read_schema(files[0])
        self.names = tuple(schema.names)
        self.width = len(self.names)

    def chunks(self, columns: NDArray) -> Iterator[tuple[str, NDArray]]:
        """Yield the rows; see `Source.chunks`."""
        return self._read(columns, _stack)

    def tables(self, columns: NDArray) -> Iterator[tuple[str, Any]]:
        """Yield the rows as frames; see `Source.tables`."""
        return self._read(columns, _frame)

    def _read(self, columns: NDArray, make: Any) -> Iterator[tuple[str, Any]]:
        assert self.names is not None
        names = [self.names[j] for j in columns]
        for path in self._files:
            where, n_rows = str(path), 0
            # What pyarrow reads ahead would in the end be all of the file.
            kind = import_pyarrow("parquet").ParquetFile
            open_file = partial(kind, pre_buffer=False)
            with reading(where), open_file(path) as file:
                self._check(file.schema_arrow, where)
                for batch in file.iter_batches(
                    _BATCH_ROWS, columns=names, use_threads=False
                ):
                    if len(batch):
                        n_rows += len(batch)
                        yield where, make(batch, names, where)
            if not n_rows:
                raise ValueError(f"{where} has no rows: leave it out.")

    def _check(self, schema: Any, where: str) -> None:
        assert self.names is not None
        if set(schema.names) == set(self.names):
            return
        raise ValueError(
            f"{where} has other columns than {self._files[0]}: "
            + _differences(schema.names, self.names)
        )


class CSVSource(Source):
    """A file of CSV with a line of names.

    Parameters
    ----------
    path : Path
        A file that ends in ``.gz`` is decompressed.
    """

    def __init__(self, path: Path):
        self._path = path
        with reading(str(path)), import_pyarrow("csv").open_csv(path) as reader:
            self._schema = reader.schema
        self.names = tuple(self._schema.names)
        self.width = len(self.names)

    def chunks(self, columns: NDArray) -> Iterator[tuple[str, NDArray]]:
        """Yield the rows; see `Source.chunks`."""
        return self._read(columns, _stack)

    def tables(self, columns: NDArray) -> Iterator[tuple[str, Any]]:
        """Yield the rows as frames; see `Source.tables`."""
        return self._read(columns, _frame)

    def _read(self, columns: NDArray, make: Any) -> Iterator[tuple[str, Any]]:
        assert self.names is not None
        path, where = self._path, str(self._path)
        names = [self.names[j] for j in columns]
        kinds = {}
        for name in names:
            kind = self._schema.field(name).type
            # The first lines may look like integers where later ones do not.
            kinds[name] = import_pyarrow().float64() if _is_number(kind) else kind
        csv = import_pyarrow("csv")
        options = csv.ConvertOptions(column_types=kinds, include_columns=names)
        with reading(where), csv.open_csv(path, convert_options=options) as reader:
            for batch in reader:
                if len(batch):
                    yield where, make(batch, names, where)


def import_pyarrow(part: str = "") -> Any:
    """Return pyarrow or a part of it.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return import_module(f"pyarrow.{part}" if part else "pyarrow")
    except ImportError as error:
        raise ImportError(
            "Parquet and CSV are read in parts by pyarrow, which is not installed: "
            'pip install "destructors[tables]".'
        ) from error


def _is_number(kind: Any) -> bool:
    types = import_pyarrow("types")
    is_one = types.is_integer, types.is_floating, types.is_decimal, types.is_boolean
    # A column without any value so far.
    return types.is_null(kind) or any(test(kind) for test in is_one)


def _stack(batch: Any, names: list[str], where: str) -> NDArray:
    """Return columns of pyarrow as an array of float64, NaN where one has no value."""
    float64 = import_pyarrow().float64()
    stacked = np.empty((len(batch), len(names)))
    for j, name in enumerate(names):
        column = batch.column(name)
        if not _is_number(column.type):
            raise TypeError(
                f"{where}: column {name!r} must hold numbers, got the type "
                f"{column.type}. Name the columns to read in columns=."
            )
        stacked[:, j] = column.cast(float64, safe=False).to_numpy(zero_copy_only=False)
    return stacked


def _frame(batch: Any, names: list[str], where: str) -> Any:
    """Return columns of pyarrow as a frame."""
    try:
        return batch.select(names).to_pandas()
    except ImportError as error:
        raise ImportError(
            "Categories and missing values are read as frames of pandas, which is not "
            'installed: pip install "destructors[tables]".'
        ) from error


def _differences(here: Sequence[str], there: Sequence[str]) -> str:
    told = []
    for what, names in (
        ("it lacks", [name for name in there if name not in here]),
        ("it has also", [name for name in here if name not in there]),
    ):
        if names:
            told.append(f"{what} {', '.join(map(repr, names[:5]))}")
    return " and ".join(told) + "."


@contextmanager
def reading(where: str, what: str = "") -> Iterator[None]:
    """Let errors say which file they are about, and which rows of it."""
    try:
        yield
    except (OSError, ValueError, TypeError) as error:
        if where in str(error) and not isinstance(error, OSError):
            raise
        kind: type[Exception] = ValueError
        if isinstance(error, OSError):
            gone = isinstance(error, FileNotFoundError)
            kind = FileNotFoundError if gone else OSError
        part = f" ({what})" if what else ""
        raise kind(f"{where} cannot be read{part}: {error}") from error
