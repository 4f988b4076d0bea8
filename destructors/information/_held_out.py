"""Log-densities of rows that the densities have not seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from destructors._compat import check_array
from destructors.base import Destructor
from destructors.compose import make_destructor_pipeline
from destructors.marginal import Dequantizer, SplineGaussianizer
from destructors.mixture import GaussianMixtureDestructor
from destructors.rows import Rows, make_splits

Splits = Sequence[tuple[NDArray, NDArray]]


@dataclass(frozen=True)
class Densities:
    """What fits densities, and holds rows out.

    Parameters
    ----------
    estimator : Destructor
        The density; clones of it are fitted.
    cv : int
        Number of folds.
    seed : int
        Seed of folds and of the noise of discrete columns.
    n_jobs : int or None
        Number of fits side by side.
    """

    estimator: Destructor
    cv: int
    seed: int
    n_jobs: int | None

    @classmethod
    def of(cls, estimator: Any, cv: Any, random_state: Any, n_jobs: Any) -> "Densities":
        """Return checked parameters, the default estimator for None."""
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        if estimator is None:
            # Where entropies are subtracted, what marginals lose on the same rows
            # cancels; the mixture is exact on Gaussians and follows what is not.
            estimator = make_destructor_pipeline(
                SplineGaussianizer(), GaussianMixtureDestructor(random_state=seed)
            )
        elif not isinstance(estimator, Destructor):
            raise TypeError(
                f"estimator must be a Destructor or None, got {estimator!r}."
            )
        if not isinstance(cv, Integral) or cv < 3:
            raise ValueError(f"cv must be an integer of at least 3, got {cv!r}.")
        return cls(estimator, int(cv), seed, n_jobs)

    def spread(self, values: NDArray) -> NDArray:
        """Return rows whose discrete columns have got uniform noise.

        Without it they have no density. Each row gets noise of its own.
        """
        map_: Any = Dequantizer(random_state=self.seed).fit(values).map_
        return map_.spread_copies(values)[0]

    def splits(self, values: NDArray, n_folds: int) -> Splits:
        """Return (train, held out) indices; equal rows stay together."""
        try:
            return make_splits(Rows.of(values), n_folds, 0.5, self.seed)
        except ValueError as error:
            raise ValueError(
                f"Only {len(np.unique(values, axis=0))} of the rows differ: too few to "
                f"hold {n_folds} folds out in turn. Give more rows, or a smaller cv."
            ) from error

    def log_densities(
        self, jobs: Sequence[tuple[Any, NDArray, Sequence[NDArray]]]
    ) -> list[list[NDArray]]:
        """Fit a density for each job; return the log-densities of further rows.

        Parameters
        ----------
        jobs : sequence of (estimator, train, tests) tuples
            What to fit a clone of, on which rows, and what to score. None stands for
            the estimator.

        Returns
        -------
        log_densities : list of list of ndarray
            Of each job, for each of its tests.
        """
        work = (
            delayed(_fit_and_score)(
                self.estimator if estimator is None else estimator, train, tests
            )
            for estimator, train, tests in jobs
        )
        return Parallel(n_jobs=self.n_jobs)(work)


def _fit_and_score(
    estimator: Any, train: NDArray, tests: Sequence[NDArray]
) -> list[NDArray]:
    density = clone(estimator).fit(train)
    return [density.score_samples(rows) for rows in tests]


def read_block(values: ArrayLike, name: str, n_samples: int | None = None) -> NDArray:
    """Return a block of columns: two-dimensional, finite, with as many rows.

    Parameters
    ----------
    values : array-like of shape (n_samples,) or (n_samples, n_features)
        One column or several.
    name : str
        What messages call it.
    n_samples : int, default=None
        Number of rows it has to have.
    """
    if np.ndim(values) == 1:
        values = np.asarray(values)[:, None]
    block: NDArray = check_array(
        values, dtype=np.float64, ensure_min_samples=2, input_name=name
    )
    if n_samples is not None and len(block) != n_samples:
        raise ValueError(
            f"{name} has {len(block)} rows, but X has {n_samples}: rows of one sample "
            "belong together."
        )
    return block
