"""Folds to choose and to stop by, and whether to fit on all rows after that."""

from contextlib import suppress
from typing import Any

import numpy as np

from destructors.rows._errors import FewRowsError
from destructors.rows._rows import Fold, Rows

# Largest share that one row may have in a part that is held out and never fitted. The
# tenth of a table that is the default then hides no row of more than a hundredth of the
# probability, and no score hangs on one row by more than a tenth. Rows alike in weight
# are so many that ten differ in the part: about a hundred in the table.
_LARGEST_SHARE = 0.1
# Three fits of each layer, and one to all rows, take four times as long at most. Of
# fewer rows than ten, each is a fold: a third less would be too few to learn from.
_N_FOLDS = 3
_FEW = 10


def make_folds(
    rows: Rows, cv: Any, validation_fraction: float, seed: int
) -> tuple[list[Fold], bool]:
    """Split rows into folds to choose by.

    Equal rows are held out together. So where few rows differ, or one is heavy, a part
    that is held out once would hide all that there is of a value, and what is fitted
    would never learn it. Folds take the place of that part there.

    Parameters
    ----------
    rows : Rows
        Training rows.
    cv : int, cross-validation generator, iterable or None
        None holds out one part, but for what is said above.
    validation_fraction : float
        Share of the total weight of that part.
    seed : int
        Seed of the split.

    Returns
    -------
    folds : list of Fold
        One for each split.
    refits : bool
        Whether what they have found best is to be fitted to all rows at last.
    """
    folds = rows.split(cv, validation_fraction, seed)
    if cv is None and _hides_a_value(folds[0]):
        n_different = len(np.unique(rows.enough().hashes(seed)))
        n_folds = n_different if n_different < _FEW else _N_FOLDS
        with suppress(FewRowsError):
            return rows.split(max(n_folds, 2), validation_fraction, seed), True
    return folds, cv is not None


def _hides_a_value(fold: Fold) -> bool:
    """Return whether one row is much of those that are held out."""
    assert fold.validation is not None
    # Of rows on disk some, drawn by content: none, where one is all that there is.
    rows = fold.validation.enough()
    if not len(rows):
        return True
    _, place = np.unique(rows.hashes(0), return_inverse=True)
    heaviest = np.bincount(place, rows.weights).max()
    # Sums of weights round otherwise than those of repeated rows.
    return bool(heaviest > (1.0 + 1e-9) * _LARGEST_SHARE * rows.total)
