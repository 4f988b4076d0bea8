"""Incremental EM: the mixture moves after each part of the rows."""

import numpy as np
import pytest

from destructors.mixture import GaussianMixtureDestructor
from destructors.mixture import _incremental as incremental
from destructors.mixture._em import EM
from destructors.mixture._expectation import Mixture
from destructors.rows import Rows, stop_all, time_limit

MEANS = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 1.0], [0.0, 4.0, -1.0]])


@pytest.fixture
def parts_of_100(monkeypatch):
    monkeypatch.setattr(incremental, "PART_ROWS", 100)


def draw(n_samples, seed):
    rng = np.random.default_rng(seed)
    return MEANS[rng.integers(3, size=n_samples)] + rng.normal(size=(n_samples, 3))


def make(X, weight=None, **options):
    options = {"background": False, "degrees_of_freedom_prior": 0.0, **options}
    model = GaussianMixtureDestructor(reg_covar=0.0, **options)
    return EM(model, Rows.of(X, weight), model.max_iter)


def begin(X, means=MEANS):
    em = make(X)
    k = len(means)
    em.mixture = Mixture(np.full(k, 1 / k), means, np.repeat(np.eye(3)[None], k, 0))
    return em


def test_it_ends_where_em_ends(parts_of_100):
    X = draw(3_000, 0)
    means = MEANS + 1.0
    before = begin(X[:100], means)
    parts = incremental.fit_in_parts(make(X, tol=1e-9), before, None)
    whole = make(X, tol=1e-9).fit_from(before.mixture)
    assert parts.converged
    assert whole.converged
    np.testing.assert_allclose(parts.mixture.means, whole.mixture.means, atol=1e-3)
    assert abs(parts.lower_bound - whole.lower_bound) < 1e-6


def test_a_pass_brings_more_than_a_step_of_em(parts_of_100):
    X = draw(3_000, 0)
    before = begin(X[:100], MEANS + 1.0)
    few = {"tol": 0.0, "max_iter": 3}
    parts = incremental.fit_in_parts(make(X, **few), before, None)
    whole = make(X, **few).fit_from(before.mixture)
    best = make(X, tol=1e-9).fit_from(before.mixture)
    scores = [em.score(Rows.of(X)) for em in (best, parts, whole)]
    assert scores[0] - scores[1] < 0.2 * (scores[0] - scores[2])


def test_weights_are_repeated_rows_where_the_parts_are_the_same(monkeypatch):
    X = draw(600, 1)
    counts = np.random.default_rng(2).integers(1, 4, size=600).astype(float)
    monkeypatch.setattr(incremental, "PART_ROWS", 200)
    weighted = incremental.fit_in_parts(make(X, counts), begin(X[:200]), None)
    again = incremental.fit_in_parts(make(X, 7.0 * counts), begin(X[:200]), None)
    np.testing.assert_allclose(weighted.mixture.means, again.mixture.means, atol=1e-12)


def test_a_component_that_dies_is_forgotten_by_all_parts(parts_of_100):
    X = draw(1_000, 3)
    before = begin(X[:100], np.r_[MEANS, [[1e2, 1e2, 1e2]]])
    em = incremental.fit_in_parts(make(X), before, None)
    weights, means, _ = em.mixture
    assert len(weights) == 3
    np.testing.assert_allclose(means, MEANS, atol=0.3)
    assert weights.sum() == pytest.approx(1.0)


def test_held_out_rows_end_it(parts_of_100):
    # With as many components as that the rows themselves never say when to stop.
    X, V = draw(1_000, 4), draw(500, 5)
    means = X[:60]
    fits = {
        name: incremental.fit_in_parts(
            make(X, degrees_of_freedom_prior=1.0), begin(X[:100], means), validation
        )
        for name, validation in (("rows", None), ("held out", Rows.of(V)))
    }
    assert fits["held out"].n_iter < fits["rows"].n_iter
    score = {name: em.score(Rows.of(V)) for name, em in fits.items()}
    assert score["held out"] > score["rows"] - 1e-3


def test_the_pass_is_the_last_when_time_is_up(parts_of_100):
    X = draw(1_000, 6)
    with time_limit(None):
        stop_all()
        em = incremental.fit_in_parts(make(X), begin(X[:100]), None)
    assert em.n_iter == 1
    assert not em.converged
    assert np.isfinite(em.lower_bound)
