"""Data sets and models of one's own: files, and classes by their import path."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.registry import ChoiceError, Entry
from benchmarks.split import Split, split
from destructors.datasets import read_table

__all__ = ["from_files", "from_folder", "model_by_path"]

_PARTS = ("train", "val", "test")


def from_files(paths: Sequence[Path], left_out: Sequence[str]) -> list[Entry]:
    """Return the tables in files as data sets, each by the stem of its name.

    Parameters
    ----------
    paths : sequence of Path
        CSV, Parquet, ``.npy`` or ``.npz`` files. An archive with the arrays "train",
        "val" and "test" is taken as it is; other rows are shuffled, parted 60/20/20 and
        standardised.
    left_out : sequence of str
        Columns that are not modelled, such as a label.

    Raises
    ------
    ChoiceError
        If a file is not there.
    """
    for path in paths:
        if not path.is_file():
            raise ChoiceError(f"there is no file {path}.")
    return [
        Entry(path.stem, partial(_read, path, left_out), str(path), "files")
        for path in paths
    ]


def from_folder(known: Iterable[str]) -> list[Entry]:
    """Return the data sets in ``DESTRUCTORS_DATA/density`` that have other names."""
    folder = Path(os.environ.get("DESTRUCTORS_DATA", ""), "density")
    if not os.environ.get("DESTRUCTORS_DATA") or not folder.is_dir():
        return []
    found = [path for path in sorted(folder.glob("*.npz")) if path.stem not in known]
    return [
        Entry(
            path.stem,
            partial(_read, path, ()),
            str(path),
            "DESTRUCTORS_DATA",
            by_default=False,
        )
        for path in found
    ]


def model_by_path(text: str) -> Entry:
    """Return the model that an import path such as ``package.module:Class`` names.

    It is called with its defaults, and with ``random_state`` if it takes one.

    Raises
    ------
    ChoiceError
        If there is no such thing.
    """
    module, _, name = text.partition(":")
    try:
        make = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ChoiceError(f"{text!r} cannot be imported: {error}.") from error
    if not callable(make):
        raise ChoiceError(f"{text!r} is nothing that can be called.")
    seeded = "random_state" in inspect.signature(make).parameters

    def make_one(random_state: int) -> Any:
        return make(random_state=random_state) if seeded else make()

    return Entry(text, make_one, text, "own")


def _read(path: Path, left_out: Sequence[str]) -> Split:
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            if set(_PARTS) <= set(arrays):
                return Split(*(arrays[part] for part in _PARTS))
    X = read_table(path)
    if hasattr(X, "columns"):
        absent = [name for name in left_out if name not in X]
        if absent:
            known = ", ".join(map(str, X.columns))
            raise ValueError(f"it has no column {absent[0]!r}; there are {known}")
        X = X.drop(columns=list(left_out))
        text = [str(name) for name in X if X[name].dtype.kind not in "biuf"]
        if text:
            raise ValueError(
                f"columns {', '.join(text)} are no numbers: leave them out by --target"
            )
        X = X.to_numpy(dtype=np.float64)
    elif left_out:
        raise ValueError("it has no names of columns to leave out")
    return split(X)
