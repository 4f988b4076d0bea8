"""What destructors of discrete data share: codes, and a distribution of these."""

from collections.abc import Sequence
from itertools import product
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from scipy.special import ndtri
from scipy.stats import binom

from destructors._compat import Interval, StrOptions
from destructors.base import Destructor, HoldoutDestructor
from destructors.base_distributions import ChowLiuTree, IndependentCategorical
from destructors.discrete._counts import count, xlogx
from destructors.maps import Identity
from destructors.maps._checks import check_codes
from destructors.rows import Fold, Rows, hash_again, hash_rows
from destructors.table import Categorical, check_table

# Less than the least would gain nothing on held-out rows of the kind that was trained
# on, and lose much on others.
_ALPHAS = (0.1, 0.3, 1.0, 3.0, 10.0)
# The quantiles of so many copies are those of a normal distribution, to one in a
# million. Those of the binomial one would take long, and for 1e17 copies for ever.
_MANY_COPIES = 1e12
# Pairs of columns with more cells than this are never linked.
_MAX_CELLS = 2**20
# Largest table of all pairs of codes that is made at once.
_MAX_TABLE = 2**22


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
        rows, bases = (
            self._read_codes(fold.train),
            list_bases(self.structure, self.alpha),
        )
        parts = Fold(rows)
        if fold.validation is not None:
            parts = self._unique_fold(fold)
        elif len(bases) > 1:
            seed = random_state.randint(2**31 - 1)
            # A single row has to serve as both.
            parts = Fold(rows, rows)
            if np.ceil(rows.weights).sum() >= 2:
                [parts] = split_copies(rows, None, self.validation_fraction, seed)
        best = bases[int(np.argmax(score_bases(parts, bases)))]
        [self.base_distribution_] = fit_bases(rows, [best])
        self.structure_, self.alpha_ = best
        return Identity()


# ------------------------------------------------------------------ held-out copies


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
        parts.append(_binomial(hash_again(hashes, seed + i), left, chance))
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


def _binomial(levels: NDArray, n: NDArray, chance: float) -> NDArray:
    """Return quantiles of the numbers of successes in ``n`` trials."""
    few = n <= _MANY_COPIES
    drawn = binom.ppf(levels, np.where(few, n, 1.0), chance)
    normal = n * chance + np.sqrt(n * chance * (1.0 - chance)) * ndtri(levels)
    return np.clip(np.where(few, drawn, np.rint(normal)), 0.0, n)


# ------------------------------------------------------------------ distributions


def list_bases(structure: str, alpha: float | str) -> list[tuple[str, float]]:
    """Return the structures and smoothings that two parameters leave open: "auto"
    stands for all.
    """
    structures = ("independent", "chow-liu") if structure == "auto" else (structure,)
    alphas = _ALPHAS if isinstance(alpha, str) else (float(alpha),)
    return list(product(structures, alphas))


def fit_bases(rows: Rows, bases: Sequence[tuple[str, float]]) -> list[Any]:
    """Return distributions fitted on codes, one for each structure and smoothing.

    Each category has ``alpha`` pseudo-counts. A conditional gets as many as a column
    alone, half of them shared out as the feature's own distribution is, and half
    evenly: else what is rare anywhere would be all but impossible.
    """
    own, joint = [_count(rows, j) for j in range(rows.n_features)], {}
    if any(structure == "chow-liu" for structure, _ in bases):
        parents = find_parents(rows, _MAX_CELLS)
        for j in np.flatnonzero(parents >= 0):
            joint[j] = _count(rows, j, parents[j])
    found: list[Any] = []
    for structure, alpha in bases:
        tables = [(n + alpha) / (n.sum() + alpha * len(n)) for n in own]
        if structure == "independent" or not joint:
            found.append(IndependentCategorical(tuple(tables)))
            continue
        for j, counts in joint.items():
            prior = 0.5 * alpha * (len(tables[j]) * tables[j] + 1.0)
            mass = counts.sum(axis=1, keepdims=True) + prior.sum()
            tables[j] = (counts + prior) / mass
        found.append(ChowLiuTree(parents, tuple(tables)))
    return found


def score_bases(fold: Fold, bases: Sequence[tuple[str, float]]) -> NDArray:
    """Return the mean log probability of the held-out rows under each base, fitted on
    the training rows, in nats; NaN where nothing is held out.
    """
    if fold.validation is None:
        return np.full(len(bases), np.nan)
    return np.array([fold.validation.score(b) for b in fit_bases(fold.train, bases)])


def find_parents(rows: Rows, max_cells: int, max_size: float = np.inf) -> NDArray:
    """Find the tree of pairs of columns that has the most mutual information.

    Parameters
    ----------
    rows : Rows
        Codes.
    max_cells : int
        Pairs of columns with more cells than this are not linked.
    max_size : float, default=inf
        Neither are columns with more codes.

    Returns
    -------
    parents : ndarray of shape (n_features,)
        Parent of each feature, -1 of a root. Where too few pairs may be linked, the
        tree falls into several.
    """
    assert rows.kinds is not None
    sizes = np.where(rows.kinds > max_size, np.inf, rows.kinds)
    allowed = np.outer(sizes, sizes) <= max_cells
    # One more, that all distances are negative and none is zero, which would be no
    # edge.
    distances = np.where(allowed, -1.0 - _pair_information(rows, allowed), 0.0)
    np.fill_diagonal(distances, 0.0)
    forest = minimum_spanning_tree(csr_array(distances))
    parents = np.full(len(sizes), -2)
    for root in range(len(parents)):
        if parents[root] == -2:
            order, before = breadth_first_order(forest, root, directed=False)
            parents[order] = before[order]
            parents[root] = -1
    return parents


def _pair_information(rows: Rows, allowed: NDArray) -> NDArray:
    """Return the mutual information of those pairs that are allowed, in nats."""
    assert rows.kinds is not None
    starts, d = np.cumsum(np.append(0, rows.kinds)), rows.n_features
    together = np.zeros((d, d))
    if starts[-1] ** 2 <= _MAX_TABLE and allowed.all():
        places, table = rows.values + starts[:-1], np.zeros((starts[-1], starts[-1]))
        count(places, places, rows.weights, np.arange(len(rows)), table)
        together = np.add.reduceat(xlogx(table), starts[:-1], axis=0)
        together = np.add.reduceat(together, starts[:-1], axis=1)
    else:
        for f, g in zip(*np.nonzero(np.tril(allowed, -1)), strict=True):
            together[f, g] = together[g, f] = xlogx(_count(rows, g, f)).sum()
    counts = np.concatenate([_count(rows, j) for j in range(d)])
    alone = np.add.reduceat(xlogx(counts), starts[:-1])
    total = xlogx(np.array(rows.total))
    return np.maximum(together - alone[:, None] - alone + total, 0.0) / rows.total


def _count(rows: Rows, j: Any, parent: Any = None) -> NDArray:
    """Return the weight at each code of a column; a line for each of another one."""
    assert rows.kinds is not None
    X, k = rows.values, rows.kinds[j]
    if parent is None:
        return np.bincount(X[:, j], rows.weights, k)
    cells = X[:, parent] * k + X[:, j]
    return np.bincount(cells, rows.weights, k * rows.kinds[parent]).reshape(-1, k)
