"""What destructors of discrete data share: all columns are categories."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from destructors._compat import StrOptions
from destructors.base import Destructor
from destructors.maps._checks import check_codes
from destructors.rows import Fold, Rows, hash_again, hash_rows
from destructors.table import Categorical, check_table


class DiscreteDestructor(Destructor):
    """Base class of destructors of discrete data.

    Tables of numbers, strings, dates or categories are coded on the way in and decoded
    on the way out, see `destructors.table`. Rows are integer codes ``0 … k_j - 1``, and
    maps permute them, so that every log-determinant is zero. The sizes k are in
    ``n_categories_``.

    A subclass has the parameters ``categories``, ``handle_unknown`` and
    ``handle_missing``.
    """

    _parameter_constraints: ClassVar[dict] = {
        "categories": [StrOptions({"auto"}), list, tuple, np.ndarray],
        "handle_unknown": [StrOptions({"smooth", "error"})],
        "handle_missing": [StrOptions({"error", "category"})],
    }
    _min_samples = 1

    categories: Any
    handle_unknown: Literal["smooth", "error"]
    handle_missing: Literal["error", "category"]

    n_categories_: NDArray

    @property
    def categories_(self) -> list[NDArray]:
        """Categories of each column, in the order of their codes."""
        if self._schema is None:
            raise AttributeError("categories_: fitted on codes, not on a table.")
        return self._schema.categories

    def _categorical(self, X: Any) -> Mapping[int, Categorical]:
        d = check_table(self, X).shape[1]
        declared = [None] * d
        if not isinstance(self.categories, str):
            declared = list(self.categories)
            if len(declared) != d:
                raise ValueError(
                    f"categories has {len(declared)} entries, but X has {d} columns."
                )
        return {
            j: Categorical(known, self.handle_unknown, self.handle_missing)
            for j, known in enumerate(declared)
        }

    def _read_codes(self, rows: Rows) -> Rows:
        """Return the unique rows, as codes with their weights; find the sizes.

        The kinds of the columns tell these. Inside a stack of codes that come from no
        table, ``categories`` does, as numbers, or else the largest codes do.
        """
        if rows.kinds is not None and (rows.kinds > 0).all():
            sizes: Any = rows.kinds
        elif isinstance(self.categories, str):
            sizes = rows.values.max(axis=0) + 1
        else:
            sizes = [k if np.ndim(k) == 0 else len(k) for k in self.categories]
        self.n_categories_ = np.asarray(sizes).astype(np.int64)
        return self._unique_codes(rows)

    def _unique_codes(self, rows: Rows, name: str = "X") -> Rows:
        """Return the unique rows, as codes, with the weights of all that equal them."""
        X, weight, _ = rows.unique()
        codes = check_codes(X, self.n_categories_, name)
        return Rows.of(codes, weight, kinds=self.n_categories_, n_jobs=rows.n_jobs)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = self.handle_missing == "category"
        tags.transformer_tags.preserves_dtype = []
        return tags


def split_copies(rows: Rows, cv: Any, fraction: float, seed: int) -> list[Fold]:
    """Return folds of unique rows, that divide the weight of each copy by copy.

    Where a table has few cells, to hold out rows by what they contain would hide whole
    cells from the fit. Instead, each *copy* of a row goes to a part by a hash of the
    row and the number of the copy. Weights then split the data as repeated rows do, the
    order of the rows does not matter, and the parts are independent draws, as they
    should be.

    Parameters
    ----------
    rows : Rows
        Unique rows. A weight of 3 stands for three copies, and one of 2.5 for three
        that weigh a little less than one each.
    cv : int or None
        Number of folds; None makes one.
    fraction : float
        Share of the total weight to hold out, for one.
    seed : int
        Seed of the split.

    Returns
    -------
    folds : list of Fold
        No part is empty.

    Raises
    ------
    ValueError
        If there are fewer copies than parts.
    """
    shares = [fraction, 1.0 - fraction] if cv is None else [1.0 / int(cv)] * int(cv)
    hashes, n_copies = hash_rows(rows.values, seed), np.ceil(rows.weights)
    left, parts = n_copies.copy(), []
    for i, share in enumerate(shares[:-1]):
        chance = min(share / sum(shares[i:]), 1.0)
        drawn = binom.ppf(hash_again(hashes, seed + i), left, chance)
        parts.append(np.maximum(drawn, 0.0))
        left -= parts[-1]
    parts.append(left)
    if n_copies.sum() < len(parts):
        raise ValueError(
            f"There are {int(n_copies.sum())} row(s), too few to make {len(parts)} "
            "parts for validation. Set early_stopping=False, or give X_val."
        )
    ranking = np.argsort(hashes, kind="stable")
    while empty := [part for part in parts if not part.any()]:
        richest = max(parts, key=lambda part: part.sum())
        row = ranking[richest[ranking] > 0][0]
        richest[row] -= 1.0
        empty[0][row] += 1.0
    weights = [part * (rows.weights / n_copies) for part in parts]
    return [
        Fold(rows.weighted(rows.weights - weight), rows.weighted(weight))
        for weight in (weights[:1] if cv is None else weights)
    ]
