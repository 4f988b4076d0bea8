"""Generated densities whose log density is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logsumexp

__all__ = [
    "Generated",
    "circles",
    "gaussian_copula",
    "neal_funnel",
    "normal_mixture",
    "rings",
    "student_t",
]


class Generated(NamedTuple):
    """Rows, and the true log density (nats) as a function of rows."""

    X: NDArray
    log_density: Callable[[NDArray], NDArray]


def rings(rng: np.random.Generator, n_samples: int) -> Generated:
    """Three rings in the plane: the radius is a mixture of normals."""
    return _rings(rng, n_samples, np.array([1.0, 2.0, 3.0]))


def circles(rng: np.random.Generator, n_samples: int) -> Generated:
    """Four rings, each with a share of the rows that grows with its circumference."""
    radii = np.array([1.0, 2.0, 3.0, 4.0])
    return _rings(rng, n_samples, radii, radii / radii.sum())


def neal_funnel(rng: np.random.Generator, n_samples: int) -> Generated:
    """One feature sets the log-variance of four others (Neal, 2003)."""
    v = 1.5 * rng.standard_normal((n_samples, 1))
    X = np.hstack([v, np.exp(v / 2.0) * rng.standard_normal((n_samples, 4))])

    def log_density(X):
        v, others = X[:, :1], X[:, 1:]
        given_v = stats.norm.logpdf(others, scale=np.exp(v / 2.0))
        return stats.norm.logpdf(v[:, 0], scale=1.5) + given_v.sum(axis=1)

    return Generated(X, log_density)


def student_t(rng: np.random.Generator, n_samples: int) -> Generated:
    """Correlated Student t with 3 degrees of freedom: heavy tails that move as one."""
    shape = _correlation(5, 0.6)
    law = stats.multivariate_t(shape=shape, df=3, seed=rng)
    return Generated(law.rvs(n_samples), law.logpdf)


def normal_mixture(rng: np.random.Generator, n_samples: int) -> Generated:
    """Six normals of different shapes in eight dimensions."""
    n_components, n_features = 6, 8
    laws = []
    for _ in range(n_components):
        axes = rng.standard_normal((n_features, n_features))
        covariance = axes @ axes.T / n_features + 0.05 * np.eye(n_features)
        laws.append(
            stats.multivariate_normal(
                2.0 * rng.standard_normal(n_features), covariance, seed=rng
            )
        )
    counts = rng.multinomial(n_samples, np.full(n_components, 1.0 / n_components))
    X = np.vstack([law.rvs(n) for law, n in zip(laws, counts, strict=True)])

    def log_density(X):
        log_parts = np.stack([law.logpdf(X) for law in laws])
        return logsumexp(log_parts, axis=0) - np.log(n_components)

    return Generated(rng.permutation(X), log_density)


def gaussian_copula(rng: np.random.Generator, n_samples: int) -> Generated:
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
        np.zeros(len(marginals)), _correlation(len(marginals), 0.7), seed=rng
    )
    U = stats.norm.cdf(copula.rvs(n_samples))
    columns = [law.ppf(u) for law, u in zip(marginals, U.T, strict=True)]

    def log_density(X):
        pairs = list(zip(marginals, X.T, strict=True))
        scores = stats.norm.ppf(np.column_stack([law.cdf(x) for law, x in pairs]))
        alone = np.column_stack([law.logpdf(x) for law, x in pairs])
        return copula.logpdf(scores) + (alone - stats.norm.logpdf(scores)).sum(axis=1)

    return Generated(np.column_stack(columns), log_density)


def _rings(
    rng: np.random.Generator,
    n_samples: int,
    radii: NDArray,
    shares: NDArray | None = None,
) -> Generated:
    """Rings around the origin, with normal noise of 0.1 along the radius."""
    width = 0.1
    log_shares = -np.log(len(radii)) if shares is None else np.log(shares)
    radius = rng.choice(radii, n_samples, p=shares)
    radius += width * rng.standard_normal(n_samples)
    angle = rng.uniform(0.0, 2.0 * np.pi, n_samples)

    def log_density(X):
        r = np.hypot(*X.T)
        log_parts = stats.norm.logpdf(r[:, None], radii, width) + log_shares
        return logsumexp(log_parts, axis=1) - np.log(2.0 * np.pi * r)

    X = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return Generated(X, log_density)


def _correlation(n_features: int, rho: float) -> NDArray:
    """Correlations that fall off by ``rho`` from a feature to the next."""
    place = np.arange(n_features)
    return rho ** np.abs(place[:, None] - place)
