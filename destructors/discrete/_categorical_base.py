"""A destructor that leaves codes as they are, and learns their distribution."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors._compat import Interval, StrOptions
from destructors.base import HoldoutDestructor
from destructors.discrete._base import DiscreteDestructor
from destructors.discrete._base_counts import BaseCounts, Structure
from destructors.discrete._counts import Layout
from destructors.discrete._distinct import split_copies
from destructors.maps import Identity
from destructors.maps._checks import check_codes
from destructors.rows import Fold

__all__ = ["BaseGrid", "CategoricalBase"]

_STRUCTURES: tuple[Structure, ...] = ("independent", "chow-liu")
# Less than the least would gain nothing on held-out rows of the kind that was trained
# on, and lose much on others.
_ALPHAS = (0.1, 0.3, 1.0, 3.0, 10.0)


class BaseGrid(NamedTuple):
    """The bases among which held-out rows choose.

    Attributes
    ----------
    structures : tuple of {"independent", "chow-liu"}
    alphas : tuple of float
    """

    structures: tuple[Structure, ...]
    alphas: tuple[float, ...]

    @classmethod
    def of(cls, structure: str, alpha: float | str) -> BaseGrid:
        """Return the grid that two parameters leave open: "auto" stands for all."""
        structures = _STRUCTURES if structure == "auto" else (structure,)
        alphas = _ALPHAS if isinstance(alpha, str) else (float(alpha),)
        return cls(structures, alphas)  # type: ignore[arg-type]

    @property
    def is_open(self) -> bool:
        """Whether there is anything to choose."""
        return len(self.structures) * len(self.alphas) > 1

    @property
    def first(self) -> tuple[Structure, float]:
        """The first structure and smoothing: the only ones, if it is not open."""
        return self.structures[0], self.alphas[0]

    def score(
        self,
        X: NDArray,
        weight: NDArray,
        X_val: NDArray,
        weight_val: NDArray,
        layout: Layout,
    ) -> NDArray:
        """Score each base, fitted on some rows, by others.

        Parameters
        ----------
        X, X_val : ndarray of shape (n_samples, n_features), (n_val_samples, n_features)
            Codes to fit on, and to score by.
        weight, weight_val : ndarray of shape (n_samples,), (n_val_samples,)
            Weights of the rows.
        layout : Layout
            Of the columns.

        Returns
        -------
        scores : ndarray of shape (n_structures, n_alphas)
            Mean log probability of the second rows, in nats.
        """
        scores = np.empty((len(self.structures), len(self.alphas)))
        for i, structure in enumerate(self.structures):
            counts = BaseCounts.learn(X, weight, layout, structure)
            for j, alpha in enumerate(self.alphas):
                log_probability = counts.base(alpha).logpdf(X_val)
                scores[i, j] = np.average(log_probability, weights=weight_val)
        return scores

    def best(self, scores: NDArray) -> tuple[Structure, float]:
        """Return the structure and smoothing of the highest score."""
        i, j = np.unravel_index(np.argmax(scores), scores.shape)
        return self.structures[i], self.alphas[j]


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
        "structure": [StrOptions({"auto", *_STRUCTURES})],
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
        X, weight = self._read_codes(fold.train)
        layout = Layout.of(self.n_categories_)
        grid = BaseGrid.of(self.structure, self.alpha)
        chosen = grid.first
        if grid.is_open:
            parts = self._hold_out(X, weight, random_state)
            if (held_out := fold.validation) is not None:
                codes = check_codes(held_out.values, self.n_categories_, "X_val")
                parts = X, weight, codes, held_out.weights
            chosen = grid.best(grid.score(*parts, layout))
        self.structure_, self.alpha_ = chosen
        counts = BaseCounts.learn(X, weight, layout, self.structure_)
        self.base_distribution_ = counts.base(self.alpha_)
        return Identity()

    def _hold_out(
        self, X: NDArray, weight: NDArray, random_state: np.random.RandomState
    ) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        share = self.validation_fraction
        seed = random_state.randint(2**31 - 1)
        if np.ceil(weight).sum() < 2:
            # A single row has to serve as both.
            return X, weight, X, weight
        held_out, rest = split_copies(X, weight, [share, 1.0 - share], seed)
        return X[rest > 0], rest[rest > 0], X[held_out > 0], held_out[held_out > 0]
