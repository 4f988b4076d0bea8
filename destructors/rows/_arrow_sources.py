"""Rows of Parquet and CSV, by pyarrow."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.rows._source import BATCH_ROWS, Source, reading


class ArrowSource(Source):
    """What pyarrow reads in batches."""

    def chunks(self, columns: NDArray) -> Iterator[tuple[str, NDArray]]:
        """Yield the rows; see `Source.chunks`."""
        return self._read(columns, _stack)

    def tables(self, columns: NDArray) -> Iterator[tuple[str, Any]]:
        """Yield the rows as frames; see `Source.tables`."""
        return self._read(columns, _frame)

    @abstractmethod
    def _read(self, columns: NDArray, make: Any) -> Iterator[tuple[str, Any]]:
        """Yield what is made of each batch, and where it is from."""


class ParquetSource(ArrowSource):
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
                    BATCH_ROWS, columns=names, use_threads=False
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


class CSVSource(ArrowSource):
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
        # A field without a text is missing, as pandas takes it.
        options = csv.ConvertOptions(
            column_types=kinds, include_columns=names, strings_can_be_null=True
        )
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
