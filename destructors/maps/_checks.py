"""Checks of rows: finite numbers, and codes."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ADVICE = (
    "impute (with destructors.estimators.DensityImputer or, for example, "
    "sklearn.impute.SimpleImputer), fit a destructors.estimators.MixtureDensity, "
    "which takes missing values, or "
)


def check_finite(
    X: NDArray, names: Any, name: str, owner: str, may_miss: bool = False
) -> None:
    """Raise ValueError if numbers are not finite.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Numbers.
    names : sequence
        Names of the columns.
    name, owner : str
        What a message calls the numbers, and who wants them.
    may_miss : bool, default=False
        Whether they may be NaN.

    Raises
    ------
    ValueError
        If one is NaN or infinite; it names the columns.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        # The sum is finite for nearly all valid input and needs no temporary.
        if np.isfinite(X.sum()) or np.isfinite(X).all():
            return
    bad = np.isinf(X) if may_miss else ~np.isfinite(X)
    if not bad.any():
        return
    kind = "NaN" if np.isnan(X[bad]).any() else "infinity (inf)"
    what = "infinity" if may_miss else "NaN or infinity"
    advice = "" if may_miss else _ADVICE
    raise ValueError(
        f"Input {name} contains {kind} in {bad.any(axis=1).sum()} row(s); column(s): "
        f"{list_columns(bad, names)}. {owner} takes no {what}: {advice}drop such rows."
    )


def check_codes(rows: NDArray, sizes: NDArray, name: str) -> NDArray:
    """Return rows, if their columns hold codes.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
        Rows.
    sizes : ndarray of shape (n_features,)
        Number of codes of each column; 0 for a column of numbers, which may hold any.
    name : str
        What a message calls the rows.

    Returns
    -------
    rows : ndarray of shape (n_samples, n_features)
        The same, as int64 where all columns hold codes.

    Raises
    ------
    ValueError
        If a value that should be a code is no integer, negative, or too large.
    """
    if not sizes.any():
        return rows
    with np.errstate(invalid="ignore"):
        codes = rows.astype(np.int64, copy=False)
    right = (codes == rows) & (codes >= 0) & (codes < sizes) | (sizes <= 0)
    if not right.all():
        i, j = np.argwhere(~right)[0]
        raise ValueError(
            f"{name} must be integer codes; column {j} has 0 … {sizes[j] - 1}, got "
            f"{rows[i, j]} in row {i}."
        )
    return codes if (sizes > 0).all() else rows


def increases(x: NDArray) -> bool:
    """Return whether an array is a list of numbers, each larger than the last."""
    return x.ndim == 1 and x.dtype.kind in "iuf" and bool((x[1:] > x[:-1]).all())


def are_positions(x: NDArray, n: float = np.inf) -> bool:
    """Return whether an array lists different columns, counted from 0, below n."""
    if x.ndim != 1 or x.dtype.kind not in "iu" or len(np.unique(x)) < len(x):
        return False
    return bool(((x >= 0) & (x < n)).all())


def check_width(X: NDArray, n_features: int, owner: str) -> None:
    """Raise ValueError if rows have more or fewer columns than compiled loops read."""
    if X.ndim != 2 or X.shape[1] != n_features:
        raise ValueError(
            f"{owner} maps rows of {n_features} columns, got an array of the shape "
            f"{X.shape}."
        )


def list_columns(bad: NDArray, names: Any) -> str:
    """Return the names of the columns in which something is bad, or of some of them."""
    return show(str(names[j]) for j in np.flatnonzero(bad.any(axis=0)))


def show(items: Iterable[str]) -> str:
    """Return the first items and how many there are beside."""
    listed = list(items)
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return ", ".join(listed[:5]) + more
