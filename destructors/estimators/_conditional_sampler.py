"""Draw what is missing in a row from any density, and score what is there."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp
from sklearn.utils import check_random_state

from destructors.base import Destructor
from destructors.estimators._conditioned import ConditionedDensity
from destructors.estimators._proposal import Proposal
from destructors.exceptions import SamplingWarning
from destructors.maps import Density, Schema
from destructors.maps._gaussians import patterns

# Of fewer draws than this, a mean is known to a seventh of a standard deviation only.
_FEWEST_EFFECTIVE = 50
# Fewer proposals say nothing about their own weights.
_FEWEST_PROPOSALS = 100
# Proposals for each draw: where all weigh the same, none is drawn twice.
_PROPOSALS_A_DRAW = 2
# Numbers in the proposals of a block of rows.
_BLOCK_SIZE = 2**20


class ConditionalSampler:
    r"""Conditional draws and marginal densities of a fitted destructor.

    The joint density :math:`p` of a flow is exact, but not what follows for some of the
    columns. Here the missing ones, :math:`x_m`, are proposed by a mixture :math:`q`
    of numbers, integers and categories given the others, :math:`x_o`, and weighted by
    the joint density:

    .. math:: w_i = \frac{p(x_o, x_m^{(i)})}{q(x_m^{(i)} | x_o)}, \quad
              p(x_o) = E_q[w]

    Counts take the place of lengths in integers and categories. NaN, or None, always
    stands for what is to be drawn or summed out, also of categories of which the
    destructor has learned absence as one more: that may be drawn then.

    Draws are proposals, resampled by their weights. Where the destructor is itself a
    Gaussian or a mixture of them, the weights are equal and all is exact. For others
    the mixture is fitted once to 5,000 rows that the destructor draws. Of
    :class:`MixtureDensity` its own conditionals are taken.

    Parameters
    ----------
    destructor : Destructor or destructors.maps.Density
        A fitted destructor, or what `destructors.load` returns.
    n_proposals : int, default=1000
        Number of proposals for each row, at least 100; there are at least twice as
        many as draws.
    random_state : int, RandomState instance or None, default=None
        Seed of the mixture, and of the proposals that scores are means over: all rows
        share these, so the score of a row does not depend on the others.

    Raises
    ------
    TypeError
        If ``destructor`` is neither.
    ValueError
        If it has no density or depends on the domain of a row; or if ``n_proposals``
        is no integer of at least 100.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    See Also
    --------
    MixtureDensity : Exact conditionals, also of categories.
    ConditionalDensity : A density of y given x, where it is always the same columns.

    Notes
    -----
    The effective sample size of a row is :math:`(\sum w)^2 / \sum w^2`: as many
    independent draws would tell as much. If it is below 50, there is a warning. It is
    known from the proposals alone, so it does not see what they all miss. It falls with
    the number of missing columns.

    References
    ----------
    A. B. Owen, *Monte Carlo theory, methods and examples*, 2013, chapter 9 (importance
    sampling; sections 9.2 and 9.3). G. Kitagawa, *Monte Carlo filter and smoother for
    non-Gaussian nonlinear state space models*, JCGS 5, 1996 (systematic resampling).

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.estimators import ConditionalSampler
    >>> from destructors.linear import Whitening
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=2000)
    >>> model = Whitening().fit(np.c_[x, x + 0.5 * rng.normal(size=2000)])
    >>> sampler = ConditionalSampler(model, random_state=0)
    >>> draws = sampler.sample_conditional([[2.0, np.nan]], 500, random_state=0)
    >>> bool(abs(draws[:, 1].mean() - 2.0) < 0.1)
    True
    >>> sampler.score_samples([[0.0, np.nan]]).round(1)
    array([-0.9])
    >>> sampler.condition([0]).score_samples([[2.0]], [[2.0]]).round(1)
    array([-0.2])
    """

    def __init__(
        self,
        destructor: Destructor | Density,
        *,
        n_proposals: int = 1000,
        random_state: int | np.random.RandomState | None = None,
    ):
        if not isinstance(destructor, Destructor | Density):
            raise TypeError(
                "destructor must be a fitted destructor or a destructors.maps.Density, "
                f"got {destructor!r}."
            )
        density = destructor
        if isinstance(density, Destructor):
            density = density.to_density()
        self.n_proposals = _count("n_proposals", n_proposals, _FEWEST_PROPOSALS)
        self._density = density
        schema = density.schema or Schema.of_numbers(density.n_features)
        # What is missing is to be drawn, also where absence is a category of its own.
        columns = tuple(replace(column, missing=-1) for column in schema.columns)
        self._schema = replace(schema, columns=columns)
        rng = check_random_state(random_state)
        self._seed = rng.randint(2**31 - 1)
        if density.sums_out:
            return
        if density.base is None or density.labels is not None:
            raise ValueError(
                f"{density.origin or 'The density'} ends on no known distribution, or "
                "depends on the domain of a row: it has no conditional density."
            )
        self._proposal = Proposal.of(density, rng)

    def sample_conditional(
        self,
        X: ArrayLike,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        return_ess: bool = False,
    ) -> Any:
        """Draw what is missing in each row, given what is there.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_features)
            Rows, NaN where a value is to be drawn.
        n_samples : int, default=1
            Number of draws for each row.
        random_state : int, RandomState instance or None, default=None
            Pass an int for reproducible samples.
        return_ess : bool, default=False
            Whether to return the effective sample sizes too.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_rows * n_samples, n_features)
            Rows without holes, those of the first row first, each with the index of its
            row. What was there is as it was.
        ess : ndarray of shape (n_rows,)
            Effective sample size of the proposals of each row, if ``return_ess``: their
            number where draws are exact.

        Raises
        ------
        ValueError
            If ``n_samples`` is no integer of at least 1, or ``X`` has another number of
            columns or infinite values.

        Warns
        -----
        SamplingWarning
            If an effective sample size is below 50.
        """
        n_samples = _count("n_samples", n_samples, 1)
        rng = check_random_state(random_state)
        n_proposals = max(self.n_proposals, _PROPOSALS_A_DRAW * n_samples)
        rows = self._read(X)
        ess = np.full(len(rows), float(n_proposals))
        if self._density.sums_out:
            drawn = self._density.sample_conditional(X, n_samples, rng)
            return (drawn, ess) if return_ess else drawn
        drawn = np.repeat(rows[:, None], n_samples, axis=1)
        for block in self._blocks(rows, n_proposals):
            if np.isnan(rows[block[0]]).all():
                new = self._density.sample_rows(len(block) * n_samples, rng)
                drawn[block] = new.reshape(drawn[block].shape)
                continue
            filled = self._proposal.draw(rows[block], n_proposals, rng)
            log_weight = self._weigh(filled, rows[block])
            ess[block] = _effective_size(log_weight)
            place = _resample(log_weight, n_samples, rng)
            drawn[block] = np.take_along_axis(filled, place[:, :, None], axis=1)
        _warn_of_few(ess)
        table = self._density.decode_like(drawn.reshape(-1, rows.shape[1]), X)
        return (table, ess) if return_ess else table

    def score_samples(self, X: ArrayLike, *, return_std: bool = False) -> Any:
        """Return the log density of what each row has, in nats.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_features)
            Rows, NaN where a value is missing: it is integrated out.
        return_std : bool, default=False
            Whether to return standard errors too.

        Returns
        -------
        log_density : ndarray of shape (n_rows,)
            Exact for rows without holes, and 0 for rows that miss everything.
        std : ndarray of shape (n_rows,)
            Standard error of each, in nats, if ``return_std``. All rows share their
            proposals, so errors of rows that are alike are alike.

        Raises
        ------
        ValueError
            If ``X`` has another number of columns or infinite values.

        Warns
        -----
        SamplingWarning
            If an effective sample size is below 50.
        """
        rows = self._read(X)
        scores, std = np.zeros(len(rows)), np.zeros(len(rows))
        if self._density.sums_out:
            scores = self._density.logpdf(X)
            return (scores, std) if return_std else scores
        m = self.n_proposals
        is_whole = ~np.isnan(rows).any(axis=1)
        if is_whole.any():
            scores[is_whole] = self._density.score_rows(rows[is_whole])
        ess = np.full(len(rows), float(m))
        for block in self._blocks(rows, m):
            if not np.isnan(rows[block[0]]).all():
                filled = self._proposal.draw_alike(rows[block], m, self._seed)
                log_weight = self._weigh(filled, rows[block])
                scores[block] = logsumexp(log_weight, axis=1) - np.log(m)
                ess[block] = _effective_size(log_weight)
        # Of the logarithm of a mean: its relative error.
        std = np.sqrt(np.maximum(m / ess - 1.0, 0.0) / (m - 1.0))
        _warn_of_few(ess)
        return (scores, std) if return_std else scores

    def condition(self, columns: Any) -> ConditionedDensity:
        """Return the density of all other columns given some.

        Parameters
        ----------
        columns : str, int or sequence of these
            Names of the columns that are given, or their positions.

        Returns
        -------
        conditional : ConditionedDensity
            It has `score_samples` and `sample`.

        Raises
        ------
        ValueError
            If there is no such column, or they are none or all.
        """
        return ConditionedDensity(self, self._schema, columns)

    # ------------------------------------------------------------------ steps

    def _read(self, X: Any) -> NDArray:
        rows = self._schema.encode(X, owner=type(self).__name__, may_miss=True)
        return rows.astype(np.float64, copy=False)

    def _weigh(self, filled: NDArray, rows: NDArray) -> NDArray:
        """Return log weights of what was proposed for rows."""
        joint = self._density.score_rows(filled.reshape(-1, rows.shape[1]))
        log_density = self._proposal.log_density(filled, rows)
        return joint.reshape(log_density.shape) - log_density

    @staticmethod
    def _blocks(rows: NDArray, n_proposals: int) -> Iterator[NDArray]:
        """Yield positions of rows with holes: a few that miss the same columns."""
        step = max(1, _BLOCK_SIZE // (n_proposals * rows.shape[1]))
        for place, known in patterns(rows):
            if not known.all():
                for start in range(0, len(place), step):
                    yield place[start : start + step]


def _count(name: str, value: Any, least: int) -> int:
    if not isinstance(value, Integral) or value < least:
        raise ValueError(
            f"{name} must be an integer of at least {least}, got {value!r}."
        )
    return int(value)


def _effective_size(log_weight: NDArray) -> NDArray:
    """Return (Σw)² / Σw² of each row."""
    once, twice = logsumexp(log_weight, axis=1), logsumexp(2.0 * log_weight, axis=1)
    return np.exp(2.0 * once - twice)


def _resample(
    log_weight: NDArray, n_samples: int, rng: np.random.RandomState
) -> NDArray:
    """Return the positions of proposals, drawn in proportion to their weights.

    Points at equal distances are laid over the cumulated weights (systematic
    resampling): a proposal is drawn as often as its share says, up to one.
    """
    n_rows, m = log_weight.shape
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    ends = np.cumsum(weight, axis=1)
    ends /= ends[:, -1:]
    points = (rng.uniform(size=(n_rows, 1)) + np.arange(n_samples)) / n_samples
    # The distribution functions of all rows, end to end.
    first = np.arange(n_rows)[:, None]
    place = np.searchsorted((ends + first).ravel(), (points + first).ravel(), "right")
    place = np.clip(place.reshape(points.shape) - m * first, 0, m - 1)
    # Those that are drawn twice stand side by side.
    order = np.argsort(rng.uniform(size=place.shape), axis=1)
    return np.take_along_axis(place, order, axis=1)


def _warn_of_few(ess: NDArray) -> None:
    low = ess < _FEWEST_EFFECTIVE
    if low.any():
        warnings.warn(
            f"{low.sum()} of {len(ess)} rows have an effective sample size below "
            f"{_FEWEST_EFFECTIVE}, down to {ess.min():.1f}: the rows are unlike the "
            "density, or miss much. Raise n_proposals.",
            SamplingWarning,
            stacklevel=3,
        )
