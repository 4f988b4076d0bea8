"""A destructor that leaves codes as they are, and learns their distribution."""

from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np

from destructors._compat import Interval, StrOptions
from destructors.base import HoldoutDestructor
from destructors.discrete._base import DiscreteDestructor, split_copies
from destructors.discrete._bases import BaseCounts, list_bases, score_bases
from destructors.maps import Identity
from destructors.rows import Fold, Rows


class CategoricalBase(DiscreteDestructor, HoldoutDestructor):
    """Learn the distribution of discrete data directly: no map, only a base.

    Columns are independent, or depend on one another along a tree of pairs (Chow–Liu
    tree). It is what a stack of permutations ends on, and a strong baseline.

    Parameters
    ----------
    structure : {"auto", "independent", "chow-liu"}, default="auto"
        "auto" chooses by held-out rows.
    alpha : "auto" or float, default="auto"
        Pseudo-count of each category. "auto" chooses by held-out rows.
    validation_fraction : float, default=0.1
        Share of the rows to choose by; in the end the base is fitted on all.
    categories : "auto" or list of (array-like or int), default="auto"
        Categories of each column, or their number for codes from 0. By default those in
        the training rows, and those that a pandas dtype declares.
    handle_unknown : {"smooth", "error"}, default="smooth"
        Whether categories that were not seen in `fit` share one code, which has the
        probability that the smoothing gives it, or are an error.
    handle_missing : {"error", "category"}, default="error"
        Whether missing values are an error or a category.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out.

    Attributes
    ----------
    structure_ : {"independent", "chow-liu"}
        The structure.
    alpha_ : float
        The smoothing.
    categories_ : list of ndarray
        Categories of each column, in the order of their codes.
    n_categories_ : ndarray of shape (``n_features_in_``,)
        Number of codes of each column: one more than categories where there is a code
        for those that were not seen.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : IndependentCategorical or ChowLiuTree
        The distribution.

    See Also
    --------
    destructors.flows.DiscreteTreeFlow : Permutations before it.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.discrete import CategoricalBase
    >>> rng = np.random.default_rng(0)
    >>> x = rng.choice(["a", "b", "c"], 1000)
    >>> model = CategoricalBase(random_state=0).fit(np.stack([x, x], axis=1))
    >>> model.structure_
    'chow-liu'
    >>> model.sample(2, random_state=0)
    array([['b', 'b'],
           ['c', 'c']], dtype='<U1')
    """

    _parameter_constraints: ClassVar[dict] = {
        **DiscreteDestructor._parameter_constraints,
        "structure": [StrOptions({"auto", "independent", "chow-liu"})],
        "alpha": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        structure: Literal["auto", "independent", "chow-liu"] = "auto",
        alpha: float | Literal["auto"] = "auto",
        validation_fraction: float = 0.1,
        categories: Any = "auto",
        handle_unknown: Literal["smooth", "error"] = "smooth",
        handle_missing: Literal["error", "category"] = "error",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.structure = structure
        self.alpha = alpha
        self.validation_fraction = validation_fraction
        self.categories = categories
        self.handle_unknown = handle_unknown
        self.handle_missing = handle_missing
        self.random_state = random_state

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Identity:
        assert random_state is not None
        rows = self._read_codes(fold.train)
        bases = list_bases(self.structure, self.alpha)
        best = 0
        if len(bases) > 1:
            if fold.validation is None:
                parts = self._hold_out(rows, random_state)
            else:
                parts = Fold(rows, self._unique_codes(fold.validation, "X_val"))
            best = int(np.argmax(score_bases(parts, bases)))
        self.structure_, self.alpha_ = bases[best]
        counts = BaseCounts.of(rows, self.structure_)
        self.base_distribution_ = counts.base(self.alpha_)
        return Identity()

    def _hold_out(self, rows: Rows, random_state: np.random.RandomState) -> Fold:
        seed = random_state.randint(2**31 - 1)
        if np.ceil(rows.weights).sum() < 2:
            # A single row has to serve as both.
            return Fold(rows, rows)
        return split_copies(rows, None, self.validation_fraction, seed)[0]
