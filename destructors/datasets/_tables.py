"""Tables in files: CSV, Parquet and NumPy's own."""

import csv
import gzip
import io
import sys
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps._replace import replaced

_FRAMES, _ARRAYS = (".csv", ".parquet"), (".npy", ".npz")


def read_table(path: str | PathLike[str]) -> Any:
    r"""Read the table in a file.

    Parameters
    ----------
    path : str or path-like
        File whose name ends in ``.csv`` (with a line of names, ``.csv.gz`` too),
        ``.parquet``, ``.npy`` or ``.npz`` (with one array, or one that is called "X").

    Returns
    -------
    X : DataFrame or ndarray of shape (n_samples, n_features)
        A frame of pandas from CSV and Parquet, an array from the others. Text is of
        pandas' type for categories.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it ends otherwise, cannot be read as what it says it is, holds no rows, or
        more arrays than one.
    ImportError
        If what reads it is not installed: pandas, and pyarrow for Parquet.

    Examples
    --------
    >>> import os, tempfile
    >>> from destructors.datasets import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "heights.csv")
    ...     with open(path, "w") as file:
    ...         _ = file.write("age,height\n3,0.95\n7,1.22\n")
    ...     read_table(path).columns.tolist()
    ['age', 'height']
    """
    path = Path(path)
    kind = _kind_of(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    if kind in _ARRAYS:
        X = _read_arrays(path)
        if X.ndim == 1:
            X = X[:, None]
    else:
        X = _read_frame(path, kind)
    if X.ndim != 2 or not X.shape[0] or not X.shape[1]:
        raise ValueError(f"{path} holds no table of rows: its shape is {X.shape}.")
    return X


def write_table(X: Any, path: str | PathLike[str] | None, names: Any = None) -> None:
    """Write a table to a file, or as CSV to the standard output.

    An interruption leaves the old file or the new one, never half of one.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_samples, n_features)
        Rows.
    path : str, path-like or None
        File whose name ends as those that `read_table` reads; None for the standard
        output.
    names : sequence of str, default=None
        Names of the columns of an array; ``x0``, ``x1`` … without.

    Raises
    ------
    ValueError
        If the name ends otherwise.
    ImportError
        If what writes it is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.datasets import write_table
    >>> write_table(np.array([[1.5, 2.0]]), None, ["age", "height"])
    age,height
    1.5,2.0
    """
    if path is None:
        _write_csv(X, sys.stdout, names)
        return
    path = Path(path)
    kind = _kind_of(path)
    with replaced(path) as temporary:
        if kind == ".csv":
            text = gzip.open if path.suffix == ".gz" else open
            with text(temporary, "wt", newline="", encoding="utf-8") as file:
                _write_csv(X, file, names)
        elif kind == ".parquet":
            _as_frame(X, names).to_parquet(temporary, index=False)
        else:
            with open(temporary, "wb") as file:
                if kind == ".npy":
                    np.save(file, np.asarray(X))
                else:
                    np.savez(file, X=np.asarray(X))


def _kind_of(path: Path) -> str:
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if kind not in (*_FRAMES, *_ARRAYS) or (path.suffix == ".gz" and kind != ".csv"):
        known = ", ".join((*_FRAMES, *_ARRAYS))
        raise ValueError(f"{path} is of no kind that is known: it must end in {known}.")
    return kind


def _read_arrays(path: Path) -> NDArray:
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found as arrays:
            names = list(arrays)
            if len(names) != 1 and "X" not in names:
                raise ValueError(
                    f"it holds {len(names)} arrays ({', '.join(names)}), and none of "
                    "the name X"
                )
            return arrays[names[0] if len(names) == 1 else "X"]
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path} cannot be read: {error}.") from error


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "CSV and Parquet files need pandas, and Parquet pyarrow as well: "
            "pip install 'destructors[tables]'."
        ) from error
    return pandas


def _read_frame(path: Path, kind: str) -> Any:
    pandas = _pandas()
    try:
        X = pandas.read_csv(path) if kind == ".csv" else pandas.read_parquet(path)
    except (ValueError, OSError) as error:
        # Parsers of pandas and pyarrow raise subclasses of ValueError.
        raise ValueError(f"{path} cannot be read: {error}.") from error
    text = [name for name in X if pandas.api.types.is_string_dtype(X[name])]
    return X.astype(dict.fromkeys(text, "category"))


def _as_frame(X: Any, names: Any) -> Any:
    if hasattr(X, "to_parquet"):
        return X
    return _pandas().DataFrame(X, columns=_names_of(X, names))


def _names_of(X: NDArray, names: Any) -> list[str]:
    if names is None:
        return [f"x{j}" for j in range(X.shape[1])]
    return list(map(str, names))


def _write_csv(X: Any, file: io.TextIOBase | Any, names: Any) -> None:
    if hasattr(X, "to_csv"):
        X.to_csv(file, index=False)
        return
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_names_of(X, names))
    writer.writerows(X.tolist())
