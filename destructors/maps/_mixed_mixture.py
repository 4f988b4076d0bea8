"""A mixture for rows of numbers, integers and codes, with anything missing."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from destructors.maps._categorical import check_shares, draw_codes
from destructors.maps._checks import are_positions
from destructors.maps._classes import Emission
from destructors.maps._code_forest import CodeForest
from destructors.maps._distributions import Distribution
from destructors.maps._gaussians import Gaussians

# Numbers in an array over rows and classes.
_BLOCK_SIZE = 2**21


@dataclass(frozen=True, eq=False, repr=False)
class MixedMixture(Distribution):
    r"""A mixture whose classes are shared by numbers, integers and codes.

    .. math:: p(x) = \sum_k w_k \, N(x_{num}; μ_k, Σ_k)
              \prod_{j \in int} p_{kj}(x_j) \, p_k(x_{code})

    It is a density with respect to lengths in numbers and counts in integers and codes.
    What is NaN is summed out: the score of a row with holes is the log density of what
    is there, exactly, and `fill` draws the rest given it.

    Parameters
    ----------
    weights : ndarray of shape (n_classes,)
        Positive, of sum one.
    emissions : tuple of Emission
        What groups of columns are like in each class: `Gaussians` of the numbers,
        an `IntegerTable` for each column of integers, a `CodeForest` of the codes.
    groups : tuple of ndarray of int
        Positions of the columns of each.

    Raises
    ------
    ValueError
        If weights are not positive or not of sum one, or the groups leave a column out
        or hold one twice.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.base_distributions import MixedMixture
    >>> from destructors.maps import CodeForest, Gaussians
    >>> numbers = Gaussians(np.array([[-1.0], [1.0]]), np.ones((2, 1, 1)))
    >>> codes = CodeForest(np.array([-1]), (np.array([[0.9, 0.1], [0.2, 0.8]]),))
    >>> base = MixedMixture(
    ...     np.array([0.5, 0.5]), (numbers, codes), (np.array([0]), np.array([1]))
    ... )
    >>> base.logpdf(np.array([[0.0, 1.0], [0.0, np.nan], [np.nan, 1.0]])).round(3)
    array([-2.217, -1.419, -0.799])
    """

    weights: NDArray
    emissions: tuple[Emission, ...]
    groups: tuple[NDArray, ...]

    sums_out = True

    def __post_init__(self) -> None:
        groups = tuple(np.asarray(group, dtype=np.int64) for group in self.groups)
        object.__setattr__(self, "groups", groups)
        check_shares("weights", self.weights, (len(self.weights),))
        columns = np.concatenate([np.empty(0, np.int64), *groups])
        if not are_positions(columns, len(columns)) or len(groups) != len(
            self.emissions
        ):
            raise ValueError("groups must hold each column once.")

    @cached_property
    def n_features(self) -> int:  # type: ignore[override]
        """Number of columns."""
        return sum(map(len, self.groups))

    @cached_property
    def n_categories(self) -> NDArray:
        """Number of codes of each column; 0 for numbers and integers."""
        sizes = np.zeros(self.n_features, dtype=np.int64)
        for emission, group in zip(self.emissions, self.groups, strict=True):
            if isinstance(emission, CodeForest):
                sizes[group] = emission.n_categories
        return sizes

    @property
    def gaussians(self) -> Gaussians | None:
        """What numbers are like in each class; None without any."""
        found = [each for each in self.emissions if isinstance(each, Gaussians)]
        return found[0] if found else None

    def without(self, *kinds: type[Emission]) -> "MixedMixture":
        """Return the marginal of the columns of other kinds, in their order.

        Parameters
        ----------
        *kinds : type
            Kinds of emissions that are summed out.

        Returns
        -------
        mixture : MixedMixture
        """
        both = zip(self.emissions, self.groups, strict=True)
        parts = [(e, group) for e, group in both if not isinstance(e, kinds)]
        left = np.sort(np.concatenate([group for _, group in parts]))
        groups = tuple(np.searchsorted(left, group) for _, group in parts)
        return MixedMixture(self.weights, tuple(e for e, _ in parts), groups)

    def log_without(self, codes: NDArray) -> float:
        """Return the log probability that no column has its code; see `Mixture`."""
        nothing = np.full((1, self.n_features), np.nan)
        return float(logsumexp(self.log_joint(nothing, codes)))

    def __repr__(self) -> str:
        return (
            f"MixedMixture(n_classes={len(self.weights)}, n_features={self.n_features})"
        )

    # ------------------------------------------------------------------ densities

    def log_joint(self, X: NDArray, without: NDArray | None = None) -> NDArray:
        """Return the log density of each row and class together, in nats.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows, NaN where a value is missing.
        without : ndarray of int of shape (n_features,), default=None
            Codes that what is missing must not have; -1 for none.

        Returns
        -------
        log_joint : ndarray of shape (n_samples, n_classes)
        """
        logs = np.repeat(np.log(self.weights)[None], len(X), axis=0)
        for emission, group in zip(self.emissions, self.groups, strict=True):
            logs += emission.logpdf(X[:, group], _of(without, group))
        return logs

    def logpdf(self, Z: NDArray) -> NDArray:
        """Return the log density of what each row has, in nats.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            Rows, NaN where a value is missing: it is summed out.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            -inf for what is no code.
        """
        Z = np.asarray(Z, dtype=np.float64)
        result = np.empty(len(Z))
        for rows in self._blocks(len(Z)):
            result[rows] = logsumexp(self.log_joint(Z[rows]), axis=1)
        return result

    def posterior(self, Z: NDArray) -> NDArray:
        """Return the probability of each class given what each row has.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            Rows, NaN where a value is missing.

        Returns
        -------
        posterior : ndarray of shape (n_samples, n_classes)
        """
        return _normalise(self.log_joint(np.asarray(Z, dtype=np.float64)))

    # ------------------------------------------------------------------ draws

    def sample(self, n_samples: int, rng: np.random.RandomState) -> NDArray:
        """Return rows drawn from it.

        Parameters
        ----------
        n_samples : int
            Number of rows.
        rng : RandomState
            Source of randomness.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
        """
        return self.fill(np.full((n_samples, self.n_features), np.nan), rng)

    def sample_without(
        self, n_samples: int, rng: np.random.RandomState, codes: NDArray
    ) -> NDArray:
        """Return rows without some codes; see `Distribution.sample_without`."""
        return self.fill(np.full((n_samples, self.n_features), np.nan), rng, codes)

    def fill(
        self,
        Z: NDArray,
        rng: np.random.RandomState,
        without: NDArray | None = None,
        n_draws: int = 1,
    ) -> NDArray:
        """Return rows with what is missing drawn given what is there.

        A class is drawn from its posterior, and then what is missing from the class
        given what is there: that is the conditional distribution, exactly.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            Rows, NaN where a value is missing.
        rng : RandomState
            Source of randomness.
        without : ndarray of int of shape (n_features,), default=None
            A code of each column that is not drawn; -1 for none.
        n_draws : int, default=1
            How often each row is filled in.

        Returns
        -------
        filled : ndarray of shape (n_samples * n_draws, n_features)
            Those of the first row first.
        """
        Z = np.asarray(Z, dtype=np.float64)
        filled = np.repeat(Z, n_draws, axis=0)
        for rows in self._blocks(len(Z), n_draws):
            p = _normalise(self.log_joint(Z[rows], without))
            classes = draw_codes(p, np.repeat(np.arange(len(p)), n_draws), rng)
            block = filled[rows.start * n_draws : rows.stop * n_draws]
            for emission, group in zip(self.emissions, self.groups, strict=True):
                of = classes, rng, _of(without, group)
                block[:, group] = emission.fill(block[:, group], *of)
        return filled

    def predict(
        self,
        Z: NDArray,
        strategy: str,
        curves: NDArray,
        without: NDArray | None = None,
    ) -> NDArray:
        """Return rows with one value for what is missing; see `Emission.predict`.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            Rows, NaN where a value is missing.
        strategy : {"mean", "mode"}
            What to predict.
        curves : ndarray of shape (n_points, n_features)
            Units of the numbers.
        without : ndarray of int of shape (n_features,), default=None
            A code of each column that is not predicted; -1 for none.

        Returns
        -------
        filled : ndarray of shape (n_samples, n_features)
        """
        Z = np.array(Z, dtype=np.float64)
        for rows in self._blocks(len(Z)):
            p = _normalise(self.log_joint(Z[rows], without))
            for emission, group in zip(self.emissions, self.groups, strict=True):
                of = curves[:, group], _of(without, group)
                Z[rows, group] = emission.predict(Z[rows, group], p, strategy, *of)
        return Z

    def expect(
        self,
        Z: NDArray,
        curves: NDArray,
        without: NDArray | None = None,
        most_categories: int = 0,
    ) -> tuple[NDArray, NDArray]:
        """Return rows filled in by `predict`, and expected values of all there is.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            Rows, NaN where a value is missing.
        curves : ndarray of shape (n_points, n_features)
            Units of the numbers.
        without : ndarray of int of shape (n_features,), default=None
            A code of each column that is not expected; -1 for none.
        most_categories : int, default=0
            Columns of no more categories have their probabilities.

        Returns
        -------
        filled : ndarray of shape (n_samples, n_features)
            Means of numbers, the most probable codes.
        expected : ndarray of shape (n_samples, n_features + n_probabilities)
            Means of numbers and of codes in their order, and then the probability of
            each code, column by column; of a code that is there it is one. A code that
            is not expected has no place in the order, and the mean of the others.
        """
        sizes = self.n_categories
        sizes = np.where(sizes <= most_categories, sizes, 0)
        first = self.n_features + np.cumsum(sizes) - sizes
        filled = np.array(Z, dtype=np.float64)
        expected = np.zeros((len(Z), self.n_features + int(sizes.sum())))
        for rows in self._blocks(len(Z)):
            block, seen = filled[rows].copy(), expected[rows]
            p = _normalise(self.log_joint(block, without))
            for emission, group in zip(self.emissions, self.groups, strict=True):
                x, not_these = block[:, group], _of(without, group)
                if not isinstance(emission, CodeForest):
                    means = emission.predict(x, p, "mean", curves[:, group], not_these)
                    filled[rows, group] = seen[:, group] = means
                    continue
                shares = emission.shares(x, p, not_these)
                for i, (j, share) in enumerate(zip(group, shares, strict=True)):
                    gone = np.isnan(x[:, i])
                    filled[rows, j][gone] = np.argmax(share, axis=1)
                    seen[:, j] = x[:, i]
                    seen[gone, j] = share @ np.arange(share.shape[1])
                    if sizes[j]:
                        there = np.flatnonzero(~gone)
                        seen[there, first[j] + x[there, i].astype(np.intp)] = 1.0
                        seen[gone, first[j] : first[j] + sizes[j]] = share
                if not_these is not None:
                    _place_unseen(emission, group, x, p, not_these, seen)
        return filled, expected

    def _blocks(self, n_samples: int, n_draws: int = 1) -> list[slice]:
        step = max(1, _BLOCK_SIZE // (len(self.weights) * n_draws))
        return [slice(i, i + step) for i in range(0, n_samples, step)]


def _of(without: NDArray | None, group: NDArray) -> NDArray | None:
    return None if without is None else without[group]


def _place_unseen(
    emission: CodeForest,
    group: NDArray,
    x: NDArray,
    posterior: NDArray,
    unseen: NDArray,
    expected: NDArray,
) -> None:
    """Give codes that were not seen the mean of the others in their order."""
    is_unseen = x == unseen
    rows = np.flatnonzero(is_unseen.any(axis=1))
    if not len(rows):
        return
    hidden = np.where(is_unseen, np.nan, x)[rows]
    shares = emission.shares(hidden, posterior[rows], unseen)
    for i in np.flatnonzero(is_unseen.any(axis=0)):
        means = np.zeros(len(rows))
        means[np.isnan(hidden[:, i])] = shares[i] @ np.arange(shares[i].shape[1])
        here = is_unseen[rows, i]
        expected[rows[here], group[i]] = means[here]


def _normalise(logs: NDArray) -> NDArray:
    """Return probabilities of classes from their logarithms, up to a constant."""
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False, repr=False)
class CodesFirst(Distribution):
    r"""Codes by a distribution of their own, then integers as in a mixture given them.

    .. math:: p(c, n) = p(c) \, p_{mix}(n | c)

    Parameters
    ----------
    codes : Distribution
        That of the columns of codes, in their order.
    mixture : MixedMixture
        Of integers and codes.

    Raises
    ------
    ValueError
        If the two have not the same codes.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.base_distributions import (
    ...     CodesFirst, IndependentCategorical, MixedMixture
    ... )
    >>> from destructors.maps import CodeForest, IntegerTable
    >>> codes = CodeForest(np.array([-1]), (np.array([[0.9, 0.1], [0.2, 0.8]]),))
    >>> one, half = np.ones(2), np.full((2, 1), 0.5)
    >>> table = IntegerTable(np.array([7.0]), half, half[:, 0], 3 * one, one)
    >>> mixture = MixedMixture(0.5 * one, (codes, table), ([0], [1]))
    >>> base = CodesFirst(IndependentCategorical([[0.5, 0.5]]), mixture)
    >>> np.exp(base.logpdf(np.array([[0.0, 7.0], [1.0, 7.0]]))).round(3)
    array([0.255, 0.255])
    """

    codes: Distribution
    mixture: MixedMixture

    def __post_init__(self) -> None:
        sizes = self.mixture.n_categories
        if not np.array_equal(self.codes.n_categories, sizes[sizes > 0]):
            raise ValueError("codes and mixture must have the same codes.")

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """Number of columns."""
        return self.mixture.n_features

    @property
    def n_categories(self) -> NDArray:
        """Number of codes of each column; 0 for integers."""
        return self.mixture.n_categories

    def logpdf(self, Z: NDArray) -> NDArray:
        """Return the log probability of each row, in nats.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_probability : ndarray of shape (n_samples,)
        """
        is_code = self.n_categories > 0
        given = np.where(is_code, Z, np.nan)
        own = self.codes.logpdf(np.asarray(Z)[:, is_code].astype(np.int64))
        return own + self.mixture.logpdf(Z) - self.mixture.logpdf(given)

    def sample(self, n_samples: int, rng: np.random.RandomState) -> NDArray:
        """Return rows drawn from it, of shape (n_samples, n_features)."""
        return self.sample_without(n_samples, rng, np.full(self.n_features, -1))

    def sample_without(
        self, n_samples: int, rng: np.random.RandomState, codes: NDArray
    ) -> NDArray:
        """Return rows without some codes; see `Distribution.sample_without`."""
        is_code = self.n_categories > 0
        Z = np.full((n_samples, self.n_features), np.nan)
        own = codes[is_code]
        if (own >= 0).any():
            Z[:, is_code] = self.codes.sample_without(n_samples, rng, own)
        else:
            Z[:, is_code] = self.codes.sample(n_samples, rng)
        return self.mixture.fill(Z, rng)
