"""Blocks of rows in a folder: what layers have made of them, until the next has."""

import shutil
import tempfile
import weakref
from itertools import count
from os import PathLike
from pathlib import Path

import numpy as np

from destructors.rows._rows import Rows

_FLOAT = np.dtype(np.float64).itemsize


class Scratch:
    """A folder that is there as long as somebody knows of it.

    Parameters
    ----------
    parent : path-like or None
        Where it is made; None for the system's folder of temporary files.

    Raises
    ------
    OSError
        If it cannot be made.
    """

    def __init__(self, parent: str | PathLike[str] | None = None):
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="destructors-", dir=parent))
        except OSError as error:
            raise type(error)(
                f"scratch={str(parent)!r} is no folder that can be written to: {error}"
            ) from error
        self._names = count()
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def new_blocks(self, n_rows: int, n_columns: int) -> "ScratchBlocks":
        """Return where as many numbers can be written.

        Raises
        ------
        OSError
            If there is no room.
        """
        need, free = n_rows * n_columns * _FLOAT, shutil.disk_usage(self.folder).free
        if need > free:
            raise _no_room(
                self, f"{need / 1e9:.2g} GB are needed, {free / 1e9:.2g} are free"
            )
        folder = self.folder / str(next(self._names))
        folder.mkdir(parents=True)
        return ScratchBlocks(self, folder)


class ScratchBlocks:
    """A file for each block. It is a cache: a block that is lost is computed again.

    Parameters
    ----------
    scratch : Scratch
        Stays as long as the blocks do.
    folder : Path
        Of their own; removed with this object.
    """

    def __init__(self, scratch: Scratch, folder: Path):
        self._scratch, self._folder = scratch, folder
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def write(self, place: int, rows: Rows) -> None:
        """Write a block.

        Raises
        ------
        OSError
            If there is no room.
        """
        try:
            with open(self._path(place), "wb") as file:
                for part in (rows.values, rows.log_det, rows.weight):
                    if part is not None:
                        np.save(file, part, allow_pickle=False)
        except OSError as error:
            raise _no_room(self._scratch, str(error)) from error

    def read(self, place: int, has_weight: bool) -> Rows | None:
        """Return a block; None if it is not whole."""
        try:
            # Not mapped: pages of a file that is read do not stay with the process.
            with open(self._path(place), "rb") as file:
                parts = [np.load(file) for _ in range(2 + has_weight)]
        except (OSError, ValueError, EOFError):
            return None
        return Rows(*parts)

    def _path(self, place: int) -> Path:
        return self._folder / f"{place}.npy"


def _no_room(scratch: Scratch, why: str) -> OSError:
    return OSError(
        f"The scratch folder {scratch.folder} has no room for the rows after a layer: "
        f"{why}. Name another in open_rows(..., scratch=...)."
    )
