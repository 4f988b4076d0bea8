"""Densities of many features that the package does not offer, in closed form.

Each is called as the ``make_*`` of `destructors.datasets` are with
``return_log_density=True``, and returns rows and their true log densities, in nats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logsumexp

__all__ = ["gaussian_copula", "neal_funnel", "normal_mixture", "student_t"]


def neal_funnel(n_samples: int, random_state: int) -> tuple[NDArray, NDArray]:
    """One feature sets the log-variance of four others (Neal, 2003)."""
    rng = np.random.default_rng(random_state)
    v = 1.5 * rng.standard_normal((n_samples, 1))
    scale = np.exp(v / 2.0)
    others = scale * rng.standard_normal((n_samples, 4))
    given_v = stats.norm.logpdf(others, scale=scale).sum(axis=1)
    return np.hstack([v, others]), stats.norm.logpdf(v[:, 0], scale=1.5) + given_v


def student_t(n_samples: int, random_state: int) -> tuple[NDArray, NDArray]:
    """Correlated Student t with 3 degrees of freedom: heavy tails that move as one."""
    law = stats.multivariate_t(
        shape=_correlation(5, 0.6), df=3, seed=np.random.default_rng(random_state)
    )
    X = law.rvs(n_samples)
    return X, law.logpdf(X)


def normal_mixture(n_samples: int, random_state: int) -> tuple[NDArray, NDArray]:
    """Six normals of different shapes in eight dimensions."""
    rng = np.random.default_rng(random_state)
    n_components, n_features = 6, 8
    laws = []
    for _ in range(n_components):
        axes = rng.standard_normal((n_features, n_features))
        covariance = axes @ axes.T / n_features + 0.05 * np.eye(n_features)
        center = 2.0 * rng.standard_normal(n_features)
        laws.append(stats.multivariate_normal(center, covariance, seed=rng))
    counts = rng.multinomial(n_samples, np.full(n_components, 1.0 / n_components))
    X = np.vstack([law.rvs(n) for law, n in zip(laws, counts, strict=True)])
    X = rng.permutation(X)
    log_parts = np.stack([law.logpdf(X) for law in laws])
    return X, logsumexp(log_parts, axis=0) - np.log(n_components)


def gaussian_copula(n_samples: int, random_state: int) -> tuple[NDArray, NDArray]:
    """Gamma, beta and t marginals, tied by a normal copula: one layer undoes it."""
    marginals = [
        stats.gamma(2.0),
        stats.beta(2.0, 5.0),
        stats.t(4.0),
        stats.gamma(0.8),
        stats.lognorm(0.5),
        stats.norm(),
    ]
    copula = stats.multivariate_normal(
        np.zeros(len(marginals)),
        _correlation(len(marginals), 0.7),
        seed=np.random.default_rng(random_state),
    )
    Z = copula.rvs(n_samples)
    U = stats.norm.cdf(Z)
    X = np.column_stack([law.ppf(u) for law, u in zip(marginals, U.T, strict=True)])
    alone = np.column_stack(
        [law.logpdf(x) for law, x in zip(marginals, X.T, strict=True)]
    )
    return X, copula.logpdf(Z) + (alone - stats.norm.logpdf(Z)).sum(axis=1)


def _correlation(n_features: int, rho: float) -> NDArray:
    """Return correlations that fall off by ``rho`` from a feature to the next."""
    place = np.arange(n_features)
    return rho ** np.abs(place[:, None] - place)
