"""A table that is read in parts, and what may be wrong with one."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Rows that are read at once.
BATCH_ROWS = 65_536


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

    def read_table(self, start: int, stop: int, columns: NDArray) -> tuple[str, Any]:
        """Return the same as it is there; see `tables`."""
        return self.read(start, stop, columns)


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
