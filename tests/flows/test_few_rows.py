"""Flows in their defaults on 2 to 40 rows: units, weights, and what is learned.

``python -m tests.flows.test_few_rows 100 200`` searches the tables of these seeds.
"""

import sys
import warnings

import numpy as np
import pytest
from sklearn.base import clone

from destructors.compose import IterativeDestructor
from destructors.flows import (
    RBIG,
    GaussianCopula,
    RandomLinearFlow,
    RandomTreeFlow,
    SlicedGaussianization,
    TreeFlow,
)
from destructors.tree import BoostedTreeDestructor

FLOWS = {
    "rbig": RBIG(),
    "sliced": SlicedGaussianization(),
    "iterative": IterativeDestructor(),
    "iterative-cycle": IterativeDestructor(selection="cycle"),
    "copula": GaussianCopula(),
    "random-linear": RandomLinearFlow(),
    "random-tree": RandomTreeFlow(),
    "boosted": BoostedTreeDestructor(),
    "tree-flow": TreeFlow(),
}
SLOW = {"random-linear", "random-tree", "tree-flow"}
# In sixteenths: shifts below by powers of two change no digit.
COLUMNS = {
    "normal": lambda rng, n: np.round(16 * rng.normal(size=n)) / 16,
    "skewed": lambda rng, n: np.round(16 * rng.lognormal(size=n)) / 16,
    "integers": lambda rng, n: rng.integers(0, 5, n) * 1.0,
    "binary": lambda rng, n: rng.integers(0, 2, n) * 1.0,
    "ramp": lambda rng, n: np.arange(n) * 1.0,
    "half-zero": lambda rng, n: (
        np.round(16 * rng.lognormal(size=n)) / 16 * (rng.random(n) < 0.5)
    ),
    "constant": lambda rng, n: np.full(n, 0.5),
}


def make_table(seed):
    """Return rows of which at least two differ, and weights that leave such."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 41)), int(rng.integers(1, 5))
    X = np.column_stack([COLUMNS[rng.choice(list(COLUMNS))](rng, n) for _ in range(d)])
    if len(np.unique(X, axis=0)) < 2:
        X[0] += 1.0
    weight = rng.integers(0, 4, n)
    weight[[X[:, np.ptp(X, axis=0) > 0].sum(axis=1).argmin(), 0, -1]] = 2
    return X, weight


def is_dependent(X):
    """Whether columns decide others, constants included: turned, they are rounding."""
    scale = X.std(axis=0)
    if not scale.all():
        return True
    return np.linalg.matrix_rank((X - X.mean(axis=0)) / scale, tol=1e-6) < X.shape[1]


def fit_scores(flow, X, weight=None, at=None):
    return (
        clone(flow).fit(X, sample_weight=weight).score_samples(X if at is None else at)
    )


def require_same(found, expected, what):
    off = np.abs(found - expected) / np.maximum(np.abs(expected), 1.0)
    assert off.max() <= 1e-6, f"{what}: off by {off.max():.2g}"


def check(name, seed):
    """Check a flow on the table of a seed; return False where it is not asked."""
    X, weight = make_table(seed)
    if X.shape[1] > 1 and name not in ("boosted", "tree-flow") and is_dependent(X):
        return False
    flow = clone(FLOWS[name])
    if "random_state" in flow.get_params():
        flow.set_params(random_state=seed)
    scores, d = fit_scores(flow, X), X.shape[1]
    assert np.isfinite(scores).all()
    # The unit of a constant is none.
    is_constant = np.ptp(X, axis=0) == 0
    scales = (
        np.resize([3.7, 0.013, 91.0, 1.9], d),
        np.full(d, 2.0**-20),
        np.full(d, 1e-6),
    )
    for scale, shift in zip(scales, (1.3, 2.0**20, 0.0), strict=True):
        scale = np.where(is_constant, 1.0, scale)
        moved = (X + shift) * scale
        expected = scores - np.log(scale).sum()
        require_same(fit_scores(flow, moved), expected, f"units {scale}, {shift}")
    if len(np.unique(X[weight > 0], axis=0)) > 1:
        repeated = fit_scores(flow, np.repeat(X, weight, axis=0), at=X)
        require_same(fit_scores(flow, X, weight, at=X), repeated, "weights")
    return True


# The others take seconds.
@pytest.mark.parametrize("seed", [0, 1, 8])
@pytest.mark.parametrize("name", [name for name in FLOWS if name not in SLOW])
def test_neither_units_nor_weights_matter(name, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(name, seed)


@pytest.mark.parametrize("n_rows", [20, 40])
@pytest.mark.parametrize("name", [name for name in FLOWS if name != "random-linear"])
def test_no_value_is_forgotten(name, n_rows):
    for seed in range(3):
        values = np.random.default_rng(seed).integers(0, 5, n_rows)
        X = values[:, None] * 1.0
        flow = clone(FLOWS[name])
        if "random_state" in flow.get_params():
            flow.set_params(random_state=seed)
        flow.fit(X)
        for value, count in enumerate(np.bincount(values, minlength=5)):
            cell = value + (np.arange(100)[:, None] + 0.5) / 100 - 0.5
            found = np.exp(flow.score_samples(cell)).mean()
            # A normal, or a smooth curve, says that much of a value at an end.
            assert found > 0.3 * count / n_rows
            assert found < 2.0 * count / n_rows + 0.2


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    asked = failed = 0
    for number in range(*map(int, sys.argv[1:3])):
        for flow_name in FLOWS:
            try:
                asked += check(flow_name, number)
            except Exception as error:
                failed += 1
                print(f"seed {number}, {flow_name}: {error}", flush=True)
    print(f"{asked} cases, {failed} failed")
