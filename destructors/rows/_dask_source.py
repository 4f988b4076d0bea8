"""Rows of Dask arrays and dataframes."""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.rows._source import Source, as_numbers, reading


class DaskSource(Source):
    """An array or a dataframe of Dask: computed part by part, in order.

    A fit does so once: what comes out is copied to the scratch folder. Where there is a
    client of Dask, its cluster computes the parts.

    Parameters
    ----------
    table : dask.array.Array or dask.dataframe.DataFrame
        Its rows.
    """

    def __init__(self, table: Any):
        self._is_frame = hasattr(table, "npartitions") and hasattr(table, "columns")
        if self._is_frame:
            self.names = tuple(map(str, table.columns))
            self.width, self._n_parts = len(self.names), table.npartitions
        else:
            where = "The Dask array"
            if table.ndim != 2:
                raise ValueError(
                    f"{where} must have two dimensions, rows and columns; got the "
                    f"shape {table.shape}."
                )
            if table.dtype.kind not in "biuf":
                raise TypeError(f"{where} must hold numbers, got {table.dtype}.")
            # A row is in one part.
            table = table.rechunk({1: -1})
            self.width, self._n_parts = table.shape[1], table.numblocks[0]
        self._table = table

    def chunks(self, columns: NDArray) -> Iterator[tuple[str, NDArray]]:
        """Yield the rows; see `Source.chunks`."""
        for where, found in self.tables(columns):
            if self._is_frame:
                yield where, _numbers_of(found, where)
            else:
                array = as_numbers(found, where)
                yield where, np.array(array, dtype=np.float64, order="C")

    def tables(self, columns: NDArray) -> Iterator[tuple[str, Any]]:
        """Yield the rows as they are; see `Source.tables`."""
        for place in range(self._n_parts):
            where = f"Part {place} of the Dask table"
            table = self._table
            part = table.partitions[place] if self._is_frame else table.blocks[place]
            with reading(where):
                found = part.compute(**_how())
            if len(found):
                some = found.iloc[:, columns] if self._is_frame else found[:, columns]
                yield where, some


def _how() -> dict[str, str]:
    """Return that a worker of Dask computes a part itself, not to wait for others."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return {}
    try:
        distributed.get_worker()
    except ValueError:
        return {}
    return {"scheduler": "synchronous"}


def _numbers_of(frame: Any, where: str) -> NDArray:
    stacked = np.empty(frame.shape)
    for j, (name, column) in enumerate(frame.items()):
        kind = getattr(column.dtype, "numpy_dtype", column.dtype)
        if getattr(kind, "kind", "O") not in "biuf":
            raise TypeError(
                f"{where}: column {name!r} must hold numbers, got the type "
                f"{column.dtype}. Name the columns to read in columns=."
            )
        stacked[:, j] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return stacked
