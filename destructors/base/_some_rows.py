"""Fits to some rows of a table, of which the others tell units."""

from numpy.typing import NDArray

from destructors.base._destructor import Destructor
from destructors.rows import Fold, Rows


def fit_some_rows(
    destructor: Destructor, values: NDArray, weight: NDArray | None, whole: Rows
) -> Destructor:
    """Fit to some rows of a table: as `fit`, but columns that are constant in them have
    the units that they have in the whole table.

    Parameters
    ----------
    destructor : Destructor
        What is fitted.
    values : ndarray of shape (n_samples, n_features)
        The rows.
    weight : ndarray of shape (n_samples,) or None
        Their weights.
    whole : Rows
        All rows of the table.

    Returns
    -------
    destructor : Destructor
        The same one.
    """
    with destructor._fitting() as learner:
        rows = learner._read_training(values, weight)
        learner._fit_rows(Fold(rows.with_unit_of(whole)))
    return destructor
