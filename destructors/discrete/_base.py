"""What destructors of discrete data share: codes, and a distribution of these."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from destructors._compat import Interval, StrOptions
from destructors.base import Destructor, HoldoutDestructor
from destructors.discrete._copies import is_divisible, split_copies
from destructors.discrete._distributions import (
    HIDDEN,
    fit_bases,
    list_bases,
    score_bases,
    structures_of,
)
from destructors.discrete._hidden_tree import HiddenTrees
from destructors.maps import Identity
from destructors.maps._checks import check_codes
from destructors.rows import Fold, Rows
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
        "random_state": ["random_state"],
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

    # All is learned from the different rows, which add up over blocks.
    _takes_stored = True

    def _categorical(self, X: Any) -> dict[int, Categorical]:
        d = check_table(self, X).shape[1]
        automatic = isinstance(self.categories, str)
        declared = [None] * d if automatic else list(self.categories)
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
            sizes = rows.extremes[1] + 1
        else:
            sizes = [k if np.ndim(k) == 0 else len(k) for k in self.categories]
        self.n_categories_ = np.asarray(sizes).astype(np.int64)
        return self._unique_codes(rows)

    def _unique_codes(self, rows: Rows, name: str = "X") -> Rows:
        """Return the unique rows, as codes, with the weights of all that equal them."""
        X, weight, _ = rows.unique()
        codes = check_codes(X, self.n_categories_, name)
        return Rows.of(codes, weight, kinds=self.n_categories_, n_jobs=rows.n_jobs)

    def _unique_fold(self, fold: Fold) -> Fold:
        assert fold.validation is not None
        held_out = self._unique_codes(fold.validation, "X_val")
        return Fold(self._unique_codes(fold.train), held_out)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = self.handle_missing == "category"
        tags.transformer_tags.preserves_dtype = []
        return tags


class CategoricalBase(DiscreteDestructor, HoldoutDestructor):
    """Learn the distribution of discrete data directly: no map, only a base.

    Columns are independent, or depend on one another along a tree of pairs (Chow–Liu
    tree), or on hidden states that do. It is what a stack of permutations ends on.

    Parameters
    ----------
    structure : {"auto", "independent", "chow-liu", "hidden-tree"} or list of these, \
            default="auto"
        Structures to choose from by held-out rows; "auto" stands for all.
        "hidden-tree" is a mixture of hidden trees
        (`destructors.base_distributions.HiddenTree`) of a size that held-out rows
        choose; it is taken where it gains more than chance would.
    alpha : "auto" or float, default="auto"
        Pseudo-count of each category, and of the moves from a hidden state. "auto"
        chooses by held-out rows.
    validation_fraction : float, default=0.1
        Share of the rows to choose by; in the end the base is fitted on all.
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
        Seed of the hold-out.

    Attributes
    ----------
    structure_ : {"independent", "chow-liu", "hidden-tree"}
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
    base_distribution_ : IndependentCategorical, ChowLiuTree, HiddenTree or Mixture
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
        "structure": [
            StrOptions({"auto", "independent", "chow-liu", "hidden-tree"}),
            list,
            tuple,
        ],
        "alpha": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        *,
        structure: (
            Literal["auto", "independent", "chow-liu", "hidden-tree"] | Sequence[str]
        ) = "auto",
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
        structures = structures_of(self.structure, "structure")
        rows, bases = (
            self._read_codes(fold.train),
            list_bases(structures, self.alpha),
        )
        # A single row has to serve as both.
        parts = Fold(rows, rows)
        seed = random_state.randint(2**31 - 1)
        if fold.validation is not None:
            parts = self._unique_fold(fold)
        elif (len(bases) > 1 or HIDDEN in structures) and is_divisible(rows):
            [parts] = split_copies(rows, None, self.validation_fraction, seed)
        found: Any = None
        if bases:
            best = bases[int(np.argmax(score_bases(parts, bases)))]
            [found] = fit_bases(parts.train, [best])
        if HIDDEN in structures and (found is None or is_divisible(rows)):
            assert parts.validation is not None
            rival = None if found is None else found.logpdf(parts.validation.values)
            trees = HiddenTrees(parts, self.alpha, seed, rival)
            if trees.is_better():
                if fold.validation is None:
                    trees.go_on(rows)
                self.base_distribution_ = trees.to_distribution()
                self.structure_, self.alpha_ = HIDDEN, trees.alpha
                return Identity()
        [self.base_distribution_] = fit_bases(rows, [best])
        self.structure_, self.alpha_ = best
        return Identity()
