"""A destructor of discrete data: one tree-structured permutation."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np

from destructors._compat import Interval, StrOptions
from destructors.discrete._base import DiscreteDestructor
from destructors.discrete._distributions import fit_bases
from destructors.discrete._grow import Growth
from destructors.discrete._pairs import find_parents
from destructors.maps._permutation import Permutation
from destructors.rows import Fold, hash_again, hash_rows

# Pairs of columns with more cells than this do not guide the growth, and neither do
# those with a column of more categories.
_MAX_CELLS, _MAX_CATEGORIES = 2**11, 2**7


class TreePermutation(DiscreteDestructor):
    """Permute the categories of each column, by a tree of tests on other columns.

    A node of the tree parts the rows by the category in one column; on either side the
    categories of all columns change places, so that those which are alike in frequency
    meet. That makes columns less dependent without moving any probability: the base
    distribution, fitted on the rows in their places, comes closer to the truth.

    Parameters
    ----------
    splitter : {"glp", "random"}, default="glp"
        "glp" takes the split that gains most in likelihood once both sides have
        permuted their categories (greedy local permutation); "random" draws a category
        of a column at each node.
    base : {"independent", "chow-liu"}, default="independent"
        Base distribution, whose likelihood permutations are to raise: independent
        columns, or a tree of pairs (see `ChowLiuTree`). A tree takes care of
        dependences between pairs, which leaves the rest to the permutations.
    max_depth : int, default=8
        Largest number of tests on a path.
    min_samples_split : float, default=2
        Least weight of rows that a node needs to be split.
    min_samples_leaf : float, default=1
        Least weight of rows on each side of a split.
    min_gain : "auto" or float, default="auto"
        Nats of likelihood of all training rows that a category must bring to change
        its place. Larger values learn less, and less noise. "auto" is the logarithm of
        the number (or weight) of rows: what the Bayesian information criterion asks for
        two parameters.
    max_candidates : int, default=8
        Number of splits of a node that are scored in full, by "glp"; they are the best
        of all by a quick score.
    max_samples : float or int, default=None
        Number (int) or share (float) of the rows to grow the tree on, drawn by their
        values; their weights are raised accordingly, so that counts stay unbiased. None
        takes all.
    alpha : float, default=1.0
        Pseudo-count of each category in the base distribution.
    categories : "auto" or list of (array-like or int), default="auto"
        Categories of each column, or their number for codes from 0. By default those in
        the training rows, and those that a pandas dtype declares.
    handle_unknown : {"smooth", "error"}, default="smooth"
        Whether categories that were not seen in `fit` share one code, which has the
        probability that the smoothing gives it, or are an error.
    handle_missing : {"error", "category"}, default="error"
        Whether missing values are an error or a category; where none was missing in
        `fit`, one that was not seen.
    random_state : int, RandomState instance or None, default=None
        Seed of random splits and of ``max_samples``.

    Attributes
    ----------
    tree_ : Permutation
        The map: ``len(tree_)`` is its number of leaves and ``tree_.depth`` its depth.
    categories_ : list of ndarray
        Categories of each column, in the order of their codes.
    n_categories_ : ndarray of shape (``n_features_in_``,)
        Number of codes of each column: one more than categories where there is a code
        for those that were not seen.
    feature_importances_ : ndarray of shape (``n_features_in_``,)
        Share of the gain in likelihood by splits on each column; zeros without any.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : IndependentCategorical or ChowLiuTree
        The base distribution.

    See Also
    --------
    destructors.flows.DiscreteTreeFlow : A stack of these.
    CategoricalBase : The base distribution alone.

    Notes
    -----
    Codes that a node tests are permuted among themselves below it, so the way back
    takes the same path. With independent columns the best permutation on a side gives
    the r-th least frequent category the r-th least frequent place; with a tree of pairs
    it is found by exchanges of two categories, from there and from where they are.
    Pairs of columns with more than 2,048 cells, or a column of more than 128
    categories, do not guide this search.

    Two tests can gain together what neither gains alone. Up to two splits in a row that
    gain nothing are therefore looked past, and taken back where nothing follows.

    Splits are one category against the rest, and beginnings of the categories in the
    order of the first axis of correspondence analysis. In a table with more than 512
    categories in all, only the 512 most frequent can be singled out.

    References
    ----------
    M. Elkady, J. Lim and D. I. Inouye, *Discrete tree flows via tree-structured
    permutations*, ICML 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.discrete import TreePermutation
    >>> rng = np.random.default_rng(0)
    >>> weather = rng.choice(["rain", "sun"], 1000)
    >>> tool = np.where(weather == "rain", "umbrella", "hat")
    >>> X = np.stack([weather, tool], axis=1)
    >>> model = TreePermutation(handle_unknown="error").fit(X)

    In their places the columns are independent, and one is constant.

    >>> np.unique(model.transform(X)[:, 1])
    array([0])
    >>> round(model.score(X), 1)
    -0.7
    """

    _parameter_constraints: ClassVar[dict] = {
        **DiscreteDestructor._parameter_constraints,
        "splitter": [StrOptions({"glp", "random"})],
        "base": [StrOptions({"independent", "chow-liu"})],
        "max_depth": [Interval(Integral, 0, None, closed="left")],
        "min_samples_split": [Interval(Real, 0, None, closed="left")],
        "min_samples_leaf": [Interval(Real, 0, None, closed="left")],
        "min_gain": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "max_candidates": [Interval(Integral, 1, None, closed="left")],
        "max_samples": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
            None,
        ],
        "alpha": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        *,
        splitter: Literal["glp", "random"] = "glp",
        base: Literal["independent", "chow-liu"] = "independent",
        max_depth: int = 8,
        min_samples_split: float = 2,
        min_samples_leaf: float = 1,
        min_gain: float | Literal["auto"] = "auto",
        max_candidates: int = 8,
        max_samples: float | int | None = None,
        alpha: float = 1.0,
        categories: Any = "auto",
        handle_unknown: Literal["smooth", "error"] = "smooth",
        handle_missing: Literal["error", "category"] = "error",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.splitter = splitter
        self.base = base
        self.max_depth = max_depth
        self.min_samples_split = min_samples_split
        self.min_samples_leaf = min_samples_leaf
        self.min_gain = min_gain
        self.max_candidates = max_candidates
        self.max_samples = max_samples
        self.alpha = alpha
        self.categories = categories
        self.handle_unknown = handle_unknown
        self.handle_missing = handle_missing
        self.random_state = random_state

    def _fit(
        self, fold: Fold, random_state: np.random.RandomState | None
    ) -> Permutation:
        assert random_state is not None
        rows = self._read_codes(fold.train)
        few, parents = rows, None
        if self.max_samples is not None:
            share = float(self.max_samples)
            if isinstance(self.max_samples, Integral):
                share /= rows.total
            seed = random_state.randint(2**31 - 1)
            drawn = hash_again(hash_rows(rows.values, 0), seed)
            # One row at least, whatever is drawn; weights make up for the others.
            kept = drawn < max(share, np.nextafter(drawn.min(), 1.0))
            few = rows.weighted(np.where(kept, rows.weights / min(share, 1.0), 0.0))
        if self.base == "chow-liu":
            parents = find_parents(few, _MAX_CELLS, _MAX_CATEGORIES)
        min_gain = max(0.0, float(np.log(rows.total)))
        if not isinstance(self.min_gain, str):
            min_gain = float(self.min_gain)
        growth = Growth(few, parents, self, min_gain, random_state)
        self.tree_, self._gains = growth.grow(), growth.importances
        self.feature_importances_ = self._gains / (self._gains.sum() or 1.0)
        bases = [(self.base, self.alpha)]
        [self.base_distribution_] = fit_bases(rows.through(self.tree_), bases)
        return self.tree_
