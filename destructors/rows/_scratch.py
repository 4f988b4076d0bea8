"""Blocks of rows in a folder: what layers have made of them, until the next has."""

import os
import shutil
import struct
import tempfile
import weakref
from itertools import count
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

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
        _remove_with(self, self.folder)

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
                self.folder,
                f"{need / 1e9:.2g} GB are needed, {free / 1e9:.2g} are free",
            )
        folder = self.folder / str(next(self._names))
        folder.mkdir(parents=True)
        return ScratchBlocks(self, folder)


class ScratchBlocks:
    """A file for each block. It is a cache: a block that is lost is computed again.

    Pickled, it is the folder alone, for other processes to read and to write. Where
    they have no such folder, nothing is kept.

    Parameters
    ----------
    scratch : Scratch
        Stays as long as the blocks do.
    folder : Path
        Of their own; removed with this object.
    """

    def __init__(self, scratch: Scratch, folder: Path):
        self._scratch: Scratch | None = scratch
        self._folder = folder
        _remove_with(self, folder)

    def __getstate__(self) -> dict[str, Any]:
        return {"_folder": self._folder, "_scratch": None}

    def write(self, place: int, rows: Rows) -> None:
        """Write a block.

        Raises
        ------
        OSError
            If there is no room.
        """
        path = self._path(place)
        # Several processes may write a block, where one was slow or taken for dead; a
        # file in its place is whole.
        own = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
        try:
            with open(own, "wb") as file:
                _write(file, rows)
            own.replace(path)
        except OSError as error:
            own.unlink(missing_ok=True)
            if self._scratch is None and not self._folder.is_dir():
                return
            raise _no_room(self._folder.parent, str(error)) from error

    def read(self, place: int) -> Rows | None:
        """Return a block; None if it is not whole."""
        try:
            # Not mapped: pages of a file that is read do not stay with the process.
            with open(self._path(place), "rb") as file:
                return _read(file)
        except (OSError, ValueError, struct.error):
            return None

    def _path(self, place: int) -> Path:
        return self._folder / f"{place}.block"


# Numbers of rows and columns, whether columns lie one after the other, and whether
# there are weights, contexts, and kinds of columns.
_HEADER = struct.Struct("<qq????")


def _write(file: BinaryIO, rows: Rows) -> None:
    """Write a block.

    Not as NumPy does, which reads its headers with Python's parser: two threads that do
    so at once get a SystemError from some versions of Python 3.11 (gh-106905).
    """
    is_tall = rows.values.flags.f_contiguous and not rows.values.flags.c_contiguous
    known = rows.weight, rows.context, rows.kinds
    has = [part is not None for part in known]
    file.write(_HEADER.pack(*rows.values.shape, is_tall, *has))
    for part in (rows.values.T if is_tall else rows.values, rows.log_det, *known):
        if part is not None:
            file.write(np.ascontiguousarray(part, np.float64).data)


def _read(file: BinaryIO) -> Rows:
    """Return a block; raise ValueError if it is not whole."""
    n_rows, n_columns, is_tall, *has = _HEADER.unpack(file.read(_HEADER.size))
    numbers = np.fromfile(file, np.float64)
    lengths = [
        n_rows * n_columns,
        n_rows,
        *np.multiply(has, [n_rows, n_rows, n_columns]),
    ]
    if len(numbers) != sum(lengths):
        raise ValueError("A block is not whole.")
    values, log_det, *known = np.split(numbers, np.cumsum(lengths)[:-1])
    weight, context, kinds = (
        part if is_there else None for part, is_there in zip(known, has, strict=True)
    )
    shape: Any = (n_rows, n_columns)
    values = values.reshape(shape, order="F" if is_tall else "C")
    if kinds is not None:
        kinds = kinds.astype(np.int64)
        # Codes alone are integers, as they are in memory.
        values = values.astype(np.int64) if (kinds > 0).all() else values
    return Rows(
        values,
        log_det,
        weight,
        context=None if context is None else context.astype(np.int64),
        kinds=kinds,
    )


def _no_room(folder: Path, why: str) -> OSError:
    return OSError(
        f"The scratch folder {folder} has no room for the rows after a layer: {why}. "
        "Name another in open_rows(..., scratch=...)."
    )


def _remove_with(owner: Any, folder: Path) -> None:
    """Remove a folder with the object that owns it, in the process that made it: forks
    have such an object too.
    """
    weakref.finalize(owner, _remove, folder, os.getpid())


def _remove(folder: Path, pid: int) -> None:
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)
