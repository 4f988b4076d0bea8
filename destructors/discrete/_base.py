"""What destructors of discrete data share: all columns are categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from destructors._compat import StrOptions
from destructors.base import Destructor
from destructors.maps._checks import check_codes
from destructors.rows import Rows
from destructors.table import Categorical, check_table

__all__ = ["DiscreteDestructor"]


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

    def _read_codes(self, rows: Rows) -> tuple[NDArray, NDArray]:
        """Return different rows as codes, with their weights; find the sizes.

        The kinds of the columns tell these. Inside a stack of codes that come from no
        table, ``categories`` does, as numbers, or else the largest codes do.
        """
        X, weight, _ = rows.unique()
        if rows.kinds is not None and (rows.kinds > 0).all():
            sizes: Any = rows.kinds
        elif isinstance(self.categories, str):
            sizes = X.max(axis=0) + 1
        else:
            sizes = [k if np.ndim(k) == 0 else len(k) for k in self.categories]
        self.n_categories_ = np.asarray(sizes).astype(np.int64)
        return check_codes(X, self.n_categories_, "X"), weight

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = self.handle_missing == "category"
        tags.transformer_tags.preserves_dtype = []
        return tags
